//! `qapi login` and `qapi logout`: one profile's address and key.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::Printer;
use crate::profile::{Profile, ProfileFile};
use crate::session::{Session, key_in_environment};

/// What `qapi login` takes. The key is never an argument of its own: it is asked for, or read from standard input.
#[derive(Args)]
pub struct LoginInputs {
    /// Read the API key from standard input
    #[arg(long)]
    key_stdin: bool,
    /// PEM file of authorities to keep with the profile
    #[arg(long, value_name = "FILE")]
    keep_ca_file: Option<PathBuf>,
    /// Fingerprint of the one authority to trust, to keep with the profile
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "keep_ca_file")]
    keep_ca_fingerprint: Option<String>,
}

/// Checks an address and a key against the server and keeps them.
pub async fn login(inputs: LoginInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let interactive = std::io::stdin().is_terminal();
    let base_url = match session.base_url()? {
        Some(base_url) => base_url,
        None if interactive => input::visible("Address of the server")?,
        None => return Err(Failure::unusable("no server address", "--base-url, or set QUANTUMAPI_BASE_URL")),
    };
    let key = match key_in_environment() {
        _ if inputs.key_stdin => input::value(Some("-".to_owned()), "")?,
        _ if interactive => input::hidden("API key")?,
        Some(key) => key,
        None => return Err(Failure::unusable("no API key", "--key-stdin, or set QUANTUMAPI_KEY")),
    };
    session.client_with(&base_url, &key)?.rate_limit().await?;
    let file = ProfileFile::locate()?;
    let mut profiles = file.read()?;
    let name = session.profile_name();
    let kept = Profile {
        base_url: Some(base_url.clone()),
        api_key: Some(key),
        ca_file: inputs.keep_ca_file,
        ca_fingerprint: inputs.keep_ca_fingerprint,
    };
    profiles.insert(name.clone(), kept);
    file.write(profiles)?;
    let done = json!({ "profile": name, "baseUrl": base_url, "file": file.path() });
    printer.body(&done, |_| format!("logged in to {base_url} as profile {name} in {}", file.path().display()))
}

/// Forgets a profile.
pub fn logout(session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let file = ProfileFile::locate()?;
    let mut profiles = file.read()?;
    let name = session.profile_name();
    if profiles.remove(&name).is_none() {
        return Err(Failure::failed(format!("no profile {name}"), "--profile with another name"));
    }
    file.write(profiles)?;
    printer.body(&json!({ "profile": name, "removed": true }), |_| format!("forgot profile {name}"))
}
