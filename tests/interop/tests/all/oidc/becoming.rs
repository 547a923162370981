//! Nobody becomes somebody who may do more than they may: neither an application, by what it signs in with, nor one of the tenant's
//! own people.

use serde_json::{Value, json};

use super::issuer::Issuer;
use super::provider::{Provider, TOKEN_EXCHANGE};
use crate::client::Client;
use crate::server::{READS, new_key};

const SCOPES: [&str; 4] = ["applications:write", "apikeys:write", "trusts:write", "qrng:read"];

/// A key with these beside what it is called and may do.
fn bound(admin: &Client, bounds: &Value) -> Client {
    let mut body = json!({"name": "bound", "scopes": SCOPES});
    for (name, value) in bounds.as_object().unwrap() {
        body[name] = value.clone();
    }
    admin.with_key(&admin.post("/api/v1/api-keys", &body).expect(201).text_of("key"))
}

/// A job that may do the same for some minutes.
fn job(provider: &Provider, issuer: &Issuer) -> Client {
    let rules = json!([{"claim": "sub", "anyOf": ["api"]}]);
    let body = json!({"name": "jobs", "kind": "oidc", "issuer": issuer.url, "rules": rules, "scopes": SCOPES});
    let trust = provider.admin().post("/api/v1/trusts", &body).expect(201).text_of("id");
    let token = issuer.token(provider.server.base_url(), &json!({"sub": "api"}));
    let fields = [
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("trust_id", trust.as_str()),
    ];
    let given = provider.form("/oauth2/token", &fields).expect(200).text_of("access_token");
    provider.admin().with_key(&given)
}

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

#[test]
fn members_read_everything_so_nobody_makes_one_who_does_not() {
    let provider = Provider::start();
    let admin = provider.admin();
    let able: Vec<&str> = READS.into_iter().chain(["users:write"]).collect();
    let less: Vec<&str> = able.iter().copied().filter(|scope| *scope != "secrets:read").collect();
    let id = admin.post("/api/v1/users/invite", &json!({"email": "bob@b.example", "role": "member"})).expect(201);
    let place = format!("/api/v1/users/{}", id.text_of("id"));
    let confined = ["secrets:shop/*"];
    for (who, why) in [
        (new_key(&admin, &["users:write"], &[]), "missing_scopes"),
        (new_key(&admin, &less, &[]), "missing_scopes"),
        (new_key(&admin, &able, &confined), "exceeds"),
        (new_key(&admin, &["admin"], &confined), "exceeds"),
    ] {
        let refused = who
            .post("/api/v1/users/invite", &json!({"email": "eve@b.example", "role": "member"}))
            .refused(403, "forbidden");
        assert!(refused["details"][why].is_array(), "{refused}");
        for change in [json!({"role": "member"}), json!({"isActive": true}), json!({"displayName": "Bob"})] {
            who.patch(&place, &change).refused(403, "forbidden");
        }
        for end in ["/sessions", "/factors", ""] {
            who.delete(&format!("{place}{end}")).refused(403, "forbidden");
        }
    }
    let helper = new_key(&admin, &able, &[]);
    helper.post("/api/v1/users/invite", &json!({"email": "eve@b.example", "role": "member"})).expect(201);
    helper.patch(&place, &json!({"isActive": false})).expect(200);
    helper.patch(&place, &json!({"isActive": true})).expect(200);
    helper.delete(&format!("{place}/factors")).expect(204);
    helper.delete(&place).expect(204);
}

#[test]
fn nobody_ends_an_application_that_may_do_more_than_they_may() {
    let provider = Provider::start();
    let admin = provider.admin();
    let app = provider.service(&json!({"platformScopes": ["secrets:read"]}));
    let place = format!("/api/v1/applications/{}", app.id);
    let key = admin.post(&format!("{place}/keys"), &json!({"name": "its own"})).expect(201).text_of("id");
    let (weak, able) =
        (new_key(&admin, &["applications:write"], &[]), new_key(&admin, &["applications:write", "secrets:read"], &[]));
    weak.post(&format!("{place}/revoke-tokens"), &json!({})).refused(403, "forbidden");
    weak.delete(&format!("{place}/keys/{key}")).refused(403, "forbidden");
    weak.delete(&place).refused(403, "forbidden");
    provider.own_token(&app);
    able.post(&format!("{place}/revoke-tokens"), &json!({})).expect(204);
    able.delete(&format!("{place}/keys/{key}")).expect(204);
    able.delete(&place).expect(204);
}

