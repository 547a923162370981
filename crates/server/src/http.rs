//! HTTP: parse, call one application function, wrap. Nothing is decided here.

pub mod extract;
pub mod mount;
pub mod reply;
pub mod serve;

mod encryption;
pub mod health;
mod keys;
mod page;
mod qrng;
mod transit;

use axum::Router;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;

use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::problem::Problem;
use reply::{Answer, Reply};

/// Every route of the public listener.
pub fn router() -> Router<Platform> {
    Router::new()
        .merge(health::router())
        .merge(page::router())
        .merge(keys::router())
        .merge(encryption::router())
        .merge(transit::router())
        .merge(qrng::router())
}

/// The one route of the metrics listener.
pub fn metrics_router(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(metrics_text)).with_state(metrics)
}

async fn metrics_text(State(metrics): State<Arc<Metrics>>) -> Answer {
    let text = metrics.render().map_err(|error| Problem::internal("writing the metrics", error))?;
    Ok(Reply::raw("text/plain; version=0.0.4", text))
}
