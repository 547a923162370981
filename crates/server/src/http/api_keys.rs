//! Routes of API keys (contract 2.2, 2.3).

use std::sync::Arc;

use api::api_keys::{CreateApiKey, ListApiKeys, RotateApiKey, UpdateApiKey};
use api::routes::platform as routes;
use axum::Router;
use axum::extract::State;
use domain::authz::{ReadApiKeys, WriteApiKeys};
use domain::ids::ApiKeyId;

use super::extract::{Allowed, Body, Path, Query};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::api_keys::ApiKeys;
use crate::platform::Platform;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::API_KEY_CREATE, create)
        .mount(&routes::API_KEY_LIST, list)
        .mount(&routes::API_KEY_GET, get)
        .mount(&routes::API_KEY_UPDATE, update)
        .mount(&routes::API_KEY_DELETE, delete)
        .mount(&routes::API_KEY_ROTATE, rotate)
        .mount(&routes::API_KEY_REVOKE, revoke)
}

async fn create(
    State(keys): State<Arc<ApiKeys>>,
    who: Allowed<WriteApiKeys>,
    Body(request): Body<CreateApiKey>,
) -> Answer {
    let made = keys.create(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/api-keys/{}", made.id), &made)
}

async fn list(State(keys): State<Arc<ApiKeys>>, who: Allowed<ReadApiKeys>, Query(query): Query<ListApiKeys>) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.list(&who.ctx, &who.auth, &query).await?)
}

async fn get(State(keys): State<Arc<ApiKeys>>, who: Allowed<ReadApiKeys>, Path(id): Path<ApiKeyId>) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.get(&who.ctx, &who.auth, id).await?)
}

async fn update(
    State(keys): State<Arc<ApiKeys>>,
    who: Allowed<WriteApiKeys>,
    Path(id): Path<ApiKeyId>,
    Body(request): Body<UpdateApiKey>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.update(&who.ctx, &who.auth, id, request).await?)
}

async fn delete(State(keys): State<Arc<ApiKeys>>, who: Allowed<WriteApiKeys>, Path(id): Path<ApiKeyId>) -> Answer {
    keys.revoke(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}

async fn rotate(
    State(keys): State<Arc<ApiKeys>>,
    who: Allowed<WriteApiKeys>,
    Path(id): Path<ApiKeyId>,
    Body(request): Body<RotateApiKey>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.rotate(&who.ctx, &who.auth, id, request).await?)
}

async fn revoke(State(keys): State<Arc<ApiKeys>>, who: Allowed<WriteApiKeys>, Path(id): Path<ApiKeyId>) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.revoke(&who.ctx, &who.auth, id).await?)
}
