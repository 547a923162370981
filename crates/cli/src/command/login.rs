//! `qapi login` and `qapi logout`: one profile's address, and by what commands act there.
//!
//! People sign in through the identity provider, by a browser of this machine or by a code that they type elsewhere; what they get
//! lives ten minutes and is renewed. An API key is for programs, and for the first person, who has nobody to be invited by.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use api::secret::SecretText;
use clap::Args;
use sdk::oauth::{COMMAND_LINE, Granted, Provider};
use sdk::tokens::AccessToken;
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::Printer;
use crate::profile::{Profile, ProfileFile, SignIn};
use crate::session::{Session, key_in_environment};

/// What `qapi login` takes. The key is never an argument of its own: it is asked for, or read from standard input.
#[derive(Args)]
pub struct LoginInputs {
    /// Sign in with a browser of this machine; so it is at a terminal unless told
    #[arg(long, group = "way")]
    browser: bool,
    /// Sign in by a code that is typed in a browser elsewhere
    #[arg(long, group = "way")]
    device: bool,
    /// Ask for an API key
    #[arg(long, group = "way")]
    key: bool,
    /// Read the API key from standard input
    #[arg(long, group = "way")]
    key_stdin: bool,
    /// Do not open the browser, only say where to go
    #[arg(long)]
    no_open: bool,
    /// What commands may do at most: secrets:read, ...; everything that the person may unless given; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Slug of the tenant; otherwise QAPI_TENANT or the default one
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// PEM file of authorities to keep with the profile
    #[arg(long, value_name = "FILE")]
    keep_ca_file: Option<PathBuf>,
    /// Fingerprint of the one authority to trust, to keep with the profile
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "keep_ca_file")]
    keep_ca_fingerprint: Option<String>,
}

/// What `qapi logout` takes.
#[derive(Args)]
pub struct LogoutInputs {}

/// How somebody shows who they are.
enum Way {
    Browser,
    Device,
    Key,
}

/// Signs in, or checks a key, and keeps it.
pub async fn login(inputs: LoginInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let base_url = match session.base_url()? {
        Some(base_url) => base_url,
        None if std::io::stdin().is_terminal() => input::visible("Address of the server")?,
        None => return Err(Failure::unusable("no server address", "--base-url, or set QUANTUMAPI_BASE_URL")),
    };
    match inputs.way() {
        Way::Key => by_key(inputs, base_url, session, printer).await,
        Way::Browser | Way::Device => by_person(inputs, base_url, session, printer).await,
    }
}

impl LoginInputs {
    /// What was asked for; without anything, people at a terminal sign in and programs have a key.
    fn way(&self) -> Way {
        let is_told = self.key || self.key_stdin;
        match (self.device, self.browser) {
            (true, _) => Way::Device,
            (_, true) => Way::Browser,
            _ if !is_told && std::io::stdin().is_terminal() && key_in_environment().is_none() => Way::Browser,
            _ => Way::Key,
        }
    }

    fn scope(&self) -> String {
        let asked = if self.scopes.is_empty() { "admin".to_owned() } else { self.scopes.join(" ") };
        format!("openid email offline_access {asked}")
    }
}

async fn by_key(
    inputs: LoginInputs,
    base_url: String,
    session: &Session,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let key = match key_in_environment() {
        _ if inputs.key_stdin => given_key(input::value(Some("-".to_owned()), "")?)?,
        _ if std::io::stdin().is_terminal() => input::hidden("API key")?,
        Some(key) => key,
        None => return Err(Failure::unusable("no API key", "--device to sign in, --key-stdin, or set QUANTUMAPI_KEY")),
    };
    session.client_with(&base_url, &key)?.rate_limit().await?;
    let kept = Profile {
        base_url: Some(base_url.clone()),
        api_key: Some(key),
        ca_file: inputs.keep_ca_file,
        ca_fingerprint: inputs.keep_ca_fingerprint,
        sign_in: None,
    };
    let name = keep(kept, session).await?;
    let file = ProfileFile::locate()?;
    let done = json!({ "profile": name, "baseUrl": base_url, "file": file.path() });
    printer.body(&done, |_| format!("logged in to {base_url} as profile {name} in {}", file.path().display()))
}

/// A pipe whose first program failed brings nothing, which no server has to be asked about.
fn given_key(key: SecretText) -> Result<SecretText, Failure> {
    match key.expose().trim() {
        "" => Err(Failure::unusable("there is no API key on standard input", "a line that holds one")),
        _ => Ok(key),
    }
}

