//! An authority in memory, by a clock of its own: it can be away, be rotated, revoke, and misbehave.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::algorithm::Algorithm;
use crypto::entropy::EntropyPool;
use crypto::key::PrivateKey;
use crypto::x509::{AltName, KeyId, KeyUsage, Purpose, Role, SerialNumber, SigningRequest, Statement, pem};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::authority::{Answer, Authority};
use super::super::bundle::{Published, signed_bytes};
use super::super::candidate::Issued;
use super::super::clock::Clock;
use super::super::wanted::Wanted;
use crate::error::Error;
use crate::random;

pub const HOUR_S: i64 = 3_600;
pub const DOMAIN: &str = "qapi.internal";

/// What the authority does wrong when it issues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mischief {
    None,
    OtherKey,
    MoreNames,
    OtherService,
    Expired,
    NotYetValid,
    UnknownIssuer,
    ForServersAlone,
}

struct Issuer {
    key: PrivateKey,
    certificate: Vec<u8>,
}

pub struct TestAuthority {
    clock: Arc<dyn Clock>,
    random: EntropyPool,
    issuers: Mutex<Vec<Issuer>>,
    pub away: AtomicBool,
    pub mischief: Mutex<Mischief>,
    pub sequence: AtomicI64,
    denied: Mutex<Vec<(String, String)>>,
    changed: Notify,
    /// When certificates were asked for.
    pub asked: Mutex<Vec<Instant>>,
    pub forge: Mutex<Option<fn(&mut Published)>>,
    /// The last bundle, so that it is not signed anew for everybody who asks.
    signed: Mutex<Option<Published>>,
}

