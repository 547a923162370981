//! Whether checking passwords holds up who wants tokens: tokens at a fixed rate, first alone and then beside as many sign-ins as the server takes.

use anyhow::{Context, Result, anyhow};

use super::client::Client;
use super::installation::{Engine, Installation};
use super::load::{Measured, Plan, Request, drive};
use super::{median, verdict, wanted};

const NAME: &str = "tokens at 1,000/s beside password logins";
const TOKENS: Plan = Plan { connections: 16, seconds: 5.0, rate: Some(1_000.0) };
/// More than are checked at once: the others wait.
const LOGINS: Plan = Plan { connections: 16, seconds: 5.0, rate: None };
const ROUNDS: usize = 3;
const P99_AT_MOST_MS: f64 = 15.0;

pub fn run(rows: &[&str]) -> Result<()> {
    for engine in Engine::ALL {
        let name = engine.row(NAME);
        if !wanted(rows, &name) {
            continue;
        }
        let installation = Installation::new(engine, "logins")?;
        let (server, client) = installation.start()?;
        let (token, logins) = requests(&client)?;
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(driven(&server.address, TOKENS, token.clone())?);
            beside.push(both(&server.address, &token, &logins)?);
        }
        print_row(&name, &alone, &beside);
    }
    Ok(())
}

fn requests(client: &Client) -> Result<(Request, Vec<Request>)> {
    let service = client.create_service("jwt")?;
    Ok((
        Request::form("/oauth2/token", &service, "grant_type=client_credentials"),
        client.create_logins(LOGINS.connections)?,
    ))
}

/// Tokens, and the sign-ins beside them.
fn both(address: &str, token: &Request, logins: &[Request]) -> Result<(Measured, Measured)> {
    std::thread::scope(|threads| {
        let own = logins.to_vec();
        let logins = threads.spawn(|| drive(address, LOGINS, move |place, _| own[place % own.len()].clone()));
        let tokens = driven(address, TOKENS, token.clone());
        Ok((tokens?, logins.join().map_err(|_| anyhow!("the sign-ins panicked"))?.context("signing in")?))
    })
}

fn driven(address: &str, plan: Plan, request: Request) -> Result<Measured> {
    drive(address, plan, move |_, _| request.clone())
}

fn print_row(name: &str, alone: &[Measured], beside: &[(Measured, Measured)]) {
    let p99 = median(beside.iter().map(|(tokens, _)| tokens.quantile_ms(0.99)).collect());
    println!("| row | p99 ms | p99 ms alone | tokens/s | logins/s | bar | |");
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {name} | {p99:.2} | {:.2} | {:.0} | {:.0} | p99 at most {P99_AT_MOST_MS} ms | {} |",
        median(alone.iter().map(|tokens| tokens.quantile_ms(0.99)).collect()),
        median(beside.iter().map(|(tokens, _)| tokens.per_second).collect()),
        median(beside.iter().map(|(_, logins)| logins.per_second).collect()),
        verdict(p99 <= P99_AT_MOST_MS),
    );
}
