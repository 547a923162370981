//! Routes of the identity provider: the same handlers at the root, under every tenant's slug, and at the paths that clients were told before.

mod cors;
pub mod form;
pub mod page;

use std::sync::Arc;

use api::routes::oidc as routes;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, PRAGMA, REFERRER_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::authz::ManageTokens;
use domain::ids::TokenKeyId;

use super::extract::{Allowed, Body, Path};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::oidc::client_auth::Shown;
use crate::app::oidc::keys::MAX_AGE_S;
use crate::app::oidc::{Answered, Oidc, Refused};
use crate::credentials::Credentials;
use crate::platform::Platform;
use form::{Asked, Brought, Visitor, bearer};

/// The routes.
pub fn router(platform: &Platform) -> Router<Platform> {
    Router::new()
        .merge(for_browsers())
        .merge(of_clients(platform))
        .mount(&routes::TOKEN_KEY_LIST, token_keys)
        .mount(&routes::TOKEN_KEY_ROTATE, rotate_token_key)
        .mount(&routes::TOKEN_KEY_REVOKE, revoke_token_key)
}

/// Where browsers are sent. No program of another origin may read what they get there.
fn for_browsers() -> Router<Platform> {
    Router::new()
        .mount(&routes::AUTHORIZE, authorize)
        .mount(&routes::AUTHORIZE_POST, authorize)
        .mount(&routes::CONNECT_AUTHORIZE, authorize)
        .mount(&routes::CONNECT_AUTHORIZE_POST, authorize)
        .mount(&routes::TENANT_AUTHORIZE, authorize)
        .mount(&routes::TENANT_AUTHORIZE_POST, authorize)
        .mount(&routes::LOGOUT, logout)
        .mount(&routes::LOGOUT_POST, logout)
        .mount(&routes::CONNECT_LOGOUT, logout)
        .mount(&routes::CONNECT_LOGOUT_POST, logout)
        .mount(&routes::TENANT_LOGOUT, logout)
        .mount(&routes::TENANT_LOGOUT_POST, logout)
}

/// What clients call. On the listener for services they may prove who they are by their certificate.
pub fn of_clients(platform: &Platform) -> Router<Platform> {
    Router::new()
        .mount(&routes::METADATA, metadata)
        .mount(&routes::SERVER_METADATA, metadata)
        .mount(&routes::TENANT_METADATA, metadata)
        .mount(&routes::TENANT_SERVER_METADATA, metadata)
        .mount(&routes::SERVER_METADATA_OF_TENANT, metadata)
        .mount(&routes::JWKS, jwks)
        .mount(&routes::CONNECT_JWKS, jwks)
        .mount(&routes::TENANT_JWKS, jwks)
        .mount(&routes::PAR, push)
        .mount(&routes::TENANT_PAR, push)
        .mount(&routes::TOKEN, token)
        .mount(&routes::CONNECT_TOKEN, token)
        .mount(&routes::TENANT_TOKEN, token)
        .mount(&routes::INTROSPECT, introspect)
        .mount(&routes::CONNECT_INTROSPECT, introspect)
        .mount(&routes::TENANT_INTROSPECT, introspect)
        .mount(&routes::REVOKE, revoke)
        .mount(&routes::CONNECT_REVOKE, revoke)
        .mount(&routes::TENANT_REVOKE, revoke)
        .mount(&routes::USERINFO, userinfo)
        .mount(&routes::USERINFO_POST, userinfo_by_form)
        .mount(&routes::CONNECT_USERINFO, userinfo)
        .mount(&routes::CONNECT_USERINFO_POST, userinfo_by_form)
        .mount(&routes::TENANT_USERINFO, userinfo)
        .mount(&routes::TENANT_USERINFO_POST, userinfo_by_form)
        .mount(&routes::DEVICE_AUTHORIZATION, authorize_device)
        .mount(&routes::TENANT_DEVICE_AUTHORIZATION, authorize_device)
        .layer(cors::layer(platform.clone()))
}

type Service = State<Arc<Oidc>>;
type Guard = State<Arc<Credentials>>;

async fn metadata(State(oidc): Service, Visitor(site): Visitor) -> Answered<Response> {
    let body = serde_json::to_string(&oidc.metadata(&site).await?)?;
    Ok(published(body, None))
}

async fn jwks(State(oidc): Service, Visitor(site): Visitor, headers: HeaderMap) -> Answered<Response> {
    let keys = oidc.published_keys(&site).await?;
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    // Compared weakly (RFC 9110, 13.1.2): a proxy that compresses makes a weak tag of ours.
    let is_ours = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag) == keys.etag;
    let is_known = known.is_some_and(|known| known == "*" || known.split(',').map(str::trim).any(is_ours));
    let mut answer = published(if is_known { String::new() } else { keys.body.clone() }, Some(&keys.etag));
    if is_known {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
    }
    Ok(answer)
}

