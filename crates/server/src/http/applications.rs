//! Routes of applications (contract 4.8) and of the APIs that tokens are for.

use std::sync::Arc;

use api::applications as wire;
use api::routes::applications as routes;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::authz::{ReadApplications, WriteApplications};
use domain::ids::{ApiKeyId, ApplicationId, ResourceServerId};

use super::extract::{Allowed, Body, Path, Query};
use super::mount::Mount as _;
use super::reply::{Answer, Reply, if_match};
use crate::app::applications::Applications;
use crate::app::resource_servers::ResourceServers;
use crate::platform::Platform;

type Apps = State<Arc<Applications>>;
type Servers = State<Arc<ResourceServers>>;
type Reader = Allowed<ReadApplications>;
type Writer = Allowed<WriteApplications>;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::APPLICATION_CREATE, create)
        .mount(&routes::APPLICATION_LIST, list)
        .mount(&routes::APPLICATION_GET, get)
        .mount(&routes::APPLICATION_UPDATE, update)
        .mount(&routes::APPLICATION_DELETE, delete)
        .mount(&routes::APPLICATION_ROTATE_SECRET, rotate_secret)
        .mount(&routes::APPLICATION_REVOKE_TOKENS, revoke_tokens)
        .mount(&routes::APPLICATION_KEY_CREATE, create_key)
        .mount(&routes::APPLICATION_KEY_LIST, list_keys)
        .mount(&routes::APPLICATION_KEY_DELETE, delete_key)
        .mount(&routes::APPLICATION_LOGOUTS, undelivered_logouts)
        .mount(&routes::RESOURCE_SERVER_CREATE, create_server)
        .mount(&routes::RESOURCE_SERVER_LIST, list_servers)
        .mount(&routes::RESOURCE_SERVER_GET, get_server)
        .mount(&routes::RESOURCE_SERVER_UPDATE, update_server)
        .mount(&routes::RESOURCE_SERVER_DELETE, delete_server)
}

async fn create(State(apps): Apps, who: Writer, Body(request): Body<wire::CreateApplication>) -> Answer {
    let made = apps.create(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/applications/{}", made.id), &made)
}

async fn list(State(apps): Apps, who: Reader, Query(query): Query<wire::ListApplications>) -> Answer {
    Reply::ok(&who.ctx.origin, &apps.list(&who.ctx, &who.auth, &query).await?)
}

async fn get(State(apps): Apps, who: Reader, Path(id): Path<ApplicationId>) -> Answer {
    let found = apps.get(&who.ctx, &who.auth, id).await?;
    Reply::ok(&who.ctx.origin, &found.body)?.tagged(found.revision)
}

async fn update(
    State(apps): Apps,
    who: Writer,
    Path(id): Path<ApplicationId>,
    headers: HeaderMap,
    Body(request): Body<wire::UpdateApplication>,
) -> Answer {
    let changed = apps.update(&who.ctx, &who.auth, id, if_match(&headers)?, request).await?;
    Reply::ok(&who.ctx.origin, &changed.body)?.tagged(changed.revision)
}

async fn delete(State(apps): Apps, who: Writer, Path(id): Path<ApplicationId>) -> Answer {
    apps.delete(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}

async fn rotate_secret(
    State(apps): Apps,
    who: Writer,
    Path(id): Path<ApplicationId>,
    Body(request): Body<wire::RotateClientSecret>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &apps.rotate_secret(&who.ctx, &who.auth, id, request).await?)
}

async fn revoke_tokens(State(apps): Apps, who: Writer, Path(id): Path<ApplicationId>) -> Answer {
    apps.revoke_tokens(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}

async fn create_key(
    State(apps): Apps,
    who: Writer,
    Path(id): Path<ApplicationId>,
    Body(request): Body<wire::CreateApplicationKey>,
) -> Answer {
    let made = apps.create_key(&who.ctx, &who.auth, id, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/applications/{id}/keys"), &made)
}

async fn list_keys(State(apps): Apps, who: Reader, Path(id): Path<ApplicationId>) -> Answer {
    Reply::ok(&who.ctx.origin, &apps.list_keys(&who.ctx, &who.auth, id).await?)
}

async fn delete_key(State(apps): Apps, who: Writer, Path(which): Path<(ApplicationId, ApiKeyId)>) -> Answer {
    apps.delete_key(&who.ctx, &who.auth, which).await?;
    Reply::empty()
}

async fn undelivered_logouts(State(apps): Apps, who: Reader, Path(id): Path<ApplicationId>) -> Answer {
    Reply::ok(&who.ctx.origin, &apps.undelivered_logouts(&who.ctx, &who.auth, id).await?)
}

async fn create_server(
    State(servers): Servers,
    who: Writer,
    Body(request): Body<wire::CreateResourceServer>,
) -> Answer {
    let made = servers.create(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/resource-servers/{}", made.id), &made)
}

async fn list_servers(State(servers): Servers, who: Reader) -> Answer {
    Reply::ok(&who.ctx.origin, &servers.list(&who.ctx, &who.auth).await?)
}

async fn get_server(State(servers): Servers, who: Reader, Path(id): Path<ResourceServerId>) -> Answer {
    Reply::ok(&who.ctx.origin, &servers.get(&who.ctx, &who.auth, id).await?)
}

async fn update_server(
    State(servers): Servers,
    who: Writer,
    Path(id): Path<ResourceServerId>,
    Body(request): Body<wire::UpdateResourceServer>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &servers.update(&who.ctx, &who.auth, id, request).await?)
}

async fn delete_server(State(servers): Servers, who: Writer, Path(id): Path<ResourceServerId>) -> Answer {
    servers.delete(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}
