//! The account page: where somebody is signed in, what they have allowed, their password, and what happened.

use std::sync::Arc;

use api::secret::SecretText;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::identity::authorization_request::Acr;
use domain::identity::session::LiveSession;
use domain::time::Timestamp;

use super::frame::{Fault, Frame, Message, Shown, page, with_cookie};
use super::sign_in::{Purpose, Said, begun_with, form, tried};
use super::{Posted, Seen, cookie};
use crate::app::applications::BUILT_IN;
use crate::app::oidc::authorize::{Sent, realm_of};
use crate::app::oidc::clients::Client;
use crate::app::oidc::{Oidc, Site};
use crate::app::people::account::Changed;
use crate::app::people::{People, cookies};
use crate::http::oidc::form::Brought;
use crate::http::oidc::page::sent;

#[derive(Template)]
#[template(path = "pages/account.html")]
struct AccountPage<'a> {
    frame: Frame,
    name: &'a str,
    email: &'a str,
    problem: String,
    done: &'a str,
    sessions: Vec<SessionRow>,
    grants: Vec<GrantRow>,
    history: Vec<EventRow>,
    action: String,
    token: String,
}

struct SessionRow {
    id: String,
    device: String,
    whence: String,
    since: String,
    seen: String,
    is_this: bool,
}

struct GrantRow {
    id: String,
    application: String,
    scopes: String,
}

struct EventRow {
    at: String,
    what: String,
    whence: String,
}

pub async fn show(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Seen(brought): Seen) -> Shown {
    let Some(session) = &brought.session else { return sign_in(&oidc, &brought).await };
    shown(&oidc, &people, &brought.site, session, "", String::new()).await
}

pub async fn post(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Posted(brought): Posted) -> Shown {
    let (site, parameters) = (&brought.site, &brought.parameters);
    if parameters.get("do").is_none_or(|wish| wish == "mail") {
        return signed_in(&oidc, &people, &brought).await;
    }
    let session = brought.session.as_ref().ok_or_else(Fault::nobody)?;
    if !people.is_token(site, session, parameters.get("token")) {
        return Err(Fault::elsewhere());
    }
    if let Some(page) = asked_for_more(&oidc, &brought, session).await? {
        return Ok(page);
    }
    match parameters.get("do") {
        Some("end") => {
            let which = parameters.get("session").and_then(|text| text.parse().ok()).ok_or_else(Fault::over)?;
            people.end_own_session(site, session, which).await?;
            if which == session.id {
                let message =
                    Message { frame: Frame::of(None), title: "You are signed out.", text: "You can close this page." };
                return Ok(with_cookie(page(StatusCode::OK, &message)?, &cookies::forget_session(site)));
            }
            shown(&oidc, &people, site, session, "Signed out there.", String::new()).await
        }
        Some("withdraw") => {
            let which = parameters.get("application").and_then(|text| text.parse().ok()).ok_or_else(Fault::over)?;
            people.withdraw(site, session, which).await?;
            shown(&oidc, &people, site, session, "Withdrawn.", String::new()).await
        }
        Some("password") => {
            let text = |name| SecretText::copy_from(parameters.get(name).unwrap_or_default());
            let device = cookie(&brought.headers, &cookies::device_name(site));
            let passwords = (&text("password"), &text("new_password"));
            match people.change_password(site, session, passwords, device).await? {
                Changed::Yes { device } => {
                    let page = shown(&oidc, &people, site, session, "Your password is changed.", String::new()).await?;
                    Ok(with_cookie(page, &cookies::set_device(site, &device)))
                }
                Changed::WrongPassword => {
                    shown(
                        &oidc,
                        &people,
                        site,
                        session,
                        "",
                        "That is not your password, or it was tried too often.".to_owned(),
                    )
                    .await
                }
                Changed::Bad(bad) => shown(&oidc, &people, site, session, "", format!("The new password {bad}.")).await,
            }
        }
        _ => Err(Fault::over()),
    }
}

/// The sign-in page in the place of the account's: of an application's people where one is named, or of the tenant's own.
pub async fn sign_in(oidc: &Oidc, brought: &Brought) -> Shown {
    let client = whose(oidc, brought).await?;
    form(StatusCode::UNAUTHORIZED, &purpose(oidc, brought, &client), &Said::Nothing)
}

