//! Health, version, the published document, and the caller's rate (contract 4.1).

use std::sync::Arc;

use api::casing::Casing;
use api::error::ErrorCode;
use api::health::{Health, RateLimit, Version};
use api::routes::platform as routes;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use domain::time::Timestamp;

use super::extract::{Anonymous, Known};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::credentials::Credentials;
use crate::freshness::Freshness;
use crate::platform::Platform;
use crate::problem::Problem;
use crate::seal_state::SealState;

/// The routes.
pub fn router() -> Router<Platform> {
    anonymous().mount(&routes::RATE_LIMIT, rate_limit)
}

/// Those that ask nobody who they are.
pub fn anonymous() -> Router<Platform> {
    Router::new()
        .mount(&routes::HEALTH, health)
        .mount(&routes::HEALTH_LIVE, live)
        .mount(&routes::HEALTH_READY, health)
        .mount(&routes::VERSION, version)
        .mount(&routes::OPENAPI, openapi)
}

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit of this build, when the build knew it.
pub const COMMIT: Option<&str> = option_env!("QAPI_COMMIT");

async fn health(
    State(seal): State<Arc<SealState>>,
    State(freshness): State<Arc<Freshness>>,
    State(platform): State<Platform>,
    State(environment): State<Environment>,
    Anonymous(origin): Anonymous,
) -> Answer {
    if seal.progress().sealed {
        return Err(Problem::sealed());
    }
    freshness.in_reach()?;
    if platform.store.is_read_only() {
        // Nothing is answered that cannot be written down, so nothing is answered until somebody makes room and starts anew.
        let message = "An earlier write failed on the disk; nothing is written until the server is started again.";
        return Err(Problem::new(ErrorCode::Unavailable, message).retry_after(30));
    }
    Reply::json(StatusCode::OK, Casing::Camel, &healthy(origin.now, environment.0.as_ref()))
}

/// Answers for as long as the process does, sealed or not.
async fn live(State(environment): State<Environment>, Anonymous(origin): Anonymous) -> Answer {
    Reply::json(StatusCode::OK, Casing::Camel, &healthy(origin.now, environment.0.as_ref()))
}

fn healthy(now: Timestamp, environment: &str) -> Health {
    Health {
        status: "Healthy".to_owned(),
        version: VERSION.to_owned(),
        timestamp: now.into(),
        environment: Some(environment.to_owned()),
        git_sha: COMMIT.map(str::to_owned),
        service: Some("qapid".to_owned()),
    }
}

/// What operators call this installation.
#[derive(Clone)]
pub struct Environment(pub Arc<str>);

async fn version() -> Answer {
    let version = Version {
        version: VERSION.to_owned(),
        build: Some(VERSION.to_owned()),
        commit: COMMIT.map(str::to_owned),
        features: api::routes::features().into_iter().map(str::to_owned).collect(),
    };
    Reply::json(StatusCode::OK, Casing::Camel, &version)
}

async fn openapi(State(seal): State<Arc<SealState>>) -> Answer {
    seal.keyring()?;
    let document = serde_json::to_vec(&api::openapi::document())
        .map_err(|error| Problem::internal("writing the document", error))?;
    Ok(Reply::raw("application/json", document))
}

async fn rate_limit(State(credentials): State<Arc<Credentials>>, Known(ctx): Known) -> Answer {
    let allowance = credentials.allowance(&ctx);
    let body = RateLimit {
        limit: u64::from(allowance.limit),
        remaining: u64::from(allowance.remaining),
        reset: allowance.reset_s.unsigned_abs(),
        period: "1m".to_owned(),
    };
    Reply::ok(&ctx.origin, &body)
}
