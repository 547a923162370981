use serde_json::json;

use super::pods::Role;
use super::*;
use crate::review::{Kind, Resource};

const A: &str = "registry.test/team/a:1";
const B: &str = "registry.test/team/b:1";

fn kinds() -> Kinds {
    let rollout = CustomKind {
        group: "argoproj.io".to_owned(),
        kind: "Rollout".to_owned(),
        pods: vec!["/spec/template/spec".to_owned()],
    };
    let widget = CustomKind { group: "shop.test".to_owned(), kind: "Widget".to_owned(), pods: Vec::new() };
    Kinds::new(vec![rollout, widget]).unwrap()
}

fn request(group: &str, kind: &str, resource: &str, part: &str, object: Value) -> Request {
    Request {
        uid: "1".to_owned(),
        kind: Kind { group: group.to_owned(), version: "v1".to_owned(), kind: kind.to_owned() },
        resource: Resource { group: group.to_owned(), resource: resource.to_owned() },
        sub_resource: Some(part.to_owned()).filter(|part| !part.is_empty()),
        namespace: Some("shop".to_owned()),
        name: "app".to_owned(),
        operation: Operation::Create,
        object: Some(object),
        old_object: None,
        dry_run: false,
        user: "dev".to_owned(),
    }
}

fn pod(more: Value) -> Value {
    let mut pod = json!({"containers": [{"name": "a", "image": A}]});
    pod.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    pod
}

fn texts(request: &Request) -> Option<Vec<String>> {
    match scope(request, &kinds()).1 {
        Scope::Images(found) => Some(found.into_iter().map(|found| found.text).collect()),
        Scope::Nothing(_) | Scope::Unknown(_) => None,
    }
}

fn is_unknown(request: &Request) -> bool {
    matches!(scope(request, &kinds()).1, Scope::Unknown(_))
}

fn is_nothing(request: &Request) -> bool {
    matches!(scope(request, &kinds()).1, Scope::Nothing(_))
}

#[test]
fn every_kind_that_holds_pods_is_looked_into() {
    let template = json!({"spec": {"template": {"spec": pod(json!({}))}}});
    for (group, kind, resource, object) in [
        ("", "Pod", "pods", json!({"spec": pod(json!({}))})),
        ("", "PodTemplate", "podtemplates", json!({"template": {"spec": pod(json!({}))}})),
        ("", "ReplicationController", "replicationcontrollers", template.clone()),
        ("apps", "Deployment", "deployments", template.clone()),
        ("apps", "ReplicaSet", "replicasets", template.clone()),
        ("apps", "StatefulSet", "statefulsets", template.clone()),
        ("apps", "DaemonSet", "daemonsets", template.clone()),
        ("batch", "Job", "jobs", template.clone()),
        ("batch", "CronJob", "cronjobs", json!({"spec": {"jobTemplate": template.clone()}})),
        ("argoproj.io", "Rollout", "rollouts", template.clone()),
    ] {
        assert_eq!(texts(&request(group, kind, resource, "", object)), Some(vec![A.to_owned()]), "{kind}");
    }
}

#[test]
fn every_place_of_a_pod_that_names_an_image_counts() {
    let spec = pod(json!({
        "initContainers": [{"name": "i", "image": B}, {"name": "s", "image": "c", "restartPolicy": "Always"}],
        "ephemeralContainers": [{"name": "e", "image": "d"}],
        "volumes": [{"name": "v", "image": {"reference": "e"}}, {"name": "w", "emptyDir": {}}]
    }));
    let Scope::Images(found) = scope(&request("", "Pod", "pods", "", json!({"spec": spec})), &kinds()).1 else {
        panic!("images are found");
    };
    let found: Vec<_> = found.iter().map(|found| (found.role, found.pointer.as_str(), found.text.as_str())).collect();
    assert_eq!(
        found,
        [
            (Role::Container, "/spec/containers/0/image", A),
            (Role::Init, "/spec/initContainers/0/image", B),
            (Role::Sidecar, "/spec/initContainers/1/image", "c"),
            (Role::Ephemeral, "/spec/ephemeralContainers/0/image", "d"),
            (Role::Volume, "/spec/volumes/0/image/reference", "e"),
        ]
    );
}

#[test]
fn a_pod_that_is_not_understood_is_not_judged_by_half() {
    for spec in [
        json!({}),
        json!({"containers": []}),
        json!({"containers": {}}),
        json!({"containers": ["a"]}),
        json!({"containers": [{"name": "a", "image": 1}]}),
        pod(json!({"initContainers": "x"})),
        pod(json!({"volumes": [{"name": "v", "image": {"reference": 1}}]})),
        pod(json!({"laterContainers": [{"name": "x", "image": B}]})),
        json!({"containers": vec![json!({"name": "a", "image": A}); 513]}),
    ] {
        assert!(is_unknown(&request("", "Pod", "pods", "", json!({"spec": spec}))), "{spec}");
    }
    assert!(is_unknown(&request("", "Pod", "pods", "", json!({"metadata": {}}))));
    assert!(is_unknown(&Request { object: None, ..request("", "Pod", "pods", "", json!({})) }));
}

#[test]
fn an_image_that_is_none_is_found_and_means_nothing() {
    for container in
        [json!({"name": "a"}), json!({"name": "a", "image": ""}), json!({"name": "a", "image": "A@sha256:zz"})]
    {
        let request = request("", "Pod", "pods", "", json!({"spec": {"containers": [container]}}));
        let Scope::Images(found) = scope(&request, &kinds()).1 else { panic!("one is found: {container}") };
        assert!(found[0].reference.is_err(), "{container}");
    }
}