#[test]
fn nobody_gets_the_certificate_of_an_application_that_may_do_more_than_they_may() {
    let provider = Provider::start();
    let admin = provider.admin();
    let wish = |name: &str| json!({"commonName": name, "ttl": "24h"});
    let id = "spiffe://qapi.internal/ns/shop/sa/deployer";
    let before = admin.post("/api/v1/certificates", &wish("deployer")).expect(201).text_of("id");
    for san in ["deployer", id] {
        let settings = json!({"clientAuth": "tls_client_auth", "tlsSan": san, "platformScopes": ["secrets:read"]});
        provider.service(&settings);
    }
    let issuer = new_key(&admin, &["certificates:write"], &[]);
    for asked in [
        wish("deployer"),
        json!({"commonName": "other", "subjectAlternativeNames": ["DNS:DEPLOYER"]}),
        json!({"subjectAlternativeNames": ["DNS:other", format!("URI:{id}")]}),
    ] {
        let refused = issuer.post("/api/v1/certificates", &asked).refused(403, "forbidden");
        assert_eq!(refused["details"]["missing_scopes"], json!(["secrets:read"]), "{asked}");
    }
    // A renewal is for whatever key somebody brings.
    let renew = format!("/api/v1/certificates/{before}/renew");
    issuer.post(&renew, &json!({})).refused(403, "forbidden");
    issuer.post("/api/v1/certificates", &wish("deployer2")).expect(201);
    let able = new_key(&admin, &["certificates:write", "secrets:read"], &[]);
    able.post("/api/v1/certificates", &wish("deployer")).expect(201);
    able.post(&renew, &json!({})).expect(201);
}

#[test]
fn what_a_credential_makes_outlives_it_no_more_than_it_works_elsewhere() {
    let (provider, issuer) = (Provider::start(), Issuer::start());
    let admin = provider.admin();
    let app = provider.service(&json!({"platformScopes": ["qrng:read"]}));
    let place = format!("/api/v1/applications/{}", app.id);
    let rules = json!([{"claim": "sub", "anyOf": ["web"]}]);
    let trust = json!({"name": "t", "kind": "oidc", "issuer": issuer.url, "rules": rules, "scopes": ["qrng:read"]});
    let trusts = format!("/api/v1/trusts/{}", admin.post("/api/v1/trusts", &trust).expect(201).text_of("id"));
    let new = json!({"name": "n", "applicationType": "MachineToMachine", "platformScopes": ["qrng:read"]});
    let networks = json!({"allowedCidrs": ["127.0.0.0/8"]});
    for (who, bound) in [
        (bound(&admin, &json!({"expiresAt": "2099-01-02T03:04:05Z"})), "expiresAt"),
        (bound(&admin, &networks), "allowedCidrs"),
        (job(&provider, &issuer), "expiresAt"),
    ] {
        for answer in [
            who.post("/api/v1/applications", &new),
            who.put(&place, &json!({"name": "m"})),
            who.post(&format!("{place}/rotate-secret"), &json!({})),
            who.post("/api/v1/trusts", &trust),
            who.patch(&trusts, &json!({"rules": rules})),
            who.post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["qrng:read"]})),
        ] {
            assert_eq!(answer.refused(403, "forbidden")["details"]["exceeds"], json!([bound]));
        }
        // What may do nothing here is bound by nothing, and a key of an application is bound as its maker is.
        who.post("/api/v1/applications", &json!({"name": "n", "applicationType": "MachineToMachine"})).expect(201);
        let key = who.post(&format!("{place}/keys"), &json!({"name": "k"})).expect(201).text_of("id");
        let key = admin.get(&format!("/api/v1/api-keys/{key}")).expect(200).json();
        assert!(key[bound].is_string() || key[bound] == networks[bound], "{key}");
    }
}
