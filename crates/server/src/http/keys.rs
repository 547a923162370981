//! Routes of named keys (contract 4.5).

use std::sync::Arc;

use api::keys as wire;
use api::routes::keys as routes;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::authz::{Decrypt, Encrypt, ReadKeys, WriteKeys};
use domain::ids::KeyId;
use domain::name::KeyName;
use store::keys::KeyRef;

use super::extract::{Allowed, Body, Path, Query};
use super::mount::Mount as _;
use super::reply::{Answer, Reply, if_match};
use crate::app::data_keys::{DataKeys, Show};
use crate::app::keys::Keys;
use crate::platform::Platform;
use crate::problem::{Outcome, Problem};

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::KEY_CREATE, create)
        .mount(&routes::KEY_IMPORT, import)
        .mount(&routes::KEY_LIST, list)
        .mount(&routes::KEY_JWKS, jwks)
        .mount(&routes::KEY_GET, get)
        .mount(&routes::KEY_UPDATE, update)
        .mount(&routes::KEY_DELETE, delete)
        .mount(&routes::KEY_VERSIONS, versions)
        .mount(&routes::KEY_SET_MIN_VERSION, set_minimum)
        .mount(&routes::KEY_ROTATE, rotate)
        .mount(&routes::KEY_SET_DEFAULT, set_default)
        .mount(&routes::KEY_EXPORT_PUBLIC, export_public)
        .mount(&routes::KEY_PUBLIC, public)
        .mount(&routes::KEY_JWK, jwk)
        .mount(&routes::KEY_EXPORT, export)
        .mount(&routes::KEY_REVOKE, revoke)
        .mount(&routes::KEY_VERSION_REVOKE, revoke_version)
        .mount(&routes::KEY_DATA_KEY, data_key)
        .mount(&routes::KEY_DATA_KEY_WRAPPED, wrapped_data_key)
        .mount(&routes::KEY_UNWRAP, unwrap)
}

/// A key by its id; whatever else stands there is a name.
pub fn key_ref(text: &str) -> Outcome<KeyRef> {
    match text.parse::<KeyId>() {
        Ok(id) => Ok(KeyRef::Id(id)),
        Err(_) => key_name(text),
    }
}

/// A key by its name. What cannot be a name cannot exist.
pub fn key_name(text: &str) -> Outcome<KeyRef> {
    KeyName::parse(text).map(|name| KeyRef::Name(name.folded())).map_err(|_| Problem::not_found("key"))
}

async fn create(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Body(request): Body<wire::CreateKey>,
) -> Answer {
    let key = keys.create(&who.ctx, &who.auth, &request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/keys/{}", key.id), &key)
}

async fn import(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Body(request): Body<wire::ImportKey>,
) -> Answer {
    let key = keys.import(&who.ctx, &who.auth, &request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/keys/{}", key.id), &key)
}

async fn list(State(keys): State<Arc<Keys>>, who: Allowed<ReadKeys>, Query(query): Query<wire::ListKeys>) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.list(&who.ctx, &who.auth, &query).await?)
}

async fn jwks(State(keys): State<Arc<Keys>>, who: Allowed<ReadKeys>) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.jwks(&who.ctx, &who.auth).await?)
}

async fn get(State(keys): State<Arc<Keys>>, who: Allowed<ReadKeys>, Path(id): Path<String>) -> Answer {
    let (key, revision) = keys.get(&who.ctx, &who.auth, &key_ref(&id)?).await?;
    Reply::ok(&who.ctx.origin, &key)?.tagged(revision)
}

async fn update(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<wire::UpdateKey>,
) -> Answer {
    let key = keys.update(&who.ctx, &who.auth, &key_ref(&id)?, &request, if_match(&headers)?).await?;
    Reply::ok(&who.ctx.origin, &key)
}

