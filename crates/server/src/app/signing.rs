//! Signatures and MACs under named keys. A private half never leaves; what leaves is its work.

use std::future::ready;
use std::sync::Arc;

use api::encryption as wire;
use api::limits::BATCH_ITEMS;
use api::secret::SecretText;
use crypto::base64;
use crypto::hash::Hash;
use crypto::key::{PrivateKey, PublicKey};
use crypto::secret::SecretBytes;
use domain::authz::{Authorized, Sign, Verify};
use domain::key::Use;
use store::keys::KeyRef;

use super::Core;
use super::batch::{each, item_error, within};
use super::encryption::describe;
use super::key_cache::{KeyCache, LoadedKey};
use super::payload::base64_secret;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Signs, verifies and computes MACs.
pub struct Signing {
    core: Core,
    keys: Arc<KeyCache>,
}

/// What is signed: a message, or what the caller has made of it.
pub enum Input {
    /// The message itself.
    Data(SecretBytes),
    /// ML-DSA's message representative (FIPS 204, 6.2), computed by the caller.
    Mu([u8; 64]),
    /// A message digest, for classical keys.
    Digest(Vec<u8>),
}

/// A signature and what made it.
pub struct Signed {
    /// The signature.
    pub signature: Vec<u8>,
    /// The key's version.
    pub version: u32,
    /// The key.
    pub key: Arc<LoadedKey>,
}

impl Signing {
    /// Over the loaded keys.
    pub fn new(core: Core, keys: Arc<KeyCache>) -> Self {
        Self { core, keys }
    }

