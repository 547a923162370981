//! The plan of the example, as Kubernetes' own client reads it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::tools::tool;
use crate::binaries::{binary, root};
use crate::program::{both, python, run, succeed};
use crate::server::Server;

/// The graph of the example.
pub fn example() -> PathBuf {
    root().join("deploy/mesh/graph.toml")
}

/// `qapi mesh plan` on the example; what is odd about it would fail.
pub fn planned(arguments: &[&str]) -> String {
    succeed(Command::new(binary("qapi")).args(["mesh", "plan", "--strict"]).arg(example()).args(arguments))
}

#[test]
fn kubectl_reads_the_manifests_as_they_were_meant() {
    let folder = tempfile::tempdir().unwrap();
    let ca = root().join("tests/vectors/lamps-mldsa/ML-DSA-65.crt");
    let ca = ["--ca", ca.to_str().unwrap()];
    let meant: Value = serde_json::from_str(&planned(&[&ca[..], &["--output", "json"]].concat())).unwrap();
    let objects = ["networkPolicies", "configMaps"].into_iter().flat_map(|kind| meant[kind].as_array().unwrap());
    let manifests = folder.path().join("manifests.yaml");
    std::fs::write(&manifests, planned(&ca)).unwrap();
    let mut kubectl = tool("kubectl");
    kubectl.args(["label", "--local", "--output", "json", "--filename"]).arg(&manifests).arg("read=yes");
    let printed = succeed(kubectl.env("KUBECONFIG", "/dev/null"));
    let mut read: Vec<Value> = serde_json::Deserializer::from_str(&printed).into_iter().map(Result::unwrap).collect();
    for object in &mut read {
        object["metadata"]["labels"].as_object_mut().unwrap().remove("read").expect("kubectl has read it");
    }
    assert_eq!(read, objects.cloned().collect::<Vec<_>>());
    assert_eq!(read.len(), 4 + 5 + 4, "denials, services, authorities");
}

#[test]
fn the_manifests_hold_to_the_schemas_of_kubernetes_and_to_nothing_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_dev();
    let mut plan = Command::new(binary("qapi"));
    plan.args(["mesh", "plan", "--strict", "--ca", "platform"]).arg(example());
    let manifests = succeed(plan.env("QUANTUMAPI_BASE_URL", server.base_url()));
    let anchor = server.client().anonymous().get("/api/v1/ca/certificate").expect(200).text();
    let second = anchor.lines().nth(1).expect("a line of the anchor").to_owned();
    assert_eq!(manifests.matches(&second).count(), 4, "the platform's anchor stands in every namespace's ConfigMap");
    let judged = |text: &str| {
        let path = folder.path().join("manifests.yaml");
        std::fs::write(&path, text).unwrap();
        let validate = python("requirements-kubernetes.txt").with_file_name("kubernetes-validate");
        run(Command::new(validate).args(["--strict", "--kubernetes-version", "1.37"]).arg(path))
    };
    let accepted = judged(&manifests);
    assert!(accepted.status.success(), "{}", both(&accepted));
    assert_eq!(both(&accepted).matches("passed").count(), 4 + 5 + 4, "{}", both(&accepted));
    // The judge looks at all of it: a word that Kubernetes does not know, in either kind.
    for (word, wrong) in
        [("policyTypes:", "policyType:"), ("podSelector:", "podSelectors:"), ("  ca.crt:", "  a: {}\n  ca.crt:")]
    {
        assert!(manifests.contains(word), "{word} is not in the plan");
        assert!(!judged(&manifests.replacen(word, wrong, 1)).status.success(), "{wrong} is accepted");
    }
    let other = folder.path().join("graph.toml");
    let graph = std::fs::read_to_string(example()).unwrap().replace("\"qapi.internal\"", "\"elsewhere.internal\"");
    std::fs::write(&other, graph).unwrap();
    let mut plan = Command::new(binary("qapi"));
    plan.args(["mesh", "plan", "--ca", "platform"]).arg(other);
    let refused = run(plan.env("QUANTUMAPI_BASE_URL", server.base_url()));
    assert_eq!(refused.status.code(), Some(2), "{}", both(&refused));
    assert!(both(&refused).contains("the platform's trust domain is qapi.internal"), "{}", both(&refused));
}

#[test]
fn the_agent_takes_the_sections_that_the_plan_has_for_it() {
    let folder = tempfile::tempdir().unwrap();
    planned(&["--out", folder.path().to_str().unwrap()]);
    let config = folder.path().join("agent-users-api-users-api.toml");
    let sections = std::fs::read_to_string(&config).unwrap();
    assert_eq!(sections.matches("[[inbound]]").count(), 1, "{sections}");
    assert_eq!(sections.matches("[[outbound]]").count(), 2, "{sections}");
    let own =
        "[platform]\nurl = \"https://qapid.qapi.svc.cluster.local:8443\"\n[status]\nlisten = \"127.0.0.1:15020\"\n";
    std::fs::write(&config, format!("{sections}{own}")).unwrap();
    succeed(Command::new(binary("qapi-agent")).arg("--check").arg("--config").arg(&config));
}
