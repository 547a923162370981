//! Recognising callers: from a bearer text to a [`Ctx`], or a refusal that says no more than it must.
//!
//! A recognised key is cached for as long as the tenant's epoch stands still; every request still checks expiry,
//! address and rate. Texts that cannot be keys never reach the store.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, RwLock};

use api::error::ErrorCode;
use crypto::hash::sha256;
use domain::api_key::{Dead, Standing, is_plausible};
use domain::authz::{Actor, Bounds, Principal};
use domain::environment::Environment;
use domain::ids::{ApiKeyId, TenantId};
use domain::limits::Limits;
use domain::rate::{Allowance, Bucket};
use domain::scope::Scopes;
use domain::time::Timestamp;
use store::Store;
use store::api_keys::ApiKey;

use crate::app::oidc::bearer::{Bearer, could_be_token};
use crate::app::oidc::{Answered, Oidc};
use crate::config::LimitsSection;
use crate::ctx::{Ctx, Origin, Service};
use crate::freshness::{Freshness, Stand};
use crate::keyring::Keyring;
use crate::keyring::root::Root;
use crate::problem::{Outcome, Problem};
use crate::seal_state::SealState;

/// Keys and addresses remembered at most; beyond it the memory starts anew.
const CAPACITY: usize = 65_536;

/// Who may come in.
pub struct Credentials {
    store: Store,
    freshness: Arc<Freshness>,
    seal: Arc<SealState>,
    oidc: Arc<Oidc>,
    known: RwLock<HashMap<[u8; 32], Arc<Known>>>,
    bearers: RwLock<HashMap<[u8; 32], Arc<KnownBearer>>>,
    addresses: Mutex<HashMap<IpAddr, Bucket>>,
    buckets: Mutex<HashMap<Actor, Bucket>>,
    used: Mutex<HashMap<(TenantId, ApiKeyId), Timestamp>>,
    requests_per_minute: u32,
    anonymous_per_minute: u32,
}

/// Whoever acts by an access token that was alive when it was read.
struct KnownBearer {
    bearer: Bearer,
    stand: Stand,
}

struct Known {
    principal: Principal,
    standing: Standing,
    rate_per_minute: Option<u32>,
    stand: Stand,
}

impl Credentials {
    /// Nobody is known yet.
    pub fn new(
        store: Store,
        oidc: Arc<Oidc>,
        freshness: Arc<Freshness>,
        seal: Arc<SealState>,
        limits: &LimitsSection,
    ) -> Self {
        Self {
            store,
            oidc,
            bearers: RwLock::default(),
            freshness,
            seal,
            known: RwLock::default(),
            addresses: Mutex::default(),
            buckets: Mutex::default(),
            used: Mutex::default(),
            requests_per_minute: limits.requests_per_minute,
            anonymous_per_minute: limits.anonymous_per_minute,
        }
    }

    /// Recognises the caller of a request.
    pub async fn recognise(&self, token: Option<&str>, origin: Origin) -> Outcome<Ctx> {
        let keyring = self.seal.keyring()?;
        let Some(token) = token.filter(|token| is_plausible(token)) else {
            return match token.filter(|token| could_be_token(token)) {
                Some(token) => self.bearer(token, keyring, origin).await,
                None => Err(self.stranger(&origin)),
            };
        };
        let hash = hash(&keyring.root, token.as_bytes());
        let Some(known) = self.known(hash).await? else {
            return Err(self.stranger(&origin));
        };
        match known.standing.alive(origin.now, origin.address) {
            Ok(()) => {}
            Err(Dead::Invalid) => return Err(self.stranger(&origin)),
            Err(Dead::Address) => {
                return Err(Problem::new(ErrorCode::IpNotAllowed, "The key may not be used from this address."));
            }
        }
        let principal = known.principal.clone();
        self.take(principal.actor, known.rate_per_minute, &origin)?;
        self.note_use(&principal, origin.now);
        let keys = keyring.tenant(&self.store, principal.tenant).await?;
        Ok(Ctx { origin, service: None, principal, keyring, keys, claim: None })
    }

