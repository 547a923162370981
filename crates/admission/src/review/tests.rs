use serde_json::json;

use super::*;

const LIMIT: usize = 1 << 20;

fn review(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut review = json!({
        "kind": KIND, "apiVersion": API_VERSION,
        "request": {
            "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE", "namespace": "shop", "object": {"kind": "Pod"}, "oldObject": null,
            "userInfo": {"username": "dev"}
        }
    });
    change(&mut review);
    review.to_string().into_bytes()
}

#[test]
fn a_review_is_read() {
    let request = Request::parse(&review(|_| ()), LIMIT).unwrap();
    assert_eq!((request.uid.as_str(), request.user.as_str(), request.dry_run), ("1", "dev", false));
    assert_eq!((&request.operation, request.sub_resource.as_deref()), (&Operation::Create, None));
    assert_eq!((request.kind.to_string().as_str(), request.namespace.as_deref()), ("Pod", Some("shop")));
    assert!(request.object.is_some() && request.old_object.is_none());
}

#[test]
fn what_cannot_be_read_is_answered_when_it_has_a_uid() {
    for (member, value, uid) in [
        ("/kind", json!("Review"), None),
        ("/apiVersion", json!("admission.k8s.io/v1beta1"), None),
        ("/request", json!(null), None),
        ("/request/uid", json!(""), None),
        ("/request/uid", json!(7), None),
        ("/request/uid", json!("u".repeat(200)), None),
        ("/request/kind", json!("Pod"), Some("1")),
        ("/request/kind/kind", json!(""), Some("1")),
        ("/request/resource", json!(null), Some("1")),
        ("/request/operation", json!(1), Some("1")),
        ("/request/object", json!([]), Some("1")),
        ("/request/oldObject", json!("x"), Some("1")),
        ("/request/namespace", json!(["a"]), Some("1")),
        ("/request/namespace", json!("n".repeat(1_000)), Some("1")),
        ("/request/userInfo", json!({"username": 1}), Some("1")),
    ] {
        let body = review(|review| *review.pointer_mut(member).unwrap() = value.clone());
        let refused = Request::parse(&body, LIMIT).unwrap_err();
        assert_eq!(refused.uid.as_deref(), uid, "{member} {value}");
        assert_eq!(
            Answer::unreadable(&refused).map(|answer| answer.is_allowed()),
            uid.map(|_| false),
            "{member} {value}"
        );
    }
    for body in ["", "[]", "null", "{}", "{\"kind\":", "{\"kind\":\"AdmissionReview\",\"kind\":\"AdmissionReview\"}"] {
        assert_eq!(Request::parse(body.as_bytes(), LIMIT).unwrap_err().uid, None, "{body}");
    }
    assert!(Request::parse(&review(|_| ()), 10).unwrap_err().why.contains("10"));
}

#[test]
fn an_object_is_on_its_way_out_only_when_it_was_before() {
    let parse = |new: Value, old: Value| {
        let body = review(|review| {
            review["request"]["object"] = new;
            review["request"]["oldObject"] = old;
        });
        Request::parse(&body, LIMIT).unwrap().is_being_deleted()
    };
    let marked = json!({"metadata": {"deletionTimestamp": "2026-11-25T00:00:00Z"}});
    assert!(parse(marked.clone(), marked.clone()));
    assert!(!parse(marked.clone(), json!({"metadata": {}})), "the mark is claimed");
    assert!(!parse(marked, json!(null)));
}
