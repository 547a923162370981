//! Which server, with which credential: options before environment before profile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::secret::SecretText;
use sdk::oauth::Provider;
use sdk::tokens::Tokens;

use crate::arguments::Globals;
use crate::credential::{Credential, Job, KeptSignIn, TRUST_VARIABLE};
use crate::failure::Failure;
use crate::profile::{Profile, ProfileFile, Profiles};

/// The names an API key can have in the environment, first one wins.
pub const KEY_VARIABLES: [&str; 3] = ["QUANTUMAPI_KEY", "QAPI_API_KEY", "QUANTUMAPI_API_KEY"];
/// The name of the address in the environment.
pub const BASE_URL_VARIABLE: &str = "QUANTUMAPI_BASE_URL";

/// How this program names itself to servers.
const AGENT: &str = concat!("qapi/", env!("CARGO_PKG_VERSION"));

/// What was typed and what stands around it.
pub struct Session {
    globals: Globals,
}

impl Session {
    /// A session; nothing is read yet.
    pub fn new(globals: Globals) -> Self {
        Self { globals }
    }

    /// The profile's name.
    pub fn profile_name(&self) -> String {
        let named = self.globals.profile.clone().or_else(|| variable("QAPI_PROFILE"));
        named.unwrap_or_else(|| "default".to_owned())
    }

    /// The address that was typed, or is in the environment or in the profile.
    pub fn base_url(&self) -> Result<Option<String>, Failure> {
        let typed = self.globals.base_url.clone();
        self.first_of(typed, || variable(BASE_URL_VARIABLE), |profile| profile.base_url)
    }

    /// The tenant whose issuer is meant, when it is not the default one.
    pub fn tenant(&self) -> Option<String> {
        variable("QAPI_TENANT")
    }

    /// The credential that was typed, or is in the environment or in the profile. An API key of the environment comes
    /// before a job's own token there.
    pub fn credential(&self) -> Result<Option<Credential>, Failure> {
        if let Some(given) = self.given_credential()? {
            return Ok(Some(given));
        }
        match Job::in_environment(variable)? {
            Some(job) => Ok(Some(Credential::Job(job))),
            None => self.kept_credential(),
        }
    }

    /// Why there is no credential at hand, if there is none: for what may be left undone without one. A job whose trust is
    /// named and which its system gives no token has none either, where [`Session::credential`] says that this is wrong.
    pub fn lacks_credential(&self) -> Result<Option<String>, Failure> {
        if self.given_credential()?.is_some() {
            return Ok(None);
        }
        if Job::is_without_token(variable) {
            return Ok(Some(format!("{TRUST_VARIABLE} is set, and this job has no token of its own system")));
        }
        Ok(match self.credential()? {
            Some(_) => None,
            None => Some("there is no API key for the vault, QUANTUMAPI_KEY is not set".to_owned()),
        })
    }

    /// What goes before a job's own token.
    fn given_credential(&self) -> Result<Option<Credential>, Failure> {
        if let Some(key) = &self.globals.api_key {
            return Ok(Some(Credential::Key(SecretText::copy_from(key))));
        }
        if self.globals.profile.is_some()
            && let Some(kept) = self.kept_credential()?
        {
            return Ok(Some(kept));
        }
        Ok(key_in_environment().map(Credential::Key))
    }

    fn kept_credential(&self) -> Result<Option<Credential>, Failure> {
        let Some(profile) = self.profile()? else { return Ok(None) };
        self.check_server(&profile)?;
        let sign_in = profile.sign_in.map(|kept| Credential::SignedIn { tenant: kept.tenant });
        Ok(profile.api_key.map(Credential::Key).or(sign_in))
    }

    /// What a profile keeps is shown to the server it was got at alone, whatever address was typed or is in the environment:
    /// any other could use it there, a refresh token for weeks.
    fn check_server(&self, profile: &Profile) -> Result<(), Failure> {
        let verb = match (&profile.api_key, &profile.sign_in) {
            (Some(_), _) => "has an API key for",
            (None, Some(_)) => "is signed in at",
            (None, None) => return Ok(()),
        };
        let Some(base_url) = self.base_url()? else { return Ok(()) };
        if profile.is_for(&base_url)? {
            return Ok(());
        }
        let own = profile.server().unwrap_or_default();
        let what = format!("profile {} {verb} {own}, not {base_url}", self.profile_name());
        Err(Failure::unusable(what, format!("`qapi login --base-url {base_url}`, --api-key, or set QUANTUMAPI_KEY")))
    }

