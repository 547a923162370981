//! A configuration to lend: for HTTP clients that shake hands by themselves and keep one configuration for many connections.
//!
//! It holds one snapshot and does not follow the next. Whoever lends it takes it back when the snapshot is exchanged, and
//! when a certificate that it met has ended; [`Witness`] is told what there is to know for that.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, OtherError};

use super::verifier::{self, Role};
use crate::frame::{Framed, Judge, Shown};
use crate::handshake::Error;
use crate::provider;
use crate::snapshot::Snapshot;
use crate::whom::{Host, Whom};

/// Whom connections expect at their other end.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Whatever the address says.
    Whom(Whom),
    /// The host of the address.
    HostOfAddress,
}

/// Is told of every judgement of a lent configuration.
pub trait Witness: Send + Sync {
    /// A server was believed, whose certificate ends in this second.
    fn met(&self, not_after: i64);
    /// A server was refused.
    fn refused(&self, error: &Error);
}

/// A client's configuration that shows and judges by `snapshot`.
pub fn lend(snapshot: Arc<Snapshot>, expected: Expected, witness: Arc<dyn Witness>) -> Result<ClientConfig, Error> {
    let credentials = SingleCertAndKey::from(snapshot.credentials().certified_key());
    let lent = Lent { snapshot, expected, witness };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider::mesh()))
        .with_protocol_versions(&[&TLS13])
        .map_err(Error::Protocol)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Framed(lent)))
        .with_client_cert_resolver(Arc::new(credentials));
    config.resumption = Resumption::disabled();
    Ok(config)
}

struct Lent {
    snapshot: Arc<Snapshot>,
    expected: Expected,
    witness: Arc<dyn Witness>,
}

impl Judge for Lent {
    fn judge(&self, shown: &Shown<'_>) -> Result<(), rustls::Error> {
        let whom = match (&self.expected, shown.name) {
            (Expected::Whom(whom), _) => whom.clone(),
            (Expected::HostOfAddress, Some(name)) => Whom::Host(Host::from(name)),
            (Expected::HostOfAddress, None) => return Err(CertificateError::NotValidForName.into()),
        };
        match verifier::verify(&self.snapshot, Role::Server, &whom, shown) {
            Ok(verified) => {
                self.witness.met(verified.not_after);
                Ok(())
            }
            Err(error) => {
                self.witness.refused(&error);
                Err(told(error))
            }
        }
    }
}

/// The peer is sent the alert that fits where there is one; whoever made the request finds the reason among the causes.
fn told(error: Error) -> rustls::Error {
    match verifier::alert(&error) {
        rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            CertificateError::Other(OtherError(Arc::new(error))).into()
        }
        alert => alert,
    }
}
