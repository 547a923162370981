//! Transit: the same keys by name, one line of text per ciphertext, and rewrapping without showing a plaintext.

use std::sync::Arc;

use api::limits::TRANSIT_BATCH_ITEMS;
use api::secret::SecretText;
use api::transit as wire;
use crypto::hash::Hash;
use crypto::message::{Encoding, Mode, Purpose};
use crypto::secret::SecretBytes;
use domain::authz::{Action, Authorized, Decrypt, Encrypt};
use store::keys::KeyRef;

use super::Core;
use super::batch::{Done, each, within};
use super::cipher::{Cipher, Envelope};
use super::encryption::{describe, mode};
use super::key_cache::{KeyCache, LoadedKey};
use super::payload::{self, base64_secret};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Encrypts, decrypts and rewraps by key name.
pub struct Transit {
    core: Core,
    keys: Arc<KeyCache>,
    cipher: Arc<Cipher>,
}

impl Transit {
    /// Over the loaded keys.
    pub fn new(core: Core, keys: Arc<KeyCache>, cipher: Arc<Cipher>) -> Self {
        Self { core, keys, cipher }
    }

    /// Encrypts one plaintext; fast unless asked otherwise.
    pub async fn encrypt(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        name: &KeyRef,
        request: &wire::TransitEncrypt,
    ) -> Outcome<wire::TransitEncrypted> {
        let mut entry = entry("Encrypt");
        let result = async {
            let key = self.keys.load(ctx, auth, name).await?;
            describe(&mut entry, &key);
            let plaintext = plaintext(&request.plaintext, request.encoding)?;
            let aad = request.associated_data.as_ref();
            let ciphertext = self.seal(ctx, auth, &key, mode(request.mode, Mode::Fast), &plaintext, aad).await?;
            Ok(wire::TransitEncrypted {
                ciphertext,
                key_name: key.row.name.clone(),
                key_version: key.row.current_version,
            })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Decrypts one ciphertext into base64, whatever its plaintext was spelled in.
    pub async fn decrypt(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        name: &KeyRef,
        request: &wire::TransitCiphertext,
    ) -> Outcome<wire::TransitDecrypted> {
        let mut entry = entry("Decrypt");
        let result = async {
            let key = self.keys.load(ctx, auth, name).await?;
            describe(&mut entry, &key);
            let (plaintext, version) = self.open(ctx, auth, &key, request).await?;
            entry.version(version);
            Ok(wire::TransitDecrypted { plaintext: payload::base64_text(plaintext.expose()) })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Moves a ciphertext to the key's newest version; the plaintext stays here.
    pub async fn rewrap(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        name: &KeyRef,
        request: &wire::TransitCiphertext,
    ) -> Outcome<wire::TransitRewrapped> {
        let mut entry = entry("Rewrap");
        let result = async {
            let key = self.keys.load(ctx, auth, name).await?;
            describe(&mut entry, &key);
            let ciphertext = self.rewrap_one(ctx, auth, &key, request).await?;
            Ok(wire::TransitRewrapped { ciphertext, key_version: key.row.current_version })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Encrypts up to a hundred plaintexts.
    pub async fn encrypt_batch(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        name: &KeyRef,
        request: &wire::TransitBatchEncrypt,
    ) -> Outcome<wire::TransitBatchCiphertexts> {
        let mut entry = entry("Encrypt");
        let result = async {
            within(request.items.len(), TRANSIT_BATCH_ITEMS)?;
            let key = self.keys.load(ctx, auth, name).await?;
            describe(&mut entry, &key);
            key.newest(domain::key::Use::Encrypt, ctx.now())?;
            let seal = |item| self.seal_item(ctx, auth, &key, item);
            let results = ciphertexts(each(&request.items, &mut entry, seal).await);
            Ok(wire::TransitBatchCiphertexts {
                results,
                key_name: key.row.name.clone(),
                key_version: key.row.current_version,
            })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Decrypts up to a hundred ciphertexts.
    pub async fn decrypt_batch(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        name: &KeyRef,
        request: &wire::TransitBatchDecrypt,
    ) -> Outcome<wire::TransitBatchPlaintexts> {
        let mut entry = entry("Decrypt");
        let result = async {
            within(request.items.len(), TRANSIT_BATCH_ITEMS)?;
            let key = self.keys.load(ctx, auth, name).await?;
            describe(&mut entry, &key);
            let opened = each(&request.items, &mut entry, |item| self.open(ctx, auth, &key, item)).await;
            let results = opened.spelled(|index, opened, problem| wire::TransitBatchDecrypted {
                index,
                plaintext: opened.map(|(plaintext, _)| payload::base64_text(plaintext.expose())),
                error: problem.map(|problem| problem.message),
            });
            Ok(wire::TransitBatchPlaintexts { results })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Moves up to a thousand ciphertexts to the key's newest version.
    pub async fn rewrap_batch(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        name: &KeyRef,
        request: &wire::TransitBatchDecrypt,
    ) -> Outcome<wire::TransitBatchCiphertexts> {
        let mut entry = entry("Rewrap");
        let result = async {
            within(request.items.len(), api::limits::BATCH_ITEMS)?;
            let key = self.keys.load(ctx, auth, name).await?;
            describe(&mut entry, &key);
            let rewrap = |item| self.rewrap_one(ctx, auth, &key, item);
            let results = ciphertexts(each(&request.items, &mut entry, rewrap).await);
            Ok(wire::TransitBatchCiphertexts {
                results,
                key_name: key.row.name.clone(),
                key_version: key.row.current_version,
            })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn seal<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        key: &LoadedKey,
        mode: Mode,
        plaintext: &(SecretBytes, Encoding),
        aad: Option<&SecretText>,
    ) -> Outcome<String> {
        let aad = payload::associated(aad);
        let envelope = Envelope { mode, purpose: Purpose::Message, encoding: plaintext.1, aad: &aad };
        Ok(payload::to_transit(&self.cipher.seal(ctx, auth, key, envelope, plaintext.0.expose()).await?))
    }

    async fn seal_item(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        key: &LoadedKey,
        item: &wire::TransitBatchPlaintext,
    ) -> Outcome<String> {
        let plaintext = plaintext(&item.plaintext, item.encoding)?;
        self.seal(ctx, auth, key, Mode::Fast, &plaintext, item.associated_data.as_ref()).await
    }

    async fn open(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        key: &LoadedKey,
        item: &wire::TransitCiphertext,
    ) -> Outcome<(SecretBytes, u32)> {
        let message = payload::from_transit(&item.ciphertext)?;
        let aad = payload::associated(item.associated_data.as_ref());
        let plaintext = self.cipher.open(ctx, auth, key, Purpose::Message, &aad, &message).await?;
        Ok((plaintext, message.header().version))
    }

    /// Opens and seals again in the mode it was in, so that nobody's rewrap turns a sealed message into a fast one.
    async fn rewrap_one(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        key: &LoadedKey,
        item: &wire::TransitCiphertext,
    ) -> Outcome<String> {
        let message = payload::from_transit(&item.ciphertext)?;
        let aad = payload::associated(item.associated_data.as_ref());
        let plaintext = self.cipher.open(ctx, auth, key, Purpose::Message, &aad, &message).await?;
        let header = message.header();
        self.seal(ctx, auth, key, header.mode, &(plaintext, header.encoding), item.associated_data.as_ref()).await
    }
}

fn entry(action: &'static str) -> Entry {
    let mut entry = Entry::new(action, "keys", "CryptoKey");
    entry.channel("transit");
    entry
}

fn plaintext(text: &SecretText, encoding: Option<api::encryption::Encoding>) -> Outcome<(SecretBytes, Encoding)> {
    let encoding = payload::encoding(encoding, Encoding::Base64);
    Ok((payload::plaintext(text, encoding)?, encoding))
}

fn ciphertexts(sealed: Done<String>) -> Vec<wire::TransitBatchEncrypted> {
    sealed.spelled(|index, ciphertext, problem| wire::TransitBatchEncrypted {
        index,
        ciphertext,
        error: problem.map(|problem| problem.message),
    })
}

/// The hash that a request names, `sha256` when it names none.
pub fn hash(name: Option<&str>) -> Outcome<Hash> {
    let name = name.unwrap_or("sha256");
    let bare = name.strip_prefix("HMAC-").or_else(|| name.strip_prefix("hmac-")).unwrap_or(name);
    bare.parse()
        .map_err(|_| Problem::new(api::error::ErrorCode::Unsupported, "The hash is not one that is offered here."))
}

/// A digest of the caller's data: no key, nothing kept.
pub fn digest(request: &wire::TransitHash) -> Outcome<wire::TransitHashed> {
    let data = base64_secret(&request.data, "data")?;
    let digest = hash(request.algorithm.as_deref())?.digest(data.expose());
    let hash = match request.format {
        Some(wire::BytesFormat::Base64) => payload::base64_text(&digest).expose().to_owned(),
        _ => hex::encode(digest),
    };
    Ok(wire::TransitHashed { hash, algorithm: request.algorithm.clone().unwrap_or_else(|| "sha256".to_owned()) })
}
