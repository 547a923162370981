//! Tokens as arguments of `axum` handlers.
//!
//! A handler that takes [`Bearer`] cannot be reached without a token that is believed; one that takes [`Confirmed`] not without asking the
//! issuer. The state has to hold the verifier.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tls::peer::Peer;

use super::Verifier;
use super::access::Access;
use super::rejected::Rejected;

/// The bearer of a token whose signature is believed.
#[derive(Clone, Debug)]
pub struct Bearer(pub Access);

/// The bearer of a token that the issuer says is alive at this moment.
#[derive(Clone, Debug)]
pub struct Confirmed(pub Access);

impl<S> FromRequestParts<S> for Bearer
where
    S: Send + Sync,
    Arc<Verifier>: FromRef<S>,
{
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        let verifier = Arc::<Verifier>::from_ref(state);
        verifier.verify_shown_by(token(&parts.headers)?, certificate(parts)).await.map(Self)
    }
}

impl<S> FromRequestParts<S> for Confirmed
where
    S: Send + Sync,
    Arc<Verifier>: FromRef<S>,
{
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        let verifier = Arc::<Verifier>::from_ref(state);
        verifier.introspect_shown_by(token(&parts.headers)?, certificate(parts)).await.map(Self)
    }
}

/// The one bearer token. Of two nobody could say which one a proxy in front has looked at.
fn token(headers: &HeaderMap) -> Result<&str, Rejected> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Rejected::Missing)?;
    if values.next().is_some() {
        return Err(Rejected::Malformed);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Rejected::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Rejected::Missing) }
}

/// The certificate that the handshake verified, where the request came over the mTLS of [`crate::mesh`].
fn certificate(parts: &Parts) -> Option<&[u8; 32]> {
    parts.extensions.get::<Peer>().map(|peer| &peer.fingerprint)
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        tracing::debug!(reason = %self, "a request was not let in");
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(challenge) = HeaderValue::from_str(&self.challenge()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        (status, headers).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_is_taken_and_two_are_none() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            token(&headers).map(str::to_owned)
        };
        assert_eq!(read(&["Bearer a.b.c"]), Ok("a.b.c".to_owned()));
        assert_eq!(read(&["bearer  a"]), Ok("a".to_owned()));
        for (values, why) in [
            (&[][..], Rejected::Missing),
            (&["Basic YTpi"], Rejected::Missing),
            (&["Bearer"], Rejected::Malformed),
            (&["Bearer a", "Bearer b"], Rejected::Malformed),
        ] {
            assert_eq!(read(values), Err(why), "{values:?}");
        }
    }

    #[test]
    fn the_answer_says_what_to_do_and_not_why() {
        let refused = Rejected::Token(crypto::jose::Refusal::Expired).into_response();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(refused.headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
        let scope = Rejected::Scope("orders:read".to_owned()).into_response();
        assert_eq!(scope.status(), StatusCode::FORBIDDEN);
        assert_eq!(scope.headers()[WWW_AUTHENTICATE], "Bearer error=\"insufficient_scope\", scope=\"orders:read\"");
        assert_eq!(Rejected::Unavailable(String::new()).into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
