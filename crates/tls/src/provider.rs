//! Which groups, suites and signature algorithms are spoken: one function decides for each of the two worlds.

use crypto::algorithm::Algorithm;
use crypto::key::PublicKey;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{DigitallySignedStruct, SignatureScheme};

/// Between services: hybrid groups (RFC 10024) and AES-256 first, no classical group to fall back to.
///
/// The list of signature algorithms is empty on purpose. It is what rustls' own verifiers would use; here certificates and
/// handshake signatures are judged by `mesh` alone, and any other verifier that got hold of this provider refuses everything.
pub(crate) fn mesh() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768],
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        ..aws_lc_rs::default_provider()
    }
}

/// Towards everybody else: the same first, and the classical groups for peers that do not have the hybrid ones yet.
pub(crate) fn public() -> CryptoProvider {
    let mut kx_groups = mesh().kx_groups;
    kx_groups.extend([kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1]);
    CryptoProvider { kx_groups, cipher_suites: mesh().cipher_suites, ..aws_lc_rs::default_provider() }
}

/// The signatures that a peer may prove its key with between services (draft-ietf-tls-mldsa), most wanted first.
pub(crate) const MESH_SCHEMES: [SignatureScheme; 3] =
    [SignatureScheme::ML_DSA_65, SignatureScheme::ML_DSA_87, SignatureScheme::ML_DSA_44];

/// Whether the peer has the key of its certificate (RFC 9846 section 4.5.2). Pure ML-DSA with the empty context, by
/// draft-ietf-tls-mldsa; a scheme says one algorithm, and the key has to be of it.
pub(crate) fn proves(key: &PublicKey, message: &[u8], signed: &DigitallySignedStruct) -> bool {
    let scheme = match key.algorithm() {
        Algorithm::MlDsa44 => SignatureScheme::ML_DSA_44,
        Algorithm::MlDsa65 => SignatureScheme::ML_DSA_65,
        Algorithm::MlDsa87 => SignatureScheme::ML_DSA_87,
        _ => return false,
    };
    signed.scheme == scheme && key.verify(message, signed.signature())
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    fn groups(provider: &CryptoProvider) -> Vec<NamedGroup> {
        provider.kx_groups.iter().map(|group| group.name()).collect()
    }

    #[test]
    fn services_are_offered_hybrid_groups_alone() {
        assert_eq!(groups(&mesh()), [NamedGroup::X25519MLKEM768, NamedGroup::from(0x11eb)]);
        assert_eq!(mesh().cipher_suites.first(), Some(&cipher_suite::TLS13_AES_256_GCM_SHA384));
    }

    #[test]
    fn everybody_else_is_offered_the_same_groups_first() {
        let offered = groups(&public());
        assert!(offered.starts_with(&groups(&mesh())));
        assert!(offered.contains(&NamedGroup::X25519));
    }
}