/// What anybody may read, and keep for as long as a key waits before it signs.
fn published(body: String, etag: Option<&str>) -> Response {
    let mut answer = Response::new(body.into());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={MAX_AGE_S}")) {
        headers.insert(CACHE_CONTROL, value);
    }
    if let Some(tag) = etag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        headers.insert(ETAG, tag);
    }
    answer
}

async fn authorize(State(oidc): Service, Brought { site, parameters, session, .. }: Brought) -> Answered<Response> {
    Ok(page::sent(oidc.authorize(&site, &parameters, session.as_ref()).await?))
}

async fn logout(State(oidc): Service, Brought { site, parameters, session, .. }: Brought) -> Answered<Response> {
    let outcome = oidc.sign_out(&site, &parameters, session.as_ref()).await?;
    Ok(page::signed_out(outcome, &parameters, &site.path("/oauth2/logout", oidc.origin())))
}

async fn push(State(oidc): Service, State(guard): Guard, asked: Asked) -> Answered<Response> {
    let proved = oidc.prove(&asked.site, &asked.shown()?, &guard).await?;
    let pushed = oidc.push(&asked.site, &proved, &asked.form).await?;
    Ok((StatusCode::CREATED, private(pushed)).into_response())
}

async fn token(State(oidc): Service, State(guard): Guard, asked: Asked) -> Answered<Response> {
    Ok(private(oidc.token(&asked.site, &asked.shown()?, &guard).await?))
}

async fn introspect(State(oidc): Service, State(guard): Guard, asked: Asked) -> Answered<Response> {
    let proved = oidc.prove(&asked.site, &asked.shown()?, &guard).await?;
    if !proved.client.is_proven() {
        return Err(Refused::client());
    }
    Ok(private_json(oidc.introspect(&asked.site, &proved, asked.form.get("token")).await?))
}

async fn revoke(State(oidc): Service, State(guard): Guard, asked: Asked) -> Answered<Response> {
    let proved = oidc.prove(&asked.site, &asked.shown()?, &guard).await?;
    oidc.revoke(&asked.site, &proved, asked.form.get("token")).await?;
    Ok(private(serde_json::json!({})))
}

async fn userinfo(State(oidc): Service, Visitor(site): Visitor, headers: HeaderMap) -> Answered<Response> {
    Ok(private(oidc.userinfo(&site, bearer(&headers)?).await?))
}

async fn userinfo_by_form(State(oidc): Service, asked: Asked) -> Answered<Response> {
    let token = match (bearer(&asked.headers)?, asked.form.get("access_token")) {
        (Some(_), Some(_)) => return Err(Refused::invalid("The token is there twice.")),
        (header, form) => header.or(form),
    };
    Ok(private(oidc.userinfo(&asked.site, token).await?))
}

async fn authorize_device(State(oidc): Service, State(guard): Guard, asked: Asked) -> Answered<Response> {
    let proved = oidc.prove(&asked.site, &asked.shown()?, &guard).await?;
    Ok(private(oidc.authorize_device(&asked.site, &proved, &asked.form).await?))
}

/// An answer for one caller, which no cache keeps.
fn private<T: serde::Serialize>(body: T) -> Response {
    uncached(Json(body).into_response())
}

/// The same of JSON that is written already.
fn private_json(body: Bytes) -> Response {
    let mut answer = Response::new(body.into());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    uncached(answer)
}

fn uncached(mut answer: Response) -> Response {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

async fn token_keys(State(oidc): Service, who: Allowed<ManageTokens>) -> Answer {
    Reply::ok(&who.ctx.origin, &oidc.token_keys(&who.ctx, &who.auth).await?)
}

async fn rotate_token_key(
    State(oidc): Service,
    who: Allowed<ManageTokens>,
    Body(request): Body<api::oauth::RotateTokenKey>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &oidc.rotate_token_key(&who.ctx, &who.auth, &request).await?)
}

async fn revoke_token_key(State(oidc): Service, who: Allowed<ManageTokens>, Path(id): Path<TokenKeyId>) -> Answer {
    Reply::ok(&who.ctx.origin, &oidc.revoke_token_key(&who.ctx, &who.auth, id).await?)
}

impl Asked {
    /// What the client shows for itself.
    fn shown(&self) -> Answered<Shown<'_>> {
        Ok(Shown { basic: form::basic(&self.headers)?, form: &self.form })
    }
}
