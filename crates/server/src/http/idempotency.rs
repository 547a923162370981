//! Answering a repeated request with its first answer. It stands around the handlers, which know nothing of it.

use std::sync::Arc;

use api::error::ErrorCode;
use api::limits::IDEMPOTENCY_KEY_CHARS;
use api::routes::{Route, keys};
use axum::body::Body;
use axum::extract::{FromRequest as _, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, LOCATION, USER_AGENT};
use axum::http::response::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::scope::Scopes;
use http_body_util::BodyExt as _;
use tracing::Instrument as _;

use super::extract::{RawBody, recognise};
use super::reply::ShowsNothing;
use crate::app::idempotency::{Answered, Asked, Begun, Shown, Ticket};
use crate::ctx::Ctx;
use crate::platform::Platform;
use crate::problem::{Outcome, Problem};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What is kept of an answer's headers.
const KEPT_HEADERS: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];
/// Creates that the official SDKs repeat after a lost answer (contract 2.9). Those of secrets recognise them by themselves.
const REPEATED: [&str; 1] = [keys::KEY_CREATE.path];

/// A request that is to be served once.
pub struct Once {
    route: &'static Route,
    key: Option<String>,
}

impl Once {
    /// Which requests are: those with a key, and the SDKs' creates without one. Nearly all are not.
    pub fn of(route: &'static Route, request: &Request) -> Outcome<Option<Self>> {
        if !route.takes_idempotency_key() {
            return Ok(None);
        }
        let Some(header) = request.headers().get(IDEMPOTENCY_KEY) else {
            let is_repeated = REPEATED.contains(&route.path) && is_official_sdk(request.headers());
            return Ok(is_repeated.then_some(Self { route, key: None }));
        };
        let key = header.to_str().map(str::trim).unwrap_or_default();
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_CHARS {
            return Err(Problem::invalid(format!(
                "Idempotency-Key has 1 to {IDEMPOTENCY_KEY_CHARS} printable characters."
            )));
        }
        Ok(Some(Self { route, key: Some(key.to_owned()) }))
    }

    /// The first answer, or the handler's.
    pub async fn serve<F>(
        self,
        platform: Platform,
        request: Request,
        handler: impl FnOnce(Request) -> F,
    ) -> Outcome<Response>
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let mut ctx = recognise(&parts, &platform.credentials).await?;
        // The handler finds its caller recognised: a second look would count twice against the rate.
        parts.extensions.insert(ctx.clone());
        if !may(&ctx, self.route) {
            return Ok(handler(Request::from_parts(parts, body)).await);
        }
        let body = RawBody::from_request(Request::from_parts(parts.clone(), body), &platform).await?.0;
        let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
        let asked = Asked { route: self.route, key: self.key, address, body: &body };
        let ticket = match platform.services.replays.begin(&ctx, asked).await? {
            Begun::Again(answer) => return replayed(&answer),
            Begun::First(ticket) => ticket,
        };
        if let Ticket::Stored(claim) = &ticket {
            // What the handler changes, it changes under this claim or not at all.
            ctx.claim = Some(Arc::clone(claim));
            parts.extensions.insert(ctx.clone());
        }
        let request = Request::from_parts(parts, Body::from(body));
        // A task of its own: a client who goes away must not leave a request half done and its key taken.
        let served = tokio::spawn(serve(platform, ctx, self.route, ticket, handler(request)).in_current_span());
        served.await.map_err(|error| Problem::internal("serving a request once", error))
    }
}

fn is_official_sdk(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"quantumapi-"))
}

/// Who lost the scope since must not be shown an old answer; the handler refuses them.
fn may(ctx: &Ctx, route: &Route) -> bool {
    let words = route.required_scope().into_iter();
    Scopes::parse(words).is_ok_and(|scopes| ctx.principal.scopes.covers(scopes))
}

async fn serve(
    platform: Platform,
    ctx: Ctx,
    route: &'static Route,
    ticket: Ticket,
    served: impl Future<Output = Response>,
) -> Response {
    let answer = served.await;
    let replays = &platform.services.replays;
    if !answer.status().is_success() {
        let overtaken = replays.refused(ticket, answer.status().as_u16()).await;
        return overtaken.map_or(answer, Problem::into_response);
    }
    let (parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        return Problem::internal("serving a request once", "the answer's body failed").into_response();
    };
    let header = |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
    let answered = Answered {
        status: parts.status.as_u16(),
        headers: KEPT_HEADERS.iter().filter_map(header).collect(),
        body: STANDARD.encode(&body),
    };
    replays.served(&ctx, ticket, &answered, shown(route, &parts)).await;
    Response::from_parts(parts, Body::from(body))
}

/// A route that may show a value once is taken to have done so, unless its handler says otherwise.
fn shown(route: &Route, parts: &Parts) -> Shown {
    let may_show = route.errors.contains(&ErrorCode::ValueNotReplayable);
    if may_show && parts.extensions.get::<ShowsNothing>().is_none() { Shown::Once } else { Shown::AnyNumberOfTimes }
}

fn replayed(answer: &Answered) -> Outcome<Response> {
    let broken = |what: &'static str| move || Problem::internal("reading a kept answer", what);
    let body = STANDARD.decode(&answer.body).ok().ok_or_else(broken("its body"))?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).ok().ok_or_else(broken("its status"))?;
    for (name, value) in &answer.headers {
        let (name, value) = (name.parse::<HeaderName>().ok(), HeaderValue::from_str(value).ok());
        let (Some(name), Some(value)) = (name, value) else { return Err(broken("a header")()) };
        response.headers_mut().insert(name, value);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use api::routes::Method;

    use super::*;

    #[test]
    fn an_answer_comes_back_as_it_was_and_says_so() {
        let answer = Answered {
            status: 201,
            headers: vec![("location".into(), "/api/v1/secrets/1".into()), ("etag".into(), "\"1\"".into())],
            body: STANDARD.encode(b"{}"),
        };
        let response = replayed(&answer).unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["location"], "/api/v1/secrets/1");
        assert_eq!(response.headers()["idempotency-replayed"], "true");
    }

    #[test]
    fn values_that_are_shown_once_are_marked_in_the_table_of_routes() {
        let marked: Vec<&str> = api::routes::all()
            .filter(|route| route.errors.contains(&ErrorCode::ValueNotReplayable))
            .map(|route| route.operation_id)
            .collect();
        for route in [
            &api::routes::platform::API_KEY_CREATE,
            &api::routes::platform::API_KEY_ROTATE,
            &api::routes::platform::TENANT_CREATE,
            &api::routes::platform::QRNG_ENTROPY,
            &keys::KEY_EXPORT,
            &keys::KEY_DATA_KEY,
            &keys::KEY_UNWRAP,
        ] {
            if route.method == Method::Post {
                assert!(marked.contains(&route.operation_id), "{}", route.operation_id);
            }
        }
    }
}
