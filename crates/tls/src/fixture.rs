//! Authorities and certificates made for the tests of this crate.

use std::time::{SystemTime, UNIX_EPOCH};

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::{Random, operating_system};
use crypto::x509::{KeyUsage, Purpose, Role, SerialNumber, Statement};

use crate::credentials::Credentials;

pub const DAY: i64 = 86_400;

/// Randomness nobody has to repeat.
pub struct System;

impl Random for System {
    fn fill(&self, out: &mut [u8]) {
        operating_system(out).unwrap();
    }
}

/// An issuing authority, which is its own anchor.
pub struct Authority {
    key: PrivateKey,
    pub certificate: Vec<u8>,
}

/// What a leaf says that is not the rule.
pub struct Leaf<'a> {
    pub algorithm: Algorithm,
    pub names: &'a [&'a str],
    pub not_before: i64,
    pub not_after: i64,
    pub purposes: Vec<Purpose>,
}

impl<'a> Leaf<'a> {
    /// An ML-DSA-65 certificate of today with these names, for both sides.
    pub fn of(names: &'a [&'a str]) -> Self {
        let purposes = vec![Purpose::ServerAuth, Purpose::ClientAuth];
        Self { algorithm: Algorithm::MlDsa65, names, not_before: now() - 60, not_after: now() + DAY, purposes }
    }
}

impl Authority {
    pub fn new(algorithm: Algorithm) -> Self {
        let key = PrivateKey::generate(algorithm, &System).unwrap();
        let statement = Statement {
            subject: "CN=Issuing,O=qapi".parse().unwrap(),
            role: Role::Authority { path_len: Some(0) },
            key_usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
            purposes: Vec::new(),
            not_before: now() - 10 * DAY,
            not_after: now() + 400 * DAY,
            no_rev_avail: false,
            ..statement(&key, &Leaf::of(&[]))
        };
        Self { certificate: statement.sign(&key, &System).unwrap(), key }
    }

    /// The statement of a certificate and its credentials.
    pub fn issue(&self, leaf: &Leaf<'_>) -> (Statement, Credentials) {
        let key = PrivateKey::generate(leaf.algorithm, &System).unwrap();
        let statement = statement(&key, leaf);
        let certificate = statement.sign(&self.key, &System).unwrap();
        let credentials = Credentials::new(&key, vec![certificate]).unwrap();
        (statement, credentials)
    }
}

fn statement(key: &PrivateKey, leaf: &Leaf<'_>) -> Statement {
    Statement {
        serial_number: SerialNumber::draw(&System),
        issuer: "CN=Issuing,O=qapi".parse().unwrap(),
        subject: "CN=service,O=qapi".parse().unwrap(),
        not_before: leaf.not_before,
        not_after: leaf.not_after,
        key: key.public_key().unwrap(),
        role: Role::EndEntity,
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        purposes: leaf.purposes.clone(),
        alt_names: leaf.names.iter().map(|name| name.parse().unwrap()).collect(),
        permitted_dns: Vec::new(),
        policies: Vec::new(),
        no_rev_avail: true,
        crl_urls: Vec::new(),
        issuer_urls: Vec::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "handshakes judge by the real clock")]
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
