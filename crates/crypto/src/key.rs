//! Keys: made, stored, used.
//!
//! A private key is kept as its seed (ML-KEM d || z, ML-DSA xi, X-Wing, Ed25519), its scalar (ECDSA) or its bytes
//! (symmetric). One that was imported in expanded form only has no seed; it stays expanded and says so. Both key types
//! hold what the provider parsed, so that using a key often costs its parsing once.

mod classical;
mod kem;
mod ml_dsa;
mod public;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair,
    PqdsaSigningAlgorithm,
};

pub use public::PublicKey;
pub(crate) use public::raw_len;

use crate::Error;
use crate::algorithm::Algorithm;
use crate::encoding::{jwk, pem, pkcs8};
use crate::hash::Hash;
use crate::random::Random;
use crate::secret::{SecretArray, SecretBytes};

/// A private or symmetric key, parsed.
pub struct PrivateKey {
    algorithm: Algorithm,
    form: Form,
    material: SecretBytes,
    half: Half,
    public: Option<PublicKey>,
}

/// In which form the material is kept. The numbers are stored: they never change.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Form {
    Seed = 0,
    Expanded = 1,
}

enum Half {
    Kem(kem::Private),
    MlDsa(PqdsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Aes,
    Hmac,
}

impl PrivateKey {
    /// A new key. Everything random in it comes from `random`.
    pub fn generate(algorithm: Algorithm, random: &dyn Random) -> Result<Self, Error> {
        let seed = match algorithm {
            Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => classical::new_scalar(algorithm, random)?,
            _ => {
                let mut bytes = vec![0; fresh_len(algorithm)];
                random.fill(&mut bytes);
                SecretBytes::new(bytes)
            }
        };
        Self::from_seed(algorithm, seed)
    }

    /// The key as stored: one byte for the form (0 seed, 1 expanded), then the material.
    pub fn to_stored(&self) -> SecretBytes {
        let mut stored = Vec::with_capacity(1 + self.material.len());
        stored.push(self.form as u8);
        stored.extend_from_slice(self.material.expose());
        SecretBytes::new(stored)
    }

    /// The inverse of [`PrivateKey::to_stored`].
    pub fn from_stored(algorithm: Algorithm, stored: &[u8]) -> Result<Self, Error> {
        match stored.split_first() {
            Some((0, seed)) => Self::from_seed(algorithm, SecretBytes::copy_from(seed)),
            Some((1, expanded)) => Self::from_expanded(algorithm, SecretBytes::copy_from(expanded)),
            _ => Err(Error::MalformedKey("stored in no form we know")),
        }
    }

