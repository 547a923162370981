//! Signed software: what is signed, in which envelope, and whether to believe it.
//!
//! One signed payload can travel in several carriers, each readable alone: the layer of a legacy signature, a DSSE envelope, a
//! Sigstore bundle. This crate reads and writes them. What it reads comes from registries and files, which may lie: every parser
//! is strict, nothing is believed before its signature is checked, and the bytes that were signed are never written anew.
#![warn(missing_docs)]

pub mod base64;
pub mod bundle;
#[cfg(feature = "cyclonedx")]
pub mod cyclonedx;
pub mod digest;
pub mod dsse;
pub mod file_signature;
pub mod gate;
pub mod hybrid;
pub mod image;
pub mod json;
pub mod manifest;
pub mod policy;
pub mod reference;
pub mod registry;
pub mod signing;
pub mod simple_signing;
pub mod statement;
pub mod trusted_key;
pub mod verification;
pub mod versions;
