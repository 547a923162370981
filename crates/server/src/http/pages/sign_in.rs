//! The sign-in page: for a request that waits, or for a device.

use std::sync::Arc;

use api::routes::encode_query_value;
use api::secret::SecretText;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use domain::identity::account::AccountRealm;
use domain::identity::application::{Branding, MfaPolicy};
use domain::identity::authorization_request::Acr;
use domain::identity::parameters::Parameters;

use super::frame::{Fault, Frame, Shown, leading_to, page, with_cookie};
use super::{Posted, Seen, cookie};
use crate::app::oidc::{Oidc, Site};
use crate::app::people::sign_in::{Begun, Shown as Tried, SignedIn};
use crate::app::people::{People, cookies};
use crate::http::oidc::form::Brought;
use crate::http::oidc::page::sent;

/// For whom somebody signs in, and what goes on afterwards.
pub struct Purpose<'a> {
    /// The application's name.
    pub application: &'a str,
    /// What it is called by clients.
    pub client_id: &'a str,
    /// How its page looks.
    pub branding: &'a Branding,
    /// Whose people may.
    pub realm: AccountRealm,
    /// How long their sessions may idle.
    pub idle_s: Option<u32>,
    /// How sure it has to be.
    pub acr: Acr,
    /// Whether the application wants a second factor.
    pub mfa_policy: MfaPolicy,
    /// Where the form goes.
    pub action: String,
    /// What the form carries along.
    pub carried: (&'static str, &'a str),
    /// The address that is filled in.
    pub email: &'a str,
    /// Where the browser goes afterwards, if it leaves us.
    pub leads_to: Option<&'a str>,
}

impl Purpose<'_> {
    /// A page whose form may lead where the purpose does.
    pub fn page(&self, status: StatusCode, template: &impl Template) -> Shown {
        let answer = page(status, template)?;
        Ok(match self.leads_to {
            Some(address) => leading_to(answer, address),
            None => answer,
        })
    }
}

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct SignInPage<'a> {
    frame: Frame,
    application: &'a str,
    title: String,
    text: &'a str,
    problem: String,
    action: &'a str,
    carried: (&'static str, &'a str),
    email: &'a str,
    must_change: bool,
    forgot: String,
}

pub async fn show(State(oidc): State<Arc<Oidc>>, Seen(brought): Seen) -> Shown {
    let handle = brought.parameters.get("interaction").ok_or_else(Fault::over)?;
    // Whoever wrote recovery codes down is signed in. Whether that is enough is decided as for every request that a browser brings.
    if let (Some("on"), Some(session)) = (brought.parameters.get("do"), &brought.session) {
        return Ok(sent(oidc.resume(&brought.site, handle, session).await?));
    }
    let waiting = oidc.interaction(&brought.site, handle).await?.ok_or_else(Fault::over)?;
    let action = brought.site.path("/login", oidc.origin());
    let email = waiting.request.login_hint.as_deref().unwrap_or_default();
    let purpose = waiting.purpose(action, ("interaction", handle), email);
    form(StatusCode::OK, &purpose, &Said::Nothing)
}

pub async fn post(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Posted(brought): Posted) -> Shown {
    let handle = brought.parameters.get("interaction").ok_or_else(Fault::over)?;
    let waiting = oidc.interaction(&brought.site, handle).await?.ok_or_else(Fault::over)?;
    let action = brought.site.path("/login", oidc.origin());
    let email = brought.parameters.get("email").unwrap_or_default();
    let purpose = waiting.purpose(action, ("interaction", handle), email);
    match tried(&people, &brought, &purpose).await? {
        Ok(begun) => {
            let next = oidc.resume(&brought.site, handle, &begun.session).await?;
            Ok(begun_with(&brought.site, sent(next), &begun))
        }
        Err(answer) => Ok(answer),
    }
}

