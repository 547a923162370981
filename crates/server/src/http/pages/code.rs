//! What the links of letters lead to, and where somebody asks for one.
//!
//! A link only shows a form: what looks at links in letters before their reader does changes nothing.

use std::sync::Arc;

use api::secret::SecretText;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use domain::identity::account::AccountRealm;

use super::frame::{Fault, Frame, Message, Shown, page};
use super::{Posted, Seen};
use crate::app::accounts::letters::Purpose;
use crate::app::oidc::authorize::realm_of;
use crate::app::oidc::{Oidc, Site};
use crate::app::people::People;
use crate::app::people::codes::Redeemed;

#[derive(Template)]
#[template(path = "pages/code.html")]
struct CodePage<'a> {
    frame: Frame,
    title: &'a str,
    text: &'a str,
    problem: String,
    action: String,
    code: &'a str,
    wants_password: bool,
    button: &'a str,
}

#[derive(Template)]
#[template(path = "pages/forgot.html")]
struct ForgotPage<'a> {
    frame: Frame,
    action: String,
    client_id: &'a str,
}

/// What a page of a purpose says.
struct Words {
    path: &'static str,
    title: &'static str,
    text: &'static str,
    button: &'static str,
    done: &'static str,
    then: &'static str,
}

fn words(purpose: Purpose) -> Words {
    match purpose {
        Purpose::Invitation => Words {
            path: "/invitation",
            title: "You are invited",
            text: "Choose a password to come in with.",
            button: "Come in",
            done: "Welcome.",
            then: "You can sign in with your address and the password now.",
        },
        Purpose::Verification => Words {
            path: "/verify",
            title: "Confirm your address",
            text: "Confirm that the address is yours.",
            button: "Confirm",
            done: "Thank you.",
            then: "Your address is confirmed. You can close this page.",
        },
        Purpose::Reset => Words {
            path: "/reset",
            title: "Choose a new password",
            text: "You are signed out everywhere when you have chosen one.",
            button: "Set the password",
            done: "Your password is set.",
            then: "Go back to the application and sign in with it.",
        },
    }
}

pub async fn invitation(oidc: State<Arc<Oidc>>, people: State<Arc<People>>, seen: Seen) -> Shown {
    show(&oidc, &people, seen, Purpose::Invitation).await
}

pub async fn accept(oidc: State<Arc<Oidc>>, people: State<Arc<People>>, posted: Posted) -> Shown {
    post(&oidc, &people, posted, Purpose::Invitation).await
}

pub async fn verification(oidc: State<Arc<Oidc>>, people: State<Arc<People>>, seen: Seen) -> Shown {
    show(&oidc, &people, seen, Purpose::Verification).await
}

pub async fn verify(oidc: State<Arc<Oidc>>, people: State<Arc<People>>, posted: Posted) -> Shown {
    post(&oidc, &people, posted, Purpose::Verification).await
}

pub async fn resetting(oidc: State<Arc<Oidc>>, people: State<Arc<People>>, seen: Seen) -> Shown {
    show(&oidc, &people, seen, Purpose::Reset).await
}

pub async fn reset(oidc: State<Arc<Oidc>>, people: State<Arc<People>>, posted: Posted) -> Shown {
    post(&oidc, &people, posted, Purpose::Reset).await
}

async fn show(oidc: &Oidc, people: &People, Seen(brought): Seen, purpose: Purpose) -> Shown {
    let code = brought.parameters.get("code").unwrap_or_default();
    if !people.works(&brought.site, purpose, code).await? {
        return Err(Fault::link());
    }
    form(oidc, &brought.site, purpose, code, String::new())
}

async fn post(oidc: &Oidc, people: &People, Posted(brought): Posted, purpose: Purpose) -> Shown {
    let (site, parameters) = (&brought.site, &brought.parameters);
    let code = parameters.get("code").unwrap_or_default();
    let password = SecretText::copy_from(parameters.get("new_password").unwrap_or_default());
    let redeemed = match purpose {
        Purpose::Invitation => people.accept(site, code, &password).await?,
        Purpose::Verification => people.verify(site, code).await?,
        Purpose::Reset => people.reset(site, code, &password).await?,
    };
    match redeemed {
        Redeemed::Yes => {
            let words = words(purpose);
            page(StatusCode::OK, &Message { frame: Frame::of(None), title: words.done, text: words.then })
        }
        Redeemed::Over => Err(Fault::link()),
        Redeemed::Bad(bad) => form(oidc, site, purpose, code, format!("The new password {bad}.")),
    }
}

fn form(oidc: &Oidc, site: &Site, purpose: Purpose, code: &str, problem: String) -> Shown {
    let words = words(purpose);
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    page(
        status,
        &CodePage {
            frame: Frame::of(None),
            title: words.title,
            text: words.text,
            problem,
            action: site.path(words.path, oidc.origin()),
            code,
            wants_password: purpose != Purpose::Verification,
            button: words.button,
        },
    )
}

/// Where somebody asks for a letter: as a user of an application, or as one of the tenant's own people.
pub async fn forgot(State(oidc): State<Arc<Oidc>>, Seen(brought): Seen) -> Shown {
    let client_id = brought.parameters.get("client_id").unwrap_or_default();
    let action = brought.site.path("/forgot", oidc.origin());
    page(StatusCode::OK, &ForgotPage { frame: Frame::of(None), action, client_id })
}

/// The same is said whatever there is to it.
pub async fn send(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Posted(brought): Posted) -> Shown {
    let site = &brought.site;
    let client_id = brought.parameters.get("client_id").filter(|text| !text.is_empty());
    let realm = match client_id {
        None => Some(AccountRealm::Tenant),
        Some(client_id) => oidc.client(site, client_id).await?.map(|client| realm_of(&client)),
    };
    if let Some(realm) = realm {
        people.send_reset(site, realm, brought.parameters.get("email").unwrap_or_default());
    }
    let text = "If somebody has this address here, a letter is on its way to it. The link in it works for an hour.";
    page(StatusCode::OK, &Message { frame: Frame::of(None), title: "Look into your mailbox.", text })
}
