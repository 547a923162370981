//! What peers trust and refuse: the bundle, and waiting for the next one.

use std::sync::Arc;
use std::time::Duration;

use api::certificates as wire;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::x509::pem;
use domain::ids::TenantId;
use domain::pki::authority::Kind;
use domain::pki::deny_list::{Denied, DenyList, signing_input};
use domain::time::Timestamp;
use store::certificates::StoredRevocation;
use tokio::time::{Instant, timeout_at};

use super::loaded::{Loaded, LoadedAuthority};
use super::{Authority, ISSUING, reader};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};

/// How often peers ask again that do not wait, in seconds.
pub const REFRESH_HINT_S: u32 = 300;
/// The longest wait, in seconds: below the minute after which proxies give up.
const LONGEST_WAIT_S: u32 = 55;

impl Authority {
    /// The bundle; with `after`, once its sequence is beyond that, or when the wait is over.
    pub async fn bundle(&self, ctx: &Ctx, query: &wire::ReadBundle) -> Outcome<Arc<wire::Bundle>> {
        let wait = Duration::from_secs(query.wait_seconds.unwrap_or(0).min(LONGEST_WAIT_S).into());
        let deadline = Instant::now() + wait;
        let mut changes = self.core.store.epochs().changes();
        let mut closing = self.closing.subscribe();
        let slot = self.waiters.try_acquire();
        loop {
            // Seen before the bundle is read: what changes meanwhile wakes the wait at once.
            changes.borrow_and_update();
            let bundle = self.current_bundle(ctx).await?;
            let is_news = query.after.is_none_or(|after| bundle.sequence > after);
            if is_news || slot.is_err() || Instant::now() >= deadline || *closing.borrow() {
                return Ok(bundle);
            }
            tokio::select! {
                _ = timeout_at(deadline, changes.changed()) => {}
                _ = closing.changed() => {}
            }
        }
    }

    async fn current_bundle(&self, ctx: &Ctx) -> Outcome<Arc<wire::Bundle>> {
        let loaded = self.load(ctx).await?;
        let made = loaded.bundle.get_or_try_init(|| async { self.make_bundle(ctx, &loaded).await.map(Arc::new) });
        Ok(Arc::clone(made.await?))
    }

    async fn make_bundle(&self, ctx: &Ctx, loaded: &Loaded) -> Outcome<wire::Bundle> {
        // What the list holds depends on its sequence alone, so that every replica signs the same one.
        let revoked = self.core.store.revocations(&reader(loaded.tenant), loaded.row.seq_at).await?;
        let list = DenyList {
            trust_domain: loaded.policy.trust_domain().to_owned(),
            sequence: loaded.row.seq,
            issued_at: loaded.row.seq_at.to_rfc3339(),
            denied: revoked.iter().filter_map(|revoked| denied(loaded, revoked)).collect(),
        };
        let payload = serde_json::to_vec(&list).map_err(|error| Problem::internal("writing a deny list", error))?;
        let signer = loaded.issuer(ISSUING, ctx.now())?;
        let signature = signer.private(&ctx.keys)?.sign(&signing_input(&payload), &*self.core.entropy)?;
        let anchors = anchors(loaded, ctx.now());
        let under_roots = loaded.current(ctx.now()).flat_map(|key| &key.chain);
        Ok(wire::Bundle {
            trust_domain: list.trust_domain,
            sequence: list.sequence,
            refresh_hint_seconds: REFRESH_HINT_S,
            anchors: anchors.iter().map(|key| pem::encode(pem::CERTIFICATE, &key.row.certificate)).collect(),
            intermediates: under_roots.map(|der| pem::encode(pem::CERTIFICATE, der)).collect(),
            deny_list: wire::SignedDenyList {
                payload: STANDARD.encode(&payload),
                signature: STANDARD.encode(&signature),
                key_id: hex::encode(&signer.row.key_identifier),
            },
        })
    }

    /// The anchors in SPIFFE's form.
    pub async fn spiffe_bundle(&self, ctx: &Ctx) -> Outcome<wire::SpiffeBundle> {
        let loaded = self.load(ctx).await?;
        let key = |key: &LoadedAuthority| wire::SpiffeKey {
            usage: "x509-svid".to_owned(),
            kty: "AKP".to_owned(),
            alg: key.row.algorithm.clone(),
            public: URL_SAFE_NO_PAD.encode(&key.row.public),
            x5c: vec![STANDARD.encode(&key.row.certificate)],
        };
        Ok(wire::SpiffeBundle {
            spiffe_sequence: loaded.row.seq,
            spiffe_refresh_hint: REFRESH_HINT_S,
            keys: anchors(&loaded, ctx.now()).into_iter().map(key).collect(),
        })
    }
}

/// Issuing authorities first, the newest before all others, then the roots. A classical authority is nobody's anchor
/// without asking for it: a quantum computer could speak for it.
fn anchors(loaded: &Loaded, now: Timestamp) -> Vec<&LoadedAuthority> {
    let mut anchors: Vec<_> = loaded.current(now).filter(|key| key.kind != Kind::Classical).collect();
    anchors.sort_by_key(|key| (key.kind == Kind::Root, std::cmp::Reverse(key.row.generation)));
    anchors
}

impl Authority {
    /// Whom services of a tenant are believed through; nothing where the tenant has no authority. Roots are left out: what
    /// is shown here is signed by an issuing authority, and nothing else is let in.
    pub async fn believed(&self, tenant: TenantId, now: Timestamp) -> Outcome<Option<Arc<Believed>>> {
        let Some(loaded) = self.peek(tenant).await? else { return Ok(None) };
        let found = loaded.believed.get_or_try_init(|| self.read_believed(&loaded, now)).await?;
        Ok(Some(Arc::clone(found)))
    }

    async fn read_believed(&self, loaded: &Loaded, now: Timestamp) -> Outcome<Arc<Believed>> {
        let revoked = self.core.store.revocations(&reader(loaded.tenant), loaded.row.seq_at).await?;
        let denied = revoked.into_iter().filter_map(|revoked| {
            let issuer = loaded.get(revoked.ca)?;
            Some((issuer.row.key_identifier.clone(), revoked.serial))
        });
        let issuing = anchors(loaded, now).into_iter().filter(|key| key.kind == Kind::Issuing);
        Ok(Arc::new(Believed {
            trust_domain: loaded.policy.trust_domain().to_owned(),
            anchors: issuing.map(|key| (key.row.key_identifier.clone(), key.row.certificate.clone())).collect(),
            denied: denied.collect(),
        }))
    }
}

/// What the listener for services knows of one tenant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Believed {
    /// The trust domain that its services are of.
    pub trust_domain: String,
    /// The self-signed certificates of what issues, by their key identifiers.
    pub anchors: Vec<(Vec<u8>, Vec<u8>)>,
    /// Issuer's key identifier and serial number of what is revoked.
    pub denied: Vec<(Vec<u8>, Vec<u8>)>,
}

fn denied(loaded: &Loaded, revoked: &StoredRevocation) -> Option<Denied> {
    let issuer = loaded.get(revoked.ca)?;
    Some(Denied {
        serial_number: hex::encode(&revoked.serial),
        issuer_key_id: hex::encode(&issuer.row.key_identifier),
        not_after: revoked.not_after.to_rfc3339(),
    })
}
