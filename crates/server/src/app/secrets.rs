//! Secrets: made, read, changed, found, judged and removed.
//!
//! Showing a value takes the right to read, also where the wire has it in the answer to a change. Metadata that is sealed is
//! shown to those who may read only; to those who may write alone, a change answers with what is not sealed.

mod change;
mod create;
mod fields;
mod history;
mod import;
mod listing;
mod repeats;
mod sealed;
mod view;

use api::error::ErrorCode;
use api::secrets as wire;
use domain::authz::{Authorized, ReadSecrets, WriteSecrets};
use domain::ids::SecretId;
use domain::name::SecretName;
use domain::secret::Standing;
use store::secrets::{StoredSecret, StoredVersion};

use super::Core;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;
use repeats::Repeats;
use sealed::{Meta, VersionMeta};
use view::Include;

pub use create::Repetition;
pub(super) use sealed::open_value;
pub use view::Tagged;

/// The tenant's secrets.
pub struct Secrets {
    core: Core,
    repeats: Repeats,
}

impl Secrets {
    /// Over the core.
    pub fn new(core: Core) -> Self {
        Self { core, repeats: Repeats::default() }
    }

    /// One secret with its value: the newest, or as it was at a version.
    pub async fn read(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
        query: &wire::ReadSecret,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let mut entry = read_entry();
        entry.resource_id(id);
        let result = self.read_now(ctx, auth, id, query, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn read_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
        query: &wire::ReadSecret,
        entry: &mut Entry,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let found = match query.version {
            None => self.core.store.secret_with_value(auth, id).await?,
            Some(version) => self.core.store.secret_at_version(auth, id, version).await?,
        };
        let (secret, version) = match found {
            Some(found) => found,
            None => return Err(self.missing(auth, id).await?),
        };
        show(ctx, secret, &version, Include::parse(query.include.as_deref()), entry)
    }

    /// Whether it is the secret or one of its versions that is not there.
    async fn missing(&self, auth: &Authorized<ReadSecrets>, id: SecretId) -> Outcome<Problem> {
        let secret = self.core.store.secret(auth, id).await?;
        Ok(Problem::not_found(if secret.is_some() { "version of this secret" } else { "secret" }))
    }

    /// As [`Secrets::read`], by name. Of several with one name, deactivated ones do not count while another is active.
    pub async fn read_by_name(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        name: &str,
        query: &wire::ReadSecret,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let mut entry = read_entry();
        let result = self.read_named(ctx, auth, name, query, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn read_named(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        name: &str,
        query: &wire::ReadSecret,
        entry: &mut Entry,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let name = SecretName::parse(name).map_err(|_| Problem::not_found("secret"))?;
        let mut found = self.core.store.secrets_named(auth, name.as_str()).await?;
        if found.iter().any(|(secret, _)| secret.is_active) {
            found.retain(|(secret, _)| secret.is_active);
        }
        if found.len() > 1 {
            return Err(ambiguous(found.iter().map(|(secret, _)| secret.id)));
        }
        let (secret, newest) = found.pop().ok_or_else(|| Problem::not_found("secret"))?;
        if query.version.is_some_and(|wanted| wanted != newest.version) {
            entry.resource(secret.id, &secret.name);
            return self.read_now(ctx, auth, secret.id, query, entry).await;
        }
        show(ctx, secret, &newest, Include::parse(query.include.as_deref()), entry)
    }
}

fn read_entry() -> Entry {
    Entry::new("SecretRead", "secrets", "Secret")
}

/// Opens a version, if the secret lets it be read.
fn show(
    ctx: &Ctx,
    secret: StoredSecret,
    version: &StoredVersion,
    include: Include,
    entry: &mut Entry,
) -> Outcome<Tagged<wire::SecretWithValue>> {
    entry.resource(secret.id, &secret.name).version(version.version);
    standing(&secret).readable(ctx.now())?;
    let mut meta = Meta::open(&ctx.keys, &secret)?;
    if version.version != secret.version {
        meta.username = VersionMeta::open(&ctx.keys, secret.id, version)?.username;
    }
    let value = open_value(&ctx.keys, secret.id, version)?;
    entry.note("revealed");
    view::with_value(secret, meta, version.version, value, include)
}

/// What decides whether a secret may be read.
pub(super) fn standing(secret: &StoredSecret) -> Standing {
    Standing { is_active: secret.is_active, expires_at: secret.expires_at }
}

fn ambiguous(ids: impl Iterator<Item = SecretId>) -> Problem {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    Problem::new(ErrorCode::SecretNameAmbiguous, "Several secrets have this name; use an id.").detail("ids", ids)
}

fn outside_limits() -> Problem {
    Problem::new(ErrorCode::Forbidden, "The credential is confined to other names.")
}

/// The labels that a secret may be given, which had `before` or is new: both as the column has them.
fn relabelled(auth: &Authorized<WriteSecrets>, before: Option<&str>, after: &str) -> Outcome<String> {
    let before = before.map(view::labels).transpose()?;
    let labels = auth.relabelled(before.as_deref(), view::labels(after)?).ok_or_else(Problem::other_environment)?;
    serde_json::to_string(&labels).map_err(|error| Problem::internal("storing labels", error))
}

/// How the history calls whoever changes something.
pub(super) fn actor(ctx: &Ctx) -> String {
    ctx.principal.called()
}
