//! How keys are spelled outside: DER (PKCS#8, SPKI), PEM, JWK. One strict reader each; nothing is repaired.

pub(crate) mod der;
pub(crate) mod jwk;
pub(crate) mod pem;
pub(crate) mod pkcs8;
pub(crate) mod spki;

use crate::algorithm::Algorithm;

/// The AlgorithmIdentifier's content: the OID, and for curves the named curve. RFC 9881 and 9935 forbid parameters for
/// the lattice algorithms, RFC 8410 for Ed25519.
pub(crate) struct Identifier {
    pub(crate) algorithm: Algorithm,
    pub(crate) content: &'static [u8],
}

/// DER of OID (and curve), as it stands inside the AlgorithmIdentifier sequence.
pub(crate) const IDENTIFIERS: &[Identifier] = &[
    Identifier { algorithm: Algorithm::MlKem768, content: &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 2] },
    Identifier { algorithm: Algorithm::MlKem1024, content: &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 4, 3] },
    // 1.3.6.1.4.1.62253.25722, draft-connolly-cfrg-xwing-kem.
    Identifier { algorithm: Algorithm::XWing, content: &[6, 11, 0x2b, 6, 1, 4, 1, 0x83, 0xe6, 0x2d, 0x81, 0xc8, 0x7a] },
    Identifier { algorithm: Algorithm::MlDsa44, content: &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17] },
    Identifier { algorithm: Algorithm::MlDsa65, content: &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18] },
    Identifier { algorithm: Algorithm::MlDsa87, content: &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 19] },
    Identifier {
        algorithm: Algorithm::EcdsaP256,
        content: &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
    },
    Identifier {
        algorithm: Algorithm::EcdsaP384,
        content: &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 34],
    },
    Identifier { algorithm: Algorithm::Ed25519, content: &[6, 3, 0x2b, 0x65, 0x70] },
];

/// The algorithm that an AlgorithmIdentifier names; none when it is not one of ours, to the byte.
pub(crate) fn identified(content: &[u8]) -> Option<Algorithm> {
    IDENTIFIERS.iter().find(|identifier| identifier.content == content).map(|identifier| identifier.algorithm)
}

/// The AlgorithmIdentifier's content for an algorithm; none for symmetric ones.
pub(crate) fn identifier(algorithm: Algorithm) -> Option<&'static [u8]> {
    IDENTIFIERS.iter().find(|identifier| identifier.algorithm == algorithm).map(|identifier| identifier.content)
}
