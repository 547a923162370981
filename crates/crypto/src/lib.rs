//! Algorithms, keys, envelopes and encodings: everything the platform does with a secret is done here.
//!
//! What holds throughout:
//!
//! - No I/O, no clock, no async. Randomness is an argument (`random::Random`); `docs/adr/0008-cryptography.md` names the
//!   three operations for which the provider draws its own.
//! - Secrets are wiped on drop, are neither printable, comparable nor cloneable, and are read through `expose()`.
//! - Key material that leaves a KEM or a seal goes through HKDF with a length-prefixed context; nothing is concatenated.
//! - A ciphertext that cannot be opened gives [`Refused`], whatever the reason.
//! - AWS-LC does the work on every hot path; the RustCrypto crates do what its Rust interface lacks, behind the same types.
#![warn(missing_docs)]

mod aead;
pub mod algorithm;
pub mod base64;
pub mod context;
mod encoding;
pub mod entropy;
mod error;
pub mod hash;
pub mod import;
pub mod jose;
pub mod key;
pub mod key_file;
pub mod message;
pub mod otp;
pub mod passphrase;
pub mod random;
pub mod secret;
pub mod shamir;
pub mod symmetric;
pub mod wrap;
pub mod x509;

#[cfg(test)]
mod vectors;

pub use error::{Error, Refused};
