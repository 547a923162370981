//! The templates of `deploy/pipelines`: valid for their systems, and their steps run against a registry and a platform.

use std::process::{Command, Output};

use super::bench::{Bench, ended};
use crate::binaries::root;
use crate::program::{both, python, run};
use crate::registries::place::tool;

#[test]
fn every_template_is_valid_for_its_system() {
    let python = python("requirements-pipelines.txt");
    for (schema, file) in [
        ("vendor.azure-pipelines", "azure-pipelines.yml"),
        ("vendor.github-workflows", "github-actions.yml"),
        ("vendor.gitlab-ci", "gitlab-ci.yml"),
    ] {
        let mut command = Command::new(&python);
        command.args(["-m", "check_jsonschema", "--regex-variant", "nonunicode", "--builtin-schema", schema]);
        if schema.ends_with("gitlab-ci") {
            command.args(["--data-transform", "gitlab-ci"]);
        }
        ended(0, &run(command.arg(root().join("deploy/pipelines").join(file))));
        let text = std::fs::read_to_string(root().join("deploy/pipelines").join(file)).unwrap();
        for step in ["install.sh -v", "steps/secrets.sh", "steps/sign.sh", "steps/verify.sh"] {
            assert!(text.contains(step), "{file} has no {step}");
        }
    }
}

/// Runs a step as a job would, with these variables.
fn step(bench: &Bench, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let script = root().join("deploy/pipelines/steps").join(name);
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let mut command = bench.shell(&format!("{} {}", script.display(), words.join(" ")));
    let syft = tool("syft").get_program().to_owned();
    run(command
        .env("QAPI_SYFT", syft)
        .env_remove("TF_BUILD")
        .env_remove("GITHUB_ACTIONS")
        .envs(variables.iter().copied()))
}

#[test]
fn a_pipeline_signs_attests_and_deploys_what_it_verified() {
    let bench = Bench::start();
    let (sign, attest) = (bench.keys("release", "signature"), bench.keys("attest", "attestation"));
    let image = bench.image("users-api", "v1", "1");
    let keys = [("IMAGE", image.as_str()), ("SIGN_KEY", sign.as_str()), ("ATTEST_KEY", attest.as_str())];
    let verify = [("IMAGE", image.as_str()), ("TRUST_KEY", sign.as_str())];
    // What is not signed is not deployed.
    ended(2, &step(&bench, "verify.sh", &[], &verify));
    let said = ended(0, &step(&bench, "sign.sh", &[], &keys));
    let signed = step(&bench, "verify.sh", &[], &verify);
    let by_digest = ended(0, &signed).lines().last().unwrap().to_owned();
    assert!(by_digest.contains("@sha256:") && said.contains(&by_digest), "{by_digest}");
    bench.ends(0, &["image", "verify-attestation", &image, "--type", "cyclonedx", "--key", &attest]);
    // An image that took the place of the signed one.
    bench.image("users-api", "v1", "malicious");
    ended(2, &step(&bench, "verify.sh", &[], &verify));
}

#[test]
fn a_pipeline_goes_on_without_a_bill_of_materials_and_not_without_a_signature() {
    let bench = Bench::start();
    let (sign, attest) = (bench.keys("release", "signature"), bench.keys("attest", "attestation"));
    let image = bench.image("users-api", "v1", "1");
    let keys = [("IMAGE", image.as_str()), ("SIGN_KEY", sign.as_str()), ("ATTEST_KEY", attest.as_str())];
    let said = ended(0, &step(&bench, "sign.sh", &[], &[&keys[..], &[("QAPI_SYFT", "no-syft")]].concat()));
    assert!(said.contains("warning: no bill of materials"), "{said}");
    bench.ends(0, &["image", "verify", &image, "--key", &sign]);
    bench.ends(2, &["image", "verify-attestation", &image, "--type", "cyclonedx", "--key", &attest]);
    // A vault that refuses, and one that is not there.
    let other = bench.image("users-api", "v2", "2");
    for wrong in [("QUANTUMAPI_KEY", "qapi_wrong"), ("QUANTUMAPI_BASE_URL", "http://127.0.0.1:1")] {
        let keys = [("IMAGE", other.as_str()), ("SIGN_KEY", sign.as_str()), wrong, ("QUANTUMAPI_MAX_RETRIES", "0")];
        ended(1, &step(&bench, "sign.sh", &[], &keys));
    }
    ended(2, &step(&bench, "verify.sh", &[], &[("IMAGE", other.as_str()), ("TRUST_KEY", sign.as_str())]));
    // A build that may not sign stays green, and is not deployed.
    let said = ended(0, &step(&bench, "sign.sh", &[], &[("IMAGE", &other), ("SIGN_KEY", "env://COSIGN_PRIVATE_KEY")]));
    assert!(said.contains("warning: no signing key at hand"), "{said}");
}

#[test]
fn secrets_are_masked_for_the_system_and_fetched_before_anything_is_built() {
    let bench = Bench::start();
    let made = bench.json(&["secrets", "create", "users-api/db", "Server=db;Password=100%\nsecond"]);
    let id = made["id"].as_str().unwrap();
    let pair = format!("DB_CONNECTION={id}");
    let azure = step(&bench, "secrets.sh", &[&pair], &[("TF_BUILD", "True")]);
    let said = ended(0, &azure);
    let expected =
        "##vso[task.setvariable variable=DB_CONNECTION;issecret=true]Server=db;Password=100%AZP25%0Asecond\n";
    assert!(said.starts_with(expected), "{said}");
    let said = ended(0, &step(&bench, "secrets.sh", &[&pair], &[("GITHUB_ACTIONS", "true")]));
    assert!(said.starts_with("::add-mask::Server=db;Password=100%\n::add-mask::second\n"), "{said}");
    let said = ended(0, &step(&bench, "secrets.sh", &[&pair], &[]));
    assert_eq!(said, "DB_CONNECTION is at hand\n", "no value where nothing masks it");
    let down = [("QUANTUMAPI_BASE_URL", "http://127.0.0.1:1"), ("QUANTUMAPI_MAX_RETRIES", "0")];
    let output = step(&bench, "secrets.sh", &[&pair], &down);
    ended(1, &output);
    assert!(!both(&output).contains("is at hand"));
}
