//! Keys at hand for signing software, wherever they lie. A key in the vault signs there: what travels is the representative
//! (ML-DSA) or the digest (ECDSA) of each message, one batch a key.

use std::cell::OnceCell;
use std::path::PathBuf;

use api::encryption::{SignBatchItem, SignBatchRequest};
use api::keys::{KeyFormat, ReadPublicKey};
use api::secret::SecretText;
use artifact::signing::{Input, Plan, Signers};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use crypto::key::{PrivateKey, PublicKey};
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::failure::Failure;
use crate::key_ring::{self, KeyRing, PurposeWord};
use crate::key_source::{self, KEY_VARIABLE, KeySource};
use crate::lookup;
use crate::session::Session;

/// Which keys sign.
#[derive(Args, Clone)]
pub struct SigningKeyInputs {
    /// A key: a file, - for standard input, env://NAME, qapi://ID, or a key ring; twice for a classical and a post-quantum
    /// one together. COSIGN_PRIVATE_KEY unless given
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<KeySource>,
    /// Fail without a key instead of leaving the software unsigned
    #[arg(long)]
    require_key: bool,
}

/// Keys at hand, or why there are none.
pub enum AtHand {
    Keys(Box<SigningKeys>),
    None { why: String },
}

/// Keys that sign together.
pub struct SigningKeys {
    keys: Vec<SigningKey>,
    client: Option<sdk::Client>,
}

struct SigningKey {
    name: String,
    public: PublicKey,
    place: Place,
}

enum Place {
    Here(PrivateKey),
    Vault(Uuid),
}

impl SigningKeyInputs {
    /// The keys that were named, or the one of the environment. None at all is no failure unless it was said to be one; some
    /// of several is.
    pub async fn at_hand(&self, purpose: PurposeWord, session: &Session) -> Result<AtHand, Failure> {
        let found = match self.keys.as_slice() {
            [] => at_hand(&[KeySource::Variable(KEY_VARIABLE.to_owned())], purpose, session).await?,
            named => at_hand(named, purpose, session).await?,
        };
        match found {
            AtHand::None { why } if self.require_key => Err(absent(&why)),
            found => Ok(found),
        }
    }
}

/// The keys that lie in these places.
pub async fn at_hand(sources: &[KeySource], purpose: PurposeWord, session: &Session) -> Result<AtHand, Failure> {
    if sources.iter().filter(|source| **source == KeySource::Stdin).count() > 1 {
        return Err(Failure::unusable("standard input holds one key", "a file for the other one"));
    }
    let opener = Opener { session, purpose, client: OnceCell::new() };
    let found = try_join_all(sources.iter().map(|source| opener.open(source))).await?;
    let (mut keys, mut missing) = (Vec::new(), Vec::new());
    for one in found.into_iter().flatten() {
        match one {
            Found::Key(key) => keys.push(key),
            Found::Absent(why) => missing.push(why),
        }
    }
    missing.dedup();
    let why = missing.join(", ");
    if keys.is_empty() {
        return Ok(AtHand::None { why });
    }
    // Half of a pair would sign less than was asked for.
    if !missing.is_empty() {
        return Err(absent(&why));
    }
    Ok(AtHand::Keys(Box::new(SigningKeys { keys, client: opener.client.into_inner() })))
}

fn absent(why: &str) -> Failure {
    Failure::unusable(format!("a key is not at hand: {why}"), "setting it, or one --key less")
}

enum Found {
    Key(SigningKey),
    Absent(String),
}

struct Opener<'s> {
    session: &'s Session,
    purpose: PurposeWord,
    client: OnceCell<sdk::Client>,
}

impl Opener<'_> {
    async fn open(&self, source: &KeySource) -> Result<Vec<Found>, Failure> {
        if let KeySource::Vault(reference) = source {
            return Ok(vec![self.open_in_vault(reference).await?]);
        }
        let name = source.to_string();
        let Some(content) = source.content()? else {
            return Ok(vec![Found::Absent(format!("{name} is not set"))]);
        };
        if key_ring::is_key_ring(&content) {
            return self.open_ring(&KeyRing::parse(&content, &name)?, source).await;
        }
        Ok(vec![here(name, &content)?])
    }

    /// The ring knows the public halves, so the vault is asked for nothing but signatures.
    async fn open_ring(&self, ring: &KeyRing, source: &KeySource) -> Result<Vec<Found>, Failure> {
        if ring.purpose != self.purpose {
            return Err(other_purpose(&source.to_string(), ring.purpose.as_str(), self.purpose));
        }
        let mut found = Vec::new();
        for key in ring.active() {
            found.push(match key.source.parse::<KeySource>() {
                Ok(KeySource::Vault(reference)) => match self.session.lacks_credential()? {
                    Some(why) => Found::Absent(why),
                    None => {
                        let place = Place::Vault(lookup::key_id(self.client()?, &reference).await?);
                        Found::Key(SigningKey { name: key.source.clone(), public: key.public()?, place })
                    }
                },
                Ok(KeySource::File(path)) => {
                    let file = KeySource::File(beside(source, path));
                    here(file.to_string(), &file.content()?.unwrap_or_default())?
                }
                _ => {
                    let what = format!("{}: the ring names no place that keys lie in", key.source);
                    return Err(Failure::unusable(what, "another ring"));
                }
            });
        }
        Ok(found)
    }

    async fn open_in_vault(&self, reference: &str) -> Result<Found, Failure> {
        // A key in the vault is at hand for whoever has a credential of any kind.
        if let Some(why) = self.session.lacks_credential()? {
            return Ok(Found::Absent(why));
        }
        let client = self.client()?;
        let id = lookup::key_id(client, reference).await?;
        let (format, include) = (Some(KeyFormat::Der), Some("name,labels".to_owned()));
        let key = client.public_key(id, &ReadPublicKey { format, include, version: None }).await?;
        let name = format!("qapi://{reference}");
        let labels = key.labels.unwrap_or_default();
        if !self.purpose.allows(&labels) {
            return Err(other_purpose(&name, &labels.join(", "), self.purpose));
        }
        let der = STANDARD.decode(&key.public_key).ok();
        let public = der.and_then(|der| PublicKey::from_spki_der(&der).ok());
        let public = public
            .ok_or_else(|| Failure::unusable(format!("{name} is an {} key", key.algorithm), "a key that signs"))?;
        Ok(Found::Key(SigningKey { name, public, place: Place::Vault(id) }))
    }

    fn client(&self) -> Result<&sdk::Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.session.client()?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn here(name: String, content: &[u8]) -> Result<Found, Failure> {
    let private = key_source::private_key(content, &name)?;
    let no_public = || Failure::unusable(format!("{name} has no public half"), "another key");
    let public = private.public_key().ok_or_else(no_public)?;
    Ok(Found::Key(SigningKey { name, public, place: Place::Here(private) }))
}

