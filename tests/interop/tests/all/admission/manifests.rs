//! The manifests of `deploy/admission`: judged by the schemas of Kubernetes, and by what they have to say.

use std::process::Command;

use crate::binaries::root;
use crate::program::{both, python, run};

const FILES: [(&str, usize); 4] =
    [("namespace.yaml", 2), ("deployment.yaml", 3), ("network.yaml", 1), ("webhooks.yaml", 2)];

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join("deploy/admission").join(file)).unwrap()
}

fn judged(text: &str) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifests.yaml");
    std::fs::write(&path, text).unwrap();
    let validate = python("requirements-kubernetes.txt").with_file_name("kubernetes-validate");
    run(Command::new(validate).args(["--strict", "--kubernetes-version", "1.37"]).arg(path))
}

#[test]
fn the_manifests_hold_to_the_schemas_of_kubernetes() {
    for (file, objects) in FILES {
        let accepted = judged(&text(file));
        assert!(accepted.status.success(), "{file}: {}", both(&accepted));
        assert_eq!(both(&accepted).matches("passed").count(), objects, "{file}: {}", both(&accepted));
    }
    for (file, word, wrong) in [
        ("deployment.yaml", "readOnlyRootFilesystem:", "readOnlyRootFileSystem:"),
        ("webhooks.yaml", "failurePolicy: Fail", "failurePolicies: Fail"),
        ("network.yaml", "podSelector:", "podSelectors:"),
    ] {
        assert!(text(file).contains(word) && !judged(&text(file).replacen(word, wrong, 1)).status.success(), "{wrong}");
    }
}

#[test]
fn the_webhooks_fail_closed_and_never_ask_about_what_they_need_themselves() {
    let webhooks = text("webhooks.yaml");
    assert_eq!(webhooks.matches("failurePolicy: Fail").count(), 2);
    assert_eq!(webhooks.matches("sideEffects: None").count(), 2);
    assert_eq!(webhooks.matches("values: [kube-system, qapi-admission, qapi]").count(), 2);
    assert!(!webhooks.contains("\"*\"") && !webhooks.contains("'*'") && !webhooks.contains("DELETE"));
    for word in ["automountServiceAccountToken: false", "runAsNonRoot: true", "drop: [ALL]", "replicas: 3", "@sha256:"]
    {
        assert!(text("deployment.yaml").contains(word), "{word}");
    }
}