    /// The key of a seed, of an ECDSA scalar, or of symmetric bytes.
    pub(crate) fn from_seed(algorithm: Algorithm, seed: SecretBytes) -> Result<Self, Error> {
        let bytes = seed.expose();
        let (half, public) = match algorithm {
            Algorithm::MlKem768 | Algorithm::MlKem1024 | Algorithm::XWing => {
                let (half, public) = kem::from_seed(algorithm, bytes)?;
                (Half::Kem(half), Some(public))
            }
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
                let pair = PqdsaKeyPair::from_seed(pqdsa(algorithm)?, bytes).map_err(|_| NOT_A_KEY)?;
                let public = pair.public_key().as_ref().to_vec();
                (Half::MlDsa(pair), Some(public))
            }
            Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => {
                let (pair, public) = classical::ecdsa(algorithm, bytes)?;
                (Half::Ecdsa(pair), Some(public))
            }
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_seed_unchecked(bytes).map_err(|_| NOT_A_KEY)?;
                let public = pair.public_key().as_ref().to_vec();
                (Half::Ed25519(pair), Some(public))
            }
            Algorithm::Aes256Gcm if bytes.len() == 32 => (Half::Aes, None),
            Algorithm::HmacSha256 | Algorithm::HmacSha384 | Algorithm::HmacSha512
                if HMAC_LEN.contains(&bytes.len()) =>
            {
                (Half::Hmac, None)
            }
            _ => return Err(NOT_A_KEY),
        };
        let public = public.map(|raw| PublicKey::from_raw(algorithm, &raw)).transpose()?;
        Ok(Self { algorithm, form: Form::Seed, material: seed, half, public })
    }

    /// The key of an expanded encoding without its seed. Everything that can be recomputed is, and must match.
    pub(crate) fn from_expanded(algorithm: Algorithm, expanded: SecretBytes) -> Result<Self, Error> {
        let bytes = expanded.expose();
        let (half, public) = match algorithm {
            Algorithm::MlKem768 | Algorithm::MlKem1024 => {
                let (half, public) = kem::from_expanded(algorithm, bytes)?;
                (Half::Kem(half), public)
            }
            Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 if ml_dsa::is_in_range(algorithm, bytes) => {
                let pair = PqdsaKeyPair::from_raw_private_key(pqdsa(algorithm)?, bytes).map_err(|_| NOT_A_KEY)?;
                let public = pair.public_key().as_ref().to_vec();
                (Half::MlDsa(pair), public)
            }
            _ => return Err(NOT_A_KEY),
        };
        let public = Some(PublicKey::from_raw(algorithm, &public)?);
        Ok(Self { algorithm, form: Form::Expanded, material: expanded, half, public })
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the key is kept as its seed. False only for keys imported in expanded form.
    pub fn is_seed(&self) -> bool {
        self.form == Form::Seed
    }

    /// The public half; none for symmetric keys.
    pub fn public_key(&self) -> Option<PublicKey> {
        self.public.clone()
    }

    /// The expanded encoding of an ML-KEM or ML-DSA key (FIPS 203 and 204), for systems that know no seeds.
    pub fn to_expanded(&self) -> Result<SecretBytes, Error> {
        if self.form == Form::Expanded {
            return Ok(self.material.duplicate());
        }
        match &self.half {
            Half::Kem(kem::Private::MlKem(_)) => {
                let mut expanded = kem::expand(self.algorithm, self.material.expose())?;
                Ok(SecretBytes::new(std::mem::take(&mut expanded)))
            }
            Half::MlDsa(pair) => {
                use aws_lc_rs::encoding::AsRawBytes as _;
                Ok(SecretBytes::copy_from(pair.private_key().as_raw_bytes()?.as_ref()))
            }
            _ => Err(Error::WrongOperation("an expanded form")),
        }
    }

    /// Signs a message. ML-DSA: pure mode, empty context, hedged by the provider's own generator. ECDSA: ASN.1 DER.
    pub fn sign(&self, message: &[u8], _random: &dyn Random) -> Result<Vec<u8>, Error> {
        match &self.half {
            Half::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                let length = pair.sign(message, &mut signature)?;
                signature.truncate(length);
                Ok(signature)
            }
            Half::Ecdsa(pair) => classical::sign(pair, message),
            Half::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Half::Kem(_) | Half::Aes | Half::Hmac => Err(Error::WrongOperation("signing")),
        }
    }

    /// Signs with ML-DSA under a context string of at most 255 bytes, hedged with `random`.
    pub fn sign_with_context(&self, context: &[u8], message: &[u8], random: &dyn Random) -> Result<Vec<u8>, Error> {
        let public = self.public.as_ref().ok_or(Error::WrongOperation("signing"))?;
        self.sign_mu(&public.mu(context, message)?, random)
    }

    /// Signs an ML-DSA message representative computed elsewhere, hedged with `random`.
    pub fn sign_mu(&self, mu: &[u8; 64], random: &dyn Random) -> Result<Vec<u8>, Error> {
        ml_dsa::sign_mu(self.algorithm, self.form, self.material.expose(), mu, random)
    }

    /// Signs a digest made elsewhere: ECDSA only, with the hash that belongs to the curve.
    pub fn sign_digest(&self, digest: &[u8], _random: &dyn Random) -> Result<Vec<u8>, Error> {
        match &self.half {
            Half::Ecdsa(pair) => classical::sign_digest(self.algorithm, pair, digest),
            _ => Err(Error::WrongOperation("signing a digest")),
        }
    }

    /// The message authentication code, with the hash of the key's algorithm.
    pub fn mac(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let hash = match self.algorithm {
            Algorithm::HmacSha256 => Hash::Sha256,
            Algorithm::HmacSha384 => Hash::Sha384,
            Algorithm::HmacSha512 => Hash::Sha512,
            _ => return Err(Error::WrongOperation("a message authentication code")),
        };
        self.mac_with(hash, data)
    }

    /// The message authentication code with another hash of the SHA-2 family.
    pub fn mac_with(&self, hash: Hash, data: &[u8]) -> Result<Vec<u8>, Error> {
        match self.half {
            Half::Hmac => {
                let key = hmac::Key::new(hash.hmac()?, self.material.expose());
                Ok(hmac::sign(&key, data).as_ref().to_vec())
            }
            _ => Err(Error::WrongOperation("a message authentication code")),
        }
    }

    /// The shared secret of an encapsulation. For ML-KEM, one that was made for another key gives another secret.
    pub fn decapsulate(&self, encapsulation: &[u8]) -> Result<SecretArray<32>, Error> {
        match &self.half {
            Half::Kem(key) => key.decapsulate(encapsulation),
            _ => Err(Error::WrongOperation("decapsulation")),
        }
    }

    /// PKCS#8 in DER: the seed, or the expanded form of a key that has none.
    pub fn to_pkcs8_der(&self) -> Result<SecretBytes, Error> {
        pkcs8::encode(self)
    }

    /// PKCS#8 in PEM.
    pub fn to_pem(&self) -> Result<SecretBytes, Error> {
        let mut text = pem::encode(pem::PRIVATE, self.to_pkcs8_der()?.expose());
        Ok(SecretBytes::new(std::mem::take(&mut *text).into_bytes()))
    }

    /// The private JSON Web Key, as text.
    pub fn to_jwk(&self) -> Result<SecretBytes, Error> {
        jwk::encode_private(self)
    }

    /// The seed, scalar, symmetric bytes or expanded encoding, as [`PrivateKey::is_seed`] says.
    pub(crate) fn material(&self) -> &SecretBytes {
        &self.material
    }
}

