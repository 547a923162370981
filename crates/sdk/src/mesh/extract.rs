//! The caller as an argument of `axum` handlers.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use crypto::x509::SpiffeId;
use tls::peer::Peer;

/// Who sent the request.
#[derive(Clone, Debug)]
pub struct Caller(pub Peer);

/// The request did not come over mTLS.
#[derive(Clone, Copy, Debug)]
pub struct NoCaller;

impl Caller {
    /// The caller's SPIFFE id.
    pub fn id(&self) -> Option<&SpiffeId> {
        self.0.spiffe_id.as_ref()
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = NoCaller;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoCaller> {
        parts.extensions.get::<Peer>().cloned().map(Self).ok_or(NoCaller)
    }
}

impl IntoResponse for NoCaller {
    fn into_response(self) -> Response {
        (StatusCode::FORBIDDEN, "only services may call this\n").into_response()
    }
}