async fn by_person(
    inputs: LoginInputs,
    base_url: String,
    session: &Session,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    // Nobody is asked to say yes to what could not be kept.
    ProfileFile::locate()?.lock().await?.read()?;
    let tenant = inputs.tenant.clone().or_else(|| session.tenant());
    let provider = session.provider_at(&base_url, tenant.as_deref())?;
    let issuer = issuer_of(&provider, tenant.as_deref()).await?;
    let granted = match inputs.way() {
        Way::Device => on_device(&provider, &inputs.scope(), &issuer).await?,
        _ => in_browser(&provider, &inputs.scope(), &issuer, !inputs.no_open).await?,
    };
    let sign_in = SignIn::new(issuer, tenant, COMMAND_LINE, granted);
    let sign_in = sign_in.ok_or_else(|| Failure::failed("the provider gave no refresh token", "`qapi login --key`"))?;
    let refresh_token = SecretText::copy_from(sign_in.refresh_token.expose());
    let kept = Profile {
        base_url: Some(base_url.clone()),
        api_key: None,
        ca_file: inputs.keep_ca_file,
        ca_fingerprint: inputs.keep_ca_fingerprint,
        sign_in: Some(sign_in),
    };
    let (name, email) = match keep_person(kept, &provider, session).await {
        Ok(kept) => kept,
        Err(failure) => {
            // Nobody would have it, and it would live for weeks.
            let _ = provider.revoke(COMMAND_LINE, refresh_token.expose()).await;
            return Err(failure);
        }
    };
    let file = ProfileFile::locate()?;
    let done = json!({ "profile": name, "baseUrl": base_url, "person": email, "file": file.path() });
    printer.body(&done, |_| format!("signed in to {base_url} as {email}, profile {name} in {}", file.path().display()))
}

/// Whom the person signs in at.
async fn issuer_of(provider: &Provider, tenant: Option<&str>) -> Result<String, Failure> {
    let is_absent = |error: &sdk::Error| match error {
        sdk::Error::OAuth(refusal) => refusal.status == 404,
        sdk::Error::Foreign { status } => *status == 404,
        _ => false,
    };
    match (provider.metadata().await, tenant) {
        (Err(error), Some(slug)) if is_absent(&error) => {
            Err(Failure::failed(format!("the server has no tenant {slug} to sign in to"), "another --tenant"))
        }
        (known, _) => Ok(known?.issuer),
    }
}

/// Asks who it is, and keeps it. Answers with the profile's name and the person's address.
async fn keep_person(kept: Profile, provider: &Provider, session: &Session) -> Result<(String, String), Failure> {
    let token = kept.sign_in.as_ref().map(|kept| kept.access_token.expose()).unwrap_or_default();
    let person = provider.user_info(&AccessToken::new(token, Duration::from_secs(60))).await?;
    Ok((keep(kept, session).await?, person.email.unwrap_or(person.sub)))
}

async fn keep(kept: Profile, session: &Session) -> Result<String, Failure> {
    let name = session.profile_name();
    session
        .change_profiles(|profiles| {
            profiles.insert(name.clone(), kept);
            Ok(name)
        })
        .await
}

async fn in_browser(provider: &Provider, scope: &str, issuer: &str, opens: bool) -> Result<Granted, Failure> {
    let waiting = provider.begin_browser(COMMAND_LINE, scope, issuer).await?;
    input::tell(&format!("Sign in at this address:\n{}", waiting.url()))?;
    if opens {
        open(waiting.url());
    }
    Ok(waiting.wait().await?)
}

async fn on_device(provider: &Provider, scope: &str, issuer: &str) -> Result<Granted, Failure> {
    let waiting = provider.begin_device(COMMAND_LINE, scope, issuer).await?;
    input::tell(&format!(
        "Go to {} and type {}, or go to\n{}",
        waiting.verification_uri(),
        waiting.user_code(),
        waiting.verification_uri_complete()
    ))?;
    Ok(waiting.wait().await?)
}

/// Opens the browser as this system does. Where there is none, the address stands on the terminal.
fn open(url: &str) {
    let named = std::env::var("BROWSER").ok().filter(|program| !program.is_empty());
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let program = named.unwrap_or_else(|| usual.to_owned());
    let quiet = (Stdio::null(), Stdio::null(), Stdio::null());
    let _ = Command::new(program).arg(url).stdin(quiet.0).stdout(quiet.1).stderr(quiet.2).spawn();
}

/// Ends the sign-in at the provider, and forgets the profile whatever the provider says.
pub async fn logout(_: &LogoutInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let name = session.profile_name();
    let forgotten = session.change_profiles(|profiles| Ok(profiles.remove(&name))).await?;
    let Some(profile) = forgotten else {
        return Err(Failure::failed(format!("no profile {name}"), "--profile with another name"));
    };
    if let Some(sign_in) = &profile.sign_in {
        revoke(&profile, sign_in, session).await.map_err(|failure| {
            let what = format!("forgot profile {name}, but its sign-in was not ended: {}", failure.what());
            Failure::failed(what, "`qapi sessions end` for the person, or their account page")
        })?;
    }
    printer.body(&json!({ "profile": name, "removed": true }), |_| format!("forgot profile {name}"))
}

async fn revoke(profile: &Profile, sign_in: &SignIn, session: &Session) -> Result<(), Failure> {
    let base_url = profile.base_url.clone().unwrap_or_default();
    let provider = session.provider_of_profile(&base_url, profile, sign_in.tenant.as_deref())?;
    provider.revoke(&sign_in.client_id, sign_in.refresh_token.expose()).await?;
    Ok(())
}
