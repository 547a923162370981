//! Pages for people who sign in. They need no script, load one stylesheet, and are in no frame.
//!
//! They are for browsers, so they are not in the published document. What a form changes is changed only for a browser that was on
//! a page of ours ([`Posted`]), and whatever is answered to a form is answered by 303 or by the page again.

mod account;
mod code;
mod consent;
mod device;
mod factor;
mod frame;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::header::{COOKIE, HeaderMap, ORIGIN};
use axum::routing::get;

use super::oidc::form::Brought;
use crate::app::oidc::{Oidc, Site};
use crate::app::people::{People, cookies};
use crate::credentials::Credentials;
use crate::platform::Platform;
use crate::seal_state::SealState;
use frame::Fault;

/// The pages of the default tenant at the root, and of every tenant under its slug.
pub fn router() -> Router<Platform> {
    of_one_tenant()
        .nest("/t/{slug}", of_one_tenant())
        .route("/pages.css", get(frame::style))
        .route("/favicon.ico", get(frame::no_icon))
}

fn of_one_tenant() -> Router<Platform> {
    Router::new()
        .route("/login", get(sign_in::show).post(sign_in::post))
        .route("/consent", get(consent::show).post(consent::post))
        .route("/device", get(device::show).post(device::post))
        .route("/account", get(account::show).post(account::post))
        .route("/account/factors", get(factor::show).post(factor::post))
        .route("/invitation", get(code::invitation).post(code::accept))
        .route("/verify", get(code::verification).post(code::verify))
        .route("/reset", get(code::resetting).post(code::reset))
        .route("/forgot", get(code::forgot).post(code::send))
}

/// What a page of ours was asked for.
pub struct Seen(pub Brought);

/// What a form of ours sent: from a page of this origin, as the browser says.
pub struct Posted(pub Brought);

impl<S> FromRequest<S> for Seen
where
    S: Send + Sync,
    Arc<Oidc>: FromRef<S>,
    Arc<People>: FromRef<S>,
    Arc<Credentials>: FromRef<S>,
    Arc<SealState>: FromRef<S>,
{
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        Ok(Self(Brought::from_request(request, state).await?))
    }
}

impl<S> FromRequest<S> for Posted
where
    S: Send + Sync,
    Arc<Oidc>: FromRef<S>,
    Arc<People>: FromRef<S>,
    Arc<Credentials>: FromRef<S>,
    Arc<SealState>: FromRef<S>,
{
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let is_ours = is_of_our_page(request.headers(), Arc::<Oidc>::from_ref(state).origin());
        if !is_ours {
            return Err(Fault::elsewhere());
        }
        Ok(Self(Brought::from_request(request, state).await?))
    }
}

/// Browsers say from where a form comes: `Sec-Fetch-Site`, and those that do not know it `Origin`. Pages that name no referrer send
/// `Origin: null` (Fetch, "append a request Origin header"), which says nothing by itself. Whoever says nothing posts for somebody else.
fn is_of_our_page(headers: &HeaderMap, origin: &str) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (said("sec-fetch-site"), said(ORIGIN.as_str())) {
        (Some(site), from) => site == "same-origin" && from.is_none_or(|from| from == origin || from == "null"),
        (None, from) => from == Some(origin),
    }
}

/// The value of a cookie. Two of one name are none.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none())
}

/// The cookie of the session.
pub fn session_cookie<'h>(site: &Site, headers: &'h HeaderMap) -> Option<&'h str> {
    cookie(headers, &cookies::session_name(site))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn a_form_counts_when_the_browser_says_that_it_is_ours() {
        let ours = "https://id.example";
        for (lines, expected) in [
            (&[("origin", "https://id.example")][..], true),
            (&[("origin", "https://id.example"), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "https://id.example"), ("sec-fetch-site", "same-site")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[], false),
        ] {
            assert_eq!(is_of_our_page(&headers(lines), ours), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_there_twice_is_none() {
        let read = |line| cookie(&headers(&[("cookie", line)]), "a").map(str::to_owned);
        assert_eq!(read("b=1; a=2"), Some("2".to_owned()));
        assert_eq!(read("a=1; a=2"), None);
        assert_eq!(read("aa=1"), None);
    }
}
