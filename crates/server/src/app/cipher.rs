//! Sealing and opening messages under named keys: the one place where a key, its epochs and the formats meet.
//!
//! *Sealed* makes one KEM encapsulation per message. *Fast* derives message keys under an epoch key that was
//! KEM-wrapped once; an epoch is bounded in time and uses and lives opened in memory only. Symmetric keys have no
//! encapsulation, so for them both modes are the second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use crypto::entropy::EntropyPool;
use crypto::message::{self, Encoding, EpochKey, Message, Mode, Place, Purpose, Seal};
use crypto::secret::SecretBytes;
use domain::authz::{Action, Authorized};
use domain::ids::{KeyId, TenantId};
use domain::key::Use;
use domain::time::{MINUTE_MS, Timestamp};
use store::Store;
use store::keys::insert_epoch;

use super::key_cache::{LoadedKey, LoadedVersion};
use crate::ctx::Ctx;
use crate::problem::Outcome;

/// How long an epoch is written under.
const EPOCH_MS: i64 = 5 * MINUTE_MS;
/// How many messages an epoch is used for: far below any bound of AES-GCM, since every message has its own key.
const EPOCH_USES: u64 = 1 << 20;
/// Opened epochs held at most.
const CAPACITY: usize = 65_536;

/// Seals and opens.
pub struct Cipher {
    store: Store,
    entropy: Arc<EntropyPool>,
    current: RwLock<HashMap<Version, Arc<Epoch>>>,
    opened: RwLock<HashMap<Opened, Arc<Epoch>>>,
}

/// One version of one key of one tenant.
type Version = (TenantId, KeyId, u32);

/// One of its epochs, by the epoch's id.
type Opened = (Version, [u8; 8]);

struct Epoch {
    key: EpochKey,
    until: Timestamp,
    uses: AtomicU64,
}

/// What is to be sealed, beside the plaintext.
#[derive(Clone, Copy)]
pub struct Envelope<'a> {
    /// Sealed or fast.
    pub mode: Mode,
    /// Message or data key.
    pub purpose: Purpose,
    /// How the plaintext was spelled, so that it can be spelled so again.
    pub encoding: Encoding,
    /// The caller's associated data.
    pub aad: &'a [u8],
}

impl Cipher {
    /// A cipher with nothing opened.
    pub fn new(store: Store, entropy: Arc<EntropyPool>) -> Self {
        Self { store, entropy, current: RwLock::default(), opened: RwLock::default() }
    }

