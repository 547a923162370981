//! The KEM halves: ML-KEM by AWS-LC, X-Wing as its combination with X25519.
//!
//! AWS-LC's Rust interface knows only expanded ML-KEM keys, so the RustCrypto crate expands seeds (FIPS 203, algorithm
//! 16). Everything that encapsulates or decapsulates runs in AWS-LC. What its constructors do not check is checked here:
//! reduced coefficients (FIPS 203, 7.2), the hash of the public half (7.3), and that both halves fit.
//!
//! X-Wing follows draft-connolly-cfrg-xwing-kem, the same construction as MLKEM768-X25519 (HPKE KEM 0x647A).

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::kem::{AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768, ML_KEM_1024};
use ml_kem::{MlKem768, MlKem1024};
use shake::{ExtendableOutput as _, Shake256, Update as _, XofReader as _};
use zeroize::Zeroizing;

use crate::Error;
use crate::algorithm::Algorithm;
use crate::hash::{ct_eq, sha3_256};
use crate::random::Random;
use crate::secret::SecretArray;

type MlKem = aws_lc_rs::kem::Algorithm<AlgorithmId>;

pub(super) const ML_KEM_SEED_LEN: usize = 64;
pub(super) const XWING_SEED_LEN: usize = 32;
const ML_KEM_768_CIPHERTEXT_LEN: usize = 1088;
const X25519_LEN: usize = 32;
const XWING_LABEL: &[u8] = br"\.//^\";

/// A private half, parsed.
pub(super) enum Private {
    MlKem(DecapsulationKey),
    XWing { ml_kem: DecapsulationKey, x25519: agreement::PrivateKey, x25519_public: [u8; X25519_LEN] },
}

/// A public half, parsed.
pub(super) enum Public {
    MlKem(EncapsulationKey),
    XWing { ml_kem: EncapsulationKey, x25519: [u8; X25519_LEN] },
}

/// A private half and the encoding of its public one.
type Pair = (Private, Vec<u8>);

/// The pair of a seed: 64 bytes d || z for ML-KEM, 32 bytes for X-Wing.
pub(super) fn from_seed(algorithm: Algorithm, seed: &[u8]) -> Result<Pair, Error> {
    if algorithm == Algorithm::XWing {
        return xwing_from_seed(seed);
    }
    let expanded = expand(algorithm, seed)?;
    let public = public_part(algorithm, &expanded)?.to_vec();
    Ok((Private::MlKem(parse_private(algorithm, &expanded)?), public))
}

/// The pair of an expanded ML-KEM key that came from outside.
pub(super) fn from_expanded(algorithm: Algorithm, expanded: &[u8]) -> Result<Pair, Error> {
    let public = public_part(algorithm, expanded)?;
    check_public(public)?;
    let hash = expanded.get(expanded.len() - 64..expanded.len() - 32).unwrap_or_default();
    if !ct_eq(&sha3_256(&[public]), hash) {
        return Err(Error::MalformedKey("the hash of the public half does not match"));
    }
    let private = parse_private(algorithm, expanded)?;
    let (ciphertext, sent) = EncapsulationKey::new(ml_kem(algorithm)?, public).map_err(|_| MALFORMED)?.encapsulate()?;
    let received = private.decapsulate(ciphertext)?;
    if !ct_eq(sent.as_ref(), received.as_ref()) {
        return Err(Error::MalformedKey("the private half does not fit the public one"));
    }
    Ok((Private::MlKem(private), public.to_vec()))
}

/// The codec crate keeps the bounds of its parameter sets private, so what is the same for both is a macro, not generic.
macro_rules! expand_with {
    ($parameters:ty, $seed:expr) => {{
        let seed = Zeroizing::new(ml_kem::Seed::try_from($seed).map_err(|_| BAD_LENGTH)?);
        let expanded = Zeroizing::new(ml_kem::DecapsulationKey::<$parameters>::from_seed(*seed).to_expanded_bytes());
        Ok(Zeroizing::new(expanded.to_vec()))
    }};
}

/// ML-KEM.KeyGen_internal: the expanded decapsulation key of a seed.
#[expect(deprecated, reason = "AWS-LC takes only the expanded form")]
pub(super) fn expand(algorithm: Algorithm, seed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    use ml_kem::ExpandedKeyEncoding as _;
    match algorithm {
        Algorithm::MlKem768 => expand_with!(MlKem768, seed),
        Algorithm::MlKem1024 => expand_with!(MlKem1024, seed),
        _ => Err(Error::WrongOperation("expanding a seed")),
    }
}

