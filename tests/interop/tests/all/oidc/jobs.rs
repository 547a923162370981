//! Jobs of pipelines and workloads that use the command line with nothing stored: their own system says who they are.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sdk::oauth::Provider as OAuth;
use sdk::tokens::{JobToken, Tokens, WorkloadTrust};
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::provider::{Provider, events};
use crate::binaries::binary;
use crate::client::Client;
use crate::program::both;

/// What a job shows its own system for a token.
const RUNNER: &str = "a-token-of-the-runner";

struct Bed {
    provider: Provider,
    issuer: Arc<Issuer>,
    home: tempfile::TempDir,
    elsewhere: tempfile::TempDir,
}

impl Bed {
    fn start() -> Self {
        let bed = Self {
            provider: Provider::start(),
            issuer: Arc::new(Issuer::start()),
            home: tempfile::tempdir().unwrap(),
            elsewhere: tempfile::tempdir().unwrap(),
        };
        bed.provider.admin().post("/api/v1/secrets", &json!({"name": "shop/db", "value": "v1"})).expect(201);
        bed
    }

    fn trust(&self, kind: &str, rules: &Value, more: &Value) -> String {
        self.trust_of(&self.provider.admin(), kind, rules, more)
    }

    fn trust_of(&self, admin: &Client, kind: &str, rules: &Value, more: &Value) -> String {
        let mut body = json!({
            "name": kind, "kind": kind, "issuer": self.issuer.url, "rules": rules,
            "scopes": ["secrets:read"], "resources": ["secrets:shop/*"],
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        admin.post("/api/v1/trusts", &body).expect(201).text_of("id")
    }

    /// The platform, as tokens of other systems are meant for it.
    fn platform(&self) -> &str {
        self.provider.server.base_url()
    }

    fn qapi(&self, variables: &[(&str, String)], arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("qapi"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("QUANTUMAPI_BASE_URL", self.platform());
        command.env("PATH", std::env::var("PATH").unwrap());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.output().expect("qapi runs")
    }

    #[track_caller]
    fn says(&self, variables: &[(&str, String)], arguments: &[&str]) -> String {
        let output = self.qapi(variables, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", both(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// One line that says what to do, and nothing else.
    #[track_caller]
    fn fails(&self, variables: &[(&str, String)], arguments: &[&str], status: i32, said: &str) {
        let output = self.qapi(variables, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0), "{}", both(&output));
        assert!(stderr.contains(said) && stderr.contains("; try ") && stderr.lines().count() == 1, "{stderr}");
    }
}

/// The part of GitHub's and Azure DevOps's systems that gives a job its token. Answers with the address.
fn system(issuer: &Arc<Issuer>, claims: Value) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (issuer, asked) = (Arc::clone(issuer), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            answer(stream, &issuer, &claims);
        }
    });
    (url, asked)
}

fn answer(mut stream: TcpStream, issuer: &Issuer, claims: &Value) {
    let mut request = [0; 16_384];
    let length = stream.read(&mut request).unwrap_or_default();
    let text = String::from_utf8_lossy(&request[..length]).into_owned();
    let is_runner = text.to_lowercase().contains(&format!("authorization: bearer {RUNNER}"));
    let line = text.lines().next().unwrap_or_default();
    let body = match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["GET", path, _] if is_runner && path.starts_with("/actions?run=1&audience=") => {
            let audience = path.rsplit('=').next().unwrap_or_default().replace("%3A", ":").replace("%2F", "/");
            json!({ "value": issuer.token(&audience, claims), "count": 1 })
        }
        ["POST", path, _] if is_runner && *path == "/oidc?api-version=7.1&serviceConnectionId=connection-1" => {
            json!({ "oidcToken": issuer.token("api://AzureADTokenExchange", claims) })
        }
        _ => json!({ "message": "no" }),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes());
}

fn github() -> Value {
    json!({
        "sub": "repo:acme/shop:environment:production", "repository": "acme/shop", "repository_id": "42", "ref": "refs/heads/main",
        "environment": "production", "job_workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
    })
}