    /// Seals under the key's newest version.
    pub async fn seal<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        key: &LoadedKey,
        envelope: Envelope<'_>,
        plaintext: &[u8],
    ) -> Outcome<Message> {
        let version = key.newest(Use::Encrypt, ctx.now())?;
        let place = place(key, version);
        let seal = Seal { place: &place, purpose: envelope.purpose, encoding: envelope.encoding, aad: envelope.aad };
        match (&version.public, envelope.mode) {
            (Some(public), Mode::Sealed) => Ok(message::seal(public, &seal, plaintext, &*self.entropy)?),
            _ => {
                let epoch = self.current(ctx, auth, key, version).await?;
                Ok(message::seal_fast(&epoch.key, &seal, plaintext, &*self.entropy)?)
            }
        }
    }

    /// Opens a message. Whatever is wrong with it, there is one refusal; only the key's own state is told apart.
    pub async fn open<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        key: &LoadedKey,
        purpose: Purpose,
        aad: &[u8],
        message: &Message,
    ) -> Outcome<SecretBytes> {
        let header = message.header();
        if header.key != *key.row.id.as_bytes() {
            return Err(crypto::Refused.into());
        }
        let version = key.version(Use::Decrypt, header.version, ctx.now())?;
        let place = place(key, version);
        if header.mode == Mode::Sealed {
            let private = key.private(&ctx.keys, version)?;
            return Ok(message::open(&private, &place, purpose, aad, message)?);
        }
        let epoch = self.recover(ctx, auth, key, version, header.epoch).await?;
        Ok(message::open_fast(&epoch.key, &place, purpose, aad, message)?)
    }

    /// Drops every opened epoch: the platform is being sealed.
    pub fn clear(&self) {
        if let Ok(mut current) = self.current.write() {
            current.clear();
        }
        if let Ok(mut opened) = self.opened.write() {
            opened.clear();
        }
    }

    /// The epoch to write under now; a new one when the last is spent.
    async fn current<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        key: &LoadedKey,
        version: &LoadedVersion,
    ) -> Outcome<Arc<Epoch>> {
        let name = (key.tenant, key.row.id, version.row.version);
        let current = self.current.read().ok().and_then(|epochs| epochs.get(&name).map(Arc::clone));
        let fresh =
            |epoch: &Arc<Epoch>| ctx.now() < epoch.until && epoch.uses.fetch_add(1, Ordering::Relaxed) < EPOCH_USES;
        if let Some(epoch) = current.filter(fresh) {
            return Ok(epoch);
        }
        let epoch = Arc::new(self.establish(ctx, auth, key, version).await?);
        remember(&self.current, name, &epoch);
        remember(&self.opened, (name, epoch.key.id()), &epoch);
        Ok(epoch)
    }

    /// A new epoch. Its encapsulation is durable before anything is sealed under it.
    async fn establish<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        key: &LoadedKey,
        version: &LoadedVersion,
    ) -> Outcome<Epoch> {
        let until = ctx.now().plus_millis(EPOCH_MS);
        let place = place(key, version);
        let Some(public) = &version.public else {
            let mut id = [0; 8];
            crypto::random::Random::fill(&*self.entropy, &mut id);
            let private = key.private(&ctx.keys, version)?;
            return Ok(Epoch { key: EpochKey::from_symmetric(&private, &place, id)?, until, uses: AtomicU64::new(1) });
        };
        let (epoch, encapsulation) = EpochKey::establish(public, &place, &*self.entropy)?;
        let row = insert_epoch(auth, key.row.id, version.row.version, epoch.id(), &encapsulation, ctx.now());
        self.store
            .write("key epoch", move |tx| {
                let row = row.clone();
                Box::pin(async move { tx.exec(row).await })
            })
            .await?;
        Ok(Epoch { key: epoch, until, uses: AtomicU64::new(1) })
    }

    /// The epoch that a message names.
    async fn recover<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        key: &LoadedKey,
        version: &LoadedVersion,
        id: [u8; 8],
    ) -> Outcome<Arc<Epoch>> {
        let name = (key.tenant, key.row.id, version.row.version);
        if let Some(epoch) = self.opened.read().ok().and_then(|epochs| epochs.get(&(name, id)).map(Arc::clone)) {
            return Ok(epoch);
        }
        let private = key.private(&ctx.keys, version)?;
        let place = place(key, version);
        let epoch = if version.public.is_some() {
            let encapsulation =
                self.store.key_epoch(auth, key.row.id, version.row.version, id).await?.ok_or(crypto::Refused)?;
            EpochKey::recover(&private, &place, id, &encapsulation).map_err(|_| crypto::Refused)?
        } else {
            EpochKey::from_symmetric(&private, &place, id)?
        };
        let epoch = Arc::new(Epoch { key: epoch, until: Timestamp::from_millis(0), uses: AtomicU64::new(0) });
        remember(&self.opened, (name, id), &epoch);
        Ok(epoch)
    }
}

fn remember<K: std::hash::Hash + Eq>(epochs: &RwLock<HashMap<K, Arc<Epoch>>>, name: K, epoch: &Arc<Epoch>) {
    if let Ok(mut epochs) = epochs.write() {
        if epochs.len() >= CAPACITY {
            epochs.clear();
        }
        epochs.insert(name, Arc::clone(epoch));
    }
}

fn place(key: &LoadedKey, version: &LoadedVersion) -> Place {
    Place { tenant: *key.tenant.as_bytes(), key: *key.row.id.as_bytes(), version: version.row.version }
}
