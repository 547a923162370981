//! `qapid`, the server: tenants, secrets, keys and encryption as a service over one store and one audit trail.
//!
//! `http` parses and wraps, `app` says what operations mean, `keyring` holds what is in memory only while unsealed.
//! This file reads the command line and the exit status; nothing else leaves the process early.

mod app;
mod background;
mod breach_list;
mod clock;
mod command;
mod config;
mod credentials;
mod ctx;
mod egress;
mod entropy;
mod freshness;
mod http;
mod https;
mod keyring;
mod logs;
mod metrics;
mod mtls;
mod platform;
mod problem;
mod seal;
mod seal_state;
mod trail;

use std::process::ExitCode;

use clap::Parser as _;

/// A tenth of a request's processor time went into the system's allocator, and its arenas kept what a burst had used. Huge pages are
/// switched off (`no_thp`): each of its threads touches a little of many, and two megabytes of memory were spent on that little.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    match command::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
