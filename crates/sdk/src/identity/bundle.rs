//! The trust bundle: whom to believe, and whom no longer. What the platform publishes becomes [`Trusted`] only after its
//! deny list was found to be signed by one of its own anchors.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::x509::{Certificate, KeyId, Malformed, NotSpiffe, SerialNumber, TrustDomain, pem};
use serde::Deserialize;
use tls::path;
use tls::trust::{Denied, Trust};

/// A bundle as it was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The trust domain it speaks of.
    pub trust_domain: String,
    /// Grows with every change.
    pub sequence: i64,
    /// Certificates to trust, in PEM.
    pub anchors: Vec<String>,
    /// Certificates that may stand between, in PEM.
    pub intermediates: Vec<String>,
    /// The deny list's JSON, in base64.
    pub denied: String,
    /// The signature over it, in base64.
    pub signature: String,
    /// The key identifier of the anchor that signed, in hexadecimal digits.
    pub key_id: String,
}

/// A bundle that was checked.
#[derive(Clone)]
pub struct Trusted {
    /// For handshakes.
    pub trust: Trust,
    /// The same for judging our own certificate.
    pub path: path::Trust,
    /// Certificates that may stand between it and an anchor.
    pub intermediates: Vec<Certificate>,
    /// See [`Published::sequence`].
    pub sequence: i64,
    /// How many certificates are denied.
    pub denied: usize,
    /// The anchors in PEM, for programs that read files.
    pub anchors: String,
}

/// Why a bundle is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Unbelievable {
    /// Its trust domain is none.
    #[error("the bundle's trust domain")]
    TrustDomain(#[source] NotSpiffe),
    /// It speaks of another trust domain than before.
    #[error("the bundle is of the trust domain {found}, not of {expected}")]
    OtherDomain {
        /// The one in use.
        expected: TrustDomain,
        /// The bundle's.
        found: TrustDomain,
    },
    /// It has no anchor.
    #[error("the bundle has no anchor")]
    NoAnchors,
    /// A text is not PEM of a certificate.
    #[error("the bundle holds something that is not a certificate in PEM")]
    NotPem,
    /// A certificate is malformed.
    #[error("a certificate of the bundle")]
    Certificate(#[source] Malformed),
    /// The deny list is signed by nobody who is trusted.
    #[error("the deny list is not signed by an anchor of the bundle")]
    Signature,
    /// The deny list is not what it should be.
    #[error("the deny list cannot be read")]
    DenyList,
    /// The deny list belongs to another bundle.
    #[error("the deny list belongs to another bundle")]
    OtherList,
    /// It is older than the one in use.
    #[error("the bundle's sequence {found} is before {held}")]
    Older {
        /// The sequence in use.
        held: i64,
        /// The bundle's.
        found: i64,
    },
}

/// The deny list's JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DenyList {
    trust_domain: String,
    sequence: i64,
    denied: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    serial_number: String,
    issuer_key_id: String,
}

impl Published {
    /// Checks it.
    pub fn check(&self) -> Result<Trusted, Unbelievable> {
        let domain = self.domain()?;
        let anchors = certificates(&self.anchors)?;
        if anchors.is_empty() {
            return Err(Unbelievable::NoAnchors);
        }
        let intermediates = certificates(&self.intermediates)?;
        let numbers = self.deny_list(&domain, &anchors)?;
        let denied = numbers.iter().map(|(issuer, serial)| Denied {
            issuer_key_id: issuer.as_bytes().to_vec(),
            serial: serial.as_bytes().to_vec(),
        });
        let der = |certificates: &[Certificate]| certificates.iter().map(|each| each.der().to_vec()).collect();
        Ok(Trusted {
            anchors: anchors.iter().map(Certificate::to_pem).collect(),
            trust: Trust::new(domain, der(&anchors))
                .with_intermediates(der(&intermediates))
                .with_denied(denied.collect()),
            sequence: self.sequence,
            denied: numbers.len(),
            path: path::Trust {
                anchors,
                denied: numbers.into_iter().collect(),
                floor: path::Floor::MlDsa65,
                ..path::Trust::default()
            },
            intermediates,
        })
    }

    /// Checks it if it is newer than the bundle in use. It must not be older, or of another trust domain.
    pub fn check_after(&self, held: &Trusted) -> Result<Option<Trusted>, Unbelievable> {
        let found = self.domain()?;
        if *held.trust.domain() != found {
            return Err(Unbelievable::OtherDomain { expected: held.trust.domain().clone(), found });
        }
        match self.sequence.cmp(&held.sequence) {
            Ordering::Less => Err(Unbelievable::Older { held: held.sequence, found: self.sequence }),
            Ordering::Equal => Ok(None),
            Ordering::Greater => self.check().map(Some),
        }
    }

    fn domain(&self) -> Result<TrustDomain, Unbelievable> {
        self.trust_domain.parse().map_err(Unbelievable::TrustDomain)
    }

    fn deny_list(
        &self,
        domain: &TrustDomain,
        anchors: &[Certificate],
    ) -> Result<Vec<(KeyId, SerialNumber)>, Unbelievable> {
        let payload = STANDARD.decode(&self.denied).map_err(|_| Unbelievable::DenyList)?;
        let signature = STANDARD.decode(&self.signature).map_err(|_| Unbelievable::Signature)?;
        let key_id = hex::decode(&self.key_id).map_err(|_| Unbelievable::Signature)?;
        let signer = anchors.iter().find(|anchor| anchor.subject_key_id().is_some_and(|id| id.as_bytes() == key_id));
        let key = signer.and_then(Certificate::public_key).ok_or(Unbelievable::Signature)?;
        if !key.verify(&signed_bytes(&payload), &signature) {
            return Err(Unbelievable::Signature);
        }
        let list: DenyList = serde_json::from_slice(&payload).map_err(|_| Unbelievable::DenyList)?;
        if list.trust_domain != domain.as_str() || list.sequence != self.sequence {
            return Err(Unbelievable::OtherList);
        }
        list.denied.iter().map(Entry::numbers).collect()
    }
}

impl Entry {
    fn numbers(&self) -> Result<(KeyId, SerialNumber), Unbelievable> {
        let serial: SerialNumber = self.serial_number.parse().map_err(|_| Unbelievable::DenyList)?;
        let issuer = hex::decode(&self.issuer_key_id).map_err(|_| Unbelievable::DenyList)?;
        Ok((KeyId::from_bytes(&issuer), serial))
    }
}

/// What the signature covers: a label that no other signature of the platform begins with, and the list.
pub fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    [SIGNATURE_LABEL, &[0], payload].concat()
}

fn certificates(texts: &[String]) -> Result<Vec<Certificate>, Unbelievable> {
    let mut found = Vec::new();
    for text in texts {
        let blocks = pem::blocks(text).map_err(|_| Unbelievable::NotPem)?;
        for block in blocks {
            if block.label != pem::CERTIFICATE {
                return Err(Unbelievable::NotPem);
            }
            found.push(Certificate::parse(&block.der).map_err(Unbelievable::Certificate)?);
        }
    }
    Ok(found)
}

const SIGNATURE_LABEL: &[u8] = b"qapi/deny-list/v1";