/// The variables that a job has.
type Variables = Vec<(&'static str, String)>;

/// Every system's job: its kind, the rule that pins it, and the variables it has.
fn jobs(bed: &Bed) -> Vec<(&'static str, Value, Variables)> {
    let (actions, _) = system(&bed.issuer, github());
    let (devops, _) = system(&bed.issuer, json!({ "sub": "sc://acme/shop/qapi" }));
    let gitlab = json!({"sub": "project_path:acme/shop:ref_type:branch:ref:main", "project_id": "9", "project_path": "acme/shop"});
    let account = "system:serviceaccount:shop:api";
    let projected = bed.elsewhere.path().join("token");
    let cluster = json!({"sub": account, "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "api", "uid": "u-1"}}});
    std::fs::write(&projected, bed.issuer.token(bed.platform(), &cluster)).unwrap();
    vec![
        (
            "github",
            json!([{"claim": "repository_id", "anyOf": ["42"]}]),
            vec![
                ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{actions}/actions?run=1")),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", RUNNER.to_owned()),
            ],
        ),
        (
            "azure-devops",
            json!([{"claim": "sub", "anyOf": ["sc://acme/shop/qapi"]}]),
            vec![
                ("SYSTEM_OIDCREQUESTURI", format!("{devops}/oidc")),
                ("SYSTEM_ACCESSTOKEN", RUNNER.to_owned()),
                ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "connection-1".to_owned()),
            ],
        ),
        (
            "gitlab",
            json!([{"claim": "project_id", "anyOf": ["9"]}]),
            vec![("QAPI_OIDC_TOKEN", bed.issuer.token(bed.platform(), &gitlab))],
        ),
        (
            "kubernetes",
            json!([{"claim": "sub", "anyOf": [account]}]),
            vec![("QAPI_OIDC_TOKEN_FILE", projected.display().to_string())],
        ),
        (
            "oidc",
            json!([{"claim": "groups", "anyOf": ["deployers"]}]),
            vec![("QAPI_OIDC_TOKEN", bed.issuer.token(bed.platform(), &json!({"sub": "x", "groups": ["deployers"]})))],
        ),
    ]
}

#[test]
fn a_job_of_every_system_reads_a_secret_with_nothing_stored() {
    let bed = Bed::start();
    for (kind, rules, mut variables) in jobs(&bed) {
        let trust = bed.trust(kind, &rules, &json!({}));
        variables.push(("QAPI_TRUST_ID", trust.clone()));
        assert_eq!(bed.says(&variables, &["vault", "get", "shop/db"]), "v1", "{kind}");
        let known: Value = serde_json::from_str(&bed.says(&variables, &["whoami", "-o", "json"])).unwrap();
        assert_eq!(
            (&known["kind"], &known["trust"], &known["upstreamAlgorithm"]),
            (&json!("job"), &json!(trust), &json!("ES256"))
        );
        let said = bed.says(&variables, &["whoami"]);
        assert!(said.contains("a job that a trust believes") && said.contains("secrets:read"), "{said}");
        bed.fails(&variables, &["secrets", "create", "shop/x", "1"], 1, "(insufficient_scope)");
        bed.fails(&variables, &["vault", "get", "other"], 1, "(not_found)");
    }
    assert_eq!(files(bed.home.path()), Vec::<PathBuf>::new(), "a job left something behind");
    let is_job = |event: &Value| {
        event["actorType"] == "federated" && event["actor"].as_str().unwrap_or_default().contains("(ES256)")
    };
    events(&bed.provider, "action=SecretRead", |items| {
        items.as_array().is_some_and(|items| items.iter().filter(|event| is_job(event)).count() >= 5)
    });
}

#[test]
fn a_github_job_of_another_tenant_is_believed_with_nothing_but_its_name() {
    let bed = Bed::start();
    let acme = bed.provider.server.tenant("acme");
    acme.post("/api/v1/secrets", &json!({"name": "shop/db", "value": "theirs"})).expect(201);
    let rules = json!([{"claim": "repository_id", "anyOf": ["42"]}]);
    let trust = bed.trust_of(&acme, "github", &rules, &json!({}));
    let (actions, _) = system(&bed.issuer, github());
    let variables = [
        ("QAPI_TENANT", "acme".to_owned()),
        ("QAPI_TRUST_ID", trust),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{actions}/actions?run=1")),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", RUNNER.to_owned()),
    ];
    assert_eq!(bed.says(&variables, &["vault", "get", "shop/db"]), "theirs");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_job_that_is_not_believed_is_told_what_to_do() {
    let bed = Bed::start();
    let trust = bed.trust("oidc", &json!([{"claim": "sub", "anyOf": ["deployer"]}]), &json!({}));
    let job = |sub: &str| ("QAPI_OIDC_TOKEN", bed.issuer.token(bed.platform(), &json!({ "sub": sub })));
    let named = ("QAPI_TRUST_ID", trust);
    let get = ["vault", "get", "shop/db"];
    bed.fails(&[named.clone(), job("somebody")], &get, 1, "(invalid_grant); try `qapi login`, or `qapi trusts test`");
    bed.fails(
        std::slice::from_ref(&named),
        &get,
        2,
        "this job has no token of its own system; try the permission `id-token: write`",
    );
    bed.fails(&[("QAPI_TRUST_ID", "shop".to_owned()), job("deployer")], &get, 2, "no id of a trust");
    let missing = ("QAPI_OIDC_TOKEN_FILE", bed.elsewhere.path().join("missing").display().to_string());
    bed.fails(&[named.clone(), missing], &get, 1, "reading the job's own token");
    let network = [
        named.clone(),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://runner.example/actions".to_owned()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", RUNNER.to_owned()),
    ];
    bed.fails(&network, &get, 2, "a token would be shown to the network");
    let (url, asked) = system(&bed.issuer, github());
    let refused = [
        named.clone(),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{url}/actions?run=1")),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another".to_owned()),
    ];
    bed.fails(&refused, &get, 1, "not one of this platform");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // A key in the environment is meant; a trust is for who has none.
    let both = [named, job("somebody"), ("QUANTUMAPI_KEY", bed.provider.server.admin_key().to_owned())];
    assert_eq!(bed.says(&both, &get), "v1");
}

