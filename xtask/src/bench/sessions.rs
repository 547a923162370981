//! What people who are signed in cost while they do nothing: the server's memory with 100,000 live sessions, and with as many tokens
//! remembered as it remembers at all.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::client::Client;
use super::footprint::{print_header, print_row};
use super::installation::{Engine, Installation};
use super::load::{Plan, Request, drive};
use super::process::Running;
use super::wanted;

/// The name of the row.
const NAME: &str = "memory with 100,000 live sessions and every token remembered";
/// More than the server remembers.
const TOKENS: usize = 70_000;

/// Copies of the one session there is, each with its own names. No API makes sessions without a password, which would take an hour.
const COPIES_SQLITE: &str = "
CREATE TEMP TABLE copy AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    SELECT one.* FROM n, (SELECT * FROM session LIMIT 1) AS one;
UPDATE copy SET id = randomblob(16), hash = randomblob(32), sid = lower(hex(randomblob(16)));
INSERT INTO session SELECT * FROM copy;
";
const COPIES_POSTGRES: &str = "
CREATE TEMP TABLE copy AS SELECT one.* FROM generate_series(1, 100000), (SELECT * FROM session LIMIT 1) AS one;
UPDATE copy SET id = decode(md5('id' || ctid || random()), 'hex'),
    hash = sha256(convert_to('hash' || ctid || random(), 'UTF8')), sid = md5('sid' || ctid || random());
INSERT INTO session SELECT * FROM copy;
";

pub fn run(rows: &[&str]) -> Result<()> {
    for engine in Engine::ALL {
        let name = engine.row(NAME);
        if wanted(rows, &name) {
            let resident_mib = measure(engine)?;
            print_header();
            print_row(&name, resident_mib, "MiB", 120.0);
        }
    }
    Ok(())
}

fn measure(engine: Engine) -> Result<f64> {
    let installation = Installation::new(engine, "sessions")?;
    let (server, client) = installation.start()?;
    let logins = client.create_logins(1)?;
    drive(&server.address, Plan { connections: 1, seconds: 3.0, rate: None }, move |_, _| logins[0].clone())?;
    drop(server);
    installation.change(COPIES_SQLITE, COPIES_POSTGRES)?;

    let (server, client) = installation.start()?;
    remember_tokens(&server, &client)?;
    std::thread::sleep(Duration::from_secs(2));
    server.resident_mib()
}

/// Asks what each of many tokens is worth, once.
fn remember_tokens(server: &Running, client: &Client) -> Result<()> {
    let service = client.create_service("opaque")?;
    let mut tokens = Vec::with_capacity(TOKENS);
    for _ in 0..TOKENS {
        let issued = client.ask(&Request::form("/oauth2/token", &service, "grant_type=client_credentials"))?;
        tokens.push(issued["access_token"].as_str().context("no token")?.to_owned());
    }
    let tokens: Rc<[String]> = tokens.into();
    let plan = Plan { connections: 1, seconds: 30.0, rate: None };
    drive(&server.address, plan, move |_, turn| {
        let place = usize::try_from(turn).unwrap_or_default() % tokens.len();
        let token = tokens.get(place).map_or("", String::as_str);
        Request::form("/oauth2/introspect", &service, &format!("token={token}"))
    })?;
    Ok(())
}
