//! Published vectors, run through this crate's own interface. Each file prints how many cases ran and how many were
//! refused, and the totals are asserted: a case can be left out only by saying so here.
//!
//! Refused, because the product does not offer them: ML-KEM-512; ML-DSA's pre-hash and internal interfaces; AES-128 and
//! AES-192; nonces other than 96 bits.

mod cctv;
mod formats;
mod jose;
mod lamps;
mod ml_dsa;
mod ml_kem;
mod symmetric;
mod xwing;

use std::io::Read as _;

use serde_json::Value;

use crate::Error;
use crate::algorithm::Algorithm;
use crate::import::{Format, Imported, import};
use crate::key::{PrivateKey, PublicKey};

/// What happened to the cases of one file.
#[derive(Default)]
struct Tally {
    run: usize,
    refused: usize,
}

impl Tally {
    fn count(&mut self, was_run: bool) {
        if was_run {
            self.run += 1;
        } else {
            self.refused += 1;
        }
    }

    fn finish(self, file: &str, run: usize, refused: usize) {
        println!("{file}: run {} refused {}", self.run, self.refused);
        assert_eq!((self.run, self.refused), (run, refused), "{file}");
    }
}

/// Every test of a NIST or Wycheproof file with its group.
fn acvp(compressed: &[u8], mut case: impl FnMut(&Value, &Value)) {
    let file: Value = serde_json::from_slice(&inflate(compressed)).unwrap();
    for group in file["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            case(group, test);
        }
    }
}

fn inflate(compressed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(compressed).read_to_end(&mut out).unwrap();
    out
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or_else(|| panic!("no hex: {value}"))).unwrap()
}

/// The group's algorithm, where it is offered.
fn offered(group: &Value) -> Option<Algorithm> {
    group["parameterSet"].as_str().unwrap().parse().ok()
}

fn private(algorithm: Algorithm, raw: &[u8]) -> Result<PrivateKey, Error> {
    match import(algorithm, Format::Raw, raw, false)? {
        Imported::Private(key) => Ok(key),
        Imported::Public(_) => panic!("a public key"),
    }
}

fn public(algorithm: Algorithm, raw: &[u8]) -> Result<PublicKey, Error> {
    PublicKey::from_raw(algorithm, raw)
}

/// Randomness that a vector gives: these bytes, then nothing.
struct Given(Vec<u8>);

impl crate::random::Random for Given {
    fn fill(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}