    /// Recognises whoever acts by an access token. Why a token is not good is for the log alone.
    async fn bearer(&self, token: &str, keyring: Arc<Keyring>, origin: Origin) -> Outcome<Ctx> {
        let known = match self.known_bearer(token, &keyring, &origin).await {
            Ok(known) => known,
            Err(refused) if refused.as_problem().code.status() >= 500 => return Err(refused.as_problem()),
            Err(refused) => {
                tracing::debug!(error.cause = ?refused.cause, "access token refused");
                return Err(self.stranger(&origin));
            }
        };
        let principal = known.bearer.principal.clone();
        self.take(principal.actor, None, &origin)?;
        let keys = keyring.tenant(&self.store, principal.tenant).await?;
        Ok(Ctx { origin, service: None, principal, keyring, keys, claim: None })
    }

    async fn known_bearer(&self, token: &str, keyring: &Arc<Keyring>, origin: &Origin) -> Answered<Arc<KnownBearer>> {
        let key = sha256(&[token.as_bytes()]);
        let cached = self.bearers.read().ok().and_then(|bearers| bearers.get(&key).map(Arc::clone));
        if let Some(cached) = cached
            && cached.bearer.expires_at > origin.now
            && cached.stand.holds(&self.freshness.stand(cached.bearer.principal.tenant)?)
        {
            return Ok(cached);
        }
        // Only the token says whose stand it is; so it is read again after that was taken.
        let first = Box::pin(self.oidc.who_bears(keyring, origin.clone(), token)).await?;
        let stand = self.freshness.stand(first.principal.tenant)?;
        let bearer = Box::pin(self.oidc.who_bears(keyring, origin.clone(), token)).await?;
        let known = Arc::new(KnownBearer { bearer, stand });
        if let Ok(mut all) = self.bearers.write() {
            if all.len() >= CAPACITY {
                all.clear();
            }
            all.insert(key, Arc::clone(&known));
        }
        Ok(known)
    }

    /// Lets an anonymous request through, within its address's rate.
    pub fn admit_anonymous(&self, origin: &Origin) -> Outcome<()> {
        let Ok(mut addresses) = self.addresses.lock() else { return Ok(()) };
        if addresses.len() >= CAPACITY {
            addresses.clear();
        }
        let bucket = addresses
            .entry(counted_as(origin.address))
            .or_insert_with(|| Bucket::full(self.anonymous_per_minute, origin.now));
        bucket.take(origin.now).map(|_| ()).map_err(exhausted)
    }

    /// Recognises a service by the certificate that the listener was shown, within its address's rate.
    pub async fn of_a_service(&self, shown: Option<Arc<Service>>, origin: Origin) -> Outcome<(Ctx, Arc<Service>)> {
        let keyring = self.seal.keyring()?;
        self.admit_anonymous(&origin)?;
        let unknown = || Problem::new(ErrorCode::Unauthorized, "Show a certificate to the listener for services.");
        let service = shown.ok_or_else(unknown)?;
        let keys = keyring.tenant(&self.store, service.tenant).await?;
        Ok((Ctx::of_a_service(origin, Arc::clone(&service), keyring, keys), service))
    }

    /// What is left of the caller's rate.
    pub fn allowance(&self, ctx: &Ctx) -> Allowance {
        let full = Bucket::full(self.requests_per_minute, ctx.now());
        let Ok(mut buckets) = self.buckets.lock() else { return full.clone().peek(ctx.now()) };
        buckets.entry(ctx.principal.actor).or_insert(full).peek(ctx.now())
    }

    /// Keys used since the last call, for the stamps.
    pub fn take_used(&self) -> Vec<(TenantId, ApiKeyId, Timestamp)> {
        let used = self.used.lock().map(|mut used| std::mem::take(&mut *used)).unwrap_or_default();
        used.into_iter().map(|((tenant, id), at)| (tenant, id, at)).collect()
    }

    /// The one refusal for every credential that is not good, counted against the address.
    fn stranger(&self, origin: &Origin) -> Problem {
        match self.admit_anonymous(origin) {
            Ok(()) => Problem::new(ErrorCode::Unauthorized, "Invalid API key"),
            Err(limited) => limited,
        }
    }

