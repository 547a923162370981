//! Extractors: what a handler must hold before it may do anything.
//!
//! They run in the order of the handler's arguments, and that order is the security argument: who asks and whether they
//! may ([`Allowed`]) before anything of the body is read ([`Body`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::casing::{from_query_any_case, from_slice_noting_snake};
use api::error::ErrorCode;
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use axum::http::request::Parts;
use domain::authz::{Action, Authorized, authorize};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroize as _;

use crate::credentials::Credentials;
use crate::ctx::{Ctx, Origin, Service};
use crate::problem::Problem;
use crate::trail::{Entry, Trail};

/// A caller who was recognised and may do `A`.
pub struct Allowed<A> {
    /// The request's context.
    pub ctx: Ctx,
    /// The proof.
    pub auth: Authorized<A>,
}

impl<S, A> FromRequestParts<S> for Allowed<A>
where
    S: Send + Sync,
    A: Action,
    Arc<Credentials>: FromRef<S>,
    Trail: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ctx = recognise(parts, &Arc::<Credentials>::from_ref(state)).await?;
        match authorize::<A>(&ctx.principal) {
            Ok(auth) => Ok(Self { ctx, auth }),
            Err(denied) => {
                let entry = Entry::new(ctx.origin.operation, "auth", "Route");
                Trail::from_ref(state).conclude(&ctx, entry, Err(denied.into())).await
            }
        }
    }
}

/// A caller who was recognised, whatever they may do.
pub struct Known(pub Ctx);

impl<S> FromRequestParts<S> for Known
where
    S: Send + Sync,
    Arc<Credentials>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        recognise(parts, &Arc::<Credentials>::from_ref(state)).await.map(Self)
    }
}

/// Recognises the caller, once a request.
pub async fn recognise(parts: &Parts, credentials: &Credentials) -> Result<Ctx, Problem> {
    if let Some(ctx) = parts.extensions.get::<Ctx>() {
        return Ok(ctx.clone());
    }
    let origin = origin(parts)?;
    credentials.recognise(token(&parts.headers), origin).await
}

/// A service that showed its certificate to the mTLS listener. On other listeners there is none: there a certificate proves
/// nothing, and neither does a header.
pub struct Proven(pub Ctx, pub Arc<Service>);

impl<S> FromRequestParts<S> for Proven
where
    S: Send + Sync,
    Arc<Credentials>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let shown = parts.extensions.get::<Arc<Service>>().map(Arc::clone);
        let (ctx, service) = Arc::<Credentials>::from_ref(state).of_a_service(shown, origin(parts)?).await?;
        Ok(Self(ctx, service))
    }
}

/// A request of which nobody asks who makes it.
pub struct Anonymous(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for Anonymous {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        origin(parts).map(Self)
    }
}

/// Somebody without a credential, within the rate of their address: counted before their body is read.
pub struct Stranger(pub Origin);

impl<S> FromRequestParts<S> for Stranger
where
    S: Send + Sync,
    Arc<Credentials>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Anonymous(origin) = Anonymous::from_request_parts(parts, state).await?;
        Arc::<Credentials>::from_ref(state).admit_anonymous(&origin)?;
        Ok(Self(origin))
    }
}

/// `serve` puts it there before any route is chosen; its operation is set by the route's mount.
fn origin(parts: &Parts) -> Result<Origin, Problem> {
    parts.extensions.get::<Origin>().cloned().ok_or_else(|| Problem::internal("routing", "a request without an origin"))
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// `X-Api-Key`, or the same key as a bearer token (contract 2.2). Of two credentials of one kind nobody could say which
/// one a proxy in front has looked at, so they are none.
fn token(headers: &HeaderMap) -> Option<&str> {
    match only(headers, &API_KEY) {
        Only::Absent => {}
        Only::One(key) => return key.to_str().ok(),
        Only::Several => return None,
    }
    let Only::One(credentials) = only(headers, &AUTHORIZATION) else { return None };
    // Schemes are compared without case (RFC 9110, 11.1).
    let (scheme, token) = credentials.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

enum Only<'a> {
    Absent,
    One(&'a HeaderValue),
    Several,
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Only<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Only::Absent,
        (Some(value), None) => Only::One(value),
        _ => Only::Several,
    }
}

/// A JSON body in any casing. No bytes at all read as an empty object (rule 4).
pub struct Body<T>(pub T);

/// The largest body, in bytes.
#[derive(Clone, Copy)]
pub struct BodyLimit(pub usize);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
    BodyLimit: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let snake_body = request.extensions().get::<Origin>().map(|origin| Arc::clone(&origin.snake_body));
        let is_json = is_json(request.headers());
        let bytes = RawBody::from_request(request, state).await?.0;
        if !is_json && !bytes.is_empty() {
            wipe(bytes);
            return Err(Problem::new(
                ErrorCode::UnsupportedMediaType,
                "Send the body as application/json in UTF-8, without a content encoding.",
            ));
        }
        let parsed = from_slice_noting_snake(&bytes)
            .map(|(body, is_snake)| {
                if let Some(snake_body) = snake_body {
                    snake_body.store(is_snake, Ordering::Relaxed);
                }
                Self(body)
            })
            .map_err(|error| Problem::new(ErrorCode::from(&error), format!("The body is not usable: {error}.")));
        wipe(bytes);
        parsed
    }
}

