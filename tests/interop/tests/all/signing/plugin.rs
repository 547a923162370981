//! `sigstore-kms-qapi`: cosign signs with classical keys of the vault, whose private halves stay there.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::bench::{Bench, ended};
use crate::binaries::binary;
use crate::program::{both, run, say};
use crate::server::eventually;
use crate::sigstore;

#[test]
fn cosign_signs_and_verifies_with_a_key_of_the_vault() {
    let bench = Bench::start();
    bench.ends(0, &["keys", "generate", "release", "--algorithm", "ECDSA-P256"]);
    let public = bench.ends(0, &["keys", "get", "release", "--public-only"]);
    std::fs::write(bench.folder().join("release.pub"), public).unwrap();
    for (path, form) in [("bundle", &[][..]), ("legacy", &["--new-bundle-format=false"])] {
        let image = bench.image(path, "v1", path);
        let words = ["--key", "qapi://release", "--yes", "--tlog-upload=false", "--use-signing-config=false"];
        ended(0, &bench.cosign("cosign3", "sign", &[&words[..], form, &[&image]].concat()));
        for key in ["release.pub", "qapi://release"] {
            bench.cosign_verifies("cosign3", key, &image).unwrap();
            bench.ends(0, &["image", "verify", &image, "--key", key]);
        }
    }
    // Every signature is in the trail.
    eventually(Duration::from_secs(30), || {
        let trail = bench.ends(0, &["audit", "export"]);
        (trail.lines().filter(|line| line.contains("\"Sign\"")).count() >= 2).then_some(())
    });
}

#[test]
fn every_question_has_one_answer_and_every_wrong_one_an_error() {
    let bench = Bench::start();
    let ask = |method: Value| {
        let init = json!({"protocolVersion": "v1", "keyResourceID": "asked", "hashFunc": 5, "rpcOptions": {}});
        let mut question = method;
        question["initOptions"] = init;
        let mut command = Command::new(binary("sigstore-kms-qapi"));
        command.env("QUANTUMAPI_BASE_URL", bench.server.base_url()).env("QUANTUMAPI_KEY", bench.server.admin_key());
        let output = run(command.args(["v1", &question.to_string()]).env("HOME", bench.folder()));
        serde_json::from_slice::<Value>(&output.stdout).expect("one JSON object")
    };
    let named = |name: &str| json!({"methodName": name, name: {}});
    assert_eq!(ask(named("defaultAlgorithm"))["defaultAlgorithm"]["defaultAlgorithm"], "ecdsa-p256");
    assert!(ask(named("supportedAlgorithms"))["supportedAlgorithms"]["supportedAlgorithms"].is_array());
    let create = |algorithm: &str| ask(json!({"methodName": "createKey", "createKey": {"algorithm": algorithm}}));
    assert!(create("ecdsa-p256")["createKey"]["publicKeyPEM"].is_string());
    assert!(create("ecdsa-p256")["createKey"]["publicKeyPEM"].is_string(), "it is there already");
    assert!(create("ecdsa-p384")["errorMessage"].is_string());
    assert!(create("rsa-1024")["errorMessage"].is_string());
    let digest =
        |digest: &str, hash: u32| json!({"rpcOptions": {}, "messageOptions": {"digest": digest, "hashFunc": hash}});
    let sign = |options: Value| ask(json!({"methodName": "signMessage", "signMessage": {"signOptions": options}}));
    let (sha256, sha512) = ("A".repeat(43) + "=", "A".repeat(86) + "==");
    for (text, hash, expected) in [(&sha256, 5, true), (&sha512, 7, true), (&sha256, 7, false), (&sha256, 99, false)] {
        let answer = sign(digest(text, hash));
        assert_eq!(answer["signMessage"]["signature"].is_string(), expected, "{answer}");
    }
    let signature = sign(digest(&sha512, 7))["signMessage"]["signature"].clone();
    for (text, remote, valid) in [(&sha512, false, true), (&sha512, true, true), (&sha256, false, false)] {
        let mut options = digest(text, if text == &sha512 { 7 } else { 5 });
        options["rpcOptions"] = json!({ "remoteVerification": remote });
        let verify = json!({"signature": signature, "verifyOptions": options});
        // The digest is all zeros, so its first half is the shorter one: the last row changes a byte instead.
        let mut verify = verify;
        if !valid {
            verify["verifyOptions"]["messageOptions"]["digest"] = json!("B".to_owned() + &"A".repeat(42) + "=");
        }
        let answer = ask(json!({"methodName": "verifySignature", "verifySignature": verify}));
        assert_eq!(answer["verifySignature"].is_object(), valid, "{answer}");
    }
    assert!(ask(named("nothing"))["errorMessage"].is_string());
}

/// As their Makefile runs it, which knows nothing of whose plug-in it is.
#[test]
fn the_tests_that_sigstore_has_for_plug_ins_pass() {
    let bench = Bench::start();
    let mut suite = bench.in_folder(sigstore::tool("plugin-suite"));
    let output = run(suite.args(["-test.v", "-key-resource-id", "qapi://suite"]));
    let text = both(&output);
    assert!(output.status.success(), "{text}");
    let passed = text.lines().filter(|line| line.trim_start().starts_with("--- PASS: ")).count();
    say(&format!("plug-in suite of sigstore: {passed} tests passed"));
    for named in ["InvokePluginPreBuilt", "DefaultAlgorithm", "SupportedAlgorithms", "CreateKey", "PublicKey"] {
        assert!(text.contains(&format!("\n--- PASS: Test{named} (")), "{named}: {text}");
    }
    for named in ["message_only,_no_digest", "digest_only,_empty_message", "message_and_digest", "failure:_bad_digest"]
    {
        assert!(text.contains(&format!("--- PASS: TestSignMessageVerifySignature/{named}")), "{named}: {text}");
    }
    assert!(!text.contains("--- SKIP"), "{text}");
}