    async fn known(&self, hash: [u8; 32]) -> Outcome<Option<Arc<Known>>> {
        let cached = self.known.read().ok().and_then(|known| known.get(&hash).map(Arc::clone));
        if let Some(cached) = cached
            && cached.stand.holds(&self.freshness.stand(cached.principal.tenant)?)
        {
            return Ok(Some(cached));
        }
        let Some(found) = self.store.api_key_by_hash(&hash).await? else { return Ok(None) };
        // The row is read again after the stand was taken: only the key says whose stand it is.
        let stand = self.freshness.stand(found.tenant)?;
        let Some(row) = self.store.api_key_by_hash(&hash).await? else { return Ok(None) };
        let known = Arc::new(Known::read(&row, stand)?);
        if let Ok(mut all) = self.known.write() {
            if all.len() >= CAPACITY {
                all.clear();
            }
            all.insert(hash, Arc::clone(&known));
        }
        Ok(Some(known))
    }

    fn take(&self, who: Actor, rate: Option<u32>, origin: &Origin) -> Outcome<()> {
        let per_minute = rate.unwrap_or(self.requests_per_minute);
        if per_minute == 0 {
            return Ok(());
        }
        let Ok(mut buckets) = self.buckets.lock() else { return Ok(()) };
        if buckets.len() >= CAPACITY {
            buckets.clear();
        }
        let full = Bucket::full(per_minute, origin.now);
        let bucket = buckets.entry(who).or_insert(full);
        if bucket.per_minute() != per_minute {
            // The key was given another rate since.
            *bucket = full;
        }
        let taken = bucket.take(origin.now);
        // A request is counted once; were it twice, the first count would be the one to show.
        let _counted_before = origin.allowance.set(bucket.peek(origin.now));
        taken.map(|_| ()).map_err(exhausted)
    }

    fn note_use(&self, principal: &Principal, now: Timestamp) {
        if let (Actor::ApiKey(id), Ok(mut used)) = (principal.actor, self.used.lock()) {
            used.insert((principal.tenant, id), now);
        }
    }
}

impl Known {
    fn read(row: &ApiKey, stand: Stand) -> Outcome<Self> {
        let broken = |what: &str| Problem::internal("reading an API key", what);
        let limits: Vec<String> = serde_json::from_str(&row.limits).map_err(|_| broken("limits"))?;
        let limits = limits.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(|_| broken("a limit"))?;
        let cidrs: Vec<String> = serde_json::from_str(&row.cidrs).map_err(|_| broken("networks"))?;
        let cidrs = cidrs.iter().map(|text| text.parse()).collect::<Result<Vec<_>, _>>();
        let cidrs = cidrs.map_err(|_| broken("a network"))?;
        Ok(Self {
            principal: Principal {
                tenant: row.tenant,
                actor: Actor::ApiKey(row.id),
                name: row.name.as_str().into(),
                scopes: Scopes::parse(row.scopes.split_whitespace()).map_err(|_| broken("scopes"))?,
                limits: Arc::new(Limits::new(limits).within(row.environment.clone().map(Environment::stored))),
                bounds: Bounds { ends_at: row.expires_at, has_networks: !cidrs.is_empty() },
            },
            standing: Standing {
                revoked_at: row.revoked_at,
                expires_at: row.expires_at,
                grace_until: row.grace_until,
                cidrs,
            },
            rate_per_minute: row.rate_per_minute,
            stand,
        })
    }
}

/// Whoever has one IPv6 address has the 2^64 of its network: they are one caller.
pub fn counted_as(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & NETWORK).into()),
        address => address,
    }
}

/// The keyed hash under which an API key is stored.
pub fn hash(root: &Root, token: &[u8]) -> [u8; 32] {
    root.token_hash("api-key", token)
}

pub(crate) fn exhausted(exhausted: domain::rate::Exhausted) -> Problem {
    Problem::new(ErrorCode::RateLimitExceeded, format!("More than {} requests a minute.", exhausted.limit))
        .retry_after(exhausted.retry_after_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_network_are_counted_together() {
        let counted = |text: &str| counted_as(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), counted("2001:db8:1:2:ffff::1"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
        assert_ne!(counted("192.0.2.7"), counted("192.0.2.8"));
    }
}
