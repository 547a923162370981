//! The few pages that the protocol itself shows: the form that a browser posts to the application, why a request is not served, whether somebody wants to sign out.
//! They load the stylesheet of the other pages, and are in no frame.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::identity::parameters::Parameters;

use crate::app::oidc::SignedOut;
use crate::app::oidc::authorize::Sent;

/// What posts the form without being asked; its hash stands in the policy of the page.
const SCRIPT: &str = "document.forms[0].submit()";
const SCRIPT_HASH: &str = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";

/// Sends a browser where it goes next.
pub fn sent(sent: Sent) -> Response {
    match sent {
        Sent::To(address) => to(&address),
        Sent::Nowhere(why) => page(StatusCode::BAD_REQUEST, "'none'", None, &paragraph("This does not work.", &why)),
        Sent::Posted { to, fields } => {
            let fields: String = fields.iter().map(|(name, value)| hidden(name, value)).collect();
            let body = format!(
                "<h1>One moment.</h1><form method=\"post\" action=\"{}\">{fields}\
                 <noscript><button>Go on</button></noscript></form><script>{SCRIPT}</script>",
                escaped(&to)
            );
            // A policy names origins; what the form is posted to was registered.
            page(StatusCode::OK, &origin_of(&to), Some(SCRIPT_HASH), &body)
        }
    }
}

/// Shows what became of a wish to sign out. A question is answered at `place`.
pub fn signed_out(outcome: SignedOut, parameters: &Parameters, place: &str) -> Response {
    match outcome {
        SignedOut::To(address) => to(&address),
        SignedOut::Here => {
            page(StatusCode::OK, "'none'", None, &paragraph("You are signed out.", "You can close this page."))
        }
        SignedOut::Refused(why) => {
            page(StatusCode::BAD_REQUEST, "'none'", None, &paragraph("This does not work.", why))
        }
        SignedOut::Ask { confirm } => {
            let kept = ["client_id", "post_logout_redirect_uri", "state"];
            let kept = kept.iter().filter_map(|name| Some(hidden(name, parameters.get(name)?)));
            let fields: String = kept.chain([hidden("confirm", &confirm)]).collect();
            // Without an action the form would go to the page's own address, whose query says the same things once more.
            let body = format!(
                "<h1>Do you want to sign out?</h1><form method=\"post\" action=\"{}\">{fields}\
                 <button>Sign out</button></form>",
                escaped(place)
            );
            // Browsers hold the redirect that follows a form to the policy of its page; where it leads was registered.
            let leads_to = parameters.get("post_logout_redirect_uri").map(origin_of).unwrap_or_default();
            page(StatusCode::OK, format!("'self' {leads_to}").trim_end(), None, &body)
        }
    }
}

/// 303: whatever a browser posted here is not posted there.
fn to(address: &str) -> Response {
    let mut answer = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::from_str(address) {
        Ok(address) => drop(answer.headers_mut().insert(LOCATION, address)),
        Err(_) => *answer.status_mut() = StatusCode::BAD_REQUEST,
    }
    guarded(answer, "'none'", None)
}

fn page(status: StatusCode, action: &str, script: Option<&str>, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>Sign-in</title>\
         <link rel=\"stylesheet\" href=\"/pages.css\"></head><body><main>{body}</main></body></html>"
    );
    let answer = (status, [("content-type", "text/html; charset=utf-8")], text).into_response();
    guarded(answer, action, script)
}

fn guarded(mut answer: Response, action: &str, script: Option<&str>) -> Response {
    let script = script.map(|hash| format!("script-src '{hash}'; ")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; {script}base-uri 'none'; form-action {action}; frame-ancestors 'none'"
    );
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    answer
}

fn paragraph(title: &str, text: &str) -> String {
    format!("<h1>{title}</h1><p>{}</p>", escaped(text))
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value))
}

/// The origin of an address as policies spell it; of one without a host, its scheme.
pub fn origin_of(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or((address, ""));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(is_plain) {
        return format!("{}:", scheme.split(':').next().unwrap_or_default());
    }
    format!("{scheme}://{authority}")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn the_policy_knows_the_one_script() {
        let hash = base64::engine::general_purpose::STANDARD.encode(crypto::hash::sha256(&[SCRIPT.as_bytes()]));
        assert_eq!(SCRIPT_HASH, format!("sha256-{hash}"));
    }

    #[test]
    fn what_is_shown_is_text() {
        assert_eq!(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
        assert_eq!(origin_of("https://app.example:8443/cb?x=1"), "https://app.example:8443");
        assert_eq!(origin_of("com.example.app:/cb"), "com.example.app:");
        assert_eq!(origin_of("https://a b;script-src/*"), "https:");
    }
}
