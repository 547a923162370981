//! The program `sigstore-kms-qapi`: Sigstore's tools run it for keys that they are told as `qapi://NAME`. What it does is the
//! library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::sigstore_kms()
}
