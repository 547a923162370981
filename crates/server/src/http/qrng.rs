//! The route of entropy (contract 4.7).

use std::sync::Arc;

use api::qrng::DrawEntropy as Request;
use api::routes::platform as routes;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::authz::DrawEntropy;

use super::extract::{Allowed, Body};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::qrng::{Fallback, Qrng};
use crate::platform::Platform;

/// The route.
pub fn router() -> Router<Platform> {
    Router::new().mount(&routes::QRNG_ENTROPY, draw)
}

async fn draw(
    State(qrng): State<Arc<Qrng>>,
    who: Allowed<DrawEntropy>,
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Answer {
    let allowed = headers.get("x-allow-csprng").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    let fallback = if allowed { Fallback::Allowed } else { Fallback::Refused };
    Reply::ok(&who.ctx.origin, &qrng.draw(&who.ctx, &who.auth, &request, fallback).await?)
}
