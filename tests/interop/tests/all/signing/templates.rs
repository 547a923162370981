//! The templates of `deploy/pipelines` as whole pipelines: each job's scripts as they stand in the file, in their order, against
//! a registry, a platform and a release on loopback. Docker, which needs a daemon, is stood in for by crane, and kubectl by a
//! list of what it was told.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use super::bench::Bench;
use super::install::{Releases, publish};
use crate::binaries::root;
use crate::program::{both, python, run, succeed};
use crate::registries::place::tool;

const YAML: &str = "import json, sys, ruamel.yaml
print(json.dumps(ruamel.yaml.YAML(typ='safe', pure=True).load(open(sys.argv[1]))))";

/// One script of a job, and the variables it is given.
struct Script {
    text: String,
    variables: Vec<(String, String)>,
}

/// The scripts of a template in their order, whichever system it is for.
fn scripts(file: &str, template: &Value) -> Vec<Script> {
    let (mut found, global) = (Vec::new(), variables(&template["env"]));
    match file {
        "azure-pipelines.yml" => {
            let global: Vec<_> = template["variables"].as_array().unwrap().iter().map(named).collect();
            collect(template, "script", &global, &mut found);
            // Its macros are replaced before the shell sees them.
            for script in &mut found {
                for (name, value) in &global {
                    let macros = format!("$({name})");
                    script.text = script.text.replace(&macros, value);
                    script.variables.iter_mut().for_each(|(_, kept)| *kept = kept.replace(&macros, value));
                }
            }
        }
        "github-actions.yml" => {
            for job in ["build", "image", "deploy"] {
                collect(&template["jobs"][job], "run", &global, &mut found);
            }
        }
        _ => {
            let global = variables(&template["variables"]);
            let before = &template[".qapi"]["before_script"];
            for job in ["build", "package", "sign", "deploy"].map(|job| &template[job]) {
                let lines = before.as_array().unwrap().iter().chain(job["script"].as_array().unwrap());
                let text: Vec<_> = lines.map(|line| line.as_str().unwrap()).collect();
                let variables = [global.clone(), variables(&job["variables"])].concat();
                found.push(Script { text: text.join("\n"), variables });
            }
        }
    }
    found
}

/// Every script under a name, wherever it stands.
fn collect(value: &Value, name: &str, given: &[(String, String)], found: &mut Vec<Script>) {
    if let Some(text) = value[name].as_str() {
        found.push(Script { text: text.to_owned(), variables: [given.to_vec(), variables(&value["env"])].concat() });
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, given, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, name, given, found)),
        _ => {}
    }
}

fn variables(value: &Value) -> Vec<(String, String)> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn named(variable: &Value) -> (String, String) {
    (variable["name"].as_str().unwrap().to_owned(), variable["value"].as_str().unwrap().to_owned())
}

