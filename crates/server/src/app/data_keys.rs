//! Data keys: made here, wrapped under a named key, used elsewhere. And the way back.

use std::sync::Arc;

use api::keys as wire;
use api::limits::{DATA_KEY_BYTES, DATA_KEY_BYTES_DEFAULT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::message::{Encoding, Message, Mode, Purpose};
use crypto::random::Random as _;
use crypto::secret::SecretBytes;
use domain::authz::{Authorized, Decrypt, Encrypt};
use store::keys::KeyRef;

use super::Core;
use super::cipher::{Cipher, Envelope};
use super::encryption::describe;
use super::key_cache::KeyCache;
use super::payload::base64_text;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Makes and unwraps data keys.
pub struct DataKeys {
    core: Core,
    keys: Arc<KeyCache>,
    cipher: Arc<Cipher>,
}

/// Whether the new key is shown beside its wrapped form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// For using it now.
    Plaintext,
    /// For using it later, elsewhere.
    WrappedOnly,
}

impl DataKeys {
    /// Over the loaded keys.
    pub fn new(core: Core, keys: Arc<KeyCache>, cipher: Arc<Cipher>) -> Self {
        Self { core, keys, cipher }
    }

    /// Makes a data key, wrapped by one encapsulation of its own.
    pub async fn generate(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        key: &KeyRef,
        show: Show,
        request: &wire::GenerateDataKey,
    ) -> Outcome<wire::DataKey> {
        let mut entry = Entry::new("GenerateDataKey", "keys", "CryptoKey");
        let result = self.generate_now(ctx, auth, key, show, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn generate_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Encrypt>,
        key: &KeyRef,
        show: Show,
        request: &wire::GenerateDataKey,
        entry: &mut Entry,
    ) -> Outcome<wire::DataKey> {
        let key = self.keys.load(ctx, auth, key).await?;
        describe(entry, &key);
        let length = request.key_bytes.unwrap_or(DATA_KEY_BYTES_DEFAULT);
        if !DATA_KEY_BYTES.contains(&length) {
            return Err(Problem::invalid("keyBytes is one of 16, 24 and 32."));
        }
        let context = context(request.context.as_deref())?;
        let mut plaintext = vec![0; length as usize];
        self.core.entropy.fill(&mut plaintext);
        let plaintext = SecretBytes::new(plaintext);
        let envelope =
            Envelope { mode: Mode::Sealed, purpose: Purpose::DataKey, encoding: Encoding::Base64, aad: &context };
        let message = self.cipher.seal(ctx, auth, &key, envelope, plaintext.expose()).await?;
        Ok(wire::DataKey {
            plaintext_key: (show == Show::Plaintext).then(|| base64_text(plaintext.expose())),
            encrypted_key: STANDARD.encode(message.to_bytes()),
            key_id: key.row.id.uuid(),
            key_version: message.header().version,
            algorithm: request.algorithm.clone().unwrap_or_else(|| "AES-256-GCM".to_owned()),
        })
    }

    /// Unwraps a data key that was made under this key.
    pub async fn unwrap(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        key: &KeyRef,
        request: &wire::UnwrapDataKey,
    ) -> Outcome<wire::UnwrappedDataKey> {
        let mut entry = Entry::new("UnwrapDataKey", "keys", "CryptoKey");
        let result = self.unwrap_now(ctx, auth, key, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn unwrap_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<Decrypt>,
        key: &KeyRef,
        request: &wire::UnwrapDataKey,
        entry: &mut Entry,
    ) -> Outcome<wire::UnwrappedDataKey> {
        let key = self.keys.load(ctx, auth, key).await?;
        describe(entry, &key);
        let context = context(request.context.as_deref())?;
        let bytes = STANDARD.decode(&request.wrapped_key).map_err(|_| crypto::Refused)?;
        let message = Message::parse(&bytes)?;
        let plaintext = self.cipher.open(ctx, auth, &key, Purpose::DataKey, &context, &message).await?;
        entry.version(message.header().version);
        Ok(wire::UnwrappedDataKey {
            key_material: base64_text(plaintext.expose()),
            key_id: key.row.id.uuid(),
            key_version: message.header().version,
        })
    }
}

fn context(text: Option<&str>) -> Outcome<Vec<u8>> {
    STANDARD.decode(text.unwrap_or_default()).map_err(|_| Problem::invalid("context is not base64."))
}