    /// What was typed comes first. A profile that was named is meant and comes next; one that merely exists gives way
    /// to the environment.
    fn first_of<T>(
        &self,
        typed: Option<T>,
        environment: impl FnOnce() -> Option<T>,
        kept: impl FnOnce(Profile) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        if typed.is_some() {
            return Ok(typed);
        }
        if self.globals.profile.is_some() {
            return Ok(self.profile()?.and_then(kept).or_else(environment));
        }
        match environment() {
            Some(found) => Ok(Some(found)),
            None => Ok(self.profile()?.and_then(kept)),
        }
    }

    /// A client with the credential.
    pub fn client(&self) -> Result<sdk::Client, Failure> {
        let config = self.config()?;
        let config = match self.needed_credential()? {
            Credential::Key(key) => config.with_key(key.expose()),
            acting => config.with_tokens(self.tokens(acting)?),
        };
        Ok(sdk::Client::new(config)?)
    }

    /// The credential, or what to do without one.
    pub fn needed_credential(&self) -> Result<Credential, Failure> {
        let advice = "`qapi login`, --api-key, or set QUANTUMAPI_KEY";
        self.credential()?.ok_or_else(|| Failure::failed("no API key", advice))
    }

    /// The tokens of a job or of somebody who signed in. Nothing is fetched yet.
    pub fn tokens(&self, credential: Credential) -> Result<Arc<Tokens>, Failure> {
        match credential {
            Credential::Key(_) => Err(Failure::unusable("an API key is no token", "without --api-key")),
            Credential::Job(job) => {
                let provider = self.provider(self.tenant().as_deref())?;
                let outside = sdk::Config::new("https://localhost").with_user_agent(AGENT);
                Ok(Tokens::of(job.source(provider, &outside)?))
            }
            Credential::SignedIn { tenant } => {
                let provider = self.provider(tenant.as_deref())?;
                let base_url = self.needed_base_url()?;
                Ok(Tokens::of(KeptSignIn::new(ProfileFile::locate()?, self.profile_name(), base_url, provider)))
            }
        }
    }

    /// The identity provider of the server.
    pub fn provider(&self, tenant: Option<&str>) -> Result<Provider, Failure> {
        self.provider_of(&self.config()?, tenant)
    }

    /// The identity provider at another address, with this session's other settings.
    pub fn provider_at(&self, base_url: &str, tenant: Option<&str>) -> Result<Provider, Failure> {
        self.provider_of(&self.settings(sdk::Config::new(base_url))?, tenant)
    }

    /// The identity provider of a profile, whoever else is trusted now.
    pub fn provider_of_profile(
        &self,
        base_url: &str,
        profile: &Profile,
        tenant: Option<&str>,
    ) -> Result<Provider, Failure> {
        let config = self.settings(sdk::Config::new(base_url))?;
        let config = match (&profile.ca_fingerprint, &profile.ca_file) {
            (Some(fingerprint), _) => config.with_pinned_authority(fingerprint),
            (None, Some(file)) => config.with_authorities(file.clone()),
            (None, None) => config,
        };
        self.provider_of(&config, tenant)
    }

    fn provider_of(&self, config: &sdk::Config, tenant: Option<&str>) -> Result<Provider, Failure> {
        match tenant {
            Some(slug) => Ok(Provider::of_tenant(config, slug)?),
            None => Ok(Provider::new(config)?),
        }
    }

    /// A client that shows no credential, for the routes that want none.
    pub fn anonymous_client(&self) -> Result<sdk::Client, Failure> {
        Ok(sdk::Client::new(self.config()?)?)
    }

    /// A client for another address and credential, with this session's other settings.
    pub fn client_with(&self, base_url: &str, key: &SecretText) -> Result<sdk::Client, Failure> {
        Ok(sdk::Client::new(self.settings(sdk::Config::new(base_url))?.with_key(key.expose()))?)
    }

