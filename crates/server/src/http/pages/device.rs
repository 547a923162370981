//! Where somebody types the code that a device shows (RFC 8628, 3.3).

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use domain::identity::authorization_request::Acr;
use domain::identity::session::LiveSession;

use super::consent::{Wish, asked};
use super::frame::{Fault, Frame, Message, Shown, page};
use super::sign_in::{Purpose, Said, answer_of, begun_with, form, tried};
use super::{Posted, Seen};
use crate::app::oidc::authorize::{Said as Answered, realm_of};
use crate::app::oidc::device::WaitingDevice;
use crate::app::oidc::{Oidc, Site};
use crate::app::people::People;

#[derive(Template)]
#[template(path = "pages/device.html")]
struct DevicePage<'a> {
    frame: Frame,
    problem: &'a str,
    action: &'a str,
}

pub async fn show(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Seen(brought): Seen) -> Shown {
    let action = brought.site.path("/device", oidc.origin());
    let Some(code) = brought.parameters.get("user_code") else { return entry(&action, "") };
    let Some(device) = oidc.waiting_device(&brought.site, code).await? else {
        return entry(&action, "No device waits with this code. Look at it again, or let the device show another.");
    };
    match &brought.session {
        Some(session) if oidc.is_enough(&brought.site, &device.client, session).await? => {
            confirm(&people, &brought.site, session, &device, &action, code).await
        }
        _ => form(StatusCode::OK, &purpose(&device, action, code, ""), &Said::Nothing),
    }
}

pub async fn post(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Posted(brought): Posted) -> Shown {
    let action = brought.site.path("/device", oidc.origin());
    let code = brought.parameters.get("user_code").ok_or_else(Fault::over)?;
    let device = oidc.waiting_device(&brought.site, code).await?.ok_or_else(Fault::over)?;
    let Some(said) = answer_of(&brought.parameters) else {
        let email = brought.parameters.get("email").unwrap_or_default();
        let begun = match tried(&people, &brought, &purpose(&device, action.clone(), code, email)).await? {
            Ok(begun) => begun,
            Err(answer) => return Ok(answer),
        };
        let answer = confirm(&people, &brought.site, &begun.session, &device, &action, code).await?;
        return Ok(begun_with(&brought.site, answer, &begun));
    };
    let session = brought.session.as_ref().ok_or_else(Fault::nobody)?;
    if !people.is_token(&brought.site, session, brought.parameters.get("token")) {
        return Err(Fault::elsewhere());
    }
    if !oidc.answer_device(&brought.site, &device, session, said).await? {
        return Err(Fault::over());
    }
    let text = match said {
        Answered::Yes => "The device goes on by itself. You can close this page.",
        Answered::No => "The device was told no. You can close this page.",
    };
    page(StatusCode::OK, &Message { frame: Frame::of(None), title: "Done.", text })
}

fn entry(action: &str, problem: &str) -> Shown {
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    page(status, &DevicePage { frame: Frame::of(None), problem, action })
}

fn purpose<'a>(device: &'a WaitingDevice, action: String, code: &'a str, email: &'a str) -> Purpose<'a> {
    let settings = &device.client.row.settings;
    Purpose {
        application: &device.client.row.name,
        client_id: device.client.id(),
        branding: &settings.branding,
        realm: realm_of(&device.client),
        idle_s: settings.session_idle_s,
        acr: Acr::One,
        mfa_policy: device.client.mfa_policy,
        action,
        carried: ("user_code", code),
        email,
        leads_to: None,
    }
}

async fn confirm(
    people: &People,
    site: &Site,
    session: &LiveSession,
    device: &WaitingDevice,
    action: &str,
    code: &str,
) -> Shown {
    asked(
        people,
        site,
        session,
        &Wish {
            application: &device.client.row.name,
            branding: &device.client.row.settings.branding,
            wishes: &device.wishes(),
            device_code: Some(code),
            action,
            carried: ("user_code", code),
        },
    )
    .await
}
