//! How requests of OAuth are read: whose issuer, which parameters, what the client shows in its headers. Limits come before reading, and nothing is there twice.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRef, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::identity::parameters::{Parameters, TEXT_MAX, decoded};
use domain::identity::session::LiveSession;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use crate::app::oidc::{Answered, Oidc, Refused, Site};
use crate::app::people::People;
use crate::credentials::Credentials;
use crate::ctx::{Origin, Service};
use crate::http::pages::session_cookie;
use crate::problem::Problem;
use crate::seal_state::SealState;

/// Whoever does not finish a form is let go.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request to an issuer of which nobody asks who makes it, within its address's rate.
pub struct Visitor(pub Site);

impl<S> FromRequestParts<S> for Visitor
where
    S: Send + Sync,
    Arc<Oidc>: FromRef<S>,
    Arc<Credentials>: FromRef<S>,
    Arc<SealState>: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answered<Self> {
        let site = site(parts, state).await?;
        Arc::<Credentials>::from_ref(state).admit_anonymous(&site.ctx.origin)?;
        Ok(Self(site))
    }
}

/// A form that a client sent.
pub struct Asked {
    /// To whose issuer.
    pub site: Site,
    /// With which headers.
    pub headers: HeaderMap,
    /// The form.
    pub form: Parameters,
}

impl<S> FromRequest<S> for Asked
where
    S: Send + Sync,
    Arc<Oidc>: FromRef<S>,
    Arc<SealState>: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Answered<Self> {
        let (mut parts, body) = request.into_parts();
        let site = site(&mut parts, state).await?;
        if parts.uri.query().is_some_and(|query| !query.is_empty()) {
            // Addresses are written into logs, and what is said here is secret.
            return Err(Refused::invalid("Parameters belong into the body."));
        }
        let form = form(&parts.headers, body).await?;
        Ok(Self { site, headers: parts.headers, form })
    }
}

/// A request that a browser brought, and who is signed in there.
pub struct Brought {
    /// To whose issuer.
    pub site: Site,
    /// Query and form together.
    pub parameters: Parameters,
    /// Who is signed in.
    pub session: Option<LiveSession>,
    /// Its headers.
    pub headers: HeaderMap,
}

impl<S> FromRequest<S> for Brought
where
    S: Send + Sync,
    Arc<Oidc>: FromRef<S>,
    Arc<People>: FromRef<S>,
    Arc<Credentials>: FromRef<S>,
    Arc<SealState>: FromRef<S>,
{
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Answered<Self> {
        let (mut parts, body) = request.into_parts();
        let Visitor(site) = Visitor::from_request_parts(&mut parts, state).await?;
        let query = Parameters::parse(parts.uri.query().unwrap_or_default())?;
        let parameters = match parts.method.as_str() {
            "POST" => query.and(&form(&parts.headers, body).await?)?,
            _ => query,
        };
        let session = Arc::<People>::from_ref(state).session(&site, session_cookie(&site, &parts.headers)).await?;
        Ok(Self { site, parameters, session, headers: parts.headers })
    }
}

/// Whose issuer: the one of the path's slug, or the default tenant's.
async fn site<S>(parts: &mut Parts, state: &S) -> Answered<Site>
where
    S: Send + Sync,
    Arc<Oidc>: FromRef<S>,
    Arc<SealState>: FromRef<S>,
{
    if let Some(site) = parts.extensions.get::<Site>() {
        return Ok(site.clone());
    }
    let origin = parts.extensions.get::<Origin>().cloned();
    let origin = origin.ok_or_else(|| Problem::internal("routing", "a request without an origin"))?;
    let keyring = Arc::<SealState>::from_ref(state).keyring()?;
    let service = parts.extensions.get::<Arc<Service>>().map(Arc::clone);
    let slug = match RawPathParams::from_request_parts(parts, state).await {
        Ok(parameters) => Some(parameters),
        Err(RawPathParamsRejection::MissingPathParams(_)) => None,
        // A slug that is no text is nobody's, and not the default tenant's.
        Err(_) => return Err(Problem::not_found("issuer").into()),
    };
    let slug = slug.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == "slug").map(|(_, slug)| slug));
    Ok(Arc::<Oidc>::from_ref(state).site(&keyring, origin, slug, service).await?)
}

async fn form(headers: &HeaderMap, body: axum::body::Body) -> Answered<Parameters> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let too_long = || Refused::invalid("The body has more than 65536 bytes.");
    if announced.is_some_and(|length| length > TEXT_MAX) {
        return Err(too_long());
    }
    let body = match timeout(PATIENCE, Limited::new(body, TEXT_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_long()),
        Ok(Err(_)) => return Err(Refused::invalid("The body ended early.")),
        Err(_) => return Err(Refused::invalid("The body did not arrive in time.")),
    };
    if body.is_empty() {
        return Ok(Parameters::default());
    }
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refused::invalid("Send application/x-www-form-urlencoded."));
    }
    let text = std::str::from_utf8(&body).map_err(|_| Refused::invalid("The body is not text."))?;
    Ok(Parameters::parse(text)?)
}

/// The one `Authorization` header, if there is one: its scheme, and what follows.
fn authorization(headers: &HeaderMap) -> Answered<Option<(&str, &str)>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let text = text.ok_or_else(|| Refused::invalid("The Authorization header is malformed, or there twice."))?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    Ok(Some((scheme, rest.trim())))
}

/// The bearer token of the header, if it has one.
pub fn bearer(headers: &HeaderMap) -> Answered<Option<&str>> {
    let shown = authorization(headers)?;
    Ok(shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token))
}

/// A client's name and secret from the header (RFC 6749, 2.3.1): both are form-encoded in it.
pub fn basic(headers: &HeaderMap) -> Answered<Option<(String, String)>> {
    let Some((scheme, rest)) = authorization(headers)? else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Refused::client().because("another scheme than Basic"));
    }
    let malformed = || Refused::client().because("a malformed Authorization header");
    let bytes = STANDARD.decode(rest).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let read = |text| match decoded(text) {
        Ok(text) if !text.is_empty() => Ok(text.into_owned()),
        _ => Err(malformed()),
    };
    Ok(Some((read(id)?, read(secret)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    use crate::app::oidc::refusal::OauthCode;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn names_and_secrets_are_decoded_and_two_headers_are_none() {
        let encoded = STANDARD.encode("my%20app:s%2Bx");
        let read = basic(&headers(&[&format!("Basic {encoded}")])).unwrap();
        assert_eq!(read, Some(("my app".to_owned(), "s+x".to_owned())));
        let bare = STANDARD.encode("app:s&x=1");
        assert_eq!(basic(&headers(&[&format!("Basic {bare}")])).unwrap(), Some(("app".to_owned(), "s&x=1".to_owned())));
        assert_eq!(basic(&headers(&[])).unwrap(), None);
        for wrong in [&["Basic !"][..], &["Basic YQ=="], &["Bearer x"]] {
            assert_eq!(basic(&headers(wrong)).unwrap_err().code, OauthCode::InvalidClient, "{wrong:?}");
        }
        assert_eq!(basic(&headers(&["Basic YTpi", "Basic YTpi"])).unwrap_err().code, OauthCode::InvalidRequest);
        assert_eq!(bearer(&headers(&["bearer  t"])).unwrap(), Some("t"));
    }
}
