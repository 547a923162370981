//! The status page at `/`: what runs and whether it is healthy. No secret, no name of a tenant, nothing to log in to.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;
use domain::time::{SECOND_MS, Timestamp};

use super::extract::Anonymous;
use super::health::{Environment, VERSION};
use super::reply::{Answer, Reply};
use crate::platform::Platform;
use crate::seal_state::SealState;

/// The page's route; it is for people, so it is not in the published document.
pub fn router() -> Router<Platform> {
    Router::new().route("/", get(page))
}

const TEMPLATE: &str = include_str!("page.html");
/// The page loads nothing and runs nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async fn page(
    State(seal): State<Arc<SealState>>,
    State(environment): State<Environment>,
    Anonymous(origin): Anonymous,
) -> Answer {
    let sealed = seal.progress().sealed;
    let (status, class, state) = match sealed {
        true => (StatusCode::SERVICE_UNAVAILABLE, "sealed", "Sealed: waiting for an operator"),
        false => (StatusCode::OK, "healthy", "Healthy"),
    };
    let filled = TEMPLATE
        .replace("{{class}}", class)
        .replace("{{state}}", state)
        .replace("{{version}}", VERSION)
        .replace("{{seal}}", seal.method())
        .replace("{{environment}}", &escaped(&environment.0))
        .replace("{{features}}", &api::routes::features().join(", "))
        .replace("{{time}}", &to_the_second(origin.now));
    Reply::raw("text/html; charset=utf-8", filled)
        .status(status)
        .header(HeaderName::from_static("content-security-policy"), POLICY)?
        .header(HeaderName::from_static("x-content-type-options"), "nosniff")?
        .header(HeaderName::from_static("referrer-policy"), "no-referrer")
}

fn to_the_second(at: Timestamp) -> String {
    Timestamp::from_millis(at.seconds() * SECOND_MS).to_rfc3339()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
