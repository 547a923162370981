//! Key rings: the public halves of the keys of one purpose, where each key stands, and where its private half lies. It is the
//! record of their rotations, holds nothing secret, and lies beside the software in its repository.

use std::path::Path;

use api::time::WireTime;
use artifact::trusted_key::{Purpose, State, TrustedKey};
use crypto::key::PublicKey;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::input;

/// A ring as its file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyRing {
    /// The version of this form.
    pub key_ring: u32,
    /// What the keys are called together.
    pub name: String,
    /// What they sign. A key has one purpose.
    pub purpose: PurposeWord,
    /// All keys there have been; the ones that sign now come first.
    pub keys: Vec<RingKey>,
}

/// One key of a ring.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RingKey {
    pub algorithm: String,
    /// Where the private half lies: `qapi://ID`, or a file beside the ring.
    pub source: String,
    /// The version, of a key in the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The public half in PEM.
    pub public_key: String,
    /// When it was made.
    pub since: WireTime,
    #[serde(flatten)]
    pub standing: Standing,
}

/// Where a key stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    /// It signs.
    Active,
    /// It was replaced, and what it signed is believed until then.
    VerifyOnly {
        /// The end.
        until: WireTime,
    },
    /// Nothing of it is believed.
    Revoked,
}

/// What keys sign, as it is typed and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PurposeWord {
    /// That software is ours
    Signature,
    /// What is known of software: bills of materials, scans
    Attestation,
    /// What a gate found
    Verdict,
}

impl PurposeWord {
    /// The same for verification.
    pub fn purpose(self) -> Purpose {
        match self {
            Self::Signature => Purpose::Signature,
            Self::Attestation => Purpose::Attestation,
            Self::Verdict => Purpose::Verdict,
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Verdict => "verdict",
        }
    }

    /// The label that a key of this purpose has in the vault.
    pub fn label(self) -> String {
        format!("{LABEL}{}", self.as_str())
    }

    /// Whether a key with these labels may sign for this purpose: one that says nothing may.
    pub fn allows(self, labels: &[String]) -> bool {
        let mut said = labels.iter().filter(|label| label.starts_with(LABEL)).peekable();
        said.peek().is_none() || said.any(|label| *label == self.label())
    }
}

const LABEL: &str = "signs:";
/// The form that this version reads and writes.
pub const FORM: u32 = 1;

/// Whether a file's content is a ring.
pub fn is_key_ring(content: &[u8]) -> bool {
    let start = content.trim_ascii_start();
    start.starts_with(b"{") && start.windows(9).any(|word| word == b"\"keyRing\"")
}

impl KeyRing {
    /// Reads a ring.
    pub fn parse(content: &[u8], name: &str) -> Result<Self, Failure> {
        let unusable =
            |why: String| Failure::unusable(format!("{name}: {why}"), "a file of `qapi keys create-signing`");
        let ring: Self = artifact::json::read(content, LONGEST_BYTES)
            .map_err(|error| unusable(format!("not a key ring ({})", sdk::report(&error))))?;
        match ring.key_ring {
            FORM => Ok(ring),
            other => Err(unusable(format!("a key ring of form {other}, and this version reads {FORM}"))),
        }
    }

    /// Reads a ring's file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&input::bytes(Some(path))?, &path.display().to_string())
    }

    /// The keys that sign now.
    pub fn active(&self) -> impl Iterator<Item = &RingKey> {
        self.keys.iter().filter(|key| key.standing == Standing::Active)
    }

    /// The keys for verification, all of them: a revoked key has to be known to be refused by name.
    pub fn trusted(&self) -> Result<Vec<TrustedKey>, Failure> {
        self.keys.iter().map(|key| key.trusted(self)).collect()
    }

    /// Moves the keys that sign now aside for their successors.
    pub fn replace(&mut self, successors: Vec<RingKey>, until: Timestamp) {
        for key in self.keys.iter_mut().filter(|key| key.standing == Standing::Active) {
            key.standing = Standing::VerifyOnly { until: until.into() };
        }
        self.keys.splice(0..0, successors);
    }
}

impl RingKey {
    /// The public half.
    pub fn public(&self) -> Result<PublicKey, Failure> {
        PublicKey::from_pem(&self.public_key).map_err(|error| {
            Failure::unusable(format!("the public key of {}: {error}", self.source), "another key ring")
        })
    }

    fn trusted(&self, ring: &KeyRing) -> Result<TrustedKey, Failure> {
        let version = self.version.map(|version| format!(" version {version}")).unwrap_or_default();
        Ok(TrustedKey {
            name: format!("{} {}{version}", ring.name, self.algorithm),
            key: self.public()?,
            purpose: ring.purpose.purpose(),
            state: match &self.standing {
                Standing::Active => State::Active,
                Standing::VerifyOnly { until } => State::VerifyOnlyUntil(until.timestamp().seconds()),
                Standing::Revoked => State::Revoked,
            },
        })
    }
}

const LONGEST_BYTES: usize = 4 << 20;