/// Files that a ring names lie beside it.
fn beside(ring: &KeySource, path: PathBuf) -> PathBuf {
    match ring {
        KeySource::File(ring) => ring.parent().map(|folder| folder.join(&path)).unwrap_or(path),
        _ => path,
    }
}

fn other_purpose(name: &str, found: &str, wanted: PurposeWord) -> Failure {
    Failure::unusable(
        format!("{name} is a key for another purpose ({found}, not {})", wanted.as_str()),
        format!("`qapi keys create-signing --purpose {}`", wanted.as_str()),
    )
}

impl SigningKeys {
    /// The public halves, in order.
    pub fn signers(&self) -> Result<Signers, Failure> {
        Signers::new(self.keys.iter().map(|key| key.public.clone()).collect())
            .map_err(|error| Failure::unusable(error.to_string(), "one key, or a classical and a post-quantum one"))
    }

    /// Signs all that a plan wants, all keys at once.
    pub async fn sign(&self, plan: &Plan) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        try_join_all((0..).zip(&self.keys).map(|(place, key)| self.sign_with(key, plan.messages(place)))).await
    }

    /// Signs one message with every key.
    pub async fn sign_message(&self, message: &[u8]) -> Result<Vec<(PublicKey, Vec<u8>)>, Failure> {
        let signed = try_join_all(self.keys.iter().map(|key| self.sign_with(key, vec![message.to_vec()]))).await?;
        let mut pairs = Vec::new();
        for (key, signatures) in self.keys.iter().zip(signed) {
            let signature = signatures.into_iter().next().filter(|signature| key.public.verify(message, signature));
            pairs.push((key.public.clone(), signature.ok_or_else(|| not_ours(&key.name))?));
        }
        Ok(pairs)
    }

    async fn sign_with(&self, key: &SigningKey, messages: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Failure> {
        let unusable = |error: crypto::Error| Failure::unusable(format!("{}: {error}", key.name), "another key");
        match (&key.place, &self.client) {
            (Place::Here(private), _) => {
                let random = sdk::random::pool();
                messages.iter().map(|message| private.sign(message, &random).map_err(unusable)).collect()
            }
            (Place::Vault(id), Some(client)) => {
                let items: Result<Vec<_>, _> = messages.iter().map(|message| item(&key.public, message)).collect();
                let body = SignBatchRequest { items: items.map_err(unusable)?, key_id: *id };
                signatures(client.sign_batch(&body).await?, messages.len(), &key.name)
            }
            (Place::Vault(_), None) => Err(Failure::failed("no connection to the vault", "`qapi health`")),
        }
    }
}

fn item(key: &PublicKey, message: &[u8]) -> Result<SignBatchItem, crypto::Error> {
    let nothing = SignBatchItem { data: None, mu: None, digest: None };
    Ok(match Input::shortest(key, message)? {
        Input::Message(message) => SignBatchItem { data: Some(SecretText::new(STANDARD.encode(message))), ..nothing },
        Input::Representative(mu) => SignBatchItem { mu: Some(STANDARD.encode(mu)), ..nothing },
        Input::Digest(digest) => SignBatchItem { digest: Some(STANDARD.encode(digest)), ..nothing },
    })
}

fn signatures(answer: api::encryption::SignBatchResponse, wanted: usize, name: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let mut found: Vec<_> = answer.results.into_iter().collect();
    found.sort_by_key(|result| result.index);
    if found.len() != wanted {
        return Err(not_ours(name));
    }
    let signature = |result: api::encryption::SignBatchResult| match (result.signature, result.error) {
        (Some(text), None) => STANDARD.decode(text).map_err(|_| not_ours(name)),
        (_, Some(error)) => Err(Failure::failed(
            format!("{name}: {} ({})", error.message.trim_end_matches('.'), error.code),
            "`qapi keys get` for where the key stands",
        )),
        (None, None) => Err(not_ours(name)),
    };
    found.into_iter().map(signature).collect()
}

fn not_ours(name: &str) -> Failure {
    Failure::failed(
        format!("{name}: what came back is no signature of this key, which may have been rotated"),
        "again, or a ring that knows the new version",
    )
}
