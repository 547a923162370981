//! Whether a certificate is to be trusted: RFC 5280 section 6, with RFC 9881's rules for ML-DSA and RFC 9525's for names.
//!
//! [`verify`] is the one judge of the platform: the handshakes of this crate, the client, the agent and `qapi certs verify`
//! all ask it. It is pure: certificates, trust and the time are arguments, and the same arguments give the same verdict.
//!
//! What it holds to, and where it is stricter than others:
//!
//! - Any trusted certificate is an anchor: a root, or an issuing authority by itself. An anchor is examined like every other
//!   certificate of the path, but for its signature.
//! - Intermediates are untrusted and may be hostile: depth and the number of signatures checked are limited.
//! - RFC 9881 section 5 holds for every certificate of the path. Most verifiers do not look.
//! - Name constraints are applied to DNS names, addresses, URIs, mailboxes and directory names. A constraint on a kind of
//!   name that is not understood refuses names of that kind.
//! - The common name is never a name of the peer.
//! - What RFC 5280 says a conforming authority MUST do is expected of it ([`Rigor::Standard`]). Rules of the public web,
//!   which a private authority need not follow, are a second tier ([`Rigor::Pedantic`]); each says its clause.
//! - Policies are not evaluated. A path that requires an explicit policy is refused rather than taken for one that does not.
//! - Revocation: a signed list must be fresh, complete and understood whole; a deny list has the last word.

mod build;
mod conformity;
mod constraints;
mod names;
mod pedantry;
mod refusal;
mod revocation;
mod walk;

use core::net::IpAddr;

use crypto::algorithm::Algorithm;
use crypto::x509::{Certificate, Crl, GeneralName, KeyUsage, Purpose, SpiffeId, TrustDomain};

pub use refusal::{Reason, Refusal};
pub use revocation::DenyList;

/// What a verdict rests on.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Certificates that are trusted by themselves.
    pub anchors: Vec<Certificate>,
    /// Revocation lists, of whichever issuers.
    pub crls: Vec<Crl>,
    /// Certificates that are refused whatever else speaks for them.
    pub denied: DenyList,
    /// The weakest algorithm that may be in a path.
    pub floor: Floor,
    /// How exact certificates have to be.
    pub rigor: Rigor,
}

/// The weakest algorithm that a trust domain accepts, for keys and for signatures.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Floor {
    /// Elliptic curves too: for meshes whose data plane knows nothing else. Not safe against quantum computers.
    DangerClassical,
    /// ML-DSA of every size.
    #[default]
    MlDsa44,
    /// ML-DSA-65 and -87.
    MlDsa65,
    /// ML-DSA-87 alone.
    MlDsa87,
}

impl Floor {
    /// Whether an algorithm reaches the floor.
    pub fn admits(self, algorithm: Algorithm) -> bool {
        let strength = |algorithm| match algorithm {
            Algorithm::MlDsa87 => 3,
            Algorithm::MlDsa65 => 2,
            Algorithm::MlDsa44 => 1,
            _ => 0,
        };
        let classical = matches!(algorithm, Algorithm::EcdsaP256 | Algorithm::EcdsaP384 | Algorithm::Ed25519);
        match self {
            Self::DangerClassical => classical || strength(algorithm) > 0,
            Self::MlDsa44 => strength(algorithm) >= 1,
            Self::MlDsa65 => strength(algorithm) >= 2,
            Self::MlDsa87 => strength(algorithm) >= 3,
        }
    }
}

/// How exact certificates have to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Rigor {
    /// What RFC 5280, RFC 9525, RFC 9608 and RFC 9881 demand.
    #[default]
    Standard,
    /// Also what the CA/Browser Forum demands of the public web, and what RFC 5280 only recommends.
    Pedantic,
}

/// What a peer is expected to be.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What it is used for; none when any purpose will do.
    pub purpose: Option<Purpose>,
    /// What its keyUsage must allow, if it has one. A handshake needs digitalSignature (RFC 9846 4.4.2.2).
    pub usage: KeyUsage,
    /// Names that it must have, all of them.
    pub names: Vec<Name>,
    /// How many certificates may stand between it and the anchor.
    pub max_intermediates: usize,
}

impl Expectation {
    /// A peer of a handshake, used for this purpose, under any name.
    pub fn peer(purpose: Purpose) -> Self {
        Self {
            purpose: Some(purpose),
            usage: KeyUsage::DIGITAL_SIGNATURE,
            names: Vec::new(),
            max_intermediates: MAX_INTERMEDIATES,
        }
    }
}

/// A name that a peer must have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Name {
    /// A DNS name; a wildcard of the certificate may stand for its first label.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A SPIFFE id, to the byte.
    Spiffe(SpiffeId),
    /// Any SPIFFE id of this trust domain.
    TrustDomain(TrustDomain),
}

/// A certificate that was verified, with the path that speaks for it.
#[derive(Clone, Debug)]
pub struct Verified {
    /// From the certificate to the anchor.
    pub path: Vec<Certificate>,
    /// The one SPIFFE id of the certificate, if it has exactly one URI and that is one.
    pub spiffe_id: Option<SpiffeId>,
    /// Its DNS names.
    pub dns_names: Vec<String>,
}

/// Judges a certificate: whether a path of the intermediates leads to an anchor, holds at `now` (seconds since the Unix
/// epoch), and makes the certificate what is expected.
///
/// Where several paths lead to anchors, one that holds is enough. Where none does, the refusal is that of the first path that
/// reached an anchor, or else says how far the search came.
pub fn verify(
    leaf: &Certificate,
    intermediates: &[Certificate],
    trust: &Trust,
    expectation: &Expectation,
    now: i64,
) -> Result<Verified, Refusal> {
    let judge = walk::Judge { trust, expectation, now };
    judge.leaf(leaf)?;
    let mut search = build::Search::new(trust, intermediates, expectation.max_intermediates.min(MAX_INTERMEDIATES));
    let path = search.find(leaf, &mut |path| judge.path(path))?;
    Ok(Verified {
        spiffe_id: names::spiffe_id(leaf).ok(),
        dns_names: dns_names(leaf),
        path: path.into_iter().cloned().collect(),
    })
}

/// What is wrong with a certificate by itself: every rule that [`verify`] would refuse it for, wherever it stands.
pub fn breaches(certificate: &Certificate) -> Vec<Refusal> {
    conformity::breaches(certificate)
}

fn dns_names(leaf: &Certificate) -> Vec<String> {
    let names = leaf.alt_names().iter();
    names
        .filter_map(|name| match name {
            GeneralName::Dns(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// No authority of ours is deeper, and no real hierarchy known to us.
pub const MAX_INTERMEDIATES: usize = 10;

#[cfg(test)]
mod tests;
