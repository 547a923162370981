//! What the product costs while it does nothing, and how long a person waits for it.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::client::Client;
use super::process::{Running, release, scratch};
use super::{median, verdict, wanted};

const STARTS: usize = 5;
const GETS: usize = 51;

pub fn run(rows: &[&str]) -> Result<()> {
    if !["idle memory", "start to ready", "vault get", "qapi size"].iter().any(|name| wanted(rows, name)) {
        return Ok(());
    }
    let data = scratch("footprint")?;
    drop(Running::qapid(&data)?);

    print_header();
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let server = Running::qapid(&data)?;
        starts.push(server.ready_after.as_secs_f64() * 1e3);
    }
    print_row("start to ready, existing database", median(starts), "ms", 300.0);

    let server = Running::qapid(&data)?;
    std::thread::sleep(Duration::from_secs(5));
    print_row("idle memory", server.resident_mib()?, "MiB", 60.0);

    let client = Client::of(&server, &data)?;
    let id = client.create_secret("bench/vault-get", "correct horse battery staple")?;
    print_row("qapi vault get", vault_get(&client, &id)?, "ms", 30.0);

    let size = std::fs::metadata(release("qapi"))?.len() as f64 / f64::from(1 << 20);
    print_row("qapi, stripped", size, "MiB", 15.0);
    Ok(())
}

/// The middle of many runs of the command a pipeline runs.
fn vault_get(client: &Client, id: &str) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..GETS {
        let began = Instant::now();
        let done = Command::new(release("qapi"))
            .args(["vault", "get", id])
            .env("QUANTUMAPI_BASE_URL", format!("http://{}", client.address))
            .env("QUANTUMAPI_KEY", &client.key)
            .output()?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(done.status.success(), "qapi vault get: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(median(took))
}

pub fn print_header() {
    println!("| footprint | value | bar | |");
    println!("|---|---|---|---|");
}

pub fn print_row(name: &str, value: f64, unit: &str, at_most: f64) {
    println!("| {name} | {value:.1} {unit} | at most {at_most:.0} {unit} | {} |", verdict(value <= at_most));
}
