//! What commands act by: an API key, a job's own token, or a sign-in that is kept in a profile.

use api::secret::SecretText;
use domain::time::Timestamp;
use sdk::oauth::{Granted, Provider};
use sdk::tokens::{AccessToken, Fetching, JobToken, TokenSource, WorkloadTrust};
use std::time::Duration;
use uuid::Uuid;

use crate::clock;
use crate::failure::Failure;
use crate::profile::{ProfileFile, Profiles, SignIn};

/// The variable that names the trust a job is believed by.
pub const TRUST_VARIABLE: &str = "QAPI_TRUST_ID";
/// What a job acts by, to be kept from programs that `qapi run` starts.
pub const JOB_VARIABLES: [&str; 2] = [TRUST_VARIABLE, "QAPI_OIDC_TOKEN"];

/// A token of a profile is renewed so long before its end.
const MARGIN_MS: i64 = 30_000;

/// What commands act by.
pub enum Credential {
    /// An API key.
    Key(SecretText),
    /// A job, which has nothing stored.
    Job(Job),
    /// Somebody who signed in, in this tenant.
    SignedIn {
        /// The tenant, when it is not the default one.
        tenant: Option<String>,
    },
}

/// A job and the trust that believes it.
pub struct Job {
    trust: Uuid,
    token: JobToken,
    audience: Option<String>,
    scope: Option<String>,
}

impl Job {
    /// The job this runs in, when a trust is named.
    pub fn in_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Failure> {
        let Some(trust) = variable(TRUST_VARIABLE) else { return Ok(None) };
        let trust = trust.trim().parse().map_err(|_| {
            Failure::unusable(format!("{TRUST_VARIABLE} is no id of a trust"), "an id of `qapi trusts list`")
        })?;
        let token = JobToken::find(&variable).ok_or_else(|| {
            Failure::unusable(
                format!("{TRUST_VARIABLE} is set, and this job has no token of its own system"),
                "the permission `id-token: write` on GitHub, `id_tokens` on GitLab, SYSTEM_ACCESSTOKEN and a service \
                 connection on Azure DevOps, a projected token on Kubernetes, or QAPI_OIDC_TOKEN_FILE",
            )
        })?;
        let (audience, scope) = (variable("QAPI_OIDC_AUDIENCE"), variable("QAPI_TRUST_SCOPE"));
        Ok(Some(Self { trust, token, audience, scope }))
    }

    /// Whether a trust is named and nobody vouches for this job: a build of a fork, which its system gives no token.
    pub fn is_without_token(variable: impl Fn(&str) -> Option<String>) -> bool {
        variable(TRUST_VARIABLE).is_some() && JobToken::find(&variable).is_none()
    }

    /// Where its tokens come from.
    pub fn source(self, provider: Provider, outside: &sdk::Config) -> Result<WorkloadTrust, Failure> {
        let mut source = WorkloadTrust::new(provider, outside, self.trust, self.token)?;
        if let Some(audience) = self.audience {
            source = source.with_audience(audience);
        }
        Ok(match self.scope {
            Some(scope) => source.with_scope(scope.replace(',', " ")),
            None => source,
        })
    }
}

/// A sign-in that a profile keeps. Runs that share it take turns: each refresh token works once, and whoever showed one that
/// another run has spent would end the sign-in for all.
pub struct KeptSignIn {
    file: ProfileFile,
    profile: String,
    base_url: String,
    provider: Provider,
}

impl KeptSignIn {
    /// The sign-in of a profile, at the address that commands go to.
    pub fn new(file: ProfileFile, profile: String, base_url: String, provider: Provider) -> Self {
        Self { file, profile, base_url, provider }
    }

    /// A file that nobody may write is no reason to stop while its token is good, so it is locked for a renewal alone.
    async fn current(&self, stale: Option<&str>) -> Result<AccessToken, sdk::Error> {
        let mut profiles = self.file.read().map_err(unusable)?;
        match self.sign_in(&mut profiles)?.usable(stale, clock::now()) {
            Some(token) => Ok(token),
            None => self.renewed(stale).await,
        }
    }

