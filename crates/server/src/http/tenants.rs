//! Routes of tenants.

use std::sync::Arc;

use api::people::UpdateSignInPolicy;
use api::routes::{people, platform as routes};
use api::tenants::{CreateTenant, ListTenants, UpdateTenant};
use axum::Router;
use axum::extract::State;
use domain::authz::{ManageSignIn, ManageTenants, ReadUsers};
use domain::ids::TenantId;

use super::extract::{Allowed, Body, Path, Query};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::tenants::Tenants;
use crate::platform::Platform;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::TENANT_CREATE, create)
        .mount(&routes::TENANT_LIST, list)
        .mount(&routes::TENANT_GET, get)
        .mount(&routes::TENANT_UPDATE, update)
        .mount(&routes::TENANT_SUSPEND, suspend)
        .mount(&routes::TENANT_ACTIVATE, activate)
        .mount(&people::SIGN_IN_POLICY, sign_in_policy)
        .mount(&people::SIGN_IN_POLICY_UPDATE, update_sign_in_policy)
}

async fn create(
    State(tenants): State<Arc<Tenants>>,
    who: Allowed<ManageTenants>,
    Body(request): Body<CreateTenant>,
) -> Answer {
    let made = tenants.create(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/tenants/{}", made.id), &made)
}

async fn list(
    State(tenants): State<Arc<Tenants>>,
    who: Allowed<ManageTenants>,
    Query(query): Query<ListTenants>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &tenants.list(&who.ctx, &who.auth, &query).await?)
}

async fn get(State(tenants): State<Arc<Tenants>>, who: Allowed<ManageTenants>, Path(id): Path<TenantId>) -> Answer {
    Reply::ok(&who.ctx.origin, &tenants.get(&who.ctx, &who.auth, id).await?)
}

async fn update(
    State(tenants): State<Arc<Tenants>>,
    who: Allowed<ManageTenants>,
    Path(id): Path<TenantId>,
    Body(request): Body<UpdateTenant>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &tenants.update(&who.ctx, &who.auth, id, request).await?)
}

async fn suspend(State(tenants): State<Arc<Tenants>>, who: Allowed<ManageTenants>, Path(id): Path<TenantId>) -> Answer {
    Reply::ok(&who.ctx.origin, &tenants.suspend(&who.ctx, &who.auth, id).await?)
}

async fn activate(
    State(tenants): State<Arc<Tenants>>,
    who: Allowed<ManageTenants>,
    Path(id): Path<TenantId>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &tenants.activate(&who.ctx, &who.auth, id).await?)
}

async fn sign_in_policy(State(tenants): State<Arc<Tenants>>, who: Allowed<ReadUsers>) -> Answer {
    Reply::ok(&who.ctx.origin, &tenants.sign_in_policy(&who.ctx, &who.auth).await?)
}

async fn update_sign_in_policy(
    State(tenants): State<Arc<Tenants>>,
    who: Allowed<ManageSignIn>,
    Body(request): Body<UpdateSignInPolicy>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &tenants.update_sign_in_policy(&who.ctx, &who.auth, request).await?)
}
