//! `qapi whoami`: as whom commands act, and what they may do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sdk::tokens::AccessToken;
use serde::Serialize;
use serde_json::Value;

use crate::credential::Credential;
use crate::failure::{Exit, Failure};
use crate::print::{Printer, or_empty, record};
use crate::session::Session;

/// What is known of a credential, without what is secret of it.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    /// `apiKey`, `person` or `job`.
    kind: &'static str,
    base_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_algorithm: Option<String>,
}

/// Letters of an API key that tell it from others.
const PREFIX_LETTERS: usize = 12;

/// Says it, once the server has agreed.
pub async fn whoami(session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = session.client()?;
    // Whatever the credential is: the server knows it, or says so.
    client.rate_limit().await?;
    let base_url = client.base_url().to_owned();
    let known = match session.needed_credential()? {
        Credential::Key(key) => {
            let prefix = key.expose().chars().take(PREFIX_LETTERS).collect();
            Known { kind: "apiKey", base_url, prefix: Some(prefix), ..Known::default() }
        }
        Credential::Job(job) => {
            let token = session.tokens(Credential::Job(job))?.current().await?;
            Known { kind: "job", base_url, ..Known::said_by(&token) }
        }
        Credential::SignedIn { tenant } => {
            let provider = session.provider(tenant.as_deref())?;
            let token = session.tokens(Credential::SignedIn { tenant })?.current().await?;
            let person = provider.user_info(&token).await?;
            Known {
                kind: "person",
                base_url,
                id: Some(person.sub),
                email: person.email,
                name: person.name,
                trust: None,
                ..Known::said_by(&token)
            }
        }
    };
    printer.body(&known, described)
}

impl Known {
    /// What a token of ours says. It was not verified, and nothing is decided by it: the server does that.
    fn said_by(token: &AccessToken) -> Self {
        let payload = token.expose().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Value = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            id: text("sub"),
            trust: text("trust"),
            scope: text("scope"),
            upstream_algorithm: text("upstream_alg"),
            ..Self::default()
        }
    }
}

fn described(known: &Known) -> String {
    let kind = match known.kind {
        "apiKey" => "an API key",
        "job" => "a job that a trust believes",
        _ => "somebody who signed in",
    };
    record(&[
        ("acting as", kind.to_owned()),
        ("server", known.base_url.clone()),
        ("key", or_empty(&known.prefix.as_ref().map(|prefix| format!("{prefix}...")))),
        ("id", or_empty(&known.id)),
        ("email", or_empty(&known.email)),
        ("name", or_empty(&known.name)),
        ("trust", or_empty(&known.trust)),
        ("scopes", or_empty(&known.scope)),
        ("believed by", or_empty(&known.upstream_algorithm)),
    ])
}
