//! The program `qapi`: what it does is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::qapi()
}
