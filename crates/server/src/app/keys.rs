//! Named keys: make, import, rotate, retire, export; list and show.

mod change;
mod make;
mod show;

use std::sync::Arc;

use api::error::ErrorCode;
use crypto::algorithm::{Algorithm, Purpose};
use domain::authz::{Action, Authorized, WriteKeys};
use store::Stmt;
use store::keys::KeyRef;

use super::Core;
use super::key_cache::{KeyCache, LoadedKey};
use crate::ctx::Ctx;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};

/// Named keys.
pub struct Keys {
    core: Core,
    cache: Arc<KeyCache>,
}

impl Keys {
    /// Over the loaded keys.
    pub fn new(core: Core, cache: Arc<KeyCache>) -> Self {
        Self { core, cache }
    }

    async fn load<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>, key: &KeyRef) -> Outcome<Arc<LoadedKey>> {
        self.cache.load(ctx, auth, key).await
    }

    /// One transaction of statements that replicas must hear of.
    async fn commit(&self, ctx: &Ctx, name: &'static str, statements: Vec<Stmt>, event: Stmt) -> Outcome<()> {
        let tenant = *ctx.tenant().as_bytes();
        let written = self
            .core
            .store
            .write(name, move |tx| {
                let (statements, event) = (statements.clone(), event.clone());
                Box::pin(async move {
                    tx.exec_all(statements).await?;
                    tx.exec_last(event);
                    tx.bump_epoch(tenant);
                    Ok(())
                })
            })
            .await;
        written.map_err(name_taken)
    }
}

/// The only unique thing a caller chooses is the name.
fn name_taken(error: store::Error) -> Problem {
    match error {
        store::Error::Unique => Problem::new(ErrorCode::KeyNameConflict, "Another key has this name."),
        error => error.into(),
    }
}

fn outside_limits(name: &str) -> Problem {
    Problem::new(ErrorCode::Forbidden, "The credential's limits do not allow a key of this name.").detail("name", name)
}

/// The column of the labels that a key may be given, which had `before` there or is new.
fn relabelled(auth: &Authorized<WriteKeys>, before: Option<&str>, after: &[String]) -> Outcome<String> {
    let unreadable = |error| Problem::internal("reading labels", error);
    let before: Option<Vec<String>> = before.map(serde_json::from_str).transpose().map_err(unreadable)?;
    let labels = auth.relabelled(before.as_deref(), after.to_vec()).ok_or_else(Problem::other_environment)?;
    serde_json::to_string(&labels).map_err(|error| Problem::internal("writing labels", error))
}

/// Everybody who names no key uses the default. Whoever is confined to some keys must not choose it for them.
fn may_set_default(auth: &Authorized<WriteKeys>) -> Outcome<()> {
    if auth.is_confined() {
        let message = "A credential that is confined to named keys does not choose the tenant's default.";
        return Err(Problem::new(ErrorCode::Forbidden, message));
    }
    Ok(())
}

/// The wire's word for a kind of key.
pub fn key_type(algorithm: Algorithm) -> &'static str {
    match algorithm.purpose() {
        Purpose::Encryption => "encryption",
        Purpose::Signing => "signing",
        Purpose::Hmac => "hmac",
    }
}

fn description_cell(id: &domain::ids::KeyId) -> Cell<'_> {
    Cell { table: "named_key", row: id.as_bytes(), column: "description", version: 0 }
}

fn seal_description(core: &Core, ctx: &Ctx, id: &domain::ids::KeyId, text: Option<&str>) -> Outcome<Option<Vec<u8>>> {
    text.map(|text| ctx.keys.cells.seal(description_cell(id), text.as_bytes(), &*core.entropy)).transpose()
}
