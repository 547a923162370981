//! The policy file as it is written. Every field is known by name, and a field that is not is an error: a policy that is half
//! understood admits what its author meant to keep out.

use crypto::algorithm;
use crypto::key::PublicKey;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::moment::Moment;
use super::pattern::{NamePattern, RepositoryPattern};
use crate::digest::Digest;
use crate::reference::Repository;
use crate::trusted_key::Purpose;

/// The document.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyFile {
    #[serde(rename = "version")]
    pub _version: Version,
    pub keys: Vec<KeyEntry>,
    pub registries: Vec<RegistryEntry>,
    pub images: Vec<RuleEntry>,
    #[serde(default)]
    pub environments: Vec<EnvironmentEntry>,
    #[serde(default)]
    pub denied: Vec<DeniedEntry>,
    #[serde(default)]
    pub exempted: Vec<ExemptedEntry>,
    #[serde(default)]
    pub verdicts: Option<VerdictsEntry>,
    #[serde(default)]
    pub tickets: Option<TicketsEntry>,
}

/// The one version of the format.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Version;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyEntry {
    pub name: Spanned<String>,
    pub purpose: PurposeWord,
    #[serde(default)]
    pub public_key: Option<PemKey>,
    #[serde(default)]
    pub public_key_file: Option<Spanned<String>>,
    #[serde(default)]
    pub state: StateWord,
    #[serde(default)]
    pub valid_from: Option<Moment>,
    #[serde(default)]
    pub valid_until: Option<Moment>,
    #[serde(default)]
    pub revoked_from: Option<Moment>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PurposeWord {
    Signature,
    Attestation,
    Verdict,
    Ticket,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StateWord {
    #[default]
    Active,
    VerifyOnly,
    Revoked,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RegistryEntry {
    pub name: Spanned<String>,
    #[serde(default)]
    pub repositories: Vec<RepositoryPattern>,
    #[serde(default)]
    pub endpoint: Option<Spanned<String>>,
    #[serde(default)]
    pub danger_plain_http: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RuleEntry {
    pub name: Spanned<String>,
    pub r#match: Spanned<Vec<RepositoryPattern>>,
    #[serde(default)]
    pub environments: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub require: Level,
    #[serde(default)]
    pub classical_until: Option<Moment>,
    #[serde(default)]
    pub danger_classical_alone_until: Option<Moment>,
    #[serde(default)]
    pub keys: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub attestations: Vec<AttestationEntry>,
    #[serde(default)]
    pub remap_identity: Option<RemapEntry>,
    #[serde(default)]
    pub danger_any_repository: bool,
}

/// Which signatures are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A classical and a post-quantum signature that were made together.
    #[default]
    Hybrid,
    /// A post-quantum signature.
    PostQuantum,
    /// One signature of any kind.
    Any,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AttestationEntry {
    pub predicate_type: Spanned<String>,
    #[serde(default)]
    pub keys: Option<Vec<Spanned<String>>>,
    #[serde(default = "any_level")]
    pub require: Level,
}

fn any_level() -> Level {
    Level::Any
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RemapEntry {
    pub prefix: Spanned<String>,
    pub signed_prefix: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvironmentEntry {
    pub name: Spanned<String>,
    #[serde(default)]
    pub namespaces: Vec<NamePattern>,
    #[serde(default)]
    pub mode: Mode,
    #[serde(default)]
    pub soft_fail_until: Option<Moment>,
    #[serde(default)]
    pub image_prefix: Option<ImagePrefix>,
}

/// What follows from a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// What is refused does not run.
    #[default]
    Enforce,
    /// What is refused runs, and whoever started it is warned.
    Warn,
    /// What is refused runs, and the report says so.
    DryRun,
}

/// What stands before names of images that have no registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct ImagePrefix(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeniedEntry {
    pub digest: Digest,
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExemptedEntry {
    pub digest: Digest,
    pub reason: String,
    #[serde(default)]
    pub until: Option<Moment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VerdictsEntry {
    pub accept_for_s: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TicketsEntry {
    pub tenant: String,
}

/// A public key in PEM.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PemKey(pub PublicKey);

impl PemKey {
    /// A key that can have signed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = PublicKey::from_pem(text).map_err(|error| format!("it is no public key in PEM: {error}"))?;
        match key.algorithm().purpose() {
            algorithm::Purpose::Signing => Ok(Self(key)),
            _ => Err(format!("{} signs nothing", key.algorithm().as_str())),
        }
    }
}

impl TryFrom<String> for PemKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(version: u64) -> Result<Self, String> {
        match version {
            1 => Ok(Self),
            other => Err(format!("this program reads policies of version 1, and this one is of version {other}")),
        }
    }
}

impl ImagePrefix {
    /// As it is written, without a `/` at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ImagePrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let prefix = text.trim_end_matches('/');
        // A prefix may be a registry alone; with a name behind it, it has to be a repository of that registry.
        let named = format!("{prefix}/x").parse::<Repository>().map_err(|error| error.to_string())?;
        match named.to_string() == format!("{prefix}/x") {
            true => Ok(Self(prefix.to_owned())),
            false => Err(format!("{prefix} does not begin with the name of a registry")),
        }
    }
}

impl PurposeWord {
    pub fn purpose(self) -> Purpose {
        match self {
            Self::Signature => Purpose::Signature,
            Self::Attestation => Purpose::Attestation,
            Self::Verdict => Purpose::Verdict,
            Self::Ticket => Purpose::Ticket,
        }
    }
}
