//! The plan as Kubernetes objects.

use serde_json::{Map, Value, json};

use super::graph::{Graph, Labels};
use super::policy::{Peer, Policy, Port, Protocol, Rule};

/// The label that says an object is of a plan.
pub const PLANNED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "qapi-mesh");

/// The label every namespace has, with its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The ConfigMap with the authorities, and its key.
const AUTHORITIES: (&str, &str) = ("qapi-ca", "ca.crt");

/// A policy as a `networking.k8s.io/v1` object.
pub fn network_policy(policy: &Policy) -> Value {
    let mut spec = json!({
        "podSelector": selector(&policy.pods),
        "policyTypes": ["Ingress", "Egress"],
    });
    for (name, side, rules) in [("ingress", "from", &policy.ingress), ("egress", "to", &policy.egress)] {
        if !rules.is_empty() {
            spec[name] = rules.iter().map(|rule| rule_object(side, rule)).collect();
        }
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(&policy.name, &policy.namespace),
        "spec": spec,
    })
}

/// The authorities as a ConfigMap in every namespace of the graph.
pub fn authorities(graph: &Graph, pem: &str) -> Vec<Value> {
    let (name, key) = AUTHORITIES;
    let config_map = |namespace| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(name, namespace),
            "data": { key: pem },
        })
    };
    graph.namespaces().into_iter().map(config_map).collect()
}

fn metadata(name: &str, namespace: &str) -> Value {
    let (label, value) = PLANNED_BY;
    json!({ "name": name, "namespace": namespace, "labels": { label: value } })
}

fn rule_object(side: &str, rule: &Rule) -> Value {
    let peer = match &rule.peer {
        Peer::Pods { namespace, labels } => json!({
            "namespaceSelector": { "matchLabels": { NAMESPACE_NAME: namespace } },
            "podSelector": selector(labels),
        }),
        Peer::Net(net) => json!({ "ipBlock": { "cidr": net.trunc().to_string() } }),
    };
    json!({ side: [peer], "ports": rule.ports.iter().map(port_object).collect::<Vec<_>>() })
}

fn port_object(port: &Port) -> Value {
    let protocol = match port.protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    json!({ "protocol": protocol, "port": port.number })
}

/// No labels select every pod.
fn selector(labels: &Labels) -> Value {
    if labels.is_empty() {
        return Value::Object(Map::new());
    }
    json!({ "matchLabels": labels })
}