#[test]
fn a_request_that_is_not_known_is_never_let_through() {
    let object = json!({"spec": pod(json!({}))});
    let unknown = [
        ("shop.test", "Gadget", "gadgets", ""),
        ("", "ConfigMaps", "configmaps", ""),
        ("apps", "Pod", "pods", ""),
        ("", "Deployment", "deployments", ""),
        ("", "Pod", "pods", "something"),
        ("apps", "Deployment", "deployments", "rollback"),
        ("", "ConfigMap", "configmaps", "something"),
    ];
    for (group, kind, resource, part) in unknown {
        assert!(is_unknown(&request(group, kind, resource, part, object.clone())), "{kind}.{group}/{part}");
    }
    let mut versions = request("apps", "Deployment", "deployments", "", object.clone());
    versions.kind.version = "v2".to_owned();
    assert!(is_unknown(&versions));
    let mut operation = request("", "Pod", "pods", "", object.clone());
    operation.operation = Operation::Other("PATCH".to_owned());
    assert!(is_unknown(&operation));
    // What the request says of itself and what the object is have to agree.
    let mut dressed = request("", "ConfigMap", "configmaps", "", json!({"kind": "Pod", "spec": pod(json!({}))}));
    assert!(is_unknown(&dressed));
    dressed = request("", "Pod", "pods", "", json!({"kind": "Pod", "apiVersion": "v2", "spec": pod(json!({}))}));
    assert!(is_unknown(&dressed));
    dressed = request("", "Pod", "pods", "", object);
    dressed.resource.resource = "configmaps".to_owned();
    assert!(is_unknown(&dressed));
}

#[test]
fn what_starts_nothing_goes_on() {
    for (group, kind, resource, part) in [
        ("", "ConfigMap", "configmaps", ""),
        ("rbac.authorization.k8s.io", "Role", "roles", ""),
        ("shop.test", "Widget", "widgets", "status"),
        ("", "Pod", "pods", "status"),
        ("apps", "Deployment", "deployments", "status"),
    ] {
        assert!(is_nothing(&request(group, kind, resource, part, json!({}))), "{kind}/{part}");
    }
    assert_eq!(texts(&request("shop.test", "Widget", "widgets", "", json!({}))), Some(Vec::new()));
    let part = |kind_group: &str, kind: &str, resource_group: &str, resource: &str, part: &str| {
        let mut request = request(kind_group, kind, resource, part, json!({}));
        request.resource.group = resource_group.to_owned();
        request
    };
    assert!(is_nothing(&part("autoscaling", "Scale", "apps", "deployments", "scale")));
    assert!(is_nothing(&part("", "Binding", "", "pods", "binding")));
    assert!(is_nothing(&part("policy", "Eviction", "", "pods", "eviction")));
    assert!(is_nothing(&part("authentication.k8s.io", "TokenRequest", "", "serviceaccounts", "token")));
    assert!(is_unknown(&part("", "Pod", "apps", "deployments", "scale")), "a part that takes another kind");
    let mut deletion = request("shop.test", "Gadget", "gadgets", "", json!({}));
    (deletion.operation, deletion.object) = (Operation::Delete, None);
    assert!(is_nothing(&deletion));
}

#[test]
fn streams_to_what_runs_go_on_and_others_do_not() {
    for (resource, part, goes_on) in [
        ("pods", "exec", true),
        ("pods", "attach", true),
        ("pods", "portforward", true),
        ("services", "proxy", true),
        ("pods", "", false),
        ("pods", "start", false),
        ("widgets", "proxy", false),
    ] {
        let mut request = request("", "PodExecOptions", resource, part, json!({"kind": "PodExecOptions"}));
        request.operation = Operation::Connect;
        assert_eq!(is_nothing(&request), goes_on, "{resource}/{part}");
        assert_eq!(is_unknown(&request), !goes_on, "{resource}/{part}");
    }
}

#[test]
fn of_an_update_what_is_new_is_judged() {
    let updated = |old: Value, new: Value, part: &str| {
        let mut request = request("", "Pod", "pods", part, json!({"spec": new}));
        request.operation = Operation::Update;
        request.old_object = Some(json!({"spec": old}));
        texts(&request).unwrap()
    };
    let two = |first: &str, second: &str| json!({"containers": [{"name": "a", "image": first}, {"name": "b", "image": second}]});
    assert!(updated(two(A, B), two(A, B), "").is_empty());
    assert_eq!(updated(two(A, A), two(A, B), ""), [B]);
    assert_eq!(updated(two(A, B), two(B, A), ""), [B, A], "an image moves to another container");
    assert_eq!(updated(json!("x"), two(A, B), ""), [A, B], "an old object that is not understood vouches for nothing");
    let moved = json!({"containers": [{"name": "b", "image": A}], "initContainers": [{"name": "a", "image": A}]});
    assert_eq!(updated(json!({"containers": [{"name": "a", "image": A}]}), moved, "").len(), 2);
    let debugged = pod(json!({"ephemeralContainers": [{"name": "debug", "image": B}]}));
    assert_eq!(updated(pod(json!({})), debugged, "ephemeralcontainers"), [A, B]);
    let mut creation = request("", "Pod", "pods", "", json!({"spec": two(A, B)}));
    creation.old_object = Some(json!({"spec": two(A, B)}));
    assert_eq!(texts(&creation).unwrap().len(), 2, "a creation has no old object");
}

#[test]
fn what_is_being_deleted_may_lose_its_finalizers() {
    let object = json!({"metadata": {"deletionTimestamp": "2026-11-25T00:00:00Z"}, "spec": pod(json!({}))});
    let mut request = request("", "Pod", "pods", "", object.clone());
    (request.operation, request.old_object) = (Operation::Update, Some(object));
    assert!(is_nothing(&request));
}