#[test]
fn programs_that_a_job_runs_do_not_get_its_token() {
    let bed = Bed::start();
    let trust = bed.trust("oidc", &json!([{"claim": "sub", "anyOf": ["deployer"]}]), &json!({}));
    let token = bed.issuer.token(bed.platform(), &json!({ "sub": "deployer" }));
    let variables = [("QAPI_TRUST_ID", trust), ("QAPI_OIDC_TOKEN", token.clone())];
    let said = bed.says(&variables, &["run", "--prefix", "shop/", "--", "env"]);
    assert!(said.contains("DB=v1") && !said.contains(&token) && !said.contains("QAPI_TRUST_ID"), "{said}");
}

#[test]
fn a_long_command_goes_on_with_another_token() {
    let bed = Bed::start();
    let rules = json!([{"claim": "sub", "anyOf": ["deployer"]}]);
    let trust = bed.trust("oidc", &rules, &json!({ "lifetimeSeconds": 60 }));
    let config = || sdk::Config::new(bed.platform());
    let token = bed.issuer.token(bed.platform(), &json!({ "sub": "deployer" }));
    let job = JobToken::text(&token);
    let source = WorkloadTrust::new(OAuth::new(&config()).unwrap(), &config(), trust.parse().unwrap(), job).unwrap();
    let client = sdk::Client::new(config().with_tokens(Tokens::of(source))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let read = || runtime.block_on(client.secret_by_name("shop/db", &Default::default()));
    assert_eq!(read().unwrap().value.expose(), "v1");
    // What was given before a trust is changed dies within a second; the same job is believed by the new rules.
    let narrower = json!({ "rules": [{"claim": "sub", "anyOf": ["deployer", "another"]}] });
    bed.provider.admin().patch(&format!("/api/v1/trusts/{trust}"), &narrower).expect(200);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(read().unwrap().value.expose(), "v1");
    bed.provider.admin().patch(&format!("/api/v1/trusts/{trust}"), &json!({"isActive": false})).expect(200);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let error = read().err().expect("nobody is believed");
    assert!(matches!(&error, sdk::Error::OAuth(refusal) if refusal.code == "invalid_grant"), "{error}");
}
