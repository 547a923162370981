//! The kinds: those with pods, those without, and the parts of each that have a life of their own.

use serde::Deserialize;

use super::Scope;
use crate::review::{Kind, Request};

/// Kinds of Kubernetes that hold pods: group, kind, resource, and where the pod's specification stands.
const WORKLOADS: &[(&str, &str, &str, &str)] = &[
    ("", "Pod", "pods", "/spec"),
    ("", "PodTemplate", "podtemplates", "/template/spec"),
    ("", "ReplicationController", "replicationcontrollers", "/spec/template/spec"),
    ("apps", "Deployment", "deployments", "/spec/template/spec"),
    ("apps", "ReplicaSet", "replicasets", "/spec/template/spec"),
    ("apps", "StatefulSet", "statefulsets", "/spec/template/spec"),
    ("apps", "DaemonSet", "daemonsets", "/spec/template/spec"),
    ("batch", "Job", "jobs", "/spec/template/spec"),
    ("batch", "CronJob", "cronjobs", "/spec/jobTemplate/spec/template/spec"),
];

/// The version of them whose fields are known. The API server converts to it (`matchPolicy: Equivalent`).
const VERSION: &str = "v1";

/// Kinds of Kubernetes that carry no pod. A kind that is not here is unknown, also when its group is.
const PODLESS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "Binding",
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("apps", &["ControllerRevision"]),
    ("authentication.k8s.io", &["SelfSubjectReview", "TokenReview"]),
    (
        "authorization.k8s.io",
        &["LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"],
    ),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("coordination.k8s.io", &["Lease"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
    ("events.k8s.io", &["Event"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["IPAddress", "Ingress", "IngressClass", "NetworkPolicy", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("policy", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    (
        "storage.k8s.io",
        &["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
    ),
];

/// Parts of a pod or of what holds pods that start no container, with the kind that each takes.
const PARTS: &[(&str, &str, &str, &str)] = &[
    ("pods", "binding", "", "Binding"),
    ("pods", "eviction", "policy", "Eviction"),
    ("replicationcontrollers", "scale", "autoscaling", "Scale"),
    ("deployments", "scale", "autoscaling", "Scale"),
    ("replicasets", "scale", "autoscaling", "Scale"),
    ("statefulsets", "scale", "autoscaling", "Scale"),
];

/// Streams to what runs already.
const CONNECTIONS: &[(&str, &[&str])] =
    &[("pods", &["attach", "exec", "portforward", "proxy"]), ("services", &["proxy"]), ("nodes", &["proxy"])];

/// A custom kind that holds pods, as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomKind {
    /// The group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// Where the specifications of its pods stand, as JSON pointers; none when it carries none.
    pub pods: Vec<String>,
}

/// Every kind whose pods can be found.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    custom: Vec<CustomKind>,
}

impl Kinds {
    /// Those of Kubernetes, and these. A custom kind that Kubernetes has is refused: it would hide containers.
    pub fn new(custom: Vec<CustomKind>) -> Result<Self, String> {
        for kind in &custom {
            let Some(pointer) = kind.pods.iter().find(|pointer| !pointer.starts_with('/')) else {
                if is_of_kubernetes(&kind.group) {
                    return Err(format!("kinds: {}.{} is of a group of Kubernetes itself", kind.kind, kind.group));
                }
                continue;
            };
            return Err(format!("kinds: {pointer:?} is no JSON pointer"));
        }
        Ok(Self { custom })
    }

    /// Where the pods of the request's object are. None for a kind that is not known, and for an object that is not what its
    /// resource holds.
    pub fn pods_of(&self, request: &Request) -> Option<Vec<String>> {
        let (kind, resource) = (&request.kind, &request.resource);
        if let Some((group, _, name, place)) = workload(kind) {
            let is_its_own = resource.group == *group && resource.resource == *name && kind.version == VERSION;
            return is_its_own.then(|| vec![(*place).to_owned()]);
        }
        let custom = self.custom.iter().find(|custom| custom.group == kind.group && custom.kind == kind.kind)?;
        (resource.group == kind.group).then(|| custom.pods.clone())
    }
}

fn workload(kind: &Kind) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    WORKLOADS.iter().find(|(group, name, ..)| kind.group == *group && kind.kind == *name)
}

fn is_of_kubernetes(group: &str) -> bool {
    WORKLOADS.iter().any(|(known, ..)| *known == group) || PODLESS.iter().any(|(known, _)| *known == group)
}

/// Whether objects of this kind carry no pod.
pub fn is_podless(kind: &Kind) -> bool {
    PODLESS.iter().any(|(group, kinds)| kind.group == *group && kinds.contains(&kind.kind.as_str()))
}

/// What a part of a resource starts. None when it takes the whole object, which is then judged as such.
pub fn part(request: &Request, kinds: &Kinds, part: &str) -> Option<Scope> {
    let is_whole = kinds.pods_of(request).is_some();
    if part == "status" && (is_whole || is_podless(&request.kind)) {
        // The API server keeps nothing but the status of such a request.
        return Some(Scope::Nothing("a status starts nothing"));
    }
    let (resource, kind) = (&request.resource, &request.kind);
    let is_known = PARTS.iter().any(|(of, name, group, takes)| {
        resource.resource == *of && part == *name && kind.group == *group && kind.kind == *takes
    });
    let is_token = resource.resource == "serviceaccounts" && part == "token" && kind.kind == "TokenRequest";
    if is_known || is_token {
        return Some(Scope::Nothing("this part of a resource starts no container of another image"));
    }
    if is_podless(kind) && matches!(part, "finalize" | "approval" | "resize") && resource.resource != "pods" {
        return Some(Scope::Nothing("objects of this kind carry no pod"));
    }
    if is_whole && matches!(part, "ephemeralcontainers" | "resize") {
        return None;
    }
    Some(Scope::Unknown(super::unknown(request)))
}

/// What a stream starts.
pub fn connection(request: &Request) -> Scope {
    let part = request.sub_resource.as_deref().unwrap_or_default();
    let is_known = request.resource.group.is_empty()
        && CONNECTIONS.iter().any(|(of, parts)| request.resource.resource == *of && parts.contains(&part));
    match is_known {
        true => Scope::Nothing("a stream to what runs starts no container"),
        false => Scope::Unknown(super::unknown(request)),
    }
}
