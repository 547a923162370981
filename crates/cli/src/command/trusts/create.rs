//! Making a trust, in the words of the system whose jobs it is about.

use api::trusts::{CreateTrust, Trust, TrustRule};
use clap::{Args, Subcommand};

use super::terms::{Terms, add};
use crate::failure::{Exit, Failure};
use crate::print::Printer;

/// Which system's jobs.
#[derive(Subcommand)]
pub enum CreateCommand {
    /// Jobs of GitHub Actions
    Github(GithubInputs),
    /// Jobs of GitLab CI
    Gitlab(GitlabInputs),
    /// Pipelines of Azure DevOps, by their service connection
    AzureDevops(AzureInputs),
    /// Service accounts of a Kubernetes cluster
    Kubernetes(KubernetesInputs),
    /// Whoever any OpenID Connect issuer vouches for
    Oidc(OidcInputs),
}

/// What every trust is made of.
#[derive(Args)]
struct Made {
    /// The name, as the audit trail shows it
    name: String,
    /// What a match may do: secrets:read, sign, ...; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<String>,
    #[command(flatten)]
    terms: Terms,
}

/// What `qapi trusts create github` takes.
#[derive(Args)]
pub struct GithubInputs {
    #[command(flatten)]
    made: Made,
    /// The repository, as OWNER/NAME
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<String>,
    /// Its number, which it keeps when it is renamed and nobody gets after it is deleted
    #[arg(long, value_name = "ID")]
    repository_id: Option<String>,
    /// The branch; may be repeated
    #[arg(long = "branch", value_name = "NAME")]
    branches: Vec<String>,
    /// The deployment environment; may be repeated
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<String>,
    /// The reusable workflow: OWNER/NAME/.github/workflows/FILE@REF; may be repeated
    #[arg(long = "workflow", value_name = "PATH@REF")]
    workflows: Vec<String>,
    /// The issuer of a GitHub of one's own: https://HOST/_services/token
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// What `qapi trusts create gitlab` takes.
#[derive(Args)]
pub struct GitlabInputs {
    #[command(flatten)]
    made: Made,
    /// The project, as GROUP/NAME
    #[arg(long, value_name = "GROUP/NAME")]
    project: Option<String>,
    /// Its number, which it keeps when it moves
    #[arg(long, value_name = "ID")]
    project_id: Option<String>,
    /// The branch or tag; may be repeated
    #[arg(long = "ref", value_name = "NAME")]
    refs: Vec<String>,
    /// Only protected branches and tags
    #[arg(long)]
    protected: bool,
    /// The deployment environment; may be repeated
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<String>,
    /// The issuer of a GitLab of one's own: https://HOST
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// What `qapi trusts create azure-devops` takes.
#[derive(Args)]
pub struct AzureInputs {
    #[command(flatten)]
    made: Made,
    /// The service connection, as ORGANISATION/PROJECT/NAME
    #[arg(long, value_name = "ORGANISATION/PROJECT/NAME")]
    service_connection: String,
    /// The organisation's issuer: https://vstoken.dev.azure.com/ID
    #[arg(long, value_name = "URL")]
    issuer: String,
}

/// What `qapi trusts create kubernetes` takes.
#[derive(Args)]
pub struct KubernetesInputs {
    #[command(flatten)]
    made: Made,
    /// The service account, as NAMESPACE/NAME; may be repeated
    #[arg(long = "service-account", value_name = "NAMESPACE/NAME", required = true)]
    accounts: Vec<String>,
    /// The cluster's issuer: `kubectl get --raw /.well-known/openid-configuration` says it
    #[arg(long, value_name = "URL")]
    issuer: String,
}

/// What `qapi trusts create oidc` takes.
#[derive(Args)]
pub struct OidcInputs {
    #[command(flatten)]
    made: Made,
    /// Whom its tokens are about; may be repeated
    #[arg(long = "subject", value_name = "SUB")]
    subjects: Vec<String>,
    /// The issuer
    #[arg(long, value_name = "URL")]
    issuer: String,
}

/// Makes a trust, and says what a job has to be told.
pub async fn create(command: CreateCommand, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = command.request()?;
    let made = client.create_trust(&request).await?;
    printer.body(&made, told)
}

fn told(made: &Trust) -> String {
    format!(
        "{}\nSet QAPI_TRUST_ID={} for the job, and QUANTUMAPI_BASE_URL.",
        super::described(made).trim_end(),
        made.id
    )
}

impl CreateCommand {
    /// What is sent.
    fn request(self) -> Result<CreateTrust, Failure> {
        match self {
            Self::Github(inputs) => {
                let mut claims = Claims::default();
                claims.all("repository", inputs.repository);
                claims.all("repository_id", inputs.repository_id);
                claims.all("ref", inputs.branches.iter().map(|name| format!("refs/heads/{name}")));
                claims.all("environment", inputs.environments);
                claims.all("job_workflow_ref", inputs.workflows);
                inputs.made.trust("github", inputs.issuer, claims)
            }
            Self::Gitlab(inputs) => {
                let mut claims = Claims::default();
                claims.all("project_path", inputs.project);
                claims.all("project_id", inputs.project_id);
                claims.all("ref", inputs.refs);
                claims.all("ref_protected", inputs.protected.then(|| "true".to_owned()));
                claims.all("environment", inputs.environments);
                inputs.made.trust("gitlab", inputs.issuer, claims)
            }
            Self::AzureDevops(inputs) => {
                let mut claims = Claims::default();
                claims.all("sub", Some(format!("sc://{}", inputs.service_connection)));
                inputs.made.trust("azure-devops", Some(inputs.issuer), claims)
            }
            Self::Kubernetes(inputs) => {
                let mut claims = Claims::default();
                for account in &inputs.accounts {
                    let (namespace, name) = account.split_once('/').ok_or_else(|| {
                        Failure::unusable(format!("{account} is no service account"), "NAMESPACE/NAME")
                    })?;
                    claims.all("sub", Some(format!("system:serviceaccount:{namespace}:{name}")));
                }
                inputs.made.trust("kubernetes", Some(inputs.issuer), claims)
            }
            Self::Oidc(inputs) => {
                let mut claims = Claims::default();
                claims.all("sub", inputs.subjects);
                inputs.made.trust("oidc", Some(inputs.issuer), claims)
            }
        }
    }
}

#[derive(Default)]
struct Claims(Vec<TrustRule>);

impl Claims {
    fn all(&mut self, claim: &str, values: impl IntoIterator<Item = String>) {
        values.into_iter().for_each(|value| add(&mut self.0, claim, &value));
    }
}

impl Made {
    fn trust(self, kind: &str, issuer: Option<String>, mut claims: Claims) -> Result<CreateTrust, Failure> {
        let terms = self.terms.read()?;
        for rule in terms.rules {
            claims.all(&rule.claim, rule.any_of);
        }
        Ok(CreateTrust {
            name: self.name,
            kind: kind.to_owned(),
            issuer,
            audience: terms.audience,
            jwks: terms.jwks,
            jwks_uri: terms.jwks_uri,
            rules: claims.0,
            scopes: self.scopes,
            resources: terms.resources.unwrap_or_default(),
            lifetime_seconds: terms.lifetime_seconds,
            single_use: terms.single_use,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: CreateCommand,
    }

    fn request(words: &str) -> CreateTrust {
        let words = std::iter::once("create").chain(words.split(' '));
        Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).command.request().unwrap()
    }

    fn rules(request: &CreateTrust) -> Vec<String> {
        request.rules.iter().map(|rule| format!("{}={}", rule.claim, rule.any_of.join("|"))).collect()
    }

    #[test]
    fn each_system_is_asked_in_its_own_words() {
        let github = request("github a --scope sign --repository-id 42 --branch main --branch next --environment prod");
        assert_eq!(rules(&github), ["repository_id=42", "ref=refs/heads/main|refs/heads/next", "environment=prod"]);
        assert_eq!((github.kind.as_str(), &github.issuer), ("github", &None));
        let gitlab = request("gitlab a --scope sign --project acme/shop --protected --rule user_login=bot");
        assert_eq!(rules(&gitlab), ["project_path=acme/shop", "ref_protected=true", "user_login=bot"]);
        let azure =
            request("azure-devops a --scope sign --service-connection acme/shop/qapi --issuer https://i.example");
        assert_eq!(rules(&azure), ["sub=sc://acme/shop/qapi"]);
        let cluster = request(
            "kubernetes a --scope secrets:read,decrypt --service-account shop/api --service-account shop/web --issuer https://i.example",
        );
        assert_eq!(rules(&cluster), ["sub=system:serviceaccount:shop:api|system:serviceaccount:shop:web"]);
        assert_eq!(cluster.scopes, ["secrets:read", "decrypt"]);
        let any = request("oidc a --scope sign --issuer https://i.example --subject x --rule groups=deployers");
        assert_eq!(rules(&any), ["sub=x", "groups=deployers"]);
    }
}
