//! TLS, and the only crate that names rustls.
//!
//! Two worlds are kept apart. Between services, `mesh`: both sides show certificates of the platform's own authority,
//! ML-DSA and hybrid key exchange or nothing. Towards everybody else, the connector here: the public roots of the web and
//! whatever authorities the caller adds, the hybrid group before the classical ones.
//!
//! In both: TLS 1.3 alone, the provider always passed explicitly (`provider`), and nothing that switches verification off.

pub mod credentials;
#[cfg(test)]
mod fixture;
mod frame;
pub mod handshake;
pub mod mesh;
pub mod path;
pub mod peer;
pub mod pin;
mod provider;
pub mod public;
pub mod snapshot;
pub mod trust;
pub mod whom;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_util::client::legacy::connect::HttpConnector;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Opens plain and TLS connections for an HTTP/1.1 client.
pub type Connector = hyper_rustls::HttpsConnector<HttpConnector>;

/// The same over the caller's own way of looking names up.
pub type OverResolver<R> = hyper_rustls::HttpsConnector<HttpConnector<R>>;

/// Why a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of further authorities cannot be read, or holds something else.
    #[error("reading certificates from {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The file of further authorities holds none.
    #[error("no certificates in {}", .0.display())]
    NoAuthorities(PathBuf),
    /// A certificate is not one that can be trusted as an authority.
    #[error("trusting a certificate of {}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The provider does not do TLS 1.3.
    #[error("setting up TLS 1.3")]
    Protocol(#[source] rustls::Error),
}

/// A client's configuration: the public roots, and the authorities of a PEM file when one is given.
pub fn client_config(authorities: Option<&Path>) -> Result<rustls::ClientConfig, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authorities {
        add_authorities(&mut roots, path)?;
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider::public()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Error::Protocol)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// A connector over [`client_config`], for `http` and `https` addresses.
pub fn connector(authorities: Option<&Path>) -> Result<Connector, Error> {
    let config = client_config(authorities)?;
    Ok(hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

/// A connector with names looked up by `resolver`, which decides where connections may go.
pub fn connector_over<R>(authorities: Option<&Path>, resolver: R) -> Result<OverResolver<R>, Error> {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    tcp.enforce_http(false);
    let config = client_config(authorities)?;
    Ok(hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp))
}

fn add_authorities(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let unreadable = |source| Error::Authorities { path: path.to_owned(), source };
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots.add(certificate).map_err(|source| Error::Authority { path: path.to_owned(), source })?;
    }
    if roots.len() == before { Err(Error::NoAuthorities(path.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hybrid_group_is_offered_first_and_only_tls_1_3_is() {
        let config = client_config(None).unwrap();
        let groups: Vec<_> = config.crypto_provider().kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(groups.first(), Some(&rustls::NamedGroup::X25519MLKEM768));
        assert!(groups.contains(&rustls::NamedGroup::X25519));
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let empty = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(matches!(client_config(Some(&empty)), Err(Error::NoAuthorities(_))));
        assert!(matches!(client_config(Some(Path::new("/nowhere"))), Err(Error::Authorities { .. })));
    }
}
