//! The build system: everything the project does to itself that is more than one cargo command.
//!
//! `cargo xtask tidy` checks the rules of the house that no linter knows, `cargo xtask openapi` keeps the published
//! document true, `cargo xtask bench` measures a release server beside bare peers, `cargo xtask release-size` weighs the
//! binaries. Nothing here ships.

#![expect(clippy::print_stdout, reason = "a build tool talks on standard output")]

mod bench;
mod openapi;
mod release_size;
mod source;
mod tidy;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy               check crate dependencies, file shapes, secret types and forbidden words
  openapi [--check]  write openapi/qapi-v1.json from the code, or fail if it differs
  bench [ROW...]     measure the release server on core 0 from core 1 (all rows, or those whose name contains ROW)
  release-size       build release and print the size of the stripped binaries";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy::run(),
        ["openapi"] => openapi::write(),
        ["openapi", "--check"] => openapi::check(),
        ["bench", rows @ ..] => bench::run(rows),
        ["release-size"] => release_size::run(),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
