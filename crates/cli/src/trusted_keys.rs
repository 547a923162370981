//! Keys that are trusted to have signed, wherever their public halves are read from.

use api::keys::{KeyFormat, ReadPublicKey};
use artifact::signing::Signers;
use artifact::trusted_key::{Purpose, State, TrustedKey};
use artifact::verification::Requirement;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use crypto::key::PublicKey;

use crate::failure::Failure;
use crate::key_ring::{self, KeyRing, PurposeWord};
use crate::key_source::{self, KeySource};
use crate::lookup;
use crate::session::Session;

/// Whose signatures are believed.
#[derive(Args, Clone)]
pub struct TrustedKeyInputs {
    /// A trusted public key: a file, - for standard input, env://NAME, qapi://ID, or a key ring; repeat for several
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<KeySource>,
    /// Which signatures have to be there; hybrid when both kinds of keys are given, else post-quantum or any as the keys are
    #[arg(long, value_enum, value_name = "WHAT")]
    require: Option<RequirementWord>,
    /// Believe a classical signature although the post-quantum one beside it is missing or of a key that is not trusted
    #[arg(long, conflicts_with = "require")]
    danger_classical_alone: bool,
}

/// Which signatures have to be there, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RequirementWord {
    /// One of a trusted key, with all that was signed together with it
    Any,
    /// One of a trusted post-quantum key
    PostQuantum,
    /// A classical and a post-quantum one over one payload
    Hybrid,
}

/// Keys and what is asked of them.
pub struct Trust {
    pub keys: Vec<TrustedKey>,
    pub requirement: Requirement,
}

/// Reads keys, and asks as much of them as they can show. A verification never goes on without one.
pub async fn trusted(sources: &[KeySource], purpose: PurposeWord, session: &Session) -> Result<Trust, Failure> {
    let mut keys = Vec::new();
    for source in sources {
        keys.extend(read(source, purpose, session).await?);
    }
    if keys.is_empty() {
        return Err(Failure::unusable("there is no key to verify with", "--key with a public key"));
    }
    let requirement = usual(&keys);
    Ok(Trust { keys, requirement })
}

impl Trust {
    /// Trust in what these keys have signed together.
    pub fn of_signers(signers: &Signers) -> Self {
        let trusted = |key: &PublicKey| TrustedKey {
            name: key.algorithm().as_str().to_owned(),
            key: key.clone(),
            purpose: Purpose::Signature,
            state: State::Active,
        };
        let keys: Vec<TrustedKey> = signers.keys().iter().map(trusted).collect();
        let requirement = usual(&keys);
        Self { keys, requirement }
    }
}

impl TrustedKeyInputs {
    /// Whether a key was named.
    pub fn is_given(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Reads the keys.
    pub async fn trust(&self, purpose: PurposeWord, session: &Session) -> Result<Trust, Failure> {
        let mut trust = trusted(&self.keys, purpose, session).await?;
        trust.requirement = self.requirement(&trust.keys);
        Ok(trust)
    }

    fn requirement(&self, keys: &[TrustedKey]) -> Requirement {
        match self.require {
            _ if self.danger_classical_alone => Requirement::DangerClassicalAlone,
            Some(RequirementWord::Any) => Requirement::Any,
            Some(RequirementWord::PostQuantum) => Requirement::PostQuantum,
            Some(RequirementWord::Hybrid) => Requirement::Hybrid,
            None => usual(keys),
        }
    }
}

/// As much as the keys can show: who trusts keys of both kinds has images signed by both.
fn usual(keys: &[TrustedKey]) -> Requirement {
    let counts = |quantum_safe| keys.iter().any(|key| key.key.algorithm().is_post_quantum() == quantum_safe);
    match (counts(false), counts(true)) {
        (true, true) => Requirement::Hybrid,
        (false, true) => Requirement::PostQuantum,
        _ => Requirement::Any,
    }
}

async fn read(source: &KeySource, purpose: PurposeWord, session: &Session) -> Result<Vec<TrustedKey>, Failure> {
    let name = source.to_string();
    let one = |key| vec![TrustedKey { name: name.clone(), key, purpose: purpose.purpose(), state: State::Active }];
    if let KeySource::Vault(reference) = source {
        return Ok(one(in_vault(reference, purpose, session).await?));
    }
    let content = source.content()?.filter(|content| !content.is_empty());
    let content = content.ok_or_else(|| Failure::unusable(format!("{name} holds no key"), "a public key in PEM"))?;
    if key_ring::is_key_ring(&content) {
        return KeyRing::parse(&content, &name)?.trusted();
    }
    Ok(one(key_source::public_key(&content, &name)?))
}

async fn in_vault(reference: &str, purpose: PurposeWord, session: &Session) -> Result<PublicKey, Failure> {
    let client = session.client()?;
    let id = lookup::key_id(&client, reference).await?;
    let (format, include) = (Some(KeyFormat::Der), Some("labels".to_owned()));
    let key = client.public_key(id, &ReadPublicKey { format, include, version: None }).await?;
    let labels = key.labels.unwrap_or_default();
    if !purpose.allows(&labels) {
        let what = format!("qapi://{reference} is a key for another purpose ({})", labels.join(", "));
        return Err(Failure::unusable(what, format!("`qapi keys create-signing --purpose {}`", purpose.as_str())));
    }
    let der = STANDARD.decode(&key.public_key).ok();
    let public = der.and_then(|der| PublicKey::from_spki_der(&der).ok());
    public
        .ok_or_else(|| Failure::unusable(format!("qapi://{reference} is an {} key", key.algorithm), "a key that signs"))
}