fn xwing_from_seed(seed: &[u8]) -> Result<Pair, Error> {
    if seed.len() != XWING_SEED_LEN {
        return Err(BAD_LENGTH);
    }
    let mut shake = Shake256::default();
    shake.update(seed);
    let mut ml_kem_seed = Zeroizing::new([0; ML_KEM_SEED_LEN]);
    let mut scalar = Zeroizing::new([0; X25519_LEN]);
    let mut reader = shake.finalize_xof();
    reader.read(ml_kem_seed.as_mut_slice());
    reader.read(scalar.as_mut_slice());
    let expanded = expand(Algorithm::MlKem768, ml_kem_seed.as_slice())?;
    let mut public = public_part(Algorithm::MlKem768, &expanded)?.to_vec();
    let ml_kem = parse_private(Algorithm::MlKem768, &expanded)?;
    let (x25519, x25519_public) = x25519_pair(&scalar)?;
    public.extend_from_slice(&x25519_public);
    Ok((Private::XWing { ml_kem, x25519, x25519_public }, public))
}

impl Private {
    /// The shared secret. ML-KEM rejects implicitly: a ciphertext made for another key gives another secret, no error.
    pub(super) fn decapsulate(&self, encapsulation: &[u8]) -> Result<SecretArray<32>, Error> {
        match self {
            Self::MlKem(key) => {
                let secret = key.decapsulate(Ciphertext::from(encapsulation))?;
                SecretArray::copy_from(secret.as_ref()).ok_or(Error::Provider)
            }
            Self::XWing { ml_kem, x25519, x25519_public } => {
                let (ml_kem_ct, x25519_ct) =
                    encapsulation.split_at_checked(ML_KEM_768_CIPHERTEXT_LEN).ok_or(BAD_ENCAPSULATION)?;
                if x25519_ct.len() != X25519_LEN {
                    return Err(BAD_ENCAPSULATION);
                }
                let ml_kem_secret = ml_kem.decapsulate(Ciphertext::from(ml_kem_ct))?;
                let x25519_secret = x25519_agree(x25519, x25519_ct)?;
                Ok(combine(ml_kem_secret.as_ref(), x25519_secret.expose(), x25519_ct, x25519_public))
            }
        }
    }
}

impl Public {
    pub(super) fn parse(algorithm: Algorithm, raw: &[u8]) -> Result<Self, Error> {
        if algorithm == Algorithm::XWing {
            let (ml_kem, x25519) = raw.split_last_chunk::<X25519_LEN>().ok_or(BAD_LENGTH)?;
            return Ok(Self::XWing { ml_kem: parse_public(Algorithm::MlKem768, ml_kem)?, x25519: *x25519 });
        }
        Ok(Self::MlKem(parse_public(algorithm, raw)?))
    }

    /// Encapsulates. The ML-KEM part draws from AWS-LC's own generator, the X25519 part from `random`.
    pub(super) fn encapsulate(&self, random: &dyn Random) -> Result<(Vec<u8>, SecretArray<32>), Error> {
        match self {
            Self::MlKem(key) => {
                let (ciphertext, secret) = key.encapsulate()?;
                let secret = SecretArray::copy_from(secret.as_ref()).ok_or(Error::Provider)?;
                Ok((ciphertext.as_ref().to_vec(), secret))
            }
            Self::XWing { ml_kem, x25519 } => {
                let (ciphertext, secret) = ml_kem.encapsulate()?;
                let ephemeral = SecretArray::<X25519_LEN>::random(random);
                xwing_encapsulate(ciphertext.as_ref(), secret.as_ref(), ephemeral.expose(), x25519)
            }
        }
    }
}

fn xwing_encapsulate(
    ml_kem_ct: &[u8],
    ml_kem_secret: &[u8],
    ephemeral: &[u8; X25519_LEN],
    recipient: &[u8; X25519_LEN],
) -> Result<(Vec<u8>, SecretArray<32>), Error> {
    let (private, x25519_ct) = x25519_pair(ephemeral)?;
    let x25519_secret = x25519_agree(&private, recipient)?;
    let secret = combine(ml_kem_secret, x25519_secret.expose(), &x25519_ct, recipient);
    Ok(([ml_kem_ct, &x25519_ct].concat(), secret))
}

/// X-Wing's combiner. The ML-KEM ciphertext need not be hashed: ML-KEM binds it already.
fn combine(ml_kem: &[u8], x25519: &[u8], x25519_ct: &[u8], x25519_public: &[u8]) -> SecretArray<32> {
    SecretArray::new(sha3_256(&[ml_kem, x25519, x25519_ct, x25519_public, XWING_LABEL]))
}

fn x25519_pair(scalar: &[u8; X25519_LEN]) -> Result<(agreement::PrivateKey, [u8; X25519_LEN]), Error> {
    let private = agreement::PrivateKey::from_private_key(&X25519, scalar).map_err(|_| Error::Provider)?;
    let public = private.compute_public_key()?.as_ref().try_into().map_err(|_| Error::Provider)?;
    Ok((private, public))
}