    fn config(&self) -> Result<sdk::Config, Failure> {
        self.check_profile()?;
        self.settings(sdk::Config::new(self.needed_base_url()?))
    }

    fn needed_base_url(&self) -> Result<String, Failure> {
        self.base_url()?
            .ok_or_else(|| Failure::failed("no server address", "`qapi login`, --base-url, or set QUANTUMAPI_BASE_URL"))
    }

    fn settings(&self, config: sdk::Config) -> Result<sdk::Config, Failure> {
        let mut config = config.with_user_agent(AGENT);
        if let Some(seconds) = self.globals.timeout.or(number_in_environment("QUANTUMAPI_TIMEOUT")?) {
            config = config.with_timeout(Duration::from_secs(seconds.max(1)));
        }
        if let Some(retries) = number_in_environment("QUANTUMAPI_MAX_RETRIES")? {
            config = config.with_retries(u32::try_from(retries).unwrap_or(u32::MAX));
        }
        config = match self.authorities()? {
            Authorities::Public => config,
            Authorities::File(path) => config.with_authorities(path),
            Authorities::Pinned(fingerprint) => config.with_pinned_authority(fingerprint),
        };
        Ok(if self.globals.danger_plain_http { config.with_danger_plain_http() } else { config })
    }

    /// What was typed, then what the environment says, then what the profile keeps; a file or a fingerprint, whichever is
    /// nearer.
    fn authorities(&self) -> Result<Authorities, Failure> {
        let typed = (self.globals.ca_fingerprint.clone(), self.globals.ca_file.clone());
        let environment = || (variable("QAPI_CA_FINGERPRINT"), variable("QUANTUMAPI_CA_FILE").map(PathBuf::from));
        let found = Authorities::nearest(typed).or_else(|| Authorities::nearest(environment()));
        if let Some(found) = found {
            return Ok(found);
        }
        let kept = self.profile()?.and_then(|kept| Authorities::nearest((kept.ca_fingerprint, kept.ca_file)));
        Ok(kept.unwrap_or(Authorities::Public))
    }

    /// The profile, if there is one of the name.
    fn profile(&self) -> Result<Option<Profile>, Failure> {
        Ok(ProfileFile::locate()?.read()?.remove(&self.profile_name()))
    }

    /// Changes the file of profiles, alone.
    pub async fn change_profiles<T>(
        &self,
        change: impl FnOnce(&mut Profiles) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let locked = ProfileFile::locate()?.lock().await?;
        let mut profiles = locked.read()?;
        let changed = change(&mut profiles)?;
        locked.write(profiles)?;
        Ok(changed)
    }

    /// A profile that was named has to be there, or another server than the one meant would be spoken to.
    fn check_profile(&self) -> Result<(), Failure> {
        match &self.globals.profile {
            Some(name) if self.profile()?.is_none() => {
                Err(Failure::unusable(format!("no profile {name}"), format!("`qapi login --profile {name}`")))
            }
            _ => Ok(()),
        }
    }
}

/// Whom to believe to be the server.
enum Authorities {
    /// The web's authorities.
    Public,
    /// These too.
    File(PathBuf),
    /// This one alone.
    Pinned(String),
}

impl Authorities {
    /// A fingerprint is the narrower of the two.
    fn nearest((fingerprint, file): (Option<String>, Option<PathBuf>)) -> Option<Self> {
        fingerprint.map(Self::Pinned).or(file.map(Self::File))
    }
}

/// The first API key in the environment.
pub fn key_in_environment() -> Option<SecretText> {
    KEY_VARIABLES.into_iter().find_map(variable).map(SecretText::new)
}

/// What a variable of the environment says; nothing when it is empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn number_in_environment(name: &str) -> Result<Option<u64>, Failure> {
    let Some(text) = variable(name) else { return Ok(None) };
    let number = text.trim().parse::<f64>().ok().filter(|number| (0.0..1e6).contains(number));
    let number = number.ok_or_else(|| Failure::unusable(format!("{name} is not a number"), "a whole number"))?;
    Ok(Some(number.ceil() as u64))
}
