//! Tickets as the gate takes them, and who issues which.

use serde_json::json;

use crate::server::Server;

#[test]
fn a_credential_that_is_bound_to_an_environment_issues_tickets_for_that_one_alone() {
    let server = Server::start_dev();
    let admin = server.client();
    let body = json!({"name": "staging", "scopes": ["gate:write", "gate:read"], "environment": "staging"});
    let key = admin.post("/api/v1/api-keys", &body).expect(201).text_of("key");
    let bound = admin.with_key(&key);
    let ticket = |environment: &str| json!({"reason": "hotfix", "environment": environment});
    bound.post("/api/v1/gate/tickets", &ticket("production")).refused(403, "forbidden");
    bound
        .post("/api/v1/gate/tickets", &json!({"reason": "x", "digests": [format!("sha256:{}", "0".repeat(64))]}))
        .refused(403, "forbidden");
    bound.post("/api/v1/gate/tickets", &ticket("staging")).expect(201);
    let of_production = admin.post("/api/v1/gate/tickets", &ticket("production")).expect(201).text_of("id");
    bound.post(&format!("/api/v1/gate/tickets/{of_production}/revoke"), &json!({})).refused(403, "forbidden");
    for wrong in [
        json!({"reason": "", "environment": "a"}),
        json!({"reason": "x"}),
        json!({"reason": "x", "environment": "a", "lifetimeSeconds": 86_401}),
        json!({"reason": "x", "digests": ["sha256:00"]}),
    ] {
        admin.post("/api/v1/gate/tickets", &wrong).refused(400, "invalid_request");
    }
}