fn x25519_agree(private: &agreement::PrivateKey, peer: &[u8]) -> Result<SecretArray<32>, Error> {
    agreement::agree(private, UnparsedPublicKey::new(&X25519, peer), BAD_ENCAPSULATION, |secret| {
        SecretArray::copy_from(secret).ok_or(BAD_ENCAPSULATION)
    })
}

fn ml_kem(algorithm: Algorithm) -> Result<&'static MlKem, Error> {
    match algorithm {
        Algorithm::MlKem768 => Ok(&ML_KEM_768),
        Algorithm::MlKem1024 => Ok(&ML_KEM_1024),
        _ => Err(Error::WrongOperation("encapsulation")),
    }
}

/// The public half inside an expanded key: `dk_pke || ek || H(ek) || z`, with `dk_pke` 32 bytes shorter than `ek`.
fn public_part(algorithm: Algorithm, expanded: &[u8]) -> Result<&[u8], Error> {
    let rank = match algorithm {
        Algorithm::MlKem768 => 3,
        Algorithm::MlKem1024 => 4,
        _ => return Err(Error::WrongOperation("expanding a seed")),
    };
    if expanded.len() != 768 * rank + 96 {
        return Err(BAD_LENGTH);
    }
    expanded.get(384 * rank..768 * rank + 32).ok_or(BAD_LENGTH)
}

fn parse_private(algorithm: Algorithm, expanded: &[u8]) -> Result<DecapsulationKey, Error> {
    DecapsulationKey::new(ml_kem(algorithm)?, expanded).map_err(|_| MALFORMED)
}

fn parse_public(algorithm: Algorithm, raw: &[u8]) -> Result<EncapsulationKey, Error> {
    let key = EncapsulationKey::new(ml_kem(algorithm)?, raw).map_err(|_| BAD_LENGTH)?;
    check_public(raw)?;
    Ok(key)
}

/// FIPS 203, 7.2: every coefficient of an encapsulation key is below q. Two of them stand in three bytes.
fn check_public(raw: &[u8]) -> Result<(), Error> {
    const Q: u16 = 3329;
    let (coefficients, _rho) = raw.split_last_chunk::<32>().ok_or(BAD_LENGTH)?;
    let (triples, rest) = coefficients.as_chunks::<3>();
    let reduced = triples.iter().all(|&[low, middle, high]| {
        let first = u16::from(low) | u16::from(middle & 0x0f) << 8;
        let second = u16::from(middle >> 4) | u16::from(high) << 4;
        first < Q && second < Q
    });
    if reduced && rest.is_empty() { Ok(()) } else { Err(Error::MalformedKey("a coefficient is not reduced")) }
}

const MALFORMED: Error = Error::MalformedKey("not a key of this algorithm");
const BAD_LENGTH: Error = Error::MalformedKey("of another length than the algorithm's keys");
const BAD_ENCAPSULATION: Error = Error::BadArgument("not an encapsulation for this algorithm");

#[cfg(any(test, feature = "test-util"))]
macro_rules! encapsulate_with_m {
    ($parameters:ty, $raw:expr, $m:expr) => {{
        let raw = $raw.try_into().map_err(|_| BAD_LENGTH)?;
        let m = ml_kem::B32::try_from($m).map_err(|_| BAD_LENGTH)?;
        let key = ml_kem::EncapsulationKey::<$parameters>::new(raw).map_err(|_| MALFORMED)?;
        let (ciphertext, secret) = key.encapsulate_deterministic(&m);
        (ciphertext.to_vec(), SecretArray::<32>::copy_from(&secret).ok_or(Error::Provider)?)
    }};
}

/// Encapsulation with the randomness given, as the published vectors have it: `m` for ML-KEM, `m || ephemeral` for X-Wing.
#[cfg(any(test, feature = "test-util"))]
pub(super) fn encapsulate_with(
    algorithm: Algorithm,
    raw: &[u8],
    m: &[u8],
) -> Result<(Vec<u8>, SecretArray<32>), Error> {
    match algorithm {
        Algorithm::MlKem768 => Ok(encapsulate_with_m!(MlKem768, raw, m)),
        Algorithm::MlKem1024 => Ok(encapsulate_with_m!(MlKem1024, raw, m)),
        Algorithm::XWing => {
            let (ml_kem, x25519) = raw.split_last_chunk::<X25519_LEN>().ok_or(BAD_LENGTH)?;
            let (m, ephemeral) = m.split_last_chunk::<X25519_LEN>().ok_or(BAD_LENGTH)?;
            let (ciphertext, secret) = encapsulate_with_m!(MlKem768, ml_kem, m);
            xwing_encapsulate(&ciphertext, secret.expose(), ephemeral, x25519)
        }
        _ => Err(Error::WrongOperation("encapsulation")),
    }
}
