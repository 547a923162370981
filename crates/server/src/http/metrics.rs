//! The metrics listener: one route, and gauges that are looked up when somebody looks.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::reply::{Answer, Reply};
use crate::clock;
use crate::platform::Platform;
use crate::problem::Problem;

/// The route of the metrics listener.
pub fn router() -> Router<Platform> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(platform): State<Platform>) -> Answer {
    look(&platform).await;
    let text = platform.metrics.render().map_err(|error| Problem::internal("writing the metrics", error))?;
    Ok(Reply::raw("text/plain; version=0.0.4", text))
}

async fn look(platform: &Platform) {
    let metrics = &platform.metrics;
    metrics.cache_age.set(platform.store.epochs().age().map_or(f64::INFINITY, |age| age.as_secs_f64()));
    metrics.sealed.set(if platform.seal.progress().sealed { 1.0 } else { 0.0 });
    // A database that is out of reach must not hide the other numbers.
    match store::outbox::backlog(&platform.store).await {
        Ok((_, oldest)) => {
            let lag_ms = oldest.map_or(0, |at| (clock::now().millis() - at.millis()).max(0));
            metrics.audit_lag.set(lag_ms as f64 / 1_000.0);
        }
        Err(error) => tracing::warn!(error = %crate::problem::report(&error), "audit lag not known"),
    }
}
