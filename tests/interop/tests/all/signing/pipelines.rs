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

/// What the gate reads: who is believed, and the images of the environment.
fn gate<'v>(bench: &Bench, image: &str) -> [(&'static str, &'v str); 3] {
    let host = &bench.place.host;
    let policy = format!(
        "version: 1\nkeys:\n  - {{name: classical, purpose: signature, publicKeyFile: release.ECDSA-P256.pub}}\n  \
         - {{name: post-quantum, purpose: signature, publicKeyFile: release.ML-DSA-65.pub}}\n\
         registries:\n  - {{name: '{host}', dangerPlainHttp: true}}\n\
         images:\n  - {{name: ours, match: ['{host}/**']}}\nenvironments:\n  - name: production\n"
    );
    std::fs::write(bench.folder().join("policy.yaml"), policy).unwrap();
    std::fs::write(bench.folder().join("versions.yaml"), format!("users-api: {image}\n")).unwrap();
    [("VERSIONS", "versions.yaml"), ("POLICY", "policy.yaml"), ("ENVIRONMENT", "production")]
}

#[test]
fn a_pipeline_signs_attests_and_deploys_what_it_verified() {
    let bench = Bench::start();
    let (sign, attest) = (bench.keys("release", "signature"), bench.keys("attest", "attestation"));
    let image = bench.image("users-api", "v1", "1");
    let keys = [("IMAGE", image.as_str()), ("SIGN_KEY", sign.as_str()), ("ATTEST_KEY", attest.as_str())];
    let verify = gate(&bench, &image);
    let images = || std::fs::read_to_string(bench.folder().join("images.txt")).unwrap();
    // What is not signed is not deployed.
    ended(2, &step(&bench, "verify.sh", &[], &verify));
    assert_eq!(images(), "");
    let said = ended(0, &step(&bench, "sign.sh", &[], &keys));
    let by_digest = said.lines().last().unwrap();
    assert!(by_digest.contains("@sha256:"), "{said}");
    ended(0, &step(&bench, "verify.sh", &[], &verify));
    assert_eq!(images(), format!("{by_digest} users-api\n"));
    let locked = std::fs::read_to_string(bench.folder().join("versions.yaml")).unwrap();
    assert!(locked.contains(by_digest.split_once('@').unwrap().1), "{locked}");
    bench.ends(0, &["image", "verify-attestation", &image, "--type", "cyclonedx", "--key", &attest]);
    // An image that took the place of the signed one.
    bench.image("users-api", "v1", "malicious");
    let verify = gate(&bench, &image);
    ended(2, &step(&bench, "verify.sh", &[], &verify));
    assert_eq!(images(), "");
    // Nothing stands in for what the gate needs to know, and nothing of an older run is left to deploy.
    for missing in 0..verify.len() {
        let some: Vec<_> = verify.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, one)| *one).collect();
        assert!(!step(&bench, "verify.sh", &[], &some).status.success(), "without {:?}", verify[missing]);
    }
    std::fs::write(bench.folder().join("images.txt"), "an older one\n").unwrap();
    ended(4, &step(&bench, "verify.sh", &[], &[("VERSIONS", "none.yaml"), verify[1], verify[2]]));
    assert!(!bench.folder().join("images.txt").exists());
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
    ended(2, &step(&bench, "verify.sh", &[], &gate(&bench, &other)));
}

