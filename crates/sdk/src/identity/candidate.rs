//! From a new key to a certificate that is good enough to be put in use.
//!
//! Every certificate has a key of its own, made here. What the authority gives is looked at as a peer would look at it, by
//! the same verifier, and must be about this key and these names: a certificate that peers would refuse, or that says more
//! than was asked, never takes the place of one that works.

use std::collections::BTreeSet;

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Random;
use crypto::x509::{Certificate, GeneralName, KeyUsage, Malformed, Purpose, Request, pem};
use tls::credentials::{self, Credentials};
use zeroize::Zeroizing;

use super::bundle::Trusted;
use super::check;
use super::plan::Window;
use super::wanted::{KeyHandling, Wanted};

/// A new key, and the request for its certificate.
pub struct Candidate {
    key: PrivateKey,
    request: Vec<u8>,
}

/// What the authority gave, in PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// What may follow it, for peers that know the root alone.
    pub chain: String,
}

/// A certificate in use, with its key.
#[derive(Clone)]
pub struct Credential {
    pub(super) credentials: Credentials,
    pub(super) window: Window,
    pub(super) serial_number: String,
    pub(super) spiffe_id: String,
    /// Key and chain in PEM, where the key may leave the process.
    pub(super) exported: Option<Zeroizing<String>>,
}

/// Why a certificate is not put in use.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// No key could be made, or no request.
    #[error("making a key and a request")]
    Request(#[source] crypto::Error),
    /// It is not PEM.
    #[error("the authority's answer is not a certificate in PEM")]
    NotPem,
    /// It is malformed.
    #[error("the authority's certificate")]
    Malformed(#[source] Malformed),
    /// It is about another key.
    #[error("the certificate is about another key")]
    OtherKey,
    /// It has other names than those asked for.
    #[error("the certificate has other names than asked for: {found}")]
    OtherNames {
        /// Its names.
        found: String,
    },
    /// Peers would refuse it.
    #[error("peers would refuse the certificate")]
    Refused(#[source] check::Refused),
    /// It cannot be used with its key.
    #[error("using the certificate with its key")]
    Pair(#[source] credentials::Error),
    /// It would have to be renewed at once.
    #[error("the certificate is not valid now")]
    NotValidNow,
}

impl Candidate {
    /// Makes a key and a request of a service.
    pub fn new(wanted: &Wanted, random: &dyn Random) -> Result<Self, Unfit> {
        let request = Request {
            subject: wanted.subject().ok_or(Unfit::NotPem)?,
            alt_names: wanted.alt_names(),
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            purposes: vec![Purpose::ServerAuth, Purpose::ClientAuth],
        };
        Self::of(wanted.algorithm, &request, random)
    }

    /// Makes a key of an algorithm, and signs a request with it.
    pub fn of(algorithm: Algorithm, request: &Request, random: &dyn Random) -> Result<Self, Unfit> {
        let key = PrivateKey::generate(algorithm, random).map_err(Unfit::Request)?;
        let request = request.sign(&key, random).map_err(Unfit::Request)?;
        Ok(Self { key, request })
    }

    /// The request in PEM.
    pub fn request(&self) -> String {
        pem::encode(pem::REQUEST, &self.request)
    }

    /// Checks what the authority gave, and pairs it with the key.
    pub fn accept(self, issued: &Issued, wanted: &Wanted, trusted: &Trusted, now_s: i64) -> Result<Credential, Unfit> {
        let leaf = self.leaf(issued)?;
        let spiffe_id = wanted.expected_id(trusted.trust.domain());
        check_names(&leaf, wanted, &spiffe_id)?;
        let window = Window::of(&leaf);
        if !window.holds(now_s) {
            return Err(Unfit::NotValidNow);
        }
        check::own(leaf.der(), trusted, now_s).map_err(Unfit::Refused)?;
        let credentials = self.with(&leaf)?;
        let serial_number = leaf.serial_number().to_string();
        Ok(Credential { exported: self.exported(issued, wanted)?, credentials, window, serial_number, spiffe_id })
    }

    /// The certificate, which has to be about the key.
    pub fn leaf(&self, issued: &Issued) -> Result<Certificate, Unfit> {
        let leaf = parse(&issued.certificate)?;
        let ours = self.key.public_key().ok_or(Unfit::OtherKey)?;
        let theirs = leaf.public_key().ok_or(Unfit::OtherKey)?;
        let same = theirs.algorithm() == ours.algorithm() && theirs.raw() == ours.raw();
        if same { Ok(leaf) } else { Err(Unfit::OtherKey) }
    }

    /// The key with its certificate. The leaf alone is sent: peers have its authority as an anchor, and one flight stays within
    /// the first window of TCP.
    pub fn with(&self, leaf: &Certificate) -> Result<Credentials, Unfit> {
        Credentials::new(&self.key, vec![leaf.der().to_vec()]).map_err(Unfit::Pair)
    }

    fn exported(&self, issued: &Issued, wanted: &Wanted) -> Result<Option<Zeroizing<String>>, Unfit> {
        if wanted.key == KeyHandling::Kept {
            return Ok(None);
        }
        let key = self.key.to_pem().map_err(Unfit::Request)?;
        let key = std::str::from_utf8(key.expose()).map_err(|_| Unfit::NotPem)?;
        let mut text =
            Zeroizing::new(String::with_capacity(key.len() + issued.certificate.len() + issued.chain.len() + 3));
        for part in [key, &issued.certificate, &issued.chain] {
            text.push_str(part.trim());
            text.push('\n');
        }
        Ok(Some(text))
    }
}

/// Exactly the names that were asked for: one more could be somebody else's.
fn check_names(leaf: &Certificate, wanted: &Wanted, spiffe_id: &str) -> Result<(), Unfit> {
    let mut expected: BTreeSet<String> = wanted.dns_names().iter().map(|name| format!("DNS:{name}")).collect();
    expected.insert(format!("URI:{spiffe_id}"));
    let found: BTreeSet<String> = leaf.alt_names().iter().map(name_text).collect();
    if found == expected {
        return Ok(());
    }
    Err(Unfit::OtherNames { found: found.into_iter().collect::<Vec<_>>().join(", ") })
}

/// A name with its kind.
pub fn name_text(name: &GeneralName) -> String {
    name.as_alt_name().map_or_else(|| name.to_string(), |name| name.to_string())
}

fn parse(text: &str) -> Result<Certificate, Unfit> {
    let blocks = pem::blocks(text).map_err(|_| Unfit::NotPem)?;
    let leaf = blocks.first().filter(|block| block.label == pem::CERTIFICATE).ok_or(Unfit::NotPem)?;
    Certificate::parse(&leaf.der).map_err(Unfit::Malformed)
}