/// Tries what a form shows. What is not a success is a page already.
pub async fn tried(
    people: &People,
    brought: &Brought,
    purpose: &Purpose<'_>,
) -> Result<Result<Begun, axum::response::Response>, Fault> {
    let parameters = &brought.parameters;
    if let Some(half) = parameters.get("half") {
        return super::factor::tried(people, brought, purpose, half).await;
    }
    let secret = |name: &str| parameters.get(name).filter(|text| !text.is_empty()).map(SecretText::copy_from);
    let password = secret("password").unwrap_or_else(|| SecretText::copy_from(""));
    let new_password = secret("new_password");
    let shown = Tried {
        realm: purpose.realm,
        email: purpose.email,
        password: &password,
        new_password: new_password.as_ref(),
        device: cookie(&brought.headers, &cookies::device_name(&brought.site)),
        idle_s: purpose.idle_s,
        wanted: purpose.acr,
        mfa_policy: purpose.mfa_policy,
        session: brought.session.as_ref(),
    };
    let said = match people.sign_in(&brought.site, &shown).await? {
        SignedIn::Yes(begun) => return Ok(Ok(*begun)),
        SignedIn::No => Said::Wrong,
        SignedIn::Wait(seconds) => Said::Wait(seconds),
        SignedIn::MustChange(None) => Said::MustChange("You have to choose a new password.".to_owned()),
        SignedIn::MustChange(Some(bad)) => Said::MustChange(format!("The new password {bad}.")),
        SignedIn::NeedsSecondFactor(half) => {
            return Ok(Err(super::factor::ask(people, &brought.site, purpose, &half, ("", "")).await?));
        }
    };
    let status = if matches!(said, Said::Wait(_)) { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::BAD_REQUEST };
    Ok(Err(form(status, purpose, &said)?))
}

/// The answer to somebody who is in, with their cookies.
pub fn begun_with(site: &Site, answer: axum::response::Response, begun: &Begun) -> axum::response::Response {
    let answer = with_cookie(answer, &cookies::set_session(site, &begun.cookie));
    with_cookie(answer, &cookies::set_device(site, &begun.device))
}

/// What the page says about a try.
pub enum Said {
    Nothing,
    Wrong,
    Wait(u64),
    MustChange(String),
}

/// Shows the form.
pub fn form(status: StatusCode, purpose: &Purpose<'_>, said: &Said) -> Shown {
    let problem = match said {
        Said::Nothing => String::new(),
        Said::Wrong => "The address or the password is wrong.".to_owned(),
        Said::Wait(seconds) => format!("Too many tries. Wait {seconds} seconds."),
        Said::MustChange(why) => why.clone(),
    };
    let title = purpose.branding.title.clone();
    purpose.page(
        status,
        &SignInPage {
            frame: Frame::of(Some(purpose.branding)),
            application: purpose.application,
            title: title.unwrap_or_else(|| format!("Sign in to {}", purpose.application)),
            text: purpose.branding.text.as_deref().unwrap_or_default(),
            problem,
            action: &purpose.action,
            carried: purpose.carried,
            email: purpose.email,
            must_change: matches!(said, Said::MustChange(_)),
            forgot: forgot(purpose),
        },
    )
}

/// Where whoever forgot the password asks for a letter: beside the page that the form goes to.
fn forgot(purpose: &Purpose<'_>) -> String {
    let place = purpose.action.rsplit_once('/').map_or("", |(place, _)| place);
    format!("{place}/forgot?client_id={}", encode_query_value(purpose.client_id))
}

impl crate::app::oidc::authorize::Interaction {
    fn purpose<'a>(&'a self, action: String, carried: (&'static str, &'a str), email: &'a str) -> Purpose<'a> {
        let settings = &self.client.row.settings;
        Purpose {
            application: &self.client.row.name,
            client_id: self.client.id(),
            branding: &settings.branding,
            realm: self.realm,
            idle_s: settings.session_idle_s,
            acr: self.acr,
            mfa_policy: self.client.mfa_policy,
            action,
            carried,
            email,
            leads_to: Some(&self.request.redirect_uri),
        }
    }
}

/// What a form says beside the parameters that are read by name.
pub fn answer_of(parameters: &Parameters) -> Option<crate::app::oidc::authorize::Said> {
    use crate::app::oidc::authorize::Said;
    match parameters.get("answer") {
        Some("yes") => Some(Said::Yes),
        Some("no") => Some(Said::No),
        _ => None,
    }
}
