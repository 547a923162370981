//! Drives every method of the official Rust SDK 0.25.0 that belongs to health, encryption, secrets, share links, keys,
//! transit, entropy, audit, applications, end users and users against a running server, and asserts the values that come back.
//!
//! `QUANTUMAPI_BASE_URL` and `QUANTUMAPI_KEY` say where and as whom. Each method makes its own keys and secrets, so that
//! one that fails does not take others with it; a failure is one line, the last line is the count, and only a full count
//! ends with status 0.

mod audit;
mod eaas;
mod health;
mod identity;
mod keys;
mod qrng;
mod secrets;
mod shares;
mod tally;
mod transit;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use quantumapi::{Config, QuantumAPIClient};

use crate::tally::Tally;

/// How many methods the tables of the contract list for these sections.
const METHODS: usize = 102;
/// How many of them are of applications, end users and users.
const IDENTITY: usize = 31;

/// The client under test and a tag that keeps the names of this run apart from those of every other.
pub struct Sdk {
    pub client: QuantumAPIClient,
    tag: String,
}

impl Sdk {
    fn connect() -> Result<Self> {
        let base_url = std::env::var("QUANTUMAPI_BASE_URL").context("QUANTUMAPI_BASE_URL is unset")?;
        let key = std::env::var("QUANTUMAPI_KEY").context("QUANTUMAPI_KEY is unset")?;
        let config = Config::builder().api_key(key).base_url(base_url).timeout_secs(20).max_retries(0).build()?;
        let client = QuantumAPIClient::with_config(config)?;
        let tag = uuid::Uuid::new_v4().simple().to_string();
        Ok(Self { client, tag })
    }

    /// A name that no other method and no other run uses.
    pub fn name(&self, label: &str) -> String {
        format!("{label}-{}", &self.tag[..12])
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let sdk = match Sdk::connect() {
        Ok(sdk) => sdk,
        Err(error) => {
            eprintln!("sdk rust: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut tally = Tally::default();
    health::run(&sdk, &mut tally).await;
    eaas::run(&sdk, &mut tally).await;
    secrets::run(&sdk, &mut tally).await;
    shares::run(&sdk, &mut tally).await;
    keys::run(&sdk, &mut tally).await;
    transit::run(&sdk, &mut tally).await;
    qrng::run(&sdk, &mut tally).await;
    audit::run(&sdk, &mut tally).await;
    let before = tally.passed();
    identity::run(&sdk, &mut tally).await;
    println!("sdk rust identity: {} of {IDENTITY}", tally.passed() - before);
    if tally.tried() != METHODS {
        println!("FAIL the driver itself: {} methods tried instead of {METHODS}", tally.tried());
    }
    println!("sdk rust: {} of {METHODS}", tally.passed());
    if tally.passed() == METHODS && tally.tried() == METHODS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
