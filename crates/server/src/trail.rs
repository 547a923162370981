//! The audit trail as operations use it: describe what is done, do it, conclude.
//!
//! A mutation puts its event into its own transaction ([`Trail::event`]); everything else is written through the lane
//! before the answer leaves ([`Trail::conclude`]). An event that cannot be written fails the request.

use std::borrow::Cow;
use std::sync::Arc;

use crypto::entropy::EntropyPool;
use crypto::random::Random as _;
use domain::audit::{Draft, Event, FoundBy, Outcome as Ended, Personal};
use domain::authz::Principal;
use domain::ids::{EventId, ShareLinkId, TenantId};
use store::Stmt;
use store::idempotency::Claim;
use store::outbox::OutboxRow;

use crate::app::idempotency::kept_until;
use crate::ctx::{Ctx, Origin};
use crate::keyring::TenantKeys;
use crate::keyring::cells::Cell;
use crate::metrics::Metrics;
use crate::problem::{Outcome, Problem};

/// What an operation says about itself. Built up while it runs.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    action: &'static str,
    category: &'static str,
    resource_type: &'static str,
    resource_id: String,
    resource_name: Option<String>,
    algorithm: Option<String>,
    version: Option<u32>,
    channel: Option<&'static str>,
    valid: Option<bool>,
    batch: Option<(u32, u32)>,
    note: Option<String>,
    committed: bool,
}

impl Entry {
    /// `Encrypt` in `keys`, and so on.
    pub fn new(action: &'static str, category: &'static str, resource_type: &'static str) -> Self {
        Self { action, category, resource_type, ..Self::default() }
    }

    /// Names the resource before anything but its id is known.
    pub fn resource_id(&mut self, id: impl std::fmt::Display) -> &mut Self {
        self.resource_id = id.to_string();
        self
    }

    /// Names the resource.
    pub fn resource(&mut self, id: impl std::fmt::Display, name: &str) -> &mut Self {
        self.resource_id = id.to_string();
        self.resource_name = Some(name.to_owned());
        self
    }

    /// The algorithm used.
    pub fn algorithm(&mut self, algorithm: impl std::fmt::Display) -> &mut Self {
        self.algorithm = Some(algorithm.to_string());
        self
    }

    /// The version used or made.
    pub fn version(&mut self, version: u32) -> &mut Self {
        self.version = Some(version);
        self
    }

    /// `eaas` or `transit`.
    pub fn channel(&mut self, channel: &'static str) -> &mut Self {
        self.channel = Some(channel);
        self
    }

    /// What a verification found.
    pub fn valid(&mut self, valid: bool) -> &mut Self {
        self.valid = Some(valid);
        self
    }

    /// How many items, and how many of them failed.
    pub fn batch(&mut self, items: usize, failed: usize) -> &mut Self {
        self.batch = Some((u32::try_from(items).unwrap_or(u32::MAX), u32::try_from(failed).unwrap_or(u32::MAX)));
        self
    }

    /// A further fact, never secret.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.note = Some(note.into());
        self
    }

    /// The event stands in a committed transaction: concluding must not write it again.
    pub fn committed(&mut self) {
        self.committed = true;
    }
}

/// By whom, for which tenant and from where something is done.
pub struct Scene<'a> {
    origin: &'a Origin,
    keys: &'a TenantKeys,
    actor: Actor<'a>,
    claim: Option<&'a Claim>,
}

