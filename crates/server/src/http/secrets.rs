//! Routes of secrets, and their addresses for older clients.

use std::sync::Arc;

use api::routes::secrets as routes;
use api::secrets as wire;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::authz::{ReadSecrets, WriteSecrets};
use domain::ids::SecretId;

use super::extract::{Allowed, Body, Path, Query};
use super::mount::Mount as _;
use super::reply::{Answer, Reply, if_match};
use crate::app::secrets::{Repetition, Secrets};
use crate::platform::Platform;

type Vault = State<Arc<Secrets>>;

/// Where they are served.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::SECRET_CREATE, create)
        .mount(&routes::SECRET_LIST, list)
        .mount(&routes::SECRET_IMPORT, import)
        .mount(&routes::SECRET_BY_NAME, read_by_name)
        .mount(&routes::SECRET_GET, read)
        .mount(&routes::SECRET_UPDATE, update)
        .mount(&routes::SECRET_UPDATE_VALUE, update_value)
        .mount(&routes::SECRET_DELETE, delete)
        .mount(&routes::SECRET_DEACTIVATE, deactivate)
        .mount(&routes::SECRET_ACTIVATE, activate)
        .mount(&routes::SECRET_RESTORE_OLD, activate)
        .mount(&routes::SECRET_HISTORY, history)
        .mount(&routes::SECRET_VERSIONS_OLD, versions)
        .mount(&routes::SECRET_ROLLBACK, rollback)
        .mount(&routes::SECRET_INSIGHTS, insights)
}

async fn create(
    State(vault): Vault,
    who: Allowed<WriteSecrets>,
    headers: HeaderMap,
    Body(request): Body<wire::CreateSecret>,
) -> Answer {
    let named = headers.contains_key("idempotency-key");
    let repetition = if named { Repetition::ByKey } else { Repetition::ByContent };
    let made = vault.create(&who.ctx, &who.auth, request, repetition).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/secrets/{}", made.body.id), &made.body)?.tagged(made.revision)
}

async fn list(State(vault): Vault, who: Allowed<ReadSecrets>, Query(query): Query<wire::ListSecrets>) -> Answer {
    Reply::ok(&who.ctx.origin, &vault.list(&who.ctx, &who.auth, &query).await?)
}

async fn import(State(vault): Vault, who: Allowed<WriteSecrets>, Body(request): Body<wire::ImportSecrets>) -> Answer {
    Reply::ok(&who.ctx.origin, &vault.import(&who.ctx, &who.auth, request).await?)
}

async fn read(
    State(vault): Vault,
    who: Allowed<ReadSecrets>,
    Path(id): Path<SecretId>,
    Query(query): Query<wire::ReadSecret>,
) -> Answer {
    let read = vault.read(&who.ctx, &who.auth, id, &query).await?;
    Reply::ok(&who.ctx.origin, &read.body)?.tagged(read.revision)
}

async fn read_by_name(
    State(vault): Vault,
    who: Allowed<ReadSecrets>,
    Path(name): Path<String>,
    Query(query): Query<wire::ReadSecret>,
) -> Answer {
    let read = vault.read_by_name(&who.ctx, &who.auth, &name, &query).await?;
    Reply::ok(&who.ctx.origin, &read.body)?.tagged(read.revision)
}

async fn update(
    State(vault): Vault,
    who: Allowed<WriteSecrets>,
    Path(id): Path<SecretId>,
    headers: HeaderMap,
    Body(request): Body<wire::UpdateSecret>,
) -> Answer {
    let changed = vault.update(&who.ctx, &who.auth, id, request, if_match(&headers)?).await?;
    Reply::ok(&who.ctx.origin, &changed.body)?.tagged(changed.revision)
}

async fn update_value(
    State(vault): Vault,
    who: Allowed<WriteSecrets>,
    Path(id): Path<SecretId>,
    headers: HeaderMap,
    Body(request): Body<wire::UpdateSecretValue>,
) -> Answer {
    let changed = vault.update_value(&who.ctx, &who.auth, id, request, if_match(&headers)?).await?;
    Reply::ok(&who.ctx.origin, &changed.body)?.tagged(changed.revision)
}

async fn delete(
    State(vault): Vault,
    who: Allowed<WriteSecrets>,
    Path(id): Path<SecretId>,
    headers: HeaderMap,
) -> Answer {
    vault.delete(&who.ctx, &who.auth, id, if_match(&headers)?).await?;
    Reply::empty()
}

async fn deactivate(
    State(vault): Vault,
    who: Allowed<WriteSecrets>,
    Path(id): Path<SecretId>,
    headers: HeaderMap,
) -> Answer {
    vault.deactivate(&who.ctx, &who.auth, id, if_match(&headers)?).await?;
    Reply::empty()
}

async fn activate(
    State(vault): Vault,
    who: Allowed<WriteSecrets>,
    Path(id): Path<SecretId>,
    headers: HeaderMap,
) -> Answer {
    vault.activate(&who.ctx, &who.auth, id, if_match(&headers)?).await?;
    Reply::empty()
}

async fn history(
    State(vault): Vault,
    who: Allowed<ReadSecrets>,
    Path(id): Path<SecretId>,
    Query(query): Query<wire::ReadHistory>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &vault.history(&who.ctx, &who.auth, id, &query).await?)
}

async fn versions(State(vault): Vault, who: Allowed<ReadSecrets>, Path(id): Path<SecretId>) -> Answer {
    Reply::ok(&who.ctx.origin, &vault.versions(&who.ctx, &who.auth, id).await?)
}

async fn rollback(
    State(vault): Vault,
    who: Allowed<WriteSecrets>,
    Path(id): Path<SecretId>,
    headers: HeaderMap,
    Body(request): Body<wire::RollbackSecret>,
) -> Answer {
    let back = vault.rollback(&who.ctx, &who.auth, id, request.version, if_match(&headers)?).await?;
    Reply::ok(&who.ctx.origin, &back.body)?.tagged(back.revision)
}

async fn insights(State(vault): Vault, who: Allowed<ReadSecrets>, Path(id): Path<SecretId>) -> Answer {
    Reply::ok(&who.ctx.origin, &vault.insights(&who.ctx, &who.auth, id).await?)
}
