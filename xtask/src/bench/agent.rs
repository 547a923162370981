//! What the agent adds to a request, and what it takes while nobody asks: the echo asked directly and through two agents,
//! one beside the client and one beside the service, in turns and at the same rate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::footprint::{print_header, print_row};
use super::load::{Measured, Plan, Request, drive};
use super::process::{Running, credentials, scratch};
use super::{median, verdict, wanted};

const LATENCY: &str = "agent added latency";
const MEMORY: &str = "agent idle memory";

const ROUNDS: usize = 5;
/// Far below what either way could carry: the question is what a request waits for, not what it queues behind.
const PLAN: Plan = Plan { connections: 4, seconds: 3.0, rate: Some(500.0) };
const ADDED_AT_MOST_MS: f64 = 0.3;
/// The direct p99 above which nothing can be said about three tenths of a millisecond.
const QUIET_MS: f64 = 1.0;
const MEMORY_AT_MOST_MIB: f64 = 20.0;
/// As long as the server is given before its idle memory is read.
const SETTLE: Duration = Duration::from_secs(5);
const BODY: &str = r#"{"plaintext": "Ada Lovelace, 12 St James's Square, London SW1Y 4JH, 1815-12-10."}"#;

pub fn run(rows: &[&str]) -> Result<()> {
    if ![LATENCY, MEMORY].iter().any(|name| wanted(rows, name)) {
        return Ok(());
    }
    let data = scratch("agent")?;
    let platform = Running::qapid(&data)?;
    let bare = Running::bare()?;
    let inbound = format!(
        "[[inbound]]\nname = \"echo\"\nlisten = \"127.0.0.1:0\"\nforward = \"{}\"\nallow = [\"{}\"]\n",
        bare.address,
        id("asker")
    );
    let server = Running::agent(&config(&data, &platform, "answerer", &inbound)?)?;
    let outbound = format!(
        "[[outbound]]\nname = \"echo\"\nlisten = \"127.0.0.1:0\"\nconnect = \"{}\"\nexpect = [\"{}\"]\n",
        server.announced("inbound echo ")?,
        id("answerer")
    );
    let client = Running::agent(&config(&data, &platform, "asker", &outbound)?)?;
    std::thread::sleep(SETTLE);
    let idle = resident_mib(&client, &server)?;
    let turns = wanted(rows, LATENCY).then(|| Turns::take(&bare.address, client.announced("outbound echo ")?));
    let turns = turns.transpose()?;
    print_header();
    print_row(MEMORY, idle, "MiB", MEMORY_AT_MOST_MIB);
    if let Some(turns) = turns {
        print_row("agent memory after requests", resident_mib(&client, &server)?, "MiB", MEMORY_AT_MOST_MIB);
        turns.print();
    }
    Ok(())
}

fn id(name: &str) -> String {
    format!("spiffe://qapi.internal/ns/bench/sa/{name}")
}

/// An agent's configuration, with the key of the development server.
fn config(data: &Path, platform: &Running, name: &str, port: &str) -> Result<PathBuf> {
    let key = data.join("agent-key");
    std::fs::write(&key, credentials(data)?.get("QUANTUMAPI_KEY").context("no key in dev.env")?)?;
    let config = data.join(format!("{name}.toml"));
    let text = format!(
        "[platform]\nurl = \"http://{}\"\nkey_file = {key:?}\n[identity]\nservice_name = \"{name}\"\n\
         namespace = \"bench\"\n[status]\nlisten = \"127.0.0.1:0\"\n{port}",
        platform.address
    );
    std::fs::write(&config, text)?;
    Ok(config)
}

/// Of the larger of the two.
fn resident_mib(client: &Running, server: &Running) -> Result<f64> {
    Ok(client.resident_mib()?.max(server.resident_mib()?))
}

/// Direct and through the agents, in turns.
struct Turns {
    direct: Vec<Measured>,
    through: Vec<Measured>,
}

impl Turns {
    fn take(direct: &str, through: &str) -> Result<Self> {
        let mut turns = Self { direct: Vec::new(), through: Vec::new() };
        for _ in 0..ROUNDS {
            turns.direct.push(ask(direct)?);
            turns.through.push(ask(through)?);
        }
        Ok(turns)
    }

    /// What is added is the middle of the differences between neighbours.
    fn added_ms(&self, share: f64) -> f64 {
        let turns = self.direct.iter().zip(&self.through);
        median(turns.map(|(direct, through)| through.quantile_ms(share) - direct.quantile_ms(share)).collect())
    }

    fn print(&self) {
        let middle = |rounds: &[Measured], share| median(rounds.iter().map(|round| round.quantile_ms(share)).collect());
        let (direct_p99, added_p99) = (middle(&self.direct, 0.99), self.added_ms(0.99));
        println!("| row | p50 ms | p99 ms | direct p50 ms | direct p99 ms | added p50 ms | added p99 ms | bar | |");
        println!("|---|---|---|---|---|---|---|---|---|");
        println!(
            "| {LATENCY} | {:.3} | {:.3} | {:.3} | {direct_p99:.3} | {:.3} | {added_p99:.3} | at most {ADDED_AT_MOST_MS} ms added at p99 | {} |",
            middle(&self.through, 0.5),
            middle(&self.through, 0.99),
            middle(&self.direct, 0.5),
            self.added_ms(0.5),
            judged(direct_p99, added_p99),
        );
    }
}

/// Where the direct way alone stumbles, the machine was busy and the difference says nothing.
fn judged(direct_p99_ms: f64, added_p99_ms: f64) -> &'static str {
    if direct_p99_ms > QUIET_MS { "TOO BUSY TO TELL" } else { verdict(added_p99_ms <= ADDED_AT_MOST_MS) }
}

fn ask(address: &str) -> Result<Measured> {
    let request = Request::new("POST", "/echo", None, BODY);
    drive(address, PLAN, move |_, _| request.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_busy_machine_measured_keeps_no_bar() {
        let rows = [
            (0.2, 0.3, "ok"),
            (0.2, 0.31, "MISSED"),
            (57.1, -19.9, "TOO BUSY TO TELL"),
            (1.1, 0.1, "TOO BUSY TO TELL"),
        ];
        for (direct, added, expected) in rows {
            assert_eq!(judged(direct, added), expected, "{direct} {added}");
        }
    }
}