/// Whether the head says that the body is JSON as it stands. One that says nothing is believed to be.
fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim().to_ascii_lowercase());
    let is_plain = text(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    let Some(media) = text(CONTENT_TYPE).filter(|media| !media.is_empty()) else { return is_plain };
    let mut parts = media.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some(("charset", charset)) => ["utf-8", "utf8"].contains(&charset.trim_matches('"')),
        _ => true,
    };
    let names_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    is_plain && names_json && parts.all(is_utf8)
}

/// A client that does not finish its body is let go: each holds one of a limited number of connections. The largest body
/// the default limit allows takes a line of 2 Mbit/s.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The body's bytes, within the limit and in time.
pub struct RawBody(pub Bytes);

impl<S> FromRequest<S> for RawBody
where
    S: Send + Sync,
    BodyLimit: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let BodyLimit(limit) = BodyLimit::from_ref(state);
        let too_large = || Problem::new(ErrorCode::PayloadTooLarge, format!("The body has more than {limit} bytes."));
        let announced =
            request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        match timeout(BODY_TIMEOUT, Limited::new(request.into_body(), limit).collect()).await {
            Ok(Ok(body)) => Ok(Self(body.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Problem::invalid("The body ended early.")),
            Err(_) => {
                let message = format!("The body did not arrive within {} seconds.", BODY_TIMEOUT.as_secs());
                Err(Problem::new(ErrorCode::RequestTimeout, message))
            }
        }
    }
}

/// Request bytes may hold plaintext: where they are ours alone, they are wiped. Just they: the buffer around them is mostly empty.
fn wipe(bytes: Bytes) {
    if let Ok(mut owned) = bytes.try_into_mut() {
        owned.as_mut().zeroize();
    }
}

/// Query parameters in any casing.
pub struct Query<T>(pub T);

impl<S, T> FromRequestParts<S> for Query<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        from_query_any_case(parts.uri.query().unwrap_or_default())
            .map(Self)
            .map_err(|error| Problem::invalid(format!("The query is not usable: {error}.")))
    }
}

/// Path parameters, decoded after routing. What is not of its form cannot exist, so it is not found.
pub struct Path<T>(pub T);

impl<S, T> FromRequestParts<S> for Path<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Problem::not_found("resource"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_credential_is_taken_from_either_header_and_two_of_a_kind_are_none() {
        for (lines, found) in [
            (&[("x-api-key", "qapi_a")][..], Some("qapi_a")),
            (&[("authorization", "Bearer qapi_a")], Some("qapi_a")),
            (&[("authorization", "bearer  qapi_a")], Some("qapi_a")),
            (&[("authorization", "Basic qapi_a")], None),
            (&[("authorization", "Bearer")], None),
            (&[("x-api-key", "qapi_a"), ("authorization", "Bearer qapi_b")], Some("qapi_a")),
            (&[("x-api-key", "qapi_a"), ("x-api-key", "qapi_b")], None),
            (&[("authorization", "Bearer qapi_a"), ("authorization", "Bearer qapi_b")], None),
        ] {
            assert_eq!(token(&headers(lines)), found, "{lines:?}");
        }
    }

    #[test]
    fn a_body_that_calls_itself_something_else_is_not_json() {
        for (lines, json) in [
            (&[][..], true),
            (&[("content-type", "application/json")], true),
            (&[("content-type", "Application/JSON; Charset=\"UTF-8\"")], true),
            (&[("content-type", "application/merge-patch+json")], true),
            (&[("content-type", "application/json"), ("content-encoding", "identity")], true),
            (&[("content-type", "application/json"), ("content-encoding", "gzip")], false),
            (&[("content-type", "application/json; charset=utf-16")], false),
            (&[("content-type", "text/plain")], false),
            (&[("content-type", "application/x-www-form-urlencoded")], false),
            (&[("content-type", "application/jsonp")], false),
        ] {
            assert_eq!(is_json(&headers(lines)), json, "{lines:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let silent = axum::body::Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let refused = RawBody::from_request(Request::new(silent), &BodyLimit(8)).await.err();
        assert_eq!(refused.map(|problem| problem.code), Some(ErrorCode::RequestTimeout));
    }
}
