//! What AWS-LC's Rust interface lacks of ML-DSA, by the RustCrypto crate: context strings and external mu (FIPS 204,
//! 6.2 and 6.3). Signing here is hedged with randomness that the caller's `Random` gives.

use ml_dsa::signature::rand_core::{TryCryptoRng, TryRng};
use ml_dsa::{B32, Signature, VerifyingKey};
use ml_dsa::{
    EncodedVerifyingKey, ExpandedSigningKey, ExpandedSigningKeyBytes, MlDsa44, MlDsa65, MlDsa87, MlDsaParams,
};
use shake::{ExtendableOutput as _, Shake256, Update as _, XofReader as _};
use zeroize::Zeroizing;

use super::Form;
use crate::Error;
use crate::algorithm::Algorithm;
use crate::random::Random;

pub(super) const SEED_LEN: usize = 32;

/// The message representative of FIPS 204, algorithm 7 step 6, for the pure mode: H(tr || 0 || |ctx| || ctx || message).
pub(super) fn mu(public: &[u8], context: &[u8], message: &[u8]) -> Result<[u8; 64], Error> {
    let length = u8::try_from(context.len()).map_err(|_| Error::BadArgument("a context has at most 255 bytes"))?;
    let tr = shake256(&[public]);
    Ok(shake256(&[&tr, &[0, length], context, message]))
}

/// ML-DSA.Sign over a representative computed elsewhere, hedged with 32 bytes of `random`.
pub(super) fn sign_mu(
    algorithm: Algorithm,
    form: Form,
    material: &[u8],
    mu: &[u8; 64],
    random: &dyn Random,
) -> Result<Vec<u8>, Error> {
    match algorithm {
        Algorithm::MlDsa44 => sign_mu_with::<MlDsa44>(form, material, mu, random),
        Algorithm::MlDsa65 => sign_mu_with::<MlDsa65>(form, material, mu, random),
        Algorithm::MlDsa87 => sign_mu_with::<MlDsa87>(form, material, mu, random),
        _ => Err(Error::WrongOperation("signing mu")),
    }
}

/// ML-DSA.Verify over a representative computed elsewhere.
pub(super) fn verify_mu(algorithm: Algorithm, public: &[u8], mu: &[u8; 64], signature: &[u8]) -> bool {
    match algorithm {
        Algorithm::MlDsa44 => verify_mu_with::<MlDsa44>(public, mu, signature),
        Algorithm::MlDsa65 => verify_mu_with::<MlDsa65>(public, mu, signature),
        Algorithm::MlDsa87 => verify_mu_with::<MlDsa87>(public, mu, signature),
        _ => false,
    }
}

/// Whether the packed short vectors of an expanded key are within eta. The codec of the RustCrypto crate takes it as
/// given.
pub(super) fn is_in_range(algorithm: Algorithm, expanded: &[u8]) -> bool {
    const HEAD: usize = 32 + 32 + 64;
    // (k + l) polynomials of 256 coefficients, three bits each for eta = 2, four for eta = 4.
    let (polynomials, eta) = match algorithm {
        Algorithm::MlDsa44 => (8, 2),
        Algorithm::MlDsa65 => (11, 4),
        Algorithm::MlDsa87 => (15, 2),
        _ => return false,
    };
    let length = polynomials * if eta == 2 { 96 } else { 128 };
    let Some(packed) = expanded.get(HEAD..HEAD + length) else { return false };
    if eta == 4 {
        return packed.iter().fold(true, |fine, byte| fine & (byte & 15 <= 8) & (byte >> 4 <= 8));
    }
    let (triples, _) = packed.as_chunks::<3>();
    triples.iter().fold(true, |fine, &[a, b, c]| {
        let bits = u32::from_le_bytes([a, b, c, 0]);
        (0..8).fold(fine, |fine, at| fine & (bits >> (3 * at) & 7 <= 4))
    })
}

fn sign_mu_with<P: MlDsaParams>(
    form: Form,
    material: &[u8],
    mu: &[u8; 64],
    random: &dyn Random,
) -> Result<Vec<u8>, Error> {
    let key = signing_key::<P>(form, material)?;
    let signature = key.sign_mu_randomized(&(*mu).into(), &mut Hedge(random)).map_err(|_| Error::Provider)?;
    Ok(signature.encode().to_vec())
}

#[expect(deprecated, reason = "expanded-only imports have no seed")]
fn signing_key<P: MlDsaParams>(form: Form, material: &[u8]) -> Result<ExpandedSigningKey<P>, Error> {
    let wrong = |_| Error::MalformedKey("of another length than the algorithm's keys");
    match form {
        Form::Seed => Ok(ExpandedSigningKey::from_seed(&Zeroizing::new(B32::try_from(material).map_err(wrong)?))),
        Form::Expanded => {
            let bytes = <&ExpandedSigningKeyBytes<P>>::try_from(material).map_err(wrong)?;
            Ok(ExpandedSigningKey::from_expanded(bytes))
        }
    }
}

fn verify_mu_with<P: MlDsaParams>(public: &[u8], mu: &[u8; 64], signature: &[u8]) -> bool {
    let Ok(public) = <&EncodedVerifyingKey<P>>::try_from(public) else { return false };
    let Ok(signature) = Signature::<P>::try_from(signature) else { return false };
    VerifyingKey::<P>::decode(public).verify_mu(&(*mu).into(), &signature)
}

fn shake256(parts: &[&[u8]]) -> [u8; 64] {
    let mut shake = Shake256::default();
    for part in parts {
        shake.update(part);
    }
    let mut out = [0; 64];
    shake.finalize_xof().read(&mut out);
    out
}

/// The caller's randomness in the shape that the RustCrypto crates take.
struct Hedge<'a>(&'a dyn Random);

impl TryRng for Hedge<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Hedge<'_> {}
