//! The webhook's listener: TLS 1.3, limits before anything is read, an answer within the time that the API server waits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::config;
use crate::decision;
use crate::numbers::Numbers;
use crate::review::{self, Answer};
use crate::webhook::Webhook;

/// What the routes need.
#[derive(Clone)]
pub struct Service {
    webhook: Arc<Webhook>,
    limits: config::Webhook,
    /// KiB of bodies that may be held.
    memory: Arc<Semaphore>,
    numbers: Arc<Numbers>,
}

/// Which of the two hooks.
#[derive(Clone, Copy, Debug)]
enum Hook {
    Validate,
    Mutate,
}

/// What the API server adds to the address: how long it waits.
#[derive(Deserialize)]
struct Waits {
    timeout: Option<String>,
}

/// What is left for the way of the answer.
const WAY: Duration = Duration::from_millis(500);

impl Service {
    /// A service with nothing under way.
    pub fn new(webhook: Arc<Webhook>, limits: config::Webhook, numbers: Arc<Numbers>) -> Self {
        Self { webhook, limits, memory: Arc::new(Semaphore::new(kibibytes(limits.memory_bytes))), numbers }
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/validate", post(|state, waits, request| answered(Hook::Validate, state, waits, request)))
            .route("/mutate", post(|state, waits, request| answered(Hook::Mutate, state, waits, request)))
            .with_state(self)
    }

    /// Until when an answer is of use.
    fn deadline(&self, waits: &Waits) -> Instant {
        let asked = waits.timeout.as_deref().and_then(duration);
        let asked = asked.map(|asked| asked.saturating_sub(WAY).max(asked / 2));
        Instant::now() + asked.map_or(self.limits.budget, |asked| asked.min(self.limits.budget))
    }

    /// Room for a body of as many bytes as its head says, before any of it is read.
    async fn room(&self, headers: &HeaderMap) -> Result<SemaphorePermit<'_>, Refused> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let length: usize = length.unwrap_or(self.limits.body_bytes);
        if length > self.limits.body_bytes {
            return Err(Refused::too_large(self.limits.body_bytes));
        }
        let wanted = u32::try_from(kibibytes(length)).unwrap_or(u32::MAX);
        self.memory
            .acquire_many(wanted)
            .await
            .map_err(|_| Refused(StatusCode::SERVICE_UNAVAILABLE, "stopping".to_owned()))
    }

    async fn body(&self, body: Body) -> Result<Bytes, Refused> {
        let body = Limited::new(body, self.limits.body_bytes).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| {
            match error.is::<http_body_util::LengthLimitError>() {
                true => Refused::too_large(self.limits.body_bytes),
                false => Refused(StatusCode::BAD_REQUEST, "the body broke off".to_owned()),
            }
        })
    }
}

/// A request that is no review: an HTTP status and a line for the API server's log. `failurePolicy: Fail` makes a refusal of it.
struct Refused(StatusCode, String);

impl Refused {
    fn too_large(limit: usize) -> Self {
        Self(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than the {limit} bytes that are read"))
    }
}

async fn answered(
    hook: Hook,
    State(service): State<Service>,
    Query(waits): Query<Waits>,
    request: Request<Body>,
) -> Response {
    let began = Instant::now();
    service.numbers.under_way.inc();
    // A panic is our fault; it must neither allow anything nor tear the connection.
    let answer = AssertUnwindSafe(reviewed(hook, &service, &waits, request)).catch_unwind().await;
    service.numbers.under_way.dec();
    let (outcome, response) = match answer {
        Ok(Ok(answer)) => (decision::outcome(&answer), json(&answer)),
        Ok(Err(Refused(status, why))) => {
            tracing::warn!(hook = hook.label(), status = status.as_u16(), why, "no review");
            ("malformed", (status, format!("{why}\n")).into_response())
        }
        Err(_) => {
            tracing::error!(hook = hook.label(), "judging a review panicked");
            ("fault", (StatusCode::INTERNAL_SERVER_ERROR, "a fault of qapi-admission\n").into_response())
        }
    };
    service.numbers.reviewed(hook.label(), outcome, began.elapsed());
    response
}

async fn reviewed(hook: Hook, service: &Service, waits: &Waits, request: Request<Body>) -> Result<Answer, Refused> {
    let deadline = service.deadline(waits);
    let (head, body) = request.into_parts();
    let is_json = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
    if !is_json {
        return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a review is application/json".to_owned()));
    }
    let late = |_| Refused(StatusCode::REQUEST_TIMEOUT, "the review was not read in the time that it has".to_owned());
    let _room = timeout_at(deadline, service.room(&head.headers)).await.map_err(late)??;
    let body = timeout_at(deadline, service.body(body)).await.map_err(late)??;
    let request = match review::Request::parse(&body, service.limits.body_bytes) {
        Ok(request) => request,
        Err(unreadable) => {
            return Answer::unreadable(&unreadable).ok_or(Refused(StatusCode::BAD_REQUEST, unreadable.why));
        }
    };
    drop(body);
    let answer = match hook {
        Hook::Validate => service.webhook.validate(&request, deadline).await,
        Hook::Mutate => service.webhook.mutate(&request, deadline).await,
    };
    log(hook, &request, &answer);
    Ok(answer)
}

fn log(hook: Hook, request: &review::Request, answer: &Answer) {
    let (hook, uid, object) = (hook.label(), request.uid.as_str(), crate::workload::label(request));
    let (outcome, operation) = (decision::outcome(answer), request.operation.as_str());
    match &answer.refusal {
        Some(refusal) => {
            let why = refusal.message.as_str();
            tracing::info!(
                hook,
                uid,
                operation,
                object,
                user = request.user,
                dry_run = request.dry_run,
                outcome,
                why,
                "reviewed"
            );
        }
        None => tracing::debug!(hook, uid, operation, object, outcome, patches = answer.patch.len(), "reviewed"),
    }
}

fn json(answer: &Answer) -> Response {
    ([(CONTENT_TYPE, "application/json")], answer.to_json().to_string()).into_response()
}

impl Hook {
    fn label(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Mutate => "mutate",
        }
    }
}

fn is_json(value: &str) -> bool {
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// `10s` or `1500ms`, as the API server writes it.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(milliseconds) => milliseconds.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

fn kibibytes(bytes: usize) -> usize {
    bytes.div_ceil(1 << 10).clamp(1, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_the_api_server_waits_is_read() {
        for (text, wanted) in
            [("10s", Some(10_000)), ("1500ms", Some(1_500)), ("10", None), ("s", None), ("-1s", None), ("", None)]
        {
            assert_eq!(duration(text), wanted.map(Duration::from_millis), "{text}");
        }
        assert!(is_json("application/json; charset=utf-8") && is_json("Application/JSON") && !is_json("text/json"));
    }
}