fn pqdsa(algorithm: Algorithm) -> Result<&'static PqdsaSigningAlgorithm, Error> {
    match algorithm {
        Algorithm::MlDsa44 => Ok(&ML_DSA_44_SIGNING),
        Algorithm::MlDsa65 => Ok(&ML_DSA_65_SIGNING),
        Algorithm::MlDsa87 => Ok(&ML_DSA_87_SIGNING),
        _ => Err(Error::WrongOperation("ML-DSA")),
    }
}

/// How many random bytes a new key takes.
fn fresh_len(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::MlKem768 | Algorithm::MlKem1024 => kem::ML_KEM_SEED_LEN,
        Algorithm::XWing => kem::XWING_SEED_LEN,
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => ml_dsa::SEED_LEN,
        Algorithm::HmacSha384 => 48,
        Algorithm::HmacSha512 => 64,
        Algorithm::Aes256Gcm | Algorithm::HmacSha256 | Algorithm::Ed25519 | Algorithm::EcdsaP256 => 32,
        Algorithm::EcdsaP384 => 48,
    }
}

const NOT_A_KEY: Error = Error::MalformedKey("not a key of this algorithm");
/// Below 14 bytes a MAC key falls short of the 112 bits that SP 800-131A asks; above 1 KiB it gains nothing.
const HMAC_LEN: std::ops::RangeInclusive<usize> = 14..=1024;

#[cfg(test)]
mod tests;
