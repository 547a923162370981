//! X.509 as RFC 5280 profiles it, with ML-DSA as RFC 9881 adds it: certificates, revocation lists and requests, written
//! and read.
//!
//! - Writing takes what a certificate shall state as plain data ([`Statement`], [`RevocationList`], [`Request`]) and a
//!   [`PrivateKey`](crate::key::PrivateKey) that signs it. Serial numbers, times and randomness are arguments. What may be
//!   stated is the caller's policy; only what no standard allows is refused here.
//! - Reading ([`Certificate`], [`Crl`], [`SigningRequest`]) is strict: one element and nothing after it, DER, every
//!   extension at most once, every extension we know in the form its standard gives it. A refusal names the clause.
//!   Extensions we do not know are kept by name, with their criticality: whether that is an obstacle is for the
//!   validation of a path (`tls::path`) to say.
//! - The ASN.1 is RustCrypto's `der` and `x509-cert`; signatures are made and checked by [`key`](crate::key) alone.
//!
//! Not here: path validation, trust, clocks, fetching.

mod alt_name;
mod certificate;
mod crl;
mod distinguished_name;
mod extensions;
mod general_name;
mod key_id;
mod malformed;
mod oid;
pub mod pem;
mod request;
mod serial_number;
mod signature;
mod spiffe;
mod statement;
mod time;
mod usage;

pub use alt_name::AltName;
pub use certificate::{Certificate, SubjectKey};
pub use crl::{Crl, CrlScope, Reason, RevocationList, Revoked};
pub use distinguished_name::DistinguishedName;
pub use extensions::{AuthorityKeyId, BasicConstraints, Extensions, Marked, NameConstraints};
pub use general_name::GeneralName;
pub use key_id::KeyId;
pub use malformed::Malformed;
pub use oid::Oid;
pub use request::{Request, SigningRequest};
pub use serial_number::SerialNumber;
pub use spiffe::{NotSpiffe, SpiffeId, TrustDomain};
pub use statement::{Role, Statement};
pub use usage::{KeyUsage, Purpose};

#[cfg(test)]
mod tests;
