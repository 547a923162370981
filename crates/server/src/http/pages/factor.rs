//! The second half of signing in, and the second factors on the account page.

use std::sync::Arc;

use api::secret::SecretText;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::identity::session::LiveSession;
use qrcodegen::{QrCode, QrCodeEcc};

use super::frame::{Fault, Frame, Shown, page, with_cookie};
use super::sign_in::{Purpose, begun_with};
use super::{Posted, Seen, cookie};
use crate::app::oidc::{Oidc, Site};
use crate::app::people::factors::Enrolment;
use crate::app::people::own_factors::{Change, Offer};
use crate::app::people::second_step::{Asked, Second, Stepped};
use crate::app::people::sign_in::Begun;
use crate::app::people::{People, cookies};
use crate::http::oidc::form::Brought;

/// An authenticator to set up, as a page shows it.
struct Offered {
    secret: String,
    qr: String,
}

impl From<Enrolment> for Offered {
    fn from(enrolment: Enrolment) -> Self {
        Self { qr: qr(&enrolment.uri).unwrap_or_default(), secret: in_groups(&enrolment.secret) }
    }
}

#[derive(Template)]
#[template(path = "pages/factor.html")]
struct FactorPage<'a> {
    frame: Frame,
    application: &'a str,
    problem: &'a str,
    done: &'a str,
    enrolment: Option<Offered>,
    has_mail: bool,
    must_change: bool,
    action: &'a str,
    carried: (&'static str, &'a str),
    half: &'a str,
}

#[derive(Template)]
#[template(path = "pages/factors.html")]
struct FactorsPage {
    frame: Frame,
    problem: String,
    done: &'static str,
    codes: Vec<String>,
    offered: Option<Offered>,
    offer: String,
    has_totp: bool,
    recovery_codes: u64,
    action: String,
    back: String,
    token: String,
}

#[derive(Template)]
#[template(path = "pages/recovery_codes.html")]
struct RecoveryCodesPage<'a> {
    frame: Frame,
    codes: &'a [String],
    action: &'a str,
    carried: (&'static str, &'a str),
}

/// Asks for the second factor.
pub async fn ask(
    people: &People,
    site: &Site,
    purpose: &Purpose<'_>,
    half: &str,
    (problem, done): (&str, &str),
) -> Shown {
    let asked = people.asked(site, half, purpose.realm).await?.ok_or_else(Fault::over)?;
    let (enrolment, has_mail, must_change) = match asked {
        Asked::Known { must_change } => (None, false, must_change),
        Asked::First { enrolment, has_mail, must_change } => (Some(enrolment.into()), has_mail, must_change),
    };
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    purpose.page(
        status,
        &FactorPage {
            frame: Frame::of(Some(purpose.branding)),
            application: purpose.application,
            problem,
            done,
            enrolment,
            has_mail,
            must_change,
            action: &purpose.action,
            carried: purpose.carried,
            half,
        },
    )
}

/// Tries what the form of the second half shows. What is not a success is a page already.
pub async fn tried(
    people: &People,
    brought: &Brought,
    purpose: &Purpose<'_>,
    half: &str,
) -> Result<Result<Begun, Response>, Fault> {
    let (site, parameters) = (&brought.site, &brought.parameters);
    if parameters.get("do") == Some("mail") {
        let said = match people.send_code(site, half, purpose.realm).await? {
            true => ("", "A code is on its way to your address."),
            false => ("No code can be sent now.", ""),
        };
        return Ok(Err(ask(people, site, purpose, half, said).await?));
    }
    let new_password = parameters.get("new_password").filter(|text| !text.is_empty()).map(SecretText::copy_from);
    let shown = Second {
        half,
        code: parameters.get("code").unwrap_or_default(),
        realm: purpose.realm,
        new_password: new_password.as_ref(),
        device: cookie(&brought.headers, &cookies::device_name(site)),
        idle_s: purpose.idle_s,
        session: brought.session.as_ref(),
    };
    let problem = match people.second_step(site, &shown).await? {
        Stepped::In { begun, recovery_codes } if recovery_codes.is_empty() => return Ok(Ok(*begun)),
        Stepped::In { begun, recovery_codes } => {
            return Ok(Err(begun_with(site, write_down(purpose, &recovery_codes)?, &begun)));
        }
        Stepped::Over => return Err(Fault::over()),
        Stepped::Wrong => "The code is wrong, or was used before.".to_owned(),
        Stepped::Wait(seconds) => format!("Too many tries. Wait {seconds} seconds."),
        Stepped::MustChange(None) => "You have to choose a new password.".to_owned(),
        Stepped::MustChange(Some(bad)) => format!("The new password {bad}."),
    };
    Ok(Err(ask(people, site, purpose, half, (&problem, "")).await?))
}

/// Shows whoever set an authenticator up its recovery codes. They are signed in by then, and go on when they have written them down.
fn write_down(purpose: &Purpose<'_>, codes: &[String]) -> Shown {
    let frame = Frame::of(Some(purpose.branding));
    purpose.page(StatusCode::OK, &RecoveryCodesPage { frame, codes, action: &purpose.action, carried: purpose.carried })
}

pub async fn show(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Seen(brought): Seen) -> Shown {
    let Some(session) = &brought.session else { return super::account::sign_in(&oidc, &brought).await };
    shown(&oidc, &people, &brought.site, session, Told::default()).await
}