    /// Signs with the newest version.
    pub async fn sign(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Sign>,
        key: &KeyRef,
        channel: &'static str,
        input: Outcome<Input>,
    ) -> Outcome<Signed> {
        let mut entry = Entry::new("Sign", "keys", "CryptoKey");
        entry.channel(channel);
        let result = self.sign_now(ctx, auth, key, input, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn sign_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Sign>,
        key: &KeyRef,
        input: Outcome<Input>,
        entry: &mut Entry,
    ) -> Outcome<Signed> {
        let key = self.keys.load(ctx, auth, key).await?;
        describe(entry, &key);
        let version = key.newest(Use::Sign, ctx.now())?;
        let private = key.private(&ctx.keys, version)?;
        let signature = self.signature(&private, &input?)?;
        let version = version.row.version;
        Ok(Signed { signature, version, key })
    }

    fn signature(&self, private: &PrivateKey, input: &Input) -> Outcome<Vec<u8>> {
        let random = &*self.core.entropy;
        let signed = match input {
            Input::Data(data) => private.sign(data.expose(), random),
            Input::Mu(mu) => private.sign_mu(mu, random),
            Input::Digest(digest) => private.sign_digest(digest, random),
        };
        signed.map_err(|_| {
            Problem::invalid("This key cannot sign that form of input: mu is for ML-DSA, digest for ECDSA.")
        })
    }

    /// Signs up to a thousand inputs with one key.
    pub async fn sign_batch(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Sign>,
        request: wire::SignBatchRequest,
    ) -> Outcome<wire::SignBatchResponse> {
        let mut entry = Entry::new("Sign", "keys", "CryptoKey");
        entry.channel("eaas");
        let result = self.sign_all(ctx, auth, &request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn sign_all(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Sign>,
        request: &wire::SignBatchRequest,
        entry: &mut Entry,
    ) -> Outcome<wire::SignBatchResponse> {
        within(request.items.len(), BATCH_ITEMS)?;
        let key = self.keys.load(ctx, auth, &KeyRef::Id(request.key_id.into())).await?;
        describe(entry, &key);
        let version = key.newest(Use::Sign, ctx.now())?;
        let private = key.private(&ctx.keys, version)?;
        let sign = |item: &wire::SignBatchItem| {
            let input = input(item.data.as_ref(), item.mu.as_deref(), item.digest.as_deref());
            ready(input.and_then(|input| self.signature(&private, &input)))
        };
        let results =
            each(&request.items, entry, sign).await.spelled(|index, signature, problem| wire::SignBatchResult {
                index,
                signature: signature.map(|signature| base64::encode(&signature)),
                error: problem.map(item_error),
            });
        let (algorithm, key_id, key_version) = (key.row.algorithm.clone(), key.row.id.uuid(), version.row.version);
        Ok(wire::SignBatchResponse { results, algorithm, key_id, key_version })
    }

    /// Verifies. A signature names no version unless transit spelled it, so the newest that fits is looked for.
    #[expect(clippy::too_many_arguments, reason = "the operation's whole input")]
    pub async fn verify(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Verify>,
        key: &KeyRef,
        channel: &'static str,
        version: Option<u32>,
        input: Outcome<Input>,
        signature: Option<Vec<u8>>,
    ) -> Outcome<Option<u32>> {
        let mut entry = Entry::new("Verify", "keys", "CryptoKey");
        entry.channel(channel);
        let result = self.verify_now(ctx, auth, key, version, input, signature, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    #[expect(clippy::too_many_arguments, reason = "the operation's whole input")]
    async fn verify_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Verify>,
        key: &KeyRef,
        version: Option<u32>,
        input: Outcome<Input>,
        signature: Option<Vec<u8>>,
        entry: &mut Entry,
    ) -> Outcome<Option<u32>> {
        let key = self.keys.load(ctx, auth, key).await?;
        describe(entry, &key);
        let input = input?;
        let found = match (version, signature) {
            // What is not even a signature's text verifies as nothing.
            (_, None) => None,
            (Some(version), Some(signature)) => {
                let version = key.version(Use::Verify, version, ctx.now())?;
                version
                    .public
                    .as_ref()
                    .filter(|public| verifies(public, &input, &signature))
                    .map(|_| version.row.version)
            }
            (None, Some(signature)) => key
                .verifying(ctx.now())?
                .find(|version| version.public.as_ref().is_some_and(|public| verifies(public, &input, &signature)))
                .map(|version| version.row.version),
        };
        entry.valid(found.is_some());
        if let Some(version) = found {
            entry.version(version);
        }
        Ok(found)
    }

    /// Computes a MAC with the newest version.
    pub async fn mac(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Sign>,
        key: &KeyRef,
        hash: Option<Hash>,
        data: &SecretText,
    ) -> Outcome<Signed> {
        let mut entry = Entry::new("Hmac", "keys", "CryptoKey");
        entry.channel("transit");
        let result = self.mac_now(ctx, auth, key, hash, data, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn mac_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Sign>,
        key: &KeyRef,
        hash: Option<Hash>,
        data: &SecretText,
        entry: &mut Entry,
    ) -> Outcome<Signed> {
        let key = self.keys.load(ctx, auth, key).await?;
        describe(entry, &key);
        let version = key.newest(Use::Mac, ctx.now())?;
        let private = key.private(&ctx.keys, version)?;
        let data = base64_secret(data, "data")?;
        let signature = match hash {
            Some(hash) => private.mac_with(hash, data.expose())?,
            None => private.mac(data.expose())?,
        };
        let version = version.row.version;
        Ok(Signed { signature, version, key })
    }
}

fn verifies(public: &PublicKey, input: &Input, signature: &[u8]) -> bool {
    match input {
        Input::Data(data) => public.verify(data.expose(), signature),
        Input::Mu(mu) => public.verify_mu(mu, signature),
        Input::Digest(digest) => public.verify_digest(digest, signature),
    }
}

/// Exactly one of the three forms.
pub fn input(data: Option<&SecretText>, mu: Option<&str>, digest: Option<&str>) -> Outcome<Input> {
    let decode = |text: &str, field: &str| {
        base64::decode(text.as_bytes()).ok_or_else(|| Problem::invalid(format!("{field} is not base64.")))
    };
    match (data, mu, digest) {
        (Some(data), None, None) => base64_secret(data, "data").map(Input::Data),
        (None, Some(mu), None) => {
            let mu = <[u8; 64]>::try_from(decode(mu, "mu")?)
                .map_err(|_| Problem::invalid("mu has 64 bytes (FIPS 204, 6.2)."))?;
            Ok(Input::Mu(mu))
        }
        (None, None, Some(digest)) => decode(digest, "digest").map(Input::Digest),
        _ => Err(Problem::invalid("Give exactly one of data, mu and digest.")),
    }
}
