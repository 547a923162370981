//! Routes of the operator: the seal and backups. They stand at the root, outside any tenant, and work on a sealed
//! platform as far as that can be.

use api::operator::{CreateBackup, Unseal};
use api::routes::platform as routes;
use axum::Router;
use axum::extract::State;
use domain::authz::Operate;

use super::extract::{Allowed, Anonymous, Body};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::operator;
use crate::platform::Platform;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::OPERATOR_STATUS, status)
        .mount(&routes::OPERATOR_UNSEAL, unseal)
        .mount(&routes::OPERATOR_SEAL, seal)
        .mount(&routes::OPERATOR_BACKUP, backup)
}

async fn status(State(platform): State<Platform>, Anonymous(origin): Anonymous) -> Answer {
    Reply::ok(&origin, &operator::status(&platform))
}

async fn unseal(State(platform): State<Platform>, Anonymous(origin): Anonymous, Body(request): Body<Unseal>) -> Answer {
    Reply::ok(&origin, &operator::unseal(&platform, &origin, request).await?)
}

async fn seal(State(platform): State<Platform>, who: Allowed<Operate>) -> Answer {
    Reply::ok(&who.ctx.origin, &operator::seal(&platform, &who.ctx, &who.auth).await?)
}

async fn backup(State(platform): State<Platform>, who: Allowed<Operate>, Body(request): Body<CreateBackup>) -> Answer {
    let body = operator::back_up(&platform, &who.ctx, &who.auth, &request).await?;
    Reply::download("application/octet-stream", "qapi.backup", body)
}
