//! Whether the time of a refused sign-in tells who has an account: kinds of people are asked for in turns, hundreds of times each.
//!
//! A test holds the medians to a multiple on whatever machine it runs on; this row holds them to what they are meant to be, on a quiet one.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::client::{Client, Device, PASSWORD};
use super::installation::{Engine, Installation};
use super::load::Request;
use super::{median, verdict, wanted};

const NAME: &str = "refused sign-ins";
/// Each of a kind is tried so often: one more failure, and the next of the account would have to wait.
const TRIES: usize = 4;
const PEOPLE: usize = 60;
/// How far the medians of kinds may lie apart.
const APART: f64 = 1.05;
const KINDS: [&str; 4] = ["wrong password", "unknown", "blocked", "without a password"];

pub fn run(rows: &[&str]) -> Result<()> {
    for engine in Engine::ALL {
        let name = engine.row(NAME);
        if wanted(rows, &name) {
            let installation = Installation::new(engine, "refusals")?;
            let (server, client) = installation.start()?;
            let device = client.create_device()?;
            make_people(&client, &device)?;
            let medians = medians(server.address.parse()?, &client, &device)?;
            print_row(&name, &medians);
        }
    }
    Ok(())
}

fn make_people(client: &Client, device: &Device) -> Result<()> {
    for person in 0..PEOPLE {
        client.create_person(device, &email(0, person), Some(PASSWORD))?;
        let blocked = client.create_person(device, &email(2, person), Some(PASSWORD))?;
        let place = format!("{}/{blocked}/block", device.people);
        client.call("POST", &place, &json!({"reason": "bench"}).to_string())?;
        client.create_person(device, &email(3, person), None)?;
    }
    Ok(())
}

fn email(kind: usize, person: usize) -> String {
    format!("person{person}@kind{kind}.example")
}

/// The medians in milliseconds, in the order of the kinds.
fn medians(server: SocketAddr, client: &Client, device: &Device) -> Result<Vec<f64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut samples = KINDS.map(|_| Vec::new());
    for turn in 0..TRIES * PEOPLE {
        // Each kind comes first as often as last.
        for place in 0..KINDS.len() {
            let kind = (place + turn) % KINDS.len();
            let password = if kind == 0 { "not the password of anybody" } else { PASSWORD };
            let form = client.sign_in(device, &email(kind, turn % PEOPLE), password);
            let took = runtime.block_on(refused(server, network(turn, place)?, &form))?;
            samples[kind].push(took.as_secs_f64() * 1e3);
        }
    }
    Ok(samples.into_iter().map(median).collect())
}

/// A network has few failures free: every try comes from another address of this machine.
fn network(turn: usize, place: usize) -> Result<Ipv4Addr> {
    Ok(Ipv4Addr::new(127, 1 + u8::try_from(place)?, u8::try_from(turn / 250)?, 1 + u8::try_from(turn % 250)?))
}

/// How long it takes until somebody is told that they are not let in.
async fn refused(server: SocketAddr, from: Ipv4Addr, form: &Request) -> Result<Duration> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect(server).await?;
    let mut head = [0; 12];
    let began = Instant::now();
    stream.write_all(form.bytes()).await?;
    // What follows of the page is of no interest.
    stream.read_exact(&mut head).await?;
    let took = began.elapsed();
    ensure!(head == *b"HTTP/1.1 400", "not refused: {}", String::from_utf8_lossy(&head));
    Ok(took)
}

fn print_row(name: &str, medians: &[f64]) {
    let apart = medians.iter().copied().fold(0.0, f64::max) / medians.iter().copied().fold(f64::INFINITY, f64::min);
    let each: Vec<_> = KINDS.iter().zip(medians).map(|(kind, ms)| format!("{kind} {ms:.2} ms")).collect();
    println!("| row | medians of {} each | apart | bar | |", TRIES * PEOPLE);
    println!("|---|---|---|---|---|");
    println!("| {name} | {} | {apart:.3} | at most {APART} | {} |", each.join(", "), verdict(apart <= APART));
}