impl TestAuthority {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let authority = Self {
            issuers: Mutex::default(),
            random: random::pool(),
            away: AtomicBool::new(false),
            mischief: Mutex::new(Mischief::None),
            sequence: AtomicI64::new(1),
            denied: Mutex::default(),
            changed: Notify::new(),
            asked: Mutex::default(),
            forge: Mutex::default(),
            signed: Mutex::default(),
            clock,
        };
        authority.add_issuer();
        Arc::new(authority)
    }

    fn add_issuer(&self) {
        let issuer = self.issuer();
        self.issuers.lock().unwrap().push(issuer);
    }

    /// A further key that issues from now on; the old one stays an anchor.
    pub fn rotate(&self) {
        self.add_issuer();
        self.publish();
    }

    pub fn deny(&self, serial_number: &str) {
        let issuer = self.key_id(0);
        self.denied.lock().unwrap().push((serial_number.to_owned(), issuer));
        self.publish();
    }

    pub fn publish(&self) {
        self.sequence.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    fn key_id(&self, index: usize) -> String {
        KeyId::of(&self.issuers.lock().unwrap()[index].key.public_key().unwrap()).to_string()
    }

    fn issuer(&self) -> Issuer {
        let key = PrivateKey::generate(Algorithm::MlDsa65, &self.random).unwrap();
        let statement = Statement {
            role: Role::Authority { path_len: Some(0) },
            key_usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
            purposes: Vec::new(),
            not_after: self.clock.now_s() + 10_000 * HOUR_S,
            no_rev_avail: false,
            ..self.statement(&key, Vec::new())
        };
        let statement = Statement { subject: statement.issuer.clone(), ..statement };
        Issuer { certificate: statement.sign(&key, &self.random).unwrap(), key }
    }

    fn statement(&self, key: &PrivateKey, alt_names: Vec<AltName>) -> Statement {
        let now_s = self.clock.now_s();
        Statement {
            serial_number: SerialNumber::draw(&self.random),
            issuer: "CN=Issuing,O=qapi".parse().unwrap(),
            subject: "CN=service,O=qapi".parse().unwrap(),
            not_before: now_s - 60,
            not_after: now_s + 24 * HOUR_S,
            key: key.public_key().unwrap(),
            role: Role::EndEntity,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            purposes: vec![Purpose::ServerAuth, Purpose::ClientAuth],
            alt_names,
            permitted_dns: Vec::new(),
            policies: Vec::new(),
            no_rev_avail: true,
            crl_urls: Vec::new(),
            issuer_urls: Vec::new(),
        }
    }

    fn certificate(&self, request: &str, wanted: &Wanted) -> String {
        let mischief = *self.mischief.lock().unwrap();
        let request = SigningRequest::parse(&pem::blocks(request).unwrap()[0].der).unwrap();
        let mut names: Vec<AltName> = wanted.alt_names();
        names.retain(|name| matches!(name, AltName::Dns(_)));
        names.push(AltName::Uri(wanted.expected_id(&DOMAIN.parse().unwrap())));
        let (other, stranger) = (self.issuer(), self.issuer());
        let mut statement = self.statement(&other.key, names);
        if mischief != Mischief::OtherKey {
            statement.key = request.public_key().clone();
        }
        let now_s = self.clock.now_s();
        match mischief {
            Mischief::MoreNames => statement.alt_names.push(AltName::Dns("bank".to_owned())),
            Mischief::OtherService => {
                statement.alt_names = vec![AltName::Uri(format!("spiffe://{DOMAIN}/ns/a/sa/bank"))]
            }
            Mischief::Expired => (statement.not_before, statement.not_after) = (now_s - 7_200, now_s - 3_600),
            Mischief::NotYetValid => (statement.not_before, statement.not_after) = (now_s + 600, now_s + 3_600),
            Mischief::ForServersAlone => statement.purposes = vec![Purpose::ServerAuth],
            _ => {}
        }
        let issuers = self.issuers.lock().unwrap();
        let key = if mischief == Mischief::UnknownIssuer { &stranger.key } else { &issuers.last().unwrap().key };
        pem::encode(pem::CERTIFICATE, &statement.sign(key, &self.random).unwrap())
    }

    fn published(&self) -> Published {
        let sequence = self.sequence.load(Ordering::Relaxed);
        let mut signed = self.signed.lock().unwrap();
        let current = signed.take().filter(|bundle| bundle.sequence == sequence);
        let mut published = signed.insert(current.unwrap_or_else(|| self.sign_bundle(sequence))).clone();
        if let Some(forge) = *self.forge.lock().unwrap() {
            forge(&mut published);
        }
        published
    }

    fn sign_bundle(&self, sequence: i64) -> Published {
        let issuers = self.issuers.lock().unwrap();
        let denied: Vec<_> = self.denied.lock().unwrap().iter().map(entry).collect();
        let list = serde_json::json!({"trustDomain": DOMAIN, "sequence": sequence, "issuedAt": "", "denied": denied});
        let list = list.to_string();
        let signer = issuers.last().unwrap();
        Published {
            trust_domain: DOMAIN.to_owned(),
            sequence,
            anchors: issuers.iter().map(|issuer| pem::encode(pem::CERTIFICATE, &issuer.certificate)).collect(),
            intermediates: Vec::new(),
            denied: STANDARD.encode(&list),
            signature: STANDARD.encode(signer.key.sign(&signed_bytes(list.as_bytes()), &self.random).unwrap()),
            key_id: KeyId::of(&signer.key.public_key().unwrap()).to_string(),
        }
    }

    fn answer<T>(&self, answer: impl FnOnce() -> T) -> Result<T, Error> {
        if self.away.load(Ordering::Relaxed) { Err(Error::Foreign { status: 502 }) } else { Ok(answer()) }
    }

    /// How many anchors there are.
    pub fn anchors(&self) -> usize {
        self.issuers.lock().unwrap().len()
    }
}

fn entry((serial, issuer): &(String, String)) -> serde_json::Value {
    serde_json::json!({"serialNumber": serial, "issuerKeyId": issuer, "notAfter": ""})
}

impl Authority for TestAuthority {
    fn issue<'a>(&'a self, request: String, wanted: &'a Wanted) -> Answer<'a, Issued> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(Instant::now());
            self.answer(|| Issued { certificate: self.certificate(&request, wanted), chain: String::new() })
        })
    }

    fn bundle(&self) -> Answer<'_, Published> {
        Box::pin(async { self.answer(|| self.published()) })
    }

    fn next_bundle(&self, after: i64) -> Answer<'_, Published> {
        Box::pin(async move {
            let changed = self.changed.notified();
            if self.sequence.load(Ordering::Relaxed) <= after && !self.away.load(Ordering::Relaxed) {
                let _waited = tokio::time::timeout(Duration::from_secs(30), changed).await;
            }
            self.answer(|| self.published())
        })
    }
}
