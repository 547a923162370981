//! Extractors: what a handler must hold before it may do anything.
//!
//! They run in the order of the handler's arguments, and that order is the security argument: who asks and whether they
//! may ([`Allowed`]) before anything of the body is read ([`Body`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::casing::{from_query_any_case, from_slice_noting_snake};
use api::error::ErrorCode;
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::http::request::Parts;
use domain::authz::{Action, Authorized, authorize};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::ctx::{Ctx, Origin};
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

/// A request of which nobody asks who makes it.
pub struct Anonymous(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for Anonymous {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        origin(parts).map(Self)
    }
}

/// `serve` puts it there before any route is chosen; its operation is set by the route's mount.
fn origin(parts: &Parts) -> Result<Origin, Problem> {
    parts.extensions.get::<Origin>().cloned().ok_or_else(|| Problem::internal("routing", "a request without an origin"))
}

/// `X-Api-Key`, or the same key as a bearer token (contract 2.2).
fn token(headers: &HeaderMap) -> Option<&str> {
    let bearer = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    headers.get("x-api-key").map_or_else(bearer, |value| value.to_str().ok())
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
        let bytes = RawBody::from_request(request, state).await?.0;
        let parsed = from_slice_noting_snake(&bytes)
            .map(|(body, is_snake)| {
                if let Some(snake_body) = snake_body {
                    snake_body.store(is_snake, Ordering::Relaxed);
                }
                Self(body)
            })
            .map_err(|error| Problem::invalid(format!("The body is not usable: {error}.")));
        wipe(bytes);
        parsed
    }
}

/// The body's bytes, within the limit.
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
            request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        match Limited::new(request.into_body(), limit).collect().await {
            Ok(body) => Ok(Self(body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
            Err(_) => Err(Problem::invalid("The body ended early.")),
        }
    }
}

/// Request bytes may hold plaintext: where they are ours alone, they are wiped.
fn wipe(bytes: Bytes) {
    if let Ok(owned) = bytes.try_into_mut() {
        drop(Zeroizing::new(Vec::from(owned)));
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
