//! Rust programs that know OpenID Connect from libraries of others: `oidc-rust metadata PLACE` reads what an issuer
//! publishes by `openidconnect`, `oidc-rust flow PLACE` signs a person in by it, `oidc-rust verifier PLACE` judges tokens by
//! `jwt-simple`.
//!
//! The place is the JSON file that the other clients take too. A check is a line, the last line is the count, and only a
//! full count ends with status 0.

mod flow;
mod metadata;
mod person;
mod place;
mod verifier;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::place::{Checks, Place};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(checks) => checks.conclude(),
        Err(error) => {
            println!("not ok {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Checks> {
    let mut words = std::env::args().skip(1);
    let what = words.next().context("what to do is unsaid")?;
    let place = Place::read(&words.next().context("the place is unsaid")?)?;
    match what.as_str() {
        "flow" => flow::run(&place).await,
        "metadata" => metadata::run(&place).await,
        "verifier" => verifier::run(&place).await,
        other => bail!("{other} is nothing this program does"),
    }
}
