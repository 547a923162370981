//! The bare peers that `cargo xtask bench` measures the server beside.
//!
//! `bare serve ADDRESS` answers two routes on the server's own HTTP stack: `/echo` parses the JSON of a request and
//! writes it back; `/sealed` encrypts its plaintext to one ML-KEM-768 key, with one encapsulation, one KDF and one
//! AES-GCM per request. Neither authenticates, counts or records anything. `bare sign`, `bare stretch` and `bare commit DIR`
//! run the signing primitive, the stretching of a password and the database engine by themselves and print their rate per
//! second. `bare csr NAME` prints a certificate request to measure with.

#![expect(clippy::print_stdout, reason = "the result is read from standard output")]

mod commit;
mod http;
mod sign;
mod stretch;

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", address] => runtime.block_on(http::serve(address))?,
        ["sign"] => println!("{:.0}", sign::rate()?),
        ["stretch"] => println!("{:.1}", stretch::rate()?),
        ["csr", name] => println!("{}", sign::request(name)?),
        ["commit", dir] => println!("{:.0}", runtime.block_on(commit::rate(dir.as_ref()))?),
        _ => {
            println!("usage: bare serve ADDRESS | bare sign | bare stretch | bare commit DIR | bare csr NAME");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The operating system's generator, unmixed.
struct OperatingSystem;

impl crypto::random::Random for OperatingSystem {
    fn fill(&self, out: &mut [u8]) {
        // A peer without randomness measures nothing; the process has nothing to save.
        if crypto::random::operating_system(out).is_err() {
            std::process::abort();
        }
    }
}
