//! Routes of trusts in other issuers.

use std::sync::Arc;

use api::routes::trusts as routes;
use api::trusts as wire;
use axum::Router;
use axum::extract::State;
use domain::authz::{ReadTrusts, WriteTrusts};
use domain::ids::TrustId;

use super::extract::{Allowed, Body, Path};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::trusts::Trusts;
use crate::platform::Platform;

type Service = State<Arc<Trusts>>;
type Reader = Allowed<ReadTrusts>;
type Writer = Allowed<WriteTrusts>;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::TRUST_CREATE, create)
        .mount(&routes::TRUST_LIST, list)
        .mount(&routes::TRUST_GET, get)
        .mount(&routes::TRUST_UPDATE, update)
        .mount(&routes::TRUST_DELETE, delete)
        .mount(&routes::TRUST_TEST, test)
}

async fn create(State(trusts): Service, who: Writer, Body(request): Body<wire::CreateTrust>) -> Answer {
    let made = trusts.create(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/trusts/{}", made.id), &made)
}

async fn list(State(trusts): Service, who: Reader) -> Answer {
    Reply::ok(&who.ctx.origin, &trusts.list(&who.ctx, &who.auth).await?)
}

async fn get(State(trusts): Service, who: Reader, Path(id): Path<TrustId>) -> Answer {
    Reply::ok(&who.ctx.origin, &trusts.get(&who.ctx, &who.auth, id).await?)
}

async fn update(
    State(trusts): Service,
    who: Writer,
    Path(id): Path<TrustId>,
    Body(request): Body<wire::UpdateTrust>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &trusts.update(&who.ctx, &who.auth, id, request).await?)
}

async fn delete(State(trusts): Service, who: Writer, Path(id): Path<TrustId>) -> Answer {
    trusts.delete(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}

async fn test(
    State(trusts): Service,
    who: Writer,
    Path(id): Path<TrustId>,
    Body(request): Body<wire::TestTrust>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &trusts.test(&who.ctx, &who.auth, id, &request).await?)
}