async fn delete(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(query): Query<wire::DeleteKey>,
) -> Answer {
    keys.delete(&who.ctx, &who.auth, &key_ref(&id)?, query.schedule_days, if_match(&headers)?).await?;
    Reply::empty()
}

async fn versions(State(keys): State<Arc<Keys>>, who: Allowed<ReadKeys>, Path(id): Path<String>) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.versions(&who.ctx, &who.auth, &key_ref(&id)?).await?)
}

async fn set_minimum(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(id): Path<String>,
    Body(request): Body<wire::SetMinDecryptionVersion>,
) -> Answer {
    let policy = keys.set_minimum(&who.ctx, &who.auth, &key_ref(&id)?, request.min_decryption_version).await?;
    Reply::ok(&who.ctx.origin, &policy)
}

async fn rotate(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<wire::RotateKey>,
) -> Answer {
    let key = keys.rotate(&who.ctx, &who.auth, &key_ref(&id)?, &request, if_match(&headers)?).await?;
    Reply::ok(&who.ctx.origin, &key)
}

async fn set_default(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(id): Path<String>,
    Body(request): Body<wire::SetDefaultKey>,
) -> Answer {
    keys.set_default(&who.ctx, &who.auth, &key_ref(&id)?, request.key_type).await?;
    Reply::empty()
}

async fn export_public(
    State(keys): State<Arc<Keys>>,
    who: Allowed<ReadKeys>,
    Path(id): Path<String>,
    Query(query): Query<wire::ExportPublicKey>,
) -> Answer {
    let public_key = keys.export_public(&who.ctx, &who.auth, &key_ref(&id)?, query.format).await?;
    Reply::ok(&who.ctx.origin, &wire::ExportedPublicKey { public_key })
}

async fn public(
    State(keys): State<Arc<Keys>>,
    who: Allowed<ReadKeys>,
    Path(id): Path<String>,
    Query(query): Query<wire::ReadPublicKey>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.public(&who.ctx, &who.auth, &key_ref(&id)?, &query).await?)
}

async fn jwk(State(keys): State<Arc<Keys>>, who: Allowed<ReadKeys>, Path(id): Path<String>) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.jwk(&who.ctx, &who.auth, &key_ref(&id)?).await?)
}

async fn export(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(id): Path<String>,
    Body(request): Body<wire::ExportKey>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.export(&who.ctx, &who.auth, &key_ref(&id)?, &request).await?)
}

async fn revoke(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let key = keys.revoke(&who.ctx, &who.auth, &key_ref(&id)?, if_match(&headers)?).await?;
    Reply::ok(&who.ctx.origin, &key)
}

async fn revoke_version(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path((id, version)): Path<(String, u32)>,
) -> Answer {
    let version = keys.revoke_version(&who.ctx, &who.auth, &key_ref(&id)?, version).await?;
    Reply::ok(&who.ctx.origin, &version)
}

async fn data_key(
    State(keys): State<Arc<DataKeys>>,
    who: Allowed<Encrypt>,
    Path(id): Path<String>,
    Body(request): Body<wire::GenerateDataKey>,
) -> Answer {
    let made = keys.generate(&who.ctx, &who.auth, &key_ref(&id)?, Show::Plaintext, &request).await?;
    Reply::ok(&who.ctx.origin, &made)
}

async fn wrapped_data_key(
    State(keys): State<Arc<DataKeys>>,
    who: Allowed<Encrypt>,
    Path(id): Path<String>,
    Body(request): Body<wire::GenerateDataKey>,
) -> Answer {
    let made = keys.generate(&who.ctx, &who.auth, &key_ref(&id)?, Show::WrappedOnly, &request).await?;
    Reply::ok(&who.ctx.origin, &made)
}

async fn unwrap(
    State(keys): State<Arc<DataKeys>>,
    who: Allowed<Decrypt>,
    Path(id): Path<String>,
    Body(request): Body<wire::UnwrapDataKey>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.unwrap(&who.ctx, &who.auth, &key_ref(&id)?, &request).await?)
}
