//! Tokens of a job or a workload: its own system says who it is, and a trust of the platform believes that system (RFC 8693). Nothing
//! is stored anywhere.

use std::path::{Path, PathBuf};

use api::secret::SecretText;
use serde::Deserialize;
use uuid::Uuid;

use super::{Fetching, TokenSource};
use crate::config::Config;
use crate::error::Error;
use crate::oauth::{Form, Http, Provider};

/// Where a job's own system says who it is.
pub enum JobToken {
    /// In a text, as GitLab's `id_tokens` puts it into the environment.
    Text(SecretText),
    /// In a file that is written anew before it ends, as Kubernetes does with a projected token.
    File(PathBuf),
    /// At GitHub, or what speaks like it.
    Github {
        /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
        url: String,
        /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
        bearer: SecretText,
    },
    /// At Azure DevOps.
    AzureDevops {
        /// `SYSTEM_OIDCREQUESTURI`.
        url: String,
        /// `SYSTEM_ACCESSTOKEN`.
        bearer: SecretText,
        /// The id of the service connection that the token is to name.
        connection: String,
    },
}

/// The tokens of a job that a trust believes.
pub struct WorkloadTrust {
    provider: Provider,
    /// For the job's own system, which has nothing to do with the platform's authorities.
    outside: Http,
    trust: Uuid,
    job: JobToken,
    audience: Option<String>,
    scope: Option<String>,
}

/// Where a projected token is when nothing says otherwise.
pub const PROJECTED_TOKEN: &str = "/var/run/secrets/qapi/token";
/// The longest token of another system.
const TOKEN_MAX_BYTES: u64 = 16 * 1024;

#[derive(Deserialize)]
struct GithubAnswer {
    value: SecretText,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureAnswer {
    oidc_token: SecretText,
}

impl JobToken {
    /// A token that is there already.
    pub fn text(text: &str) -> Self {
        Self::Text(SecretText::copy_from(text))
    }

    /// Looks where each system puts it: `QAPI_OIDC_TOKEN`, `QAPI_OIDC_TOKEN_FILE`, GitHub's variables, Azure DevOps's, and the file of a
    /// projected token. None when this is no job.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let secret = |name: &str| variable(name).map(SecretText::new);
        if let Some(text) = secret("QAPI_OIDC_TOKEN") {
            return Some(Self::Text(text));
        }
        if let Some(path) = variable("QAPI_OIDC_TOKEN_FILE") {
            return Some(Self::File(path.into()));
        }
        if let (Some(url), Some(bearer)) =
            (variable("ACTIONS_ID_TOKEN_REQUEST_URL"), secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
        {
            return Some(Self::Github { url, bearer });
        }
        let connection =
            variable("QAPI_SERVICE_CONNECTION_ID").or_else(|| variable("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"));
        if let (Some(url), Some(bearer), Some(connection)) =
            (variable("SYSTEM_OIDCREQUESTURI"), secret("SYSTEM_ACCESSTOKEN"), connection)
        {
            return Some(Self::AzureDevops { url, bearer, connection });
        }
        Path::new(PROJECTED_TOKEN).exists().then(|| Self::File(PROJECTED_TOKEN.into()))
    }

    /// Whether the system is asked for a token to an audience of ours.
    fn names_audience(&self) -> bool {
        matches!(self, Self::Github { .. })
    }

    async fn read(&self, http: &Http, audience: &str) -> Result<SecretText, Error> {
        let token = match self {
            Self::Text(text) => SecretText::copy_from(text.expose()),
            Self::File(path) => read_file(path).await?,
            Self::Github { url, bearer } => {
                let mark = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{mark}audience={}", api::routes::encode_query_value(audience));
                let answer: GithubAnswer = http.get(&url, Some(&format!("Bearer {}", bearer.expose()))).await?;
                answer.value
            }
            Self::AzureDevops { url, bearer, connection } => {
                let connection = api::routes::encode_query_value(connection);
                let mark = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{mark}api-version=7.1&serviceConnectionId={connection}");
                let answer: AzureAnswer = http.post_nothing(&url, &format!("Bearer {}", bearer.expose())).await?;
                answer.oidc_token
            }
        };
        match token.expose().trim() {
            "" => Err(Error::Credential("the job's own token is empty".to_owned())),
            text => Ok(SecretText::copy_from(text)),
        }
    }
}

async fn read_file(path: &Path) -> Result<SecretText, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::Credential(format!("reading the job's own token in {}: {error}", path.display()))
    };
    let metadata = tokio::fs::metadata(path).await.map_err(|error| failed(&error))?;
    if metadata.len() > TOKEN_MAX_BYTES {
        return Err(failed(&"it is too long"));
    }
    tokio::fs::read_to_string(path).await.map(SecretText::new).map_err(|error| failed(&error))
}

impl WorkloadTrust {
    /// A job that this trust believes. `outside` says how the job's own system is reached: the platform's authorities are not its.
    pub fn new(provider: Provider, outside: &Config, trust: Uuid, job: JobToken) -> Result<Self, Error> {
        Ok(Self { provider, outside: Http::new(outside)?, trust, job, audience: None, scope: None })
    }

    /// Whom the job's own token is to be meant for, where its system can be asked: the tenant's issuer unless told, as with
    /// trusts.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// What the tokens are to allow, with spaces between; everything that the trust gives unless told.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    async fn audience(&self) -> Result<String, Error> {
        match &self.audience {
            Some(audience) => Ok(audience.clone()),
            None if self.job.names_audience() => Ok(self.provider.metadata().await?.issuer),
            None => Ok(String::new()),
        }
    }
}

impl TokenSource for WorkloadTrust {
    fn fetch<'a>(&'a self, _: Option<&'a str>) -> Fetching<'a> {
        Box::pin(async move {
            let job = self.job.read(&self.outside, &self.audience().await?).await?;
            let mut form = Form::of(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("subject_token", job.expose()),
                ("trust_id", &self.trust.to_string()),
            ]);
            self.scope.iter().for_each(|scope| form.add("scope", scope));
            self.provider.token(&form, None).await.map(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<JobToken> {
        JobToken::find(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn each_system_puts_it_elsewhere() {
        assert!(found(&[]).is_none());
        assert!(matches!(found(&[("QAPI_OIDC_TOKEN", "a.b.c")]), Some(JobToken::Text(_))));
        assert!(matches!(found(&[("QAPI_OIDC_TOKEN_FILE", "/t")]), Some(JobToken::File(_))));
        let github = [("ACTIONS_ID_TOKEN_REQUEST_URL", "https://g"), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")];
        assert!(matches!(found(&github), Some(JobToken::Github { .. })));
        assert!(found(&github[..1]).is_none());
        let azure = [
            ("SYSTEM_OIDCREQUESTURI", "https://a"),
            ("SYSTEM_ACCESSTOKEN", "t"),
            ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "c"),
        ];
        assert!(matches!(found(&azure), Some(JobToken::AzureDevops { .. })));
        // Without the connection nobody could say whose token to ask for.
        assert!(found(&azure[..2]).is_none());
    }
}
