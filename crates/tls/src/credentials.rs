//! What one side of a connection proves itself with: a private key and the chain of its certificate.

use std::sync::Arc;

use crypto::key::PrivateKey;
use crypto::x509::Certificate;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::provider;

/// A private key and the chain of its certificate, the leaf first. That they belong together was checked.
#[derive(Clone)]
pub struct Credentials(Arc<CertifiedKey>);

/// Why a key and a chain are not usable together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no certificate.
    #[error("no certificate")]
    NoCertificate,
    /// The chain is not PEM of certificates.
    #[error("reading the certificates")]
    Chain(#[source] rustls::pki_types::pem::Error),
    /// The key is not PEM of a private key.
    #[error("reading the private key")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// The key cannot be written as PKCS#8.
    #[error("encoding the private key")]
    Encoding(#[source] crypto::Error),
    /// The key is of no algorithm that signs handshakes, or is not the certificate's.
    #[error("pairing the private key with the certificate")]
    Pair(#[source] rustls::Error),
}

impl Credentials {
    /// A key of ours with its chain in DER, the leaf first.
    pub fn new(key: &PrivateKey, chain: Vec<Vec<u8>>) -> Result<Self, Error> {
        let pkcs8 = key.to_pkcs8_der().map_err(Error::Encoding)?;
        let key = PrivatePkcs8KeyDer::from(pkcs8.expose().to_vec());
        Self::pair(chain.into_iter().map(CertificateDer::from).collect(), key.into())
    }

    /// A chain and a key in PEM: ML-DSA, or RSA and elliptic curves for peers that know nothing else.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(Error::Chain)?;
        Self::pair(chain, PrivateKeyDer::from_pem_slice(key).map_err(Error::Key)?)
    }

    /// The chain in DER, the leaf first.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.0.cert.iter().map(AsRef::as_ref)
    }

    /// The leaf, read. None for a certificate that the strict reader of ours refuses and rustls does not.
    pub fn leaf(&self) -> Option<Certificate> {
        Certificate::parse(self.chain().next()?).ok()
    }

    /// The name of the algorithm of its key.
    pub fn algorithm(&self) -> &'static str {
        let leaf = self.leaf();
        leaf.as_ref().and_then(Certificate::public_key).map_or("other", |key| key.algorithm().as_str())
    }

    /// rustls wipes the encoded key once it has parsed it.
    fn pair(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, Error> {
        if chain.is_empty() {
            return Err(Error::NoCertificate);
        }
        let certified = CertifiedKey::from_der(chain, key, &provider::public()).map_err(Error::Pair)?;
        certified.keys_match().map_err(Error::Pair)?;
        Ok(Self(Arc::new(certified)))
    }

    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}
