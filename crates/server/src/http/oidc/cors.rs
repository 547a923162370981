//! Which programs in browsers may read what clients are told: those of the origins that the application registered which asks. A browser that asks
//! beforehand names no application, and an answer to nobody is nobody's: there the origins of all applications of the tenant count. What is
//! public anybody may read.
//!
//! A service of its own and not a middleware function: requests without an origin, which are nearly all, pass without another box around their future.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{FromRequestParts as _, Request};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use tower::layer::layer_fn;
use tower::{Layer, Service, ServiceExt as _};

use super::form::Visitor;
use crate::app::oidc::{Oidc, Site};
use crate::platform::Platform;

/// Answers browsers' questions.
#[derive(Clone)]
pub struct Cors<S>(S, Platform);

/// The layer that puts [`Cors`] around a route.
pub fn layer<S>(platform: Platform) -> impl Layer<S, Service = Cors<S>> + Clone {
    layer_fn(move |inner| Cors(inner, platform.clone()))
}

impl<S> Service<Request> for Cors<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Some(origin) = request.headers().get(ORIGIN).cloned() else {
            return Either::Left(self.0.call(request));
        };
        let (inner, platform) = (self.0.clone(), self.1.clone());
        Either::Right(answer(inner, platform, request, origin).map(Ok).boxed())
    }
}

async fn answer<S>(inner: S, platform: Platform, request: Request, origin: HeaderValue) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    let is_public = request.uri().path().contains("/.well-known/") || request.uri().path().ends_with("/oauth2/jwks");
    let (mut parts, body) = request.into_parts();
    let is_preflight = parts.method == Method::OPTIONS;
    let site = Visitor::from_request_parts(&mut parts, &platform).await.ok();
    let site = site.map(|Visitor(site)| Site { caller: Some(Arc::default()), ..site });
    if let Some(site) = &site {
        // Whoever reads the request says there who asks.
        parts.extensions.insert(site.clone());
    }
    let mut answer = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        match inner.oneshot(Request::from_parts(parts, body)).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    };
    let allowed = match site {
        Some(_) if is_public => Some(HeaderValue::from_static("*")),
        Some(site) => may_read(&platform.services.oidc, &site, &origin).await.then_some(origin),
        None => None,
    };
    let headers = answer.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(allowed) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if is_preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    answer
}

async fn may_read(oidc: &Oidc, site: &Site, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    match site.caller.as_ref().and_then(|caller| caller.get()) {
        Some(client_id) => match oidc.client(site, client_id).await {
            Ok(client) => {
                client.is_some_and(|client| client.row.settings.cors_origins.iter().any(|known| known == origin))
            }
            Err(_) => false,
        },
        None => oidc.is_known_origin(site, origin).await,
    }
}
