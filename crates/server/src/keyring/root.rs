//! The root: the key that the seal protects, and the four platform keys directly under it.

use crypto::algorithm::Algorithm;
use crypto::context::Context;
use crypto::key::{PrivateKey, PublicKey};
use crypto::random::Random;
use crypto::secret::SecretArray;
use serde::{Deserialize, Serialize};

use super::public_of;
use crate::problem::{Outcome, Problem};

/// The opened root.
pub struct Root {
    /// ML-KEM-1024, to which tenant KEKs are sealed.
    pub kem: PrivateKey,
    /// Its public half.
    pub kem_public: PublicKey,
    /// Under which API keys and share tokens are hashed.
    pub pepper: SecretArray<32>,
    /// ML-DSA-65, which signs audit checkpoints and trailers.
    pub audit: PrivateKey,
}

/// The root as stored: each part sealed under the root key.
#[derive(Serialize, Deserialize)]
pub struct SealedRoot {
    kem: Vec<u8>,
    pepper: Vec<u8>,
    audit: Vec<u8>,
    /// The audit key's public half, so that it can be shown while sealed.
    pub audit_public: Vec<u8>,
}

impl Root {
    /// A new root, and what to store of it.
    pub fn generate(root_key: &SecretArray<32>, random: &dyn Random) -> Outcome<(Self, SealedRoot)> {
        let kem = PrivateKey::generate(Algorithm::MlKem1024, random)?;
        let audit = PrivateKey::generate(Algorithm::MlDsa65, random)?;
        let pepper = SecretArray::<32>::random(random);
        let seal = |part: &str, plain: &[u8]| crypto::symmetric::seal_with_key(root_key, &context(part), plain, random);
        let sealed = SealedRoot {
            kem: seal("kem", kem.to_stored().expose())?,
            pepper: seal("pepper", pepper.expose())?,
            audit: seal("audit", audit.to_stored().expose())?,
            audit_public: public_of(&audit)?.raw().to_vec(),
        };
        Ok((Self { kem_public: public_of(&kem)?, kem, pepper, audit }, sealed))
    }

    /// Opens a stored root. The root key was authenticated before, so a failure here is corruption.
    pub fn open(root_key: &SecretArray<32>, sealed: &SealedRoot) -> Outcome<Self> {
        let open = |part: &'static str, bytes: &[u8]| {
            crypto::symmetric::open_with_key(root_key, &context(part), bytes)
                .map_err(|_| Problem::internal("opening the root", format!("{part} does not open")))
        };
        let kem = PrivateKey::from_stored(Algorithm::MlKem1024, open("kem", &sealed.kem)?.expose())?;
        let audit = PrivateKey::from_stored(Algorithm::MlDsa65, open("audit", &sealed.audit)?.expose())?;
        let pepper = <[u8; 32]>::try_from(open("pepper", &sealed.pepper)?.expose())
            .map_err(|_| Problem::internal("opening the root", "the pepper is of another length"))?;
        Ok(Self { kem_public: public_of(&kem)?, kem, pepper: SecretArray::new(pepper), audit })
    }

    /// The keyed hash under which a bearer token is stored and looked up.
    pub fn token_hash(&self, kind: &str, token: &[u8]) -> [u8; 32] {
        let context = Context::new("qapi/token/v1").bytes(kind.as_bytes()).bytes(token);
        crypto::hash::hmac_sha256(self.pepper.expose(), &[context.as_bytes()])
    }
}

fn context(part: &str) -> Context {
    Context::new("qapi/root/v1").bytes(part.as_bytes())
}
