//! Which signature algorithm belongs to which key, and how it is named.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode, Reader, Sequence, SliceReader};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::Malformed;
use super::oid::known;
use crate::Error;
use crate::algorithm::Algorithm;
use crate::encoding::der::{BIT_STRING, SEQUENCE, public_element};
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;

/// AlgorithmIdentifier without parameters: what ML-DSA (RFC 9881 2), ECDSA (RFC 5758 3.2) and Ed25519 (RFC 8410 3) ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Sequence)]
pub(super) struct Identifier {
    pub(super) oid: ObjectIdentifier,
}

/// The identifier of the signatures that a key of this algorithm makes.
pub(super) fn identifier(algorithm: Algorithm) -> Result<Identifier, Error> {
    let found = SIGNATURES.iter().find(|(known, _)| *known == algorithm);
    found.map(|(_, oid)| Identifier { oid: *oid }).ok_or(Error::WrongOperation("signing"))
}

/// The algorithm whose signatures are named so; none for others, and for one of ours with parameters.
pub(super) fn identified(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>) -> Option<Algorithm> {
    let found = SIGNATURES.iter().find(|(_, known)| *known == oid && parameters.is_none());
    found.map(|(algorithm, _)| *algorithm)
}

/// What the outside of certificates, lists and requests has alike: `SEQUENCE { toBeSigned, algorithm, signature }`.
pub(super) struct Envelope<'a> {
    /// The first element with its tag and length: the bytes that are signed.
    pub(super) signed: &'a [u8],
    /// Where they stand.
    pub(super) range: core::ops::Range<usize>,
    /// The AlgorithmIdentifier's bytes.
    pub(super) identifier: &'a [u8],
    /// The algorithm it names, if it is one of ours.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let envelope = reader.sequence(|inner| {
            let start = usize::try_from(inner.position())?;
            let signed = inner.tlv_bytes()?;
            let range = start..start + signed.len();
            let identifier = inner.tlv_bytes()?;
            let signature = BitStringRef::decode(inner)?;
            let parsed = AlgorithmIdentifierRef::from_der(identifier)?;
            // None of our algorithms signs a number of bits that is not one of bytes.
            let signature = signature.as_bytes().ok_or_else(|| der::Tag::BitString.value_error())?;
            let algorithm = identified(parsed.oid, parsed.parameters);
            Ok::<_, der::Error>(Self { signed, range, identifier, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(envelope)
    }
}

/// DER has one encoding of everything (X.690 10 and 11): what was read, written again, has to be the same bytes. Values inside
/// of extensions are beyond this check; their readers know their forms.
pub(super) fn canonical(read: &impl Encode, bytes: &[u8]) -> Result<(), Malformed> {
    match read.to_der() {
        Ok(written) if written == bytes => Ok(()),
        _ => Err(Malformed::new("an encoding that is not the one of DER", "X.690 10")),
    }
}

/// Signs what the DER of `inner` says.
pub(super) fn sign(inner: &[u8], key: &PrivateKey, random: &dyn Random) -> Result<Vec<u8>, Error> {
    let signature = key.sign(inner, random)?;
    let algorithm = identifier(key.algorithm())?.to_der().map_err(|_| Error::Provider)?;
    let signature = public_element(BIT_STRING, &[&[0], &signature]);
    Ok(public_element(SEQUENCE, &[inner, &algorithm, &signature]))
}

/// Whether `signature`, named so, is the key's over `message`. A signature algorithm of another key type is never tried.
pub(super) fn is_valid(key: &PublicKey, algorithm: Option<Algorithm>, message: &[u8], signature: &[u8]) -> bool {
    algorithm == Some(key.algorithm()) && key.verify(message, signature)
}

const SIGNATURES: &[(Algorithm, ObjectIdentifier)] = &[
    (Algorithm::MlDsa44, known::ML_DSA_44),
    (Algorithm::MlDsa65, known::ML_DSA_65),
    (Algorithm::MlDsa87, known::ML_DSA_87),
    (Algorithm::EcdsaP256, known::ECDSA_SHA256),
    (Algorithm::EcdsaP384, known::ECDSA_SHA384),
    (Algorithm::Ed25519, known::ED25519),
];