/// The sign-in page for whoever wants to change something in a session that is not as sure as their application wants it now: it may have
/// begun before they had a second factor, or before one was required.
pub async fn asked_for_more(oidc: &Oidc, brought: &Brought, session: &LiveSession) -> Result<Option<Response>, Fault> {
    let client = oidc.client_of_people(&brought.site, session.realm).await?.ok_or_else(Fault::nobody)?;
    if oidc.is_enough(&brought.site, &client, session).await? {
        return Ok(None);
    }
    form(StatusCode::UNAUTHORIZED, &purpose(oidc, brought, &client), &Said::Nothing).map(Some)
}

/// Somebody signs in to look at their account, and at nothing else.
async fn signed_in(oidc: &Oidc, people: &People, brought: &Brought) -> Shown {
    let client = whose(oidc, brought).await?;
    match tried(people, brought, &purpose(oidc, brought, &client)).await? {
        Ok(begun) => {
            let to = brought.site.path("/account", oidc.origin());
            Ok(begun_with(&brought.site, sent(Sent::To(to)), &begun))
        }
        Err(answer) => Ok(answer),
    }
}

async fn whose(oidc: &Oidc, brought: &Brought) -> Result<Arc<Client>, Fault> {
    let client_id = brought.parameters.get("client_id").filter(|text| !text.is_empty()).unwrap_or(BUILT_IN);
    oidc.client(&brought.site, client_id).await?.ok_or_else(Fault::nobody)
}

fn purpose<'a>(oidc: &Oidc, brought: &'a Brought, client: &'a Client) -> Purpose<'a> {
    let settings = &client.row.settings;
    Purpose {
        application: "your account",
        client_id: client.id(),
        branding: &settings.branding,
        realm: realm_of(client),
        idle_s: settings.session_idle_s,
        acr: Acr::One,
        mfa_policy: client.mfa_policy,
        action: brought.site.path("/account", oidc.origin()),
        carried: ("client_id", client.id()),
        email: brought.parameters.get("email").unwrap_or_default(),
        leads_to: None,
    }
}

async fn shown(oidc: &Oidc, people: &People, site: &Site, session: &LiveSession, done: &str, problem: String) -> Shown {
    let seen = people.own(site, session).await?;
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let sessions = seen.sessions.iter().map(|one| SessionRow {
        id: one.id.to_string(),
        device: device_in_words(one.user_agent.as_deref().unwrap_or_default()),
        whence: one.ip_address.clone().unwrap_or_default(),
        since: minute(one.created_at.into()),
        seen: minute(one.last_seen_at.into()),
        is_this: one.id == session.id.uuid(),
    });
    let grants = seen.consents.iter().map(|one| GrantRow {
        id: one.application.to_string(),
        application: one.name.clone(),
        scopes: one.scope.words().map(super::consent::in_words).collect::<Vec<_>>().join(", "),
    });
    let history = seen.history.iter().map(|event| EventRow {
        at: minute(event.timestamp.into()),
        what: in_words(&event.event_type).to_owned(),
        whence: event.ip_address.clone().unwrap_or_default(),
    });
    page(
        status,
        &AccountPage {
            frame: Frame::of(None),
            name: &seen.profile.display_name,
            email: &seen.profile.email,
            problem,
            done,
            sessions: sessions.collect(),
            grants: grants.collect(),
            history: history.collect(),
            action: site.path("/account", oidc.origin()),
            token: people.token(site, session),
        },
    )
}

/// `2026-11-25 20:48 UTC`.
fn minute(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// What somebody calls the browser and the machine that a `User-Agent` is of. Browsers name others before themselves, so the order counts.
fn device_in_words(agent: &str) -> String {
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrom", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const MACHINES: [(&str, &str); 7] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Macintosh", "a Mac"),
        ("Linux", "Linux"),
    ];
    let named = |known: &[(&'static str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&MACHINES)) {
        (Some(browser), Some(machine)) => format!("{browser} on {machine}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Another program".to_owned(),
    }
}

fn in_words(event: &str) -> &str {
    match event {
        "Login" => "Signed in",
        "LoginFailed" => "Failed to sign in",
        "PasswordReset" => "Password was set anew",
        "Logout" => "Signed out",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_called_as_people_call_them() {
        const CHROME: &str = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0";
        for (agent, expected) in [
            (format!("Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36"), "Chrome on Linux"),
            (format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/140.0"), "Edge on Windows"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14.6; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
                "Firefox on a Mac",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
                    .to_owned(),
                "Safari on iPhone",
            ),
            ("curl/8.5.0".to_owned(), "Another program"),
        ] {
            assert_eq!(device_in_words(&agent), expected, "{agent}");
        }
    }
}