enum Actor<'a> {
    Application(&'a str),
    Credential(&'a Principal),
    ShareLink(ShareLinkId),
    Service(&'a str),
    Platform,
}

impl<'a> From<&'a Ctx> for Scene<'a> {
    fn from(ctx: &'a Ctx) -> Self {
        let actor = match &ctx.service {
            Some(service) => Actor::Service(&service.spiffe_id),
            None if ctx.is_of_the_platform() => Actor::Platform,
            None => Actor::Credential(&ctx.principal),
        };
        Self { origin: &ctx.origin, keys: &ctx.keys, actor, claim: ctx.claim.as_deref() }
    }
}

impl<'a> Scene<'a> {
    /// Whoever holds a share link acts in the tenant of its secret.
    pub fn share_link(origin: &'a Origin, keys: &'a TenantKeys, link: ShareLinkId) -> Self {
        Self { origin, keys, actor: Actor::ShareLink(link), claim: None }
    }

    /// An application acts, by what it calls itself, in the tenant of the issuer it came to.
    pub fn application(ctx: &'a Ctx, client_id: &'a str) -> Self {
        Self { origin: &ctx.origin, keys: &ctx.keys, actor: Actor::Application(client_id), claim: None }
    }

    fn tenant(&self) -> TenantId {
        self.keys.tenant
    }

    /// Who acts, of which kind, with which credential.
    fn actor(&self) -> (Cow<'static, str>, &'static str, Option<String>) {
        match self.actor {
            Actor::Credential(principal) => {
                let id = principal.actor.uuid().to_string();
                (principal.called().into(), principal.actor.kind(), Some(id))
            }
            Actor::ShareLink(link) => ("share-link".into(), "other", Some(link.to_string())),
            Actor::Application("") => ("anonymous".into(), "other", None),
            Actor::Application(client_id) => (client_id.to_owned().into(), "application", None),
            Actor::Service(id) => (id.to_owned().into(), "other", None),
            Actor::Platform => ("system".into(), "other", None),
        }
    }
}

/// Writes events.
#[derive(Clone)]
pub struct Trail {
    lane: store::lane::AuditLane,
    entropy: Arc<EntropyPool>,
    metrics: Arc<Metrics>,
}

impl Trail {
    /// A trail over the lane.
    pub fn new(lane: store::lane::AuditLane, entropy: Arc<EntropyPool>, metrics: Arc<Metrics>) -> Self {
        Self { lane, entropy, metrics }
    }

    /// The event of a mutation, for the end of the mutation's own transaction ([`store::Tx::exec_last`]). Under an
    /// idempotency key it also sees to it that the mutation happens once.
    pub fn event<'a>(&self, scene: impl Into<Scene<'a>>, entry: &Entry) -> Outcome<Stmt> {
        let scene = scene.into();
        let (event, body) = self.draft(&scene, entry, Ended::Success, None)?;
        let row = OutboxRow { tenant: scene.tenant(), id: event.id, at: scene.origin.now, body };
        Ok(match scene.claim {
            Some(claim) => row.insert_once(claim, kept_until(scene.origin.now)),
            None => row.insert(),
        })
    }

    /// Writes how the operation ended, then lets its result out. Success of a mutation is in its transaction already.
    pub async fn conclude<'a, T>(&self, scene: impl Into<Scene<'a>>, entry: Entry, result: Outcome<T>) -> Outcome<T> {
        let scene = scene.into();
        self.metrics.operation(entry.action, result.as_ref().err().map(|problem| problem.code));
        let (ended, code) = match &result {
            Ok(_) if entry.committed => return result,
            Ok(_) => (Ended::Success, None),
            Err(problem) if matches!(problem.code.status(), 401 | 403) => (Ended::Denied, Some(problem.code.as_str())),
            Err(problem) => (Ended::Failure, Some(problem.code.as_str())),
        };
        let (found_by, body) = {
            let (event, body) = self.draft(&scene, &entry, ended, code)?;
            (event.found_by().into_owned(), body)
        };
        self.append(&scene, body, found_by).await?;
        result
    }

    /// An operation that ended well and for which an earlier event speaks: it is only counted.
    pub fn covered(&self, entry: &Entry) {
        self.metrics.operation(entry.action, None);
    }

    async fn append(&self, scene: &Scene<'_>, body: Vec<u8>, found_by: FoundBy<'static>) -> Outcome<()> {
        self.lane.append(scene.tenant(), body, Some(found_by)).await.map_err(|error| {
            let mut problem = Problem::from(error);
            problem.message = "The audit trail cannot be written, so nothing is done.".to_owned();
            problem
        })
    }

    /// The event, and as it is stored: its JSON, and its personal fields sealed beside it.
    fn draft<'a>(
        &self,
        scene: &'a Scene<'_>,
        entry: &'a Entry,
        outcome: Ended,
        error: Option<&'a str>,
    ) -> Outcome<(Event<'a>, Vec<u8>)> {
        let mut bytes = [0; 32];
        self.entropy.fill(&mut bytes);
        let (id, salt) = bytes.split_at(16);
        let id = EventId::from_random(<[u8; 16]>::try_from(id).unwrap_or_default());
        let personal = Personal {
            salt: hex_of(salt),
            // What the platform does by itself comes from nowhere.
            ip_address: Some(scene.origin.address)
                .filter(|address| !address.is_unspecified())
                .map(|address| address.to_string()),
            user_agent: scene.origin.user_agent.as_deref().map(str::to_owned),
        };
        let event = describe(scene, entry, id, outcome, error, hex_of(&personal.commitment()));
        let encode = |error| Problem::internal("writing an audit event", error);
        let sealed = serde_json::to_vec(&personal).map_err(encode)?;
        let personal = scene.keys.cells.seal_often(personal_cell(&id), &sealed, &*self.entropy)?;
        let body = Draft::encode_event(&event, &personal).map_err(encode)?;
        Ok((event, body))
    }
}

/// As `hex::encode`, which collects characters one by one: two of them are a fiftieth of a cheap request.
fn hex_of(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    // Nothing but another length can be wrong.
    let written = hex::encode_to_slice(bytes, &mut digits).ok();
    written.and_then(|()| String::from_utf8(digits).ok()).unwrap_or_default()
}

/// Where an event's personal fields stand.
pub fn personal_cell(id: &EventId) -> Cell<'_> {
    Cell { table: "audit_event", row: id.as_bytes(), column: "personal", version: 0 }
}

fn describe<'a>(
    scene: &'a Scene<'_>,
    entry: &'a Entry,
    id: EventId,
    outcome: Ended,
    error: Option<&'a str>,
    commitment: String,
) -> Event<'a> {
    let (actor, actor_type, actor_id) = scene.actor();
    Event {
        id,
        at: scene.origin.now,
        tenant: scene.tenant(),
        action: entry.action.into(),
        category: entry.category.into(),
        outcome,
        actor,
        actor_type: actor_type.into(),
        actor_id: actor_id.map(Cow::Owned),
        resource_type: entry.resource_type.into(),
        resource_id: entry.resource_id.as_str().into(),
        resource_name: entry.resource_name.as_deref().map(Cow::Borrowed),
        error: error.map(Cow::Borrowed),
        algorithm: entry.algorithm.as_deref().map(Cow::Borrowed),
        version: entry.version,
        channel: entry.channel.map(Cow::Borrowed),
        valid: entry.valid,
        batch_size: entry.batch.map(|(items, _)| items),
        failed_items: entry.batch.map(|(_, failed)| failed),
        note: entry.note.as_deref().map(Cow::Borrowed),
        request_id: Some(scene.origin.request_id.to_string().into()),
        commitment: commitment.into(),
    }
}