pub async fn post(State(oidc): State<Arc<Oidc>>, State(people): State<Arc<People>>, Posted(brought): Posted) -> Shown {
    let session = brought.session.as_ref().ok_or_else(Fault::nobody)?;
    if !people.is_token(&brought.site, session, brought.parameters.get("token")) {
        return Err(Fault::elsewhere());
    }
    if let Some(page) = super::account::asked_for_more(&oidc, &brought, session).await? {
        return Ok(page);
    }
    let (told, set) = changed(&people, &brought, session).await?;
    let answer = shown(&oidc, &people, &brought.site, session, told).await?;
    Ok(set.iter().fold(answer, |answer, cookie| with_cookie(answer, cookie)))
}

/// What the page says about a change.
#[derive(Default)]
struct Told {
    problem: String,
    done: &'static str,
    codes: Vec<String>,
    offered: Option<Offered>,
    /// What shows that it was offered to this page.
    offer: String,
}

impl Told {
    fn done(done: &'static str) -> Self {
        Self { done, ..Self::default() }
    }

    fn problem(problem: &str) -> Self {
        Self { problem: problem.to_owned(), ..Self::default() }
    }
}

const WRONG_PASSWORD: &str = "That is not your password, or it was tried too often.";
const WRONG_CODE: &str = "The code is wrong, or was used before.";

/// Does what the form asks for. Answers with what the page says, and with the cookies that are set.
async fn changed(people: &People, brought: &Brought, session: &LiveSession) -> Result<(Told, Vec<String>), Fault> {
    let (site, parameters) = (&brought.site, &brought.parameters);
    let password = SecretText::copy_from(parameters.get("password").unwrap_or_default());
    let code = parameters.get("code").unwrap_or_default();
    let offer = parameters.get("offer").unwrap_or_default();
    let device = cookie(&brought.headers, &cookies::device_name(site));
    Ok(match parameters.get("do") {
        Some("offer") => match people.offer(site, session, &password).await? {
            Change::Done(Offer { enrolment, carried }) => {
                (Told { offered: Some(enrolment.into()), offer: carried, ..Told::default() }, Vec::new())
            }
            Change::WrongPassword | Change::WrongCode => (Told::problem(WRONG_PASSWORD), Vec::new()),
        },
        Some("confirm") => match people.set_up(site, session, (offer, code), device).await? {
            Change::Done(set_up) => {
                let told = Told { codes: set_up.recovery_codes, ..Told::done("Your authenticator is added.") };
                (told, vec![cookies::set_session(site, &set_up.cookie), cookies::set_device(site, &set_up.device)])
            }
            Change::WrongPassword | Change::WrongCode => match people.offered(site, session, offer).await? {
                Some(again) => (
                    Told { offered: Some(again.into()), offer: offer.to_owned(), ..Told::problem(WRONG_CODE) },
                    Vec::new(),
                ),
                None => (Told::problem("What you were offered is over. Begin anew."), Vec::new()),
            },
        },
        Some("codes") => match people.renew_recovery_codes(site, session, &password, code).await? {
            Change::Done(codes) => {
                (Told { codes, ..Told::done("Your old recovery codes no longer work.") }, Vec::new())
            }
            Change::WrongPassword => (Told::problem(WRONG_PASSWORD), Vec::new()),
            Change::WrongCode => (Told::problem(WRONG_CODE), Vec::new()),
        },
        Some("remove") => match people.remove_factors(site, session, &password, code).await? {
            Change::Done(cookie) => {
                (Told::done("You have no second factor any more."), vec![cookies::set_session(site, &cookie)])
            }
            Change::WrongPassword => (Told::problem(WRONG_PASSWORD), Vec::new()),
            Change::WrongCode => (Told::problem(WRONG_CODE), Vec::new()),
        },
        _ => return Err(Fault::over()),
    })
}

async fn shown(oidc: &Oidc, people: &People, site: &Site, session: &LiveSession, told: Told) -> Shown {
    let own = people.own_factors(site, session).await?;
    let status = if told.problem.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    page(
        status,
        &FactorsPage {
            frame: Frame::of(None),
            problem: told.problem,
            done: told.done,
            codes: told.codes,
            offered: told.offered,
            offer: told.offer,
            has_totp: own.has_totp,
            recovery_codes: own.recovery_codes,
            action: site.path("/account/factors", oidc.origin()),
            back: site.path("/account", oidc.origin()),
            token: people.token(site, session),
        },
    )
}

/// The address as a picture: dark modules on a light ground with the margin that readers need, whatever the page's colours.
fn qr(uri: &str) -> Option<String> {
    use std::fmt::Write as _;
    const MARGIN: i32 = 4;
    let code = QrCode::encode_text(uri, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * MARGIN;
    let mut modules = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            write!(modules, "M{},{}h1v1h-1z", x + MARGIN, y + MARGIN).ok()?;
        }
    }
    Some(format!(
        "<svg class=\"qr\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" width=\"240\" height=\"240\" role=\"img\" \
         aria-label=\"The secret as a picture\"><rect width=\"{size}\" height=\"{size}\" fill=\"#fff\"/>\
         <path d=\"{modules}\" fill=\"#000\"/></svg>"
    ))
}

/// Four letters and a space, and so on: that is how people copy.
fn in_groups(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_picture_and_groups_of_letters() {
        assert_eq!(in_groups("ABCDEFGHIJ"), "ABCD EFGH IJ");
        let picture = qr("otpauth://totp/a:b?secret=MZXW6YTBOI&issuer=a").unwrap();
        assert!(picture.starts_with("<svg ") && picture.contains("M4,4h1v1h-1z"), "{picture}");
        assert_eq!(qr(&"a".repeat(5_000)), None);
    }
}
