//! What every page has: its headers, its stylesheet in the colour of the application, and what it says when something does not work.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::identity::application::Branding;

use crate::app::oidc::Refused;
use crate::http::oidc::page::origin_of;
use crate::problem::Problem;

/// Pages load their stylesheet, post to us alone, and are shown in no frame.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("../../../templates/pages/style.css");
const ACCENT: &str = "0b5d4e";

/// What the frame of a page takes.
pub struct Frame {
    /// The address of its stylesheet.
    pub style: String,
}

impl Frame {
    /// In the application's colour, if it has one.
    pub fn of(branding: Option<&Branding>) -> Self {
        let colour = branding.and_then(|branding| branding.colour.as_deref()).and_then(|text| text.strip_prefix('#'));
        Self { style: format!("/pages.css?accent={}", colour.unwrap_or(ACCENT)) }
    }
}

/// Why a page is not shown.
#[derive(Debug)]
pub struct Fault {
    status: StatusCode,
    text: String,
    cause: Option<String>,
}

impl Fault {
    /// The form did not come from a page of ours.
    pub fn elsewhere() -> Self {
        Self::new(StatusCode::FORBIDDEN, "The form came from another site. Go back and begin anew.")
    }

    /// What waited for a person does not wait any more.
    pub fn over() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This sign-in is over. Go back to the application and begin anew.")
    }

    /// The link of a letter does not work.
    pub fn link() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "This link was used before, or is too old. Ask for another letter.")
    }

    /// Nobody is signed in.
    pub fn nobody() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "You are not signed in. Go to the application and sign in there.")
    }

    fn new(status: StatusCode, text: &str) -> Self {
        Self { status, text: text.to_owned(), cause: None }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self { status: refused.status(), text: refused.description, cause: refused.cause }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Refused::from(problem).into()
    }
}

impl From<askama::Error> for Fault {
    fn from(error: askama::Error) -> Self {
        Self {
            cause: Some(error.to_string()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The page cannot be shown.")
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if let Some(cause) = self.cause.filter(|_| self.status.is_server_error()) {
            tracing::error!(error.cause = %cause, "page failed");
        }
        let message = Message { frame: Frame::of(None), title: "This does not work.", text: &self.text };
        match page(self.status, &message) {
            Ok(answer) => answer,
            Err(_) => self.status.into_response(),
        }
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "pages/message.html")]
pub struct Message<'a> {
    /// Its frame.
    pub frame: Frame,
    /// What it says.
    pub title: &'a str,
    /// And what else.
    pub text: &'a str,
}

/// A page, or why it is not shown.
pub type Shown = Result<Response, Fault>;

/// Shows a page.
pub fn page(status: StatusCode, template: &impl Template) -> Shown {
    let mut answer = (status, template.render()?).into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    guard(headers);
    Ok(answer)
}

fn guard(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
}

/// Lets the forms of a page lead to an application: browsers hold the redirect that follows a form to the policy of its page.
pub fn leading_to(mut answer: Response, address: &str) -> Response {
    let policy = POLICY.replace("form-action 'self'", &format!("form-action 'self' {}", origin_of(address)));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// Adds a cookie.
pub fn with_cookie(mut answer: Response, cookie: &str) -> Response {
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        answer.headers_mut().append(SET_COOKIE, value);
    }
    answer
}

/// The stylesheet, in the colour that is asked for.
pub async fn style(RawQuery(query): RawQuery) -> Response {
    let asked = query.as_deref().and_then(|query| query.strip_prefix("accent="));
    let accent = asked.and_then(colour).or_else(|| colour(ACCENT)).unwrap_or_default();
    let on_accent = if is_dark(accent) { "#fff" } else { "#000" };
    let [red, green, blue] = accent;
    let text = format!("{STYLE}:root {{ --accent: #{red:02x}{green:02x}{blue:02x}; --on-accent: {on_accent}; }}\n");
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, text).into_response()
}

/// Browsers ask for a picture beside the title. There is none, and asking is no fault.
pub async fn no_icon() -> Response {
    (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "public, max-age=86400")]).into_response()
}

fn colour(text: &str) -> Option<[u8; 3]> {
    let is_colour = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u32::from_str_radix(text, 16).ok().filter(|_| is_colour)?;
    let [_, red, green, blue] = value.to_be_bytes();
    Some([red, green, blue])
}

/// Whether white stands out from it better than black: contrast by relative luminance (WCAG 2.2, 1.4.3).
fn is_dark(colour: [u8; 3]) -> bool {
    let linear = |byte: u8| {
        let part = f64::from(byte) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let [red, green, blue] = colour.map(linear);
    let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stands_out_from_any_colour() {
        assert!(is_dark([0, 0, 0]) && is_dark([0x0b, 0x5d, 0x4e]) && is_dark([0xd0, 0, 0]));
        assert!(!is_dark([255, 255, 255]) && !is_dark([255, 220, 0]));
        assert_eq!(colour("0b5d4e"), Some([0x0b, 0x5d, 0x4e]));
        for wrong in ["", "0b5d4", "0b5d4e0", "+b5d4e", "red;}}"] {
            assert_eq!(colour(wrong), None, "{wrong}");
        }
    }
}
