//! Nobody becomes somebody who may do more than they may: neither an application, by what it signs in with, nor one of the tenant's
//! own people.

use serde_json::json;

use super::issuer::Issuer;
use super::provider::Provider;
use crate::server::new_key;

#[test]
fn who_changes_a_trust_may_do_what_every_application_may_that_signs_in_by_it() {
    let (provider, issuer) = (Provider::start(), Issuer::start());
    let admin = provider.admin();
    let rules = json!([{"claim": "sub", "anyOf": ["api"]}]);
    let body = json!({"name": "weak", "kind": "oidc", "issuer": issuer.url, "rules": rules, "scopes": ["qrng:read"]});
    let trust = admin.post("/api/v1/trusts", &body).expect(201).text_of("id");
    let app =
        provider.service(&json!({"clientAuth": "federated", "trustIds": [trust], "platformScopes": ["secrets:read"]}));
    let (place, app) = (format!("/api/v1/trusts/{trust}"), format!("/api/v1/applications/{}", app.id));
    let weak = new_key(&admin, &["trusts:write", "qrng:read"], &[]);
    let keys = json!({"jwks": {"keys": [issuer.key.public().to_jwk()]}});
    let refused = weak.patch(&place, &keys).refused(403, "forbidden");
    assert_eq!(refused["details"]["missing_scopes"], json!(["secrets:read"]));
    weak.patch(&place, &json!({"isActive": false})).refused(403, "forbidden");
    weak.delete(&place).refused(403, "forbidden");
    let confined = new_key(&admin, &["trusts:write", "qrng:read", "secrets:read"], &["secrets:shop/*"]);
    confined.delete(&place).refused(403, "forbidden");
    new_key(&admin, &["trusts:write", "qrng:read", "secrets:read"], &[]).patch(&place, &keys).expect(200);
    // It is the application that counts, and as it is now.
    admin.put(&app, &json!({"platformScopes": ["qrng:read"]})).expect(200);
    weak.patch(&place, &keys).expect(200);
    weak.delete(&place).expect(204);
}