#[test]
fn a_build_that_may_not_sign_stays_green_and_is_not_deployed() {
    let bench = Bench::start();
    let (sign, attest) = (bench.keys("release", "signature"), bench.keys("attest", "attestation"));
    let image = bench.image("users-api", "v1", "1");
    let unset = ("QUANTUMAPI_KEY", "");
    let trust = ("QAPI_TRUST_ID", "6fa459ea-ee8a-4ca4-894e-db77e160355e");
    for (key, variables, why) in [
        ("env://COSIGN_PRIVATE_KEY", &[][..], "COSIGN_PRIVATE_KEY is not set"),
        (sign.as_str(), &[unset], "QUANTUMAPI_KEY is not set"),
        // A fork: its trust stands in the pipeline, and its system gives it no token.
        (sign.as_str(), &[unset, trust], "this job has no token of its own system"),
        ("qapi://release-ml-dsa-65", &[unset, trust], "this job has no token of its own system"),
    ] {
        let keys = [("IMAGE", image.as_str()), ("SIGN_KEY", key), ("ATTEST_KEY", attest.as_str())];
        let output = step(&bench, "sign.sh", &[], &[&keys[..], variables].concat());
        let said = ended(0, &output);
        assert!(said.contains("warning: no signing key at hand") && said.contains(why), "{said}");
    }
    // A verification never skips: neither here nor where its key lies in the vault.
    ended(2, &step(&bench, "verify.sh", &[], &[&gate(&bench, &image)[..], &[unset, trust]].concat()));
    let mut verify = bench.qapi(&["image", "verify", &image, "--key", "qapi://release"]);
    ended(4, &run(verify.env_remove("QUANTUMAPI_KEY").env(trust.0, trust.1)));
    let mut required = bench.qapi(&["image", "sign", &image, "--key", &sign, "--require-key"]);
    ended(2, &run(required.env_remove("QUANTUMAPI_KEY").env(trust.0, trust.1)));
}

#[test]
fn a_program_is_signed_on_at_the_registry_and_the_password_is_on_no_disk() {
    let password = r#"pass"word\$1"#;
    let bench = Bench::start_signed_on(&format!("ci:{password}"));
    let made = bench.json(&["secrets", "create", "registry/password", password]);
    let id = made["id"].as_str().unwrap();
    std::fs::create_dir(bench.folder().join("tmp")).unwrap();
    std::fs::write(bench.folder().join("a.txt"), "a").unwrap();
    run(std::process::Command::new("tar").current_dir(bench.folder()).args(["cf", "a.tar", "a.txt"]));
    let host = bench.place.host.as_str();
    let image = format!("{host}/team/api:1");
    // Pushes with the program of another project, resolves with ours, and looks for the password wherever the job can write.
    let crane = tool("crane").get_program().to_string_lossy().into_owned();
    let job = format!(
        "{crane} append --insecure -f a.tar -t {image} && qapi image triangulate --type digest {image} && \
         cat $DOCKER_CONFIG/config.json && ! grep -rlF -e 'pass\"word' . && ! grep -rlF -e $(printf %s \"ci:$REGISTRY_PASSWORD\" | base64) ."
    );
    let tmp = bench.folder().join("tmp");
    let place = [("REGISTRY_HOST", host), ("REGISTRY_USERNAME", "ci"), ("TMPDIR", tmp.to_str().unwrap())];
    for secret in [("REGISTRY_SECRET", id), ("REGISTRY_PASSWORD", password)] {
        let output = step(
            &bench,
            "signed-on.sh",
            &["sh", "-ec", &job.replace('\'', r"'\''")],
            &[&place[..], &[secret]].concat(),
        );
        let said = ended(0, &output);
        assert!(said.contains("@sha256:") && said.contains(r#""job""#), "{said}");
        assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0, "what it wrote is gone");
    }
    // Without a name it comes as nobody; without its password it does not begin; and other registries do not learn it.
    let nobody = step(&bench, "signed-on.sh", &["qapi", "image", "triangulate", "--type", "digest", &image], &[]);
    assert!(!nobody.status.success(), "{}", both(&nobody));
    let refused = step(&bench, "signed-on.sh", &["echo", "began"], &place);
    assert!(!refused.status.success() && !both(&refused).contains("began"), "{}", both(&refused));
    let down =
        [("REGISTRY_SECRET", id), ("QUANTUMAPI_BASE_URL", "http://127.0.0.1:1"), ("QUANTUMAPI_MAX_RETRIES", "0")];
    let refused = step(&bench, "signed-on.sh", &["echo", "began"], &[&place[..], &down].concat());
    assert_eq!((refused.status.code(), both(&refused).contains("began")), (Some(1), false), "{}", both(&refused));
    let asked = "printf other.example | docker-credential-job get".to_owned();
    let other =
        step(&bench, "signed-on.sh", &["sh", "-c", &asked], &[&place[..], &[("REGISTRY_PASSWORD", password)]].concat());
    let said = ended(1, &other);
    assert!(said.contains("credentials not found") && !said.contains("pass"), "{said}");
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
