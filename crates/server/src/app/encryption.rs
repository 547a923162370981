//! Encryption as a service: encrypt and decrypt under named keys, one by one or in batches.
//!
//! The key decides the algorithm; what a client sends as its default is not compared. A batch fails item by item.

use std::sync::Arc;

use api::encryption as wire;
use api::error::ErrorCode;
use api::limits::BATCH_ITEMS;
use api::secret::SecretText;
use crypto::message::{Encoding, Message, Mode, Purpose};
use crypto::secret::SecretBytes;
use domain::authz::{Authorized, Decrypt, Encrypt};
use domain::ids::KeyId;
use store::keys::KeyRef;

use super::Core;
use super::batch::{each, item_error, within};
use super::cipher::{Cipher, Envelope};
use super::key_cache::{KeyCache, LoadedKey};
use super::payload;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Encrypts and decrypts.
pub struct Encryption {
    core: Core,
    keys: Arc<KeyCache>,
    cipher: Arc<Cipher>,
}

impl Encryption {
    /// Over the loaded keys.
    pub fn new(core: Core, keys: Arc<KeyCache>, cipher: Arc<Cipher>) -> Self {
        Self { core, keys, cipher }
    }

    /// Encrypts one plaintext; sealed unless asked otherwise.
    pub async fn encrypt(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        request: wire::EncryptRequest,
    ) -> Outcome<wire::EncryptResponse> {
        let mut entry = Entry::new("Encrypt", "keys", "CryptoKey");
        entry.channel("eaas");
        let result = self.encrypt_now(ctx, auth, &request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn encrypt_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        request: &wire::EncryptRequest,
        entry: &mut Entry,
    ) -> Outcome<wire::EncryptResponse> {
        let key = self.keys.load(ctx, auth, &encryption_key(request.key_id)).await?;
        describe(entry, &key);
        let encoding = payload::encoding(request.encoding, Encoding::Utf8);
        let plaintext = payload::plaintext(&request.plaintext, encoding)?;
        let aad = payload::associated(request.additional_data.as_ref());
        let envelope =
            Envelope { mode: mode(request.mode, Mode::Sealed), purpose: Purpose::Message, encoding, aad: &aad };
        let message = self.cipher.seal(ctx, auth, &key, envelope, plaintext.expose()).await?;
        Ok(payload::encrypted(&message, &key.row.algorithm))
    }

    /// Decrypts one message, into the encoding it was made from.
    pub async fn decrypt(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        request: wire::DecryptRequest,
    ) -> Outcome<wire::DecryptResponse> {
        let mut entry = Entry::new("Decrypt", "keys", "CryptoKey");
        entry.channel("eaas");
        let result = self.decrypt_now(ctx, auth, &request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn decrypt_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        request: &wire::DecryptRequest,
        entry: &mut Entry,
    ) -> Outcome<wire::DecryptResponse> {
        let message = payload::from_request(request)?;
        let aad = payload::associated(request.additional_data.as_ref());
        let (key, plaintext) = self.open(ctx, auth, &message, &aad).await?;
        describe(entry, &key).version(message.header().version);
        Ok(wire::DecryptResponse { plaintext: payload::spelled(&plaintext, message.header().encoding)? })
    }

    /// Encrypts up to a thousand plaintexts under one key; fast unless asked otherwise.
    pub async fn encrypt_batch(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        request: wire::EncryptBatchRequest,
    ) -> Outcome<wire::EncryptBatchResponse> {
        let mut entry = Entry::new("Encrypt", "keys", "CryptoKey");
        entry.channel("eaas");
        let result = self.encrypt_all(ctx, auth, &request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn encrypt_all(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        request: &wire::EncryptBatchRequest,
        entry: &mut Entry,
    ) -> Outcome<wire::EncryptBatchResponse> {
        within(request.items.len(), BATCH_ITEMS)?;
        let key = self.keys.load(ctx, auth, &encryption_key(request.key_id)).await?;
        describe(entry, &key);
        key.newest(domain::key::Use::Encrypt, ctx.now())?;
        let mode = mode(request.mode, Mode::Fast);
        let seal = |item| self.encrypt_item(ctx, auth, &key, mode, item);
        let results = each(&request.items, entry, seal).await.spelled(|index, encrypted_payload, problem| {
            wire::EncryptBatchResult { index, encrypted_payload, error: problem.map(item_error) }
        });
        Ok(wire::EncryptBatchResponse {
            results,
            algorithm: key.row.algorithm.clone(),
            key_id: key.row.id.uuid(),
            key_version: key.row.current_version,
        })
    }

    async fn encrypt_item(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        key: &LoadedKey,
        mode: Mode,
        item: &wire::EncryptBatchItem,
    ) -> Outcome<String> {
        let encoding = payload::encoding(item.encoding, Encoding::Utf8);
        let plaintext = payload::plaintext(&item.plaintext, encoding)?;
        let aad = payload::associated(item.additional_data.as_ref());
        let envelope = Envelope { mode, purpose: Purpose::Message, encoding, aad: &aad };
        let message = self.cipher.seal(ctx, auth, key, envelope, plaintext.expose()).await?;
        Ok(payload::to_payload(&message))
    }

    /// Decrypts up to a thousand messages, each under the key it names.
    pub async fn decrypt_batch(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        request: wire::DecryptBatchRequest,
    ) -> Outcome<wire::DecryptBatchResponse> {
        let mut entry = Entry::new("Decrypt", "keys", "CryptoKey");
        entry.channel("eaas");
        let result = self.decrypt_all(ctx, auth, &request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn decrypt_all(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        request: &wire::DecryptBatchRequest,
        entry: &mut Entry,
    ) -> Outcome<wire::DecryptBatchResponse> {
        within(request.items.len(), BATCH_ITEMS)?;
        let opened = each(&request.items, entry, |item| self.decrypt_item(ctx, auth, item)).await;
        if let Some((key, _)) = opened.last() {
            describe(entry, key);
        }
        let results = opened.spelled(|index, opened, problem| wire::DecryptBatchResult {
            index,
            plaintext: opened.map(|(_, plaintext)| plaintext),
            error: problem.map(item_error),
        });
        Ok(wire::DecryptBatchResponse { results })
    }

    async fn decrypt_item(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        item: &wire::DecryptBatchItem,
    ) -> Outcome<(Arc<LoadedKey>, SecretText)> {
        let message = payload::from_payload(&item.encrypted_payload)?;
        let aad = payload::associated(item.additional_data.as_ref());
        let (key, plaintext) = self.open(ctx, auth, &message, &aad).await?;
        Ok((key, payload::spelled(&plaintext, message.header().encoding)?))
    }

    /// A message of another tenant names a key that does not exist here: that is the same refusal as a bad tag.
    async fn open(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        message: &Message,
        aad: &[u8],
    ) -> Outcome<(Arc<LoadedKey>, SecretBytes)> {
        let key = KeyRef::Id(KeyId::from_bytes(message.header().key));
        let key = self.keys.load(ctx, auth, &key).await.map_err(refuse_absence)?;
        let plaintext = self.cipher.open(ctx, auth, &key, Purpose::Message, aad, message).await?;
        Ok((key, plaintext))
    }
}

/// Whether a ciphertext's key exists elsewhere is nobody's business.
pub fn refuse_absence(problem: Problem) -> Problem {
    if problem.code == ErrorCode::NotFound { crypto::Refused.into() } else { problem }
}

fn encryption_key(id: Option<uuid::Uuid>) -> KeyRef {
    id.map_or(KeyRef::Default("encryption"), |id| KeyRef::Id(id.into()))
}

/// Puts a key into an audit entry.
pub fn describe<'a>(entry: &'a mut Entry, key: &LoadedKey) -> &'a mut Entry {
    entry.resource(key.row.id, &key.row.name).algorithm(&key.row.algorithm).version(key.row.current_version)
}

/// The wire's word as the format's.
pub fn mode(wire: Option<wire::Mode>, default: Mode) -> Mode {
    match wire {
        None => default,
        Some(wire::Mode::Sealed) => Mode::Sealed,
        Some(wire::Mode::Fast) => Mode::Fast,
    }
}
