//! Routes of share links. Opening one takes no credential.

use std::sync::Arc;

use api::routes::secrets as routes;
use api::shares as wire;
use axum::Router;
use axum::extract::State;
use domain::authz::{ReadSecrets, WriteSecrets};
use domain::ids::{SecretId, ShareLinkId};

use super::extract::{Allowed, Body, Path, Stranger};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::shares::{Shares, Terms};
use crate::platform::Platform;
use crate::seal_state::SealState;

type Links = State<Arc<Shares>>;

/// Where they are served.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::SHARE_CREATE, create)
        .mount(&routes::SHARE_LIST, list)
        .mount(&routes::SHARE_REVOKE, revoke)
        .mount(&routes::SHARE_OPEN, open)
        .mount(&routes::SECRET_SHARE_OLD, create_older)
}

async fn create(State(links): Links, who: Allowed<WriteSecrets>, Body(request): Body<wire::CreateShareLink>) -> Answer {
    let made = links.create(&who.ctx, &who.auth, Terms::of_request(request)).await?.into_link();
    Reply::created(&who.ctx.origin, location(made.secret_id), &made)
}

async fn create_older(
    State(links): Links,
    who: Allowed<WriteSecrets>,
    Path(id): Path<SecretId>,
    Body(request): Body<wire::ShareSecret>,
) -> Answer {
    let made = links.create(&who.ctx, &who.auth, Terms::of_older(id, &request)).await?.into_shared();
    Reply::created(&who.ctx.origin, location(id), &made)
}

/// A link has no address of its own; it is found among its secret's.
fn location(secret: impl std::fmt::Display) -> String {
    format!("/api/v1/vault/share/by-secret/{secret}")
}

async fn list(State(links): Links, who: Allowed<ReadSecrets>, Path(secret): Path<SecretId>) -> Answer {
    Reply::ok(&who.ctx.origin, &links.list(&who.ctx, &who.auth, secret).await?)
}

async fn revoke(State(links): Links, who: Allowed<WriteSecrets>, Path(id): Path<ShareLinkId>) -> Answer {
    links.revoke(&who.ctx, &who.auth, id).await?;
    Reply::ok(&who.ctx.origin, &wire::RevokedShareLink { revoked: true })
}

async fn open(
    State(links): Links,
    State(seal): State<Arc<SealState>>,
    Stranger(origin): Stranger,
    Path(token): Path<String>,
    Body(request): Body<wire::OpenShareLink>,
) -> Answer {
    let opened = links.open(&origin, &*seal.keyring()?, &token, &request).await?;
    Reply::ok(&origin, &opened)
}