    async fn renewed(&self, stale: Option<&str>) -> Result<AccessToken, sdk::Error> {
        let locked = self.file.lock().await.map_err(unusable)?;
        let mut profiles = locked.read().map_err(unusable)?;
        let kept = self.sign_in(&mut profiles)?;
        // Another run may have renewed it while this one waited.
        if let Some(token) = kept.usable(stale, clock::now()) {
            return Ok(token);
        }
        let granted = self.provider.refresh(&kept.client_id, kept.refresh_token.expose()).await?;
        kept.take(granted, clock::now());
        let token = kept.token(clock::now());
        // What was spent is of no use: without the new one on disk there is no sign-in.
        locked.write(profiles).map_err(unusable)?;
        Ok(token)
    }

    /// The sign-in as it stands in the file, unless another run has put one at another server in its place.
    fn sign_in<'p>(&self, profiles: &'p mut Profiles) -> Result<&'p mut SignIn, sdk::Error> {
        let gone = || sdk::Error::Credential("signed out meanwhile".to_owned());
        let profile = profiles.get_mut(&self.profile).ok_or_else(gone)?;
        if !profile.is_for(&self.base_url).map_err(unusable)? {
            return Err(gone());
        }
        profile.sign_in.as_mut().ok_or_else(gone)
    }
}

fn unusable(failure: Failure) -> sdk::Error {
    sdk::Error::Credential(failure.what().to_owned())
}

impl TokenSource for KeptSignIn {
    fn fetch<'a>(&'a self, stale: Option<&'a str>) -> Fetching<'a> {
        Box::pin(self.current(stale))
    }
}

impl SignIn {
    /// What the provider gave, to be kept.
    pub fn new(issuer: String, tenant: Option<String>, client_id: &str, granted: Granted) -> Option<Self> {
        let now = clock::now();
        Some(Self {
            issuer,
            tenant,
            client_id: client_id.to_owned(),
            refresh_token: granted.refresh_token?,
            access_token: granted.access_token,
            access_ends: ends(now, granted.expires_in).into(),
        })
    }

    fn take(&mut self, granted: Granted, now: Timestamp) {
        self.access_ends = ends(now, granted.expires_in).into();
        self.access_token = granted.access_token;
        if let Some(next) = granted.refresh_token {
            self.refresh_token = next;
        }
    }

    /// The token that is kept, if it is good for a while and not the one that was not believed.
    fn usable(&self, stale: Option<&str>, now: Timestamp) -> Option<AccessToken> {
        let is_fresh = now.plus_millis(MARGIN_MS) < self.access_ends.timestamp();
        (is_fresh && stale != Some(self.access_token.expose())).then(|| self.token(now))
    }

    fn token(&self, now: Timestamp) -> AccessToken {
        let left_ms = self.access_ends.timestamp().millis().saturating_sub(now.millis());
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or_default());
        AccessToken::new(self.access_token.expose(), left)
    }
}

fn ends(now: Timestamp, lives_s: u64) -> Timestamp {
    now.plus_millis(i64::try_from(lives_s.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_needs_a_trust_and_a_token_of_its_own_system() {
        let job = |variables: &[(&str, &str)]| {
            Job::in_environment(|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let id = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
        assert!(job(&[("QAPI_OIDC_TOKEN", "t")]).unwrap().is_none());
        assert!(job(&[(TRUST_VARIABLE, id), ("QAPI_OIDC_TOKEN", "t")]).unwrap().is_some());
        assert!(job(&[(TRUST_VARIABLE, "shop")]).err().unwrap().to_string().contains("no id of a trust"));
        let is_alone = |variables: &[(&str, &str)]| {
            Job::is_without_token(|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(is_alone(&[(TRUST_VARIABLE, id)]) && !is_alone(&[]));
        assert!(!is_alone(&[(TRUST_VARIABLE, id), ("QAPI_OIDC_TOKEN", "t")]));
        assert!(job(&[(TRUST_VARIABLE, id)]).err().unwrap().to_string().contains("id-token: write"));
    }

    #[test]
    fn a_kept_token_is_used_while_it_is_good_and_believed() {
        let kept = SignIn {
            issuer: String::new(),
            tenant: None,
            client_id: String::new(),
            refresh_token: SecretText::copy_from("r"),
            access_token: SecretText::copy_from("a"),
            access_ends: Timestamp::from_millis(100_000).into(),
        };
        let at = Timestamp::from_millis;
        assert!(kept.usable(None, at(0)).is_some());
        assert!(kept.usable(Some("other"), at(69_000)).is_some());
        assert!(kept.usable(Some("a"), at(0)).is_none());
        assert!(kept.usable(None, at(70_000)).is_none());
    }
}