/// The folder of a job: the repository with the steps, and programs that stand in for those that need a machine of their own.
fn checkout(bench: &Bench) {
    let folder = bench.folder();
    std::fs::create_dir_all(folder.join("deploy")).unwrap();
    succeed(Command::new("cp").arg("-r").arg(root().join("deploy/pipelines")).arg(folder.join("deploy")));
    std::fs::create_dir(folder.join("stand-ins")).unwrap();
    let crane = tool("crane").get_program().to_string_lossy().into_owned();
    let docker = format!(
        "case $1 in build) echo built >>steps; echo content >content.txt; tar cf content.tar content.txt;;\n\
         push) echo pushed >>steps; {crane} append --insecure -f content.tar -t \"$2\";; *) exit 64;; esac"
    );
    for (name, text) in [
        ("docker", docker.as_str()),
        ("make", "[ -n \"${DB_CONNECTION:-}${ConnectionStrings__DefaultConnection:-}\" ]; echo tested >>steps"),
        ("trivy", "echo scanned >>steps"),
        ("kubectl", "echo deployed >>steps; echo \"$*\" >>kubectl.txt"),
    ] {
        let path = folder.join("stand-ins").join(name);
        std::fs::write(&path, format!("#!/bin/sh\nset -eu\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

struct Pipeline {
    bench: Bench,
    scripts: Vec<Script>,
    _releases: Releases,
}

impl Pipeline {
    /// A template whose examples are replaced by what is on loopback.
    fn new(file: &str) -> Self {
        let bench = Bench::start_signed_on("ci:registry-password");
        let releases = publish();
        checkout(&bench);
        let secret = |name: &str, value: &str| {
            bench.json(&["secrets", "create", name, value])["id"].as_str().unwrap().to_owned()
        };
        let (database, registry) =
            (secret("users-api/db", "Server=db"), secret("registry/password", "registry-password"));
        let text = std::fs::read_to_string(root().join("deploy/pipelines").join(file)).unwrap();
        let text = [
            ("https://releases.example/qapi", releases.address.as_str()),
            ("https://vault.example", bench.server.base_url()),
            ("7c3a1f9d-4e2b-8a6c-0f5d-3b9e1c7a4f2d", &database),
            ("9d1e5b7a-3c42-4f0e-8b6d-2a7c9e4f1b30", &registry),
            (&"0".repeat(64), &releases.sum),
            ("registry.example", &bench.place.host),
            ("$(Build.BuildId)", "7"),
            ("${{ github.sha }}", "7"),
            ("${{ vars.QAPI_GATE_TICKET }}", ""),
            ("$CI_REGISTRY_IMAGE:$CI_COMMIT_SHA", &format!("{}/users-api:7", bench.place.host)),
            ("$CI_REGISTRY_USER", "ci"),
            ("$CI_REGISTRY_PASSWORD", "registry-password"),
            ("$CI_REGISTRY", &bench.place.host),
        ]
        .iter()
        .fold(text, |text, (example, real)| text.replace(example, real));
        let path = bench.folder().join(file);
        std::fs::write(&path, text).unwrap();
        let json = succeed(Command::new(python("requirements-pipelines.txt")).args(["-c", YAML]).arg(path));
        let scripts = scripts(file, &serde_json::from_str(&json).unwrap());
        Self { bench, scripts, _releases: releases }
    }

    /// What the repository has of keys and policies.
    fn trust(&self) {
        let host = &self.bench.place.host;
        let policy = format!(
            "version: 1\nkeys:\n  - {{name: classical, purpose: signature, publicKeyFile: release.ECDSA-P256.pub}}\n  \
             - {{name: post-quantum, purpose: signature, publicKeyFile: release.ML-DSA-65.pub}}\n\
             registries:\n  - {{name: '{host}', dangerPlainHttp: true}}\n\
             images:\n  - {{name: ours, match: ['{host}/**']}}\nenvironments:\n  - name: production\n"
        );
        let security = self.bench.folder().join("security");
        std::fs::create_dir_all(&security).unwrap();
        std::fs::write(security.join("policy.yaml"), policy).unwrap();
        let make =
            "cd security && qapi keys create-signing release && qapi keys create-signing attest --purpose attestation";
        succeed(&mut self.bench.shell(make));
    }

    /// Runs the scripts until one fails: whether all did well, and what they said.
    fn run(&self, more: &[(&str, &str)]) -> (bool, String) {
        let folder = self.bench.folder();
        let mut said = String::new();
        for script in &self.scripts {
            let mut shell = self.bench.shell(&script.text);
            let path = format!(
                "{}:{}:{}",
                folder.join("stand-ins").display(),
                folder.join("bin").display(),
                std::env::var("PATH").unwrap()
            );
            let syft = tool("syft").get_program().to_owned();
            shell
                .env("PATH", path)
                .env("GITHUB_PATH", folder.join("path"))
                .env("DB_CONNECTION", "fetched")
                .env("QAPI_SYFT", syft)
                .envs(script.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
                .envs(more.iter().copied());
            let output = run(&mut shell);
            said.push_str(&both(&output));
            if !output.status.success() {
                return (false, said);
            }
        }
        (true, said)
    }

    fn steps(&self) -> String {
        std::fs::read_to_string(self.bench.folder().join("steps")).unwrap_or_default().replace('\n', " ")
    }

    fn forget_steps(&self) {
        let _gone = std::fs::remove_file(self.bench.folder().join("steps"));
    }
}

const TEMPLATES: [&str; 3] = ["azure-pipelines.yml", "github-actions.yml", "gitlab-ci.yml"];

#[test]
fn every_template_runs_from_its_installation_to_its_deploy() {
    for file in TEMPLATES {
        let pipeline = Pipeline::new(file);
        pipeline.trust();
        let (is_done, said) = pipeline.run(&[]);
        assert!(is_done, "{file}: {said}");
        assert_eq!(pipeline.steps(), "tested built scanned pushed deployed ", "{file}: {said}");
        let told = std::fs::read_to_string(pipeline.bench.folder().join("kubectl.txt")).unwrap();
        let expected =
            format!("set image deployment/users-api users-api={}/users-api@sha256:", pipeline.bench.place.host);
        assert!(told.contains(&expected), "{file}: {told}");
        assert!(said.contains("attested: "), "{file}: {said}");
        // What the gate cannot believe is not deployed, although all before it went well.
        let stranger = "cd security && sed -i s/release.ECDSA-P256.pub/attest.ECDSA-P256.pub/ policy.yaml";
        succeed(&mut pipeline.bench.shell(stranger));
        pipeline.forget_steps();
        let (is_done, said) = pipeline.run(&[]);
        assert!(!is_done, "{file}: {said}");
        assert_eq!(pipeline.steps(), "tested built scanned pushed ", "{file}: {said}");
    }
}

#[test]
fn every_template_ends_before_its_build_without_the_vault_and_before_its_deploy_without_a_signature() {
    for file in TEMPLATES {
        let pipeline = Pipeline::new(file);
        pipeline.trust();
        let (is_done, said) =
            pipeline.run(&[("QUANTUMAPI_BASE_URL", "http://127.0.0.1:1"), ("QUANTUMAPI_MAX_RETRIES", "0")]);
        assert!(!is_done, "{file}: {said}");
        assert_eq!(pipeline.steps(), "", "{file}: {said}");
        // The vault refuses to sign: the key was taken out of use.
        let ring = std::fs::read(pipeline.bench.folder().join("security/release.keys.json")).unwrap();
        let ring: Value = serde_json::from_slice(&ring).unwrap();
        let key = ring["keys"][0]["source"].as_str().unwrap().trim_start_matches("qapi://");
        pipeline.bench.ends(0, &["keys", "disable", key]);
        let (is_done, said) = pipeline.run(&[]);
        assert!(!is_done && said.contains("key_disabled"), "{file}: {said}");
        assert_eq!(pipeline.steps(), "tested built scanned pushed ", "{file}: {said}");
    }
}
