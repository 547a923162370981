//! The status listener: whether the webhook lives, whether it can judge, its metrics, and explanations.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::certificates::Told;
use crate::explanation::explain;
use crate::numbers::Numbers;
use crate::webhook::Webhook;

/// What the answers are made of.
#[derive(Clone)]
pub struct Status {
    /// What answers reviews.
    pub webhook: Arc<Webhook>,
    /// What is counted.
    pub numbers: Arc<Numbers>,
    /// What is known of the certificates that are shown.
    pub shown: Arc<Told>,
}

/// What is to be explained.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    image: String,
    #[serde(default)]
    namespace: Option<String>,
}

const LONGEST_QUESTION: usize = 8 << 10;
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes. Policy and certificates are there before the listener is opened, so that whoever is answered can be served as long
/// as the certificates last.
pub fn router(status: Status) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/explain", post(explained))
        .with_state(status)
}

/// API servers believe no certificate that has ended: another replica may have one that has not.
async fn ready(State(status): State<Status>) -> Response {
    match status.shown.is_valid() {
        true => "ready".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "a certificate of the webhook has ended").into_response(),
    }
}

async fn metrics(State(status): State<Status>) -> Response {
    match status.numbers.render() {
        Ok(text) => ([(CONTENT_TYPE, EXPOSITION)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics not written");
            (StatusCode::INTERNAL_SERVER_ERROR, "metrics not written").into_response()
        }
    }
}

async fn explained(State(status): State<Status>, request: Request<Body>) -> Response {
    let Ok(body) = to_bytes(request.into_body(), LONGEST_QUESTION).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the question is too long\n").into_response();
    };
    let question: Question = match artifact::json::read(&body, LONGEST_QUESTION) {
        Ok(question) => question,
        Err(error) => {
            let why =
                format!("{}: a question is {{\"image\": ..., \"namespace\": ...}}\n", crate::review::chain(&error));
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
    };
    let policy = status.webhook.policies.current();
    match explain(&status.webhook.judge, &policy, &question.image, question.namespace.as_deref()).await {
        Ok(explanation) => match serde_json::to_string_pretty(&explanation) {
            Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        },
        Err(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    }
}
