//! `qapi-agent`: an identity for a program that has none, beside it.
//!
//! It fetches a certificate of the platform's authority and keeps it fresh, with `sdk::identity`. With it, it carries bytes
//! between loopback ports and mTLS (`proxy`), or, when that is chosen, writes key, chain, anchors and secrets to files in
//! memory (`files`). It holds no secret of the platform, understands nothing above TCP, and keeps no private key on a disk.

mod config;
mod files;
mod health;
mod logs;
mod numbers;
mod platform;
mod proxy;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// An mTLS identity beside a program.
#[derive(Parser)]
#[command(name = "qapi-agent", version, about)]
struct Arguments {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
    /// Checks the configuration and ends.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match start(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> anyhow::Result<()> {
    let config = config::Config::load(&arguments.config)?;
    if arguments.check {
        return Ok(());
    }
    logs::start(&config.log)?;
    // One thread is enough for what one program says and hears, and keeps the agent small.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run::run(config))
}
