//! The seal: how the root key is protected at rest, and what opens it.
//!
//! Every kind ends in one 32-byte unseal key: derived from a passphrase (Argon2id), combined from Shamir shares, or
//! read from a file. The unseal key opens the root key; the root key opens the root.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::context::Context;
use crypto::passphrase;
use crypto::random::Random;
use crypto::secret::{SecretArray, SecretBytes};
use crypto::shamir::{self, Share};
use serde::{Deserialize, Serialize};

use crate::keyring::root::{Root, SealedRoot};
use crate::problem::{Outcome, Problem};

/// How a new platform is to be sealed.
pub enum Kind {
    /// By a passphrase.
    Passphrase(SecretBytes),
    /// By shares, of which a threshold opens.
    Shamir {
        /// Shares made.
        shares: u8,
        /// Shares needed.
        threshold: u8,
    },
    /// By a key in a file: unattended, and only as safe as the file.
    File,
}

/// What the operator is given once, when the platform is made.
pub enum Given {
    /// Nothing: they know the passphrase.
    Nothing,
    /// The shares, as text.
    Shares(Vec<SecretBytes>),
    /// The content of the unseal file.
    UnsealKey(SecretBytes),
}

/// The seal as stored.
#[derive(Serialize, Deserialize)]
pub struct SealRecord {
    /// How it opens.
    pub method: Method,
    /// The root key under the unseal key.
    root_key: Vec<u8>,
    /// The root under the root key.
    pub root: SealedRoot,
    /// What each share is recognised by, so that a wrong one is refused alone. Absent in seals made before; then it is written
    /// when they are opened the next time.
    #[serde(default)]
    pub commitments: Vec<[u8; 32]>,
}

/// A seal with the commitments that it lacked.
#[derive(Serialize)]
struct Completed<'a> {
    method: &'a Method,
    root_key: &'a [u8],
    root: &'a SealedRoot,
    commitments: &'a [[u8; 32]],
}

/// How the unseal key is found.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Argon2id over a passphrase.
    Passphrase {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes.
        passes: u32,
        /// Sixteen random bytes.
        salt: [u8; 16],
    },
    /// Shamir shares.
    Shamir {
        /// Shares made.
        shares: u8,
        /// Shares needed.
        threshold: u8,
    },
    /// A file.
    File,
}

impl Method {
    /// The method's name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "passphrase",
            Self::Shamir { .. } => "shamir",
            Self::File => "file",
        }
    }
}

/// Makes a seal around a new root.
pub fn create(kind: Kind, random: &dyn Random) -> Outcome<(Root, SealRecord, Given)> {
    let mut commitments = Vec::new();
    let (unseal_key, method, given) = match kind {
        Kind::Passphrase(passphrase) => {
            let params = passphrase::Params::new(random);
            let key = passphrase::derive(&passphrase, &params)?;
            let method = Method::Passphrase { memory_kib: params.m_kib, passes: params.t, salt: params.salt };
            (key, method, Given::Nothing)
        }
        Kind::Shamir { shares, threshold } => {
            let key = SecretArray::<32>::random(random);
            let made = shamir::split(key.expose(), shares, threshold, random)
                .map_err(|error| Problem::invalid(format!("The shares cannot be made: {error}.")))?;
            let texts = made.iter().map(Share::to_text).collect();
            commitments = made.iter().map(Share::commitment).collect();
            (key, Method::Shamir { shares, threshold }, Given::Shares(texts))
        }
        Kind::File => {
            let key = SecretArray::<32>::random(random);
            let text = SecretBytes::new(STANDARD.encode(key.expose()).into_bytes());
            (key, Method::File, Given::UnsealKey(text))
        }
    };
    let root_key = SecretArray::<32>::random(random);
    let (root, sealed_root) = Root::generate(&root_key, random)?;
    let sealed_key = crypto::symmetric::seal_with_key(&unseal_key, &context(), root_key.expose(), random)?;
    Ok((root, SealRecord { method, root_key: sealed_key, root: sealed_root, commitments }, given))
}

impl SealRecord {
    /// The record as it is to be stored with these commitments.
    pub fn completed(&self, commitments: &[[u8; 32]]) -> Outcome<Vec<u8>> {
        let completed = Completed { method: &self.method, root_key: &self.root_key, root: &self.root, commitments };
        serde_json::to_vec(&completed).map_err(|error| Problem::internal("writing the seal", error))
    }

    /// Opens the root with the unseal key.
    pub fn open(&self, unseal_key: &SecretArray<32>) -> Outcome<Root> {
        let root_key = crypto::symmetric::open_with_key(unseal_key, &context(), &self.root_key).map_err(|_| wrong())?;
        let root_key = <[u8; 32]>::try_from(root_key.expose()).map_err(|_| wrong())?;
        Root::open(&SecretArray::new(root_key), &self.root)
    }

    /// The unseal key that a secret gives: the passphrase, or the file's content. Shares go through `shamir::combine`.
    pub fn unseal_key(&self, secret: &SecretBytes) -> Outcome<SecretArray<32>> {
        match &self.method {
            Method::Passphrase { memory_kib, passes, salt } => {
                let params = passphrase::Params { m_kib: *memory_kib, t: *passes, p: 1, salt: *salt };
                Ok(passphrase::derive(secret, &params)?)
            }
            Method::File => {
                let text = std::str::from_utf8(secret.expose()).map_err(|_| wrong())?;
                let key = SecretBytes::new(STANDARD.decode(text.trim()).map_err(|_| wrong())?);
                Ok(SecretArray::new(<[u8; 32]>::try_from(key.expose()).map_err(|_| wrong())?))
            }
            Method::Shamir { threshold, .. } => {
                let text = std::str::from_utf8(secret.expose()).map_err(|_| wrong())?;
                let shares = text
                    .split_whitespace()
                    .map(Share::parse)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|_| bad_share())?;
                combine(&shares, *threshold)
            }
        }
    }
}

/// The unseal key out of enough shares.
pub fn combine(shares: &[Share], threshold: u8) -> Outcome<SecretArray<32>> {
    if shares.len() < usize::from(threshold) {
        return Err(Problem::invalid(format!("{threshold} shares are needed.")));
    }
    let key = shamir::combine(shares).map_err(|_| bad_share())?;
    Ok(SecretArray::new(<[u8; 32]>::try_from(key.expose()).map_err(|_| bad_share())?))
}

fn context() -> Context {
    Context::new("qapi/seal/v1")
}

fn wrong() -> Problem {
    Problem::new(api::error::ErrorCode::UnsealFailed, "This does not unseal the platform.")
}

/// A share that is not one, or does not fit the others.
pub fn bad_share() -> Problem {
    Problem::new(
        api::error::ErrorCode::UnsealFailed,
        "This is no share of this platform, or it is damaged. Nothing that was given before is lost.",
    )
}
