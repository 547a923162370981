//! What the operations mean: authorize, load, decide, apply, audit. One file per noun.

pub mod cipher;
pub mod encryption;
pub mod key_cache;
pub mod keys;
pub mod tenants;

use std::sync::Arc;

use crypto::entropy::EntropyPool;
use store::Store;

use crate::freshness::Freshness;
use crate::trail::Trail;

/// What every service is made of. Cheap to clone.
#[derive(Clone)]
pub struct Core {
    /// The store.
    pub store: Store,
    /// Where every random byte comes from.
    pub entropy: Arc<EntropyPool>,
    /// Where every use is written down.
    pub trail: Trail,
}

/// The services, by noun.
#[derive(Clone)]
pub struct Services {
    /// Named keys.
    pub keys: Arc<keys::Keys>,
    /// Encryption, signatures and MACs under them.
    pub encryption: Arc<encryption::Encryption>,
}

impl Services {
    /// Puts the services together.
    pub fn new(core: &Core, freshness: &Arc<Freshness>) -> Self {
        let cache = Arc::new(key_cache::KeyCache::new(core.store.clone(), Arc::clone(freshness)));
        let cipher = Arc::new(cipher::Cipher::new(core.store.clone(), Arc::clone(&core.entropy)));
        Self {
            keys: Arc::new(keys::Keys::new(core.clone(), Arc::clone(&cache), Arc::clone(&cipher))),
            encryption: Arc::new(encryption::Encryption::new(core.clone(), cache, cipher)),
        }
    }
}
