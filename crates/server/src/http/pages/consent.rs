//! Whether an application may, asked of the person.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use domain::identity::application::Branding;
use domain::identity::authorization_request::api_of_wish;
use domain::identity::oauth_scope::OauthScope;
use domain::identity::session::LiveSession;

use super::frame::{Fault, Frame, Shown, leading_to, page};
use super::sign_in::answer_of;
use super::{Posted, Seen};
use crate::app::oidc::{Oidc, Site};
use crate::app::people::People;
use crate::http::oidc::page::sent;

#[derive(Template)]
#[template(path = "pages/consent.html")]
struct ConsentPage<'a> {
    frame: Frame,
    application: &'a str,
    wishes: Vec<Cow<'a, str>>,
    email: String,
    device_code: Option<&'a str>,
    action: &'a str,
    carried: (&'static str, &'a str),
    token: &'a str,
}

pub async fn show(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Seen(brought): Seen) -> Shown {
    let handle = brought.parameters.get("interaction").ok_or_else(Fault::over)?;
    let session = brought.session.as_ref().ok_or_else(Fault::nobody)?;
    let waiting = oidc.interaction(&brought.site, handle).await?.ok_or_else(Fault::over)?;
    let action = brought.site.path("/consent", oidc.origin());
    let asked = asked(
        &people,
        &brought.site,
        session,
        &Wish {
            application: &waiting.client.row.name,
            branding: &waiting.client.row.settings.branding,
            wishes: &waiting.request.wishes(),
            device_code: None,
            action: &action,
            carried: ("interaction", handle),
        },
    )
    .await?;
    Ok(leading_to(asked, &waiting.request.redirect_uri))
}

pub async fn post(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Posted(brought): Posted) -> Shown {
    let handle = brought.parameters.get("interaction").ok_or_else(Fault::over)?;
    let session = brought.session.as_ref().ok_or_else(Fault::nobody)?;
    if !people.is_token(&brought.site, session, brought.parameters.get("token")) {
        return Err(Fault::elsewhere());
    }
    let said = answer_of(&brought.parameters).ok_or_else(Fault::over)?;
    Ok(sent(oidc.consented(&brought.site, handle, session, said).await?))
}

/// What an application asks of a person.
pub struct Wish<'a> {
    pub application: &'a str,
    pub branding: &'a Branding,
    pub wishes: &'a OauthScope,
    /// What the device shows that asks, so that nobody allows another's (RFC 8628, 5.4).
    pub device_code: Option<&'a str>,
    pub action: &'a str,
    pub carried: (&'static str, &'a str),
}

/// Asks.
pub async fn asked(people: &People, site: &Site, session: &LiveSession, wish: &Wish<'_>) -> Shown {
    let email = people.address(site, session).await?;
    page(
        StatusCode::OK,
        &ConsentPage {
            frame: Frame::of(Some(wish.branding)),
            application: wish.application,
            wishes: wish.wishes.words().map(in_words).collect(),
            email,
            device_code: wish.device_code,
            action: wish.action,
            carried: wish.carried,
            token: &people.token(site, session),
        },
    )
}

/// What a wish means to a person. Scopes of the tenant's own APIs are shown as they are.
pub fn in_words(wish: &str) -> Cow<'_, str> {
    match (wish, api_of_wish(wish)) {
        ("openid", _) => "To know that it is you".into(),
        ("profile", _) => "Your name and picture".into(),
        ("email", _) => "Your e-mail address".into(),
        ("phone", _) => "Your telephone number".into(),
        ("offline_access", _) => "To go on while you are away".into(),
        (_, Some(api)) => format!("To act for you at {api}").into(),
        (other, None) => other.into(),
    }
}
