//! The plan against what runs: the answer of `kubectl get pods,networkpolicies --all-namespaces --output json`.
//!
//! A plan is as good as its labels. Here it shows whether they select the pods they are meant for, whether those pods run as
//! who the graph says, and whether some other policy opens what the plan closes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::finding::Finding;
use super::graph::{Graph, Labels, Service};
use super::manifest::PLANNED_BY;

/// A list of pods and policies, as the API server spells it. What is not looked at is not read.
#[derive(Debug, Deserialize)]
pub struct Cluster {
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Item {
    Pod {
        metadata: Metadata,
        #[serde(default)]
        spec: PodSpec,
    },
    NetworkPolicy {
        metadata: Metadata,
        spec: PolicySpec,
    },
    #[serde(other)]
    Another,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    service_account_name: String,
    containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
struct Container {
    #[serde(default)]
    ports: Vec<ContainerPort>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerPort {
    #[serde(default)]
    name: String,
    container_port: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicySpec {
    #[serde(default)]
    pod_selector: Selector,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    match_labels: Labels,
    /// Not evaluated: a policy with expressions is told when its labels fit, which errs on the side of telling.
    #[serde(rename = "matchExpressions")]
    _expressions: Vec<serde_json::Value>,
}

/// Where the plan of a graph and a cluster are apart.
pub fn compare(graph: &Graph, cluster: &Cluster) -> Vec<Finding> {
    graph.services.iter().flat_map(|service| compare_service(service, cluster)).collect()
}

fn compare_service(service: &Service, cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut any = false;
    for (pod, spec) in cluster.pods().filter(|(pod, _)| selects(service, pod)) {
        any = true;
        compare_pod(service, pod, spec, &mut findings);
    }
    if !any {
        findings.push(Finding::SelectsNothing(service.to_string()));
    }
    let foreign = cluster.policies().filter(|(policy, spec)| {
        policy.namespace == service.namespace
            && policy.labels.get(PLANNED_BY.0).map(String::as_str) != Some(PLANNED_BY.1)
            && holds_all(&service.labels, &spec.pod_selector.match_labels)
    });
    findings.extend(foreign.map(|(policy, _)| Finding::ForeignPolicy {
        service: service.to_string(),
        policy: format!("{}/{}", policy.namespace, policy.name),
    }));
    findings
}

fn compare_pod(service: &Service, pod: &Metadata, spec: &PodSpec, findings: &mut Vec<Finding>) {
    let (name, full_name) = (pod.name.clone(), service.to_string());
    if spec.service_account_name != service.account {
        let account = spec.service_account_name.clone();
        findings.push(Finding::OtherAccount { service: full_name.clone(), pod: name.clone(), account });
    }
    let ports: BTreeMap<u16, &str> = spec
        .containers
        .iter()
        .flat_map(|container| &container.ports)
        .map(|port| (port.container_port, port.name.as_str()))
        .collect();
    for (declared, number) in &service.ports {
        let is = ports.get(number).copied().unwrap_or_default();
        // A port without a name, or one that is not listed, is open all the same.
        if !is.is_empty() && is != declared {
            findings.push(Finding::PodPortMismatch {
                service: full_name.clone(),
                pod: name.clone(),
                number: *number,
                is: is.to_owned(),
                declared: declared.clone(),
            });
        }
    }
}

fn selects(service: &Service, pod: &Metadata) -> bool {
    service.namespace == pod.namespace && holds_all(&pod.labels, &service.labels)
}

fn holds_all(labels: &Labels, wanted: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

impl Cluster {
    fn pods(&self) -> impl Iterator<Item = (&Metadata, &PodSpec)> {
        self.items.iter().filter_map(|item| match item {
            Item::Pod { metadata, spec } => Some((metadata, spec)),
            _ => None,
        })
    }

    fn policies(&self) -> impl Iterator<Item = (&Metadata, &PolicySpec)> {
        self.items.iter().filter_map(|item| match item {
            Item::NetworkPolicy { metadata, spec } => Some((metadata, spec)),
            _ => None,
        })
    }
}
