//! The account page: where somebody is signed in, what they have allowed, their password, and what happened.

use std::sync::Arc;

use api::secret::SecretText;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use domain::identity::session::LiveSession;
use domain::time::Timestamp;

use super::frame::{Fault, Frame, Message, Shown, page, with_cookie};
use super::{Posted, Seen};
use crate::app::oidc::{Oidc, Site};
use crate::app::people::account::Changed;
use crate::app::people::{People, cookies};

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
    let session = brought.session.as_ref().ok_or_else(Fault::nobody)?;
    shown(&oidc, &people, &brought.site, session, "", String::new()).await
}

pub async fn post(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Posted(brought): Posted) -> Shown {
    let (site, parameters) = (&brought.site, &brought.parameters);
    let session = brought.session.as_ref().ok_or_else(Fault::nobody)?;
    if !people.is_token(site, session, parameters.get("token")) {
        return Err(Fault::elsewhere());
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
            match people.change_password(site, session, &text("password"), &text("new_password")).await? {
                Changed::Yes => shown(&oidc, &people, site, session, "Your password is changed.", String::new()).await,
                Changed::WrongPassword => {
                    shown(&oidc, &people, site, session, "", "That is not your password.".to_owned()).await
                }
                Changed::Bad(bad) => shown(&oidc, &people, site, session, "", format!("The new password {bad}.")).await,
            }
        }
        _ => Err(Fault::over()),
    }
}

async fn shown(oidc: &Oidc, people: &People, site: &Site, session: &LiveSession, done: &str, problem: String) -> Shown {
    let seen = people.own(site, session).await?;
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let sessions = seen.sessions.iter().map(|one| SessionRow {
        id: one.id.to_string(),
        since: minute(one.created_at),
        seen: minute(one.seen_at),
        is_this: one.id == session.id,
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

fn in_words(event: &str) -> &str {
    match event {
        "Login" => "Signed in",
        "LoginFailed" => "Failed to sign in",
        "PasswordReset" => "Password was set anew",
        "Logout" => "Signed out",
        other => other,
    }
}
