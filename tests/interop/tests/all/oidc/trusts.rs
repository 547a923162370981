//! Jobs and workloads that sign in with what their own system says of them.

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::algorithm::Algorithm;
use crypto::random::Seeded;
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::provider::{ACCESS_TOKEN, Provider, TOKEN_EXCHANGE, client_key, compact, events, now_s, part, refused};
use crate::client::Answer;
use crate::server::eventually;

const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const SOON: Duration = Duration::from_secs(2);

struct Bed {
    provider: Provider,
    issuer: Issuer,
}

impl Bed {
    fn start() -> Self {
        Self { provider: Provider::start(), issuer: Issuer::start() }
    }

    fn trust(&self, kind: &str, rules: &Value) -> String {
        self.trust_with(kind, rules, &json!({}))
    }

    fn trust_with(&self, kind: &str, rules: &Value, more: &Value) -> String {
        let mut body = json!({
            "name": format!("{kind} {}", rules.to_string().len() + more.to_string().len()), "kind": kind, "issuer": self.issuer.url,
            "audience": "https://qapi.example", "rules": rules, "scopes": ["secrets:read", "secrets:write"], "resources": ["secrets:shop/*"],
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.provider.admin().post("/api/v1/trusts", &body).expect(201).text_of("id")
    }

    fn exchange(&self, trust: &str, token: &str) -> Answer {
        let fields = [
            ("grant_type", TOKEN_EXCHANGE),
            ("subject_token", token),
            ("subject_token_type", JWT),
            ("trust_id", trust),
        ];
        self.provider.form("/oauth2/token", &fields)
    }

    fn job(&self, claims: &Value) -> String {
        self.issuer.token("https://qapi.example", claims)
    }
}

fn github() -> Value {
    json!({
        "sub": "repo:acme/shop:environment:production", "repository": "acme/shop", "repository_id": "42", "repository_owner_id": "7",
        "ref": "refs/heads/main", "environment": "production", "job_workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
        "runner_environment": "github-hosted", "run_attempt": "1",
    })
}

fn github_rules() -> Value {
    json!([
        {"claim": "repository_id", "anyOf": ["42"]}, {"claim": "ref", "anyOf": ["refs/heads/main", "refs/tags/*"]},
        {"claim": "environment", "anyOf": ["production"]},
    ])
}

#[test]
fn jobs_of_every_system_get_tokens_without_a_stored_key() {
    let bed = Bed::start();
    for (kind, rules, claims) in [
        ("github", github_rules(), github()),
        (
            "gitlab",
            json!([{"claim": "project_id", "anyOf": ["9"]}, {"claim": "ref_protected", "anyOf": ["true"]}]),
            json!({"sub": "project_path:acme/shop:ref_type:branch:ref:main", "project_id": "9", "project_path": "acme/shop",
                "namespace_id": "3", "ref": "main", "ref_protected": "true", "environment": "production"}),
        ),
        (
            "azure-devops",
            json!([{"claim": "sub", "anyOf": ["sc://acme/shop/qapi"]}]),
            json!({"sub": "sc://acme/shop/qapi"}),
        ),
        (
            "kubernetes",
            json!([
                {"claim": "sub", "anyOf": ["system:serviceaccount:shop:deployer"]},
                {"claim": "kubernetes.io/serviceaccount/uid", "anyOf": ["u-1"]},
            ]),
            json!({"sub": "system:serviceaccount:shop:deployer", "aud": ["https://qapi.example"],
                "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "deployer", "uid": "u-1"}}}),
        ),
        (
            "oidc",
            json!([{"claim": "groups", "anyOf": ["deployers"]}]),
            json!({"sub": "x", "groups": ["a", "deployers"]}),
        ),
    ] {
        let trust = bed.trust(kind, &rules);
        let answer = bed.exchange(&trust, &bed.job(&claims)).expect(200);
        assert_eq!(answer.json()["issued_token_type"], ACCESS_TOKEN, "{kind}");
        assert!(answer.json()["expires_in"].as_i64().unwrap() <= 300 && answer.json()["refresh_token"].is_null());
        let token = answer.text_of("access_token");
        let said = bed.provider.verified(&token, "at+jwt");
        assert_eq!((&said["upstream_alg"], &said["trust"]), (&json!("ES256"), &json!(trust)), "{kind}");
        assert_eq!(
            (part(&token, 0)["alg"].as_str(), said["aud"].as_str()),
            (Some("ML-DSA-65"), Some(bed.provider.server.base_url()))
        );
        let job = bed.provider.admin().with_key(&token);
        job.post("/api/v1/secrets", &json!({"name": format!("shop/{kind}"), "value": "v"})).expect(201);
        job.post("/api/v1/secrets", &json!({"name": format!("other/{kind}"), "value": "v"})).refused(403, "forbidden");
        job.get("/api/v1/keys").refused(403, "insufficient_scope");
    }
    let is_job = |event: &&Value| {
        let actor = event["actor"].as_str().unwrap_or_default();
        actor.starts_with("federated:") && actor.ends_with("(ES256)") && event["actorType"] == "federated"
    };
    events(&bed.provider, "action=SecretCreated", |items| {
        items.as_array().is_some_and(|items| items.iter().filter(is_job).count() >= 5)
    });
}

/// The public key as the secret of a MAC.
fn signed_with_the_public_half(bed: &Bed, claims: &Value) -> String {
    let jwk = bed.issuer.key.public().to_jwk();
    let head = json!({"alg": "HS256", "kid": jwk["kid"]});
    let text = compact(&head, claims, b"");
    let secret = jwk["x"].as_str().unwrap().as_bytes();
    compact(&head, claims, &crypto::hash::hmac_sha256(secret, &[text.trim_end_matches('.').as_bytes()]))
}

#[test]
fn federation_trust_matrix() {
    let bed = Bed::start();
    let trust = bed.trust("github", &github_rules());
    let with = |name: &str, value: Value| {
        let mut claims = github();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = github();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let forger = client_key(Algorithm::EcdsaP256, b"a forger");
    let kid = bed.issuer.key.public().kid().unwrap().to_owned();
    let claims = bed.issuer.claims("https://qapi.example", &github());
    let hs256 = signed_with_the_public_half(&bed, &claims);
    let embedded = {
        let head = json!({"alg": "ES256", "kid": kid, "jwk": forger.public().to_jwk()});
        compact(&head, &claims, &[1; 64])
    };
    let good = bed.job(&github());
    for (what, token, reason) in [
        ("another repository", bed.job(&with("repository_id", json!("43"))), "rule repository_id"),
        ("a look-alike", bed.job(&with("repository_id", json!("420"))), "rule repository_id"),
        ("another branch", bed.job(&with("ref", json!("refs/heads/mainline"))), "rule ref"),
        ("no environment", bed.job(&without("environment")), "rule environment"),
        ("an empty prefix", bed.job(&with("ref", json!("refs/tags/"))), "rule ref"),
        ("another audience", bed.issuer.token("https://other.example", &github()), "claims"),
        ("an issuer that only looks alike", bed.job(&with("iss", json!(format!("{}/", bed.issuer.url)))), "claims"),
        ("over", bed.job(&with("exp", json!(now_s() - 60))), "claims"),
        ("not yet", bed.job(&with("nbf", json!(now_s() + 300))), "claims"),
        (
            "without an end",
            bed.job(&without("environment").as_object().map(|_| with("exp", Value::Null)).unwrap()),
            "claims",
        ),
        ("signed by somebody else", bed.issuer.token_by(&forger, "https://qapi.example", &github()), "signature"),
        ("HS256", hs256, "signature"),
        ("none", compact(&json!({"alg": "none"}), &claims, b""), "signature"),
        ("its own key", embedded, "signature"),
        ("a changed claim", compact(&part(&good, 0), &claims, &[7; 64]), "signature"),
    ] {
        let answer = bed.exchange(&trust, &token);
        refused(&answer, 400, "invalid_grant");
        let verdict = bed
            .provider
            .admin()
            .post(&format!("/api/v1/trusts/{trust}/test"), &json!({ "token": token }))
            .expect(200)
            .json();
        assert_eq!(verdict["isAccepted"], false, "{what}");
        let failed =
            verdict["checks"].as_array().unwrap().iter().find(|check| check["isMet"] == false).unwrap().clone();
        assert_eq!(failed["check"], reason, "{what}: {failed}");
    }
    refused(&bed.exchange("6fa459ea-ee8a-4ca4-894e-db77e160355e", &good), 400, "invalid_grant");
    refused(&bed.exchange("nonsense", &good), 400, "invalid_grant");
    // Trying a token spends nothing; exchanging it does.
    let test = format!("/api/v1/trusts/{trust}/test");
    assert_eq!(bed.provider.admin().post(&test, &json!({ "token": good })).expect(200).json()["isAccepted"], true);
    bed.exchange(&trust, &good).expect(200);
    refused(&bed.exchange(&trust, &good), 400, "invalid_grant");
    let said = ["rule repository_id: 43", "shown twice", "upstream_alg=ES256 sub=repo:acme/shop"];
    // Why is in the export, for whoever keeps the trail; whoever asked was told nothing.
    eventually(Duration::from_secs(10), || {
        let trail = bed.provider.admin().get("/api/v1/audit-logs/export").expect(200).text();
        said.iter().all(|said| trail.contains(said)).then_some(())
    });
}

/// The order of P-256's group. Beside every signature (r, s) stands (r, n - s), which anybody can write down.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// The same token with the other signature.
fn mirrored(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (mut signature, order) = (URL_SAFE_NO_PAD.decode(signature).unwrap(), hex::decode(ORDER).unwrap());
    let mut borrowed = 0;
    for place in (0..32).rev() {
        let difference = i16::from(order[place]) - i16::from(signature[32 + place]) - borrowed;
        borrowed = i16::from(difference < 0);
        signature[32 + place] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_that_is_taken_once_is_not_taken_again_under_its_other_signature() {
    let bed = Bed::start();
    let trust = bed.trust("github", &github_rules());
    let mut claims = bed.issuer.claims("https://qapi.example", &github());
    claims.as_object_mut().unwrap().remove("jti");
    let token = bed.issuer.key.sign("JWT", claims.to_string().as_bytes(), &Seeded::new(b"hedge")).unwrap();
    let test = format!("/api/v1/trusts/{trust}/test");
    let verdict = bed.provider.admin().post(&test, &json!({"token": mirrored(&token)})).expect(200).json();
    assert_eq!(verdict["isAccepted"], true, "the other signature is as good: {verdict}");
    bed.exchange(&trust, &token).expect(200);
    refused(&bed.exchange(&trust, &mirrored(&token)), 400, "invalid_grant");
}

#[test]
fn an_unknown_key_is_fetched_once_and_then_not_for_a_while() {
    let bed = Bed::start();
    let trust = bed.trust("github", &github_rules());
    bed.exchange(&trust, &bed.job(&github())).expect(200);
    assert_eq!(bed.issuer.fetched(), 1);
    let next = client_key(Algorithm::EcdsaP256, b"the next key");
    for _ in 0..5 {
        refused(
            &bed.exchange(&trust, &bed.issuer.token_by(&next, "https://qapi.example", &github())),
            400,
            "invalid_grant",
        );
    }
    // The keys were fetched a moment ago: invented names make nobody fetch them again.
    assert_eq!(bed.issuer.fetched(), 1);
    bed.exchange(&trust, &bed.job(&github())).expect(200);
}

#[test]
fn pinned_keys_need_no_network_and_rs256_is_believed_of_outside_issuers() {
    let bed = Bed::start();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().expect("openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let path = key.to_str().unwrap();
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path]);
    let modulus = String::from_utf8(openssl(&["rsa", "-in", path, "-noout", "-modulus"])).unwrap();
    let modulus = hex::decode(modulus.trim().trim_start_matches("Modulus=")).unwrap();
    let jwk = json!({"kty": "RSA", "kid": "r1", "alg": "RS256", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"});
    // What else the issuer publishes takes nobody out (RFC 7517, 5).
    let keys = json!([{"kty": "RSA", "kid": "r0", "n": "AQ"}, {"kty": "of the future"}, null, jwk]);
    let trust = bed.trust_with("github", &github_rules(), &json!({"jwks": {"keys": keys}}));
    let unsigned =
        compact(&json!({"alg": "RS256", "kid": "r1"}), &bed.issuer.claims("https://qapi.example", &github()), b"");
    let input = folder.path().join("input");
    std::fs::write(&input, unsigned.trim_end_matches('.')).unwrap();
    let signature = openssl(&["dgst", "-sha256", "-sign", path, input.to_str().unwrap()]);
    let token = format!("{unsigned}{}", URL_SAFE_NO_PAD.encode(signature));
    let answer = bed.exchange(&trust, &token).expect(200);
    assert_eq!(bed.provider.verified(&answer.text_of("access_token"), "at+jwt")["upstream_alg"], "RS256");
    assert_eq!(bed.issuer.fetched(), 0);
}

#[test]
fn the_jwt_bearer_grant_is_the_other_door() {
    let bed = Bed::start();
    let trust = bed.trust("gitlab", &json!([{"claim": "project_id", "anyOf": ["9"]}]));
    let token = bed.job(&json!({"sub": "s", "project_id": "9"}));
    let ask = || {
        let fields = [
            ("grant_type", BEARER),
            ("assertion", token.as_str()),
            ("trust_id", trust.as_str()),
            ("scope", "secrets:read"),
        ];
        bed.provider.form("/oauth2/token", &fields)
    };
    // A GitLab job has one token for all its commands.
    assert_eq!(ask().expect(200).json()["scope"], "secrets:read");
    ask().expect(200);
    let more = [("grant_type", BEARER), ("assertion", &token), ("trust_id", &trust), ("scope", "keys:read")];
    refused(&bed.provider.form("/oauth2/token", &more), 400, "invalid_scope");
    let elsewhere =
        [("grant_type", BEARER), ("assertion", &token), ("trust_id", &trust), ("resource", "https://other.example")];
    refused(&bed.provider.form("/oauth2/token", &elsewhere), 400, "invalid_target");
}

#[test]
fn a_workload_proves_who_its_application_is_by_a_trust() {
    let bed = Bed::start();
    let trust = bed.trust("kubernetes", &json!([{"claim": "sub", "anyOf": ["system:serviceaccount:shop:api"]}]));
    let app = bed
        .provider
        .service(&json!({"clientAuth": "federated", "trustIds": [trust], "allowedScopes": ["orders:read"]}));
    let ask = |token: &str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", app.client_id.as_str()),
            ("client_assertion", token),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ];
        bed.provider.form("/oauth2/token", &fields)
    };
    assert_eq!(
        ask(&bed.job(&json!({"sub": "system:serviceaccount:shop:api"}))).expect(200).json()["scope"],
        "orders:read"
    );
    refused(&ask(&bed.job(&json!({"sub": "system:serviceaccount:shop:web"}))), 401, "invalid_client");
}

#[test]
fn token_exchange_too_long_is_refused_and_never_ignored() {
    let bed = Bed::start();
    let trust = bed.trust("github", &github_rules());
    refused(&bed.exchange(&trust, &"x".repeat(20 * 1024)), 400, "invalid_request");
}

#[test]
fn tokens_die_within_a_second_of_their_trust() {
    let bed = Bed::start();
    for end in ["disable", "narrow", "delete"] {
        let trust = bed.trust_with("github", &github_rules(), &json!({ "name": end }));
        let token = bed.exchange(&trust, &bed.job(&github())).expect(200).text_of("access_token");
        let job = bed.provider.admin().with_key(&token);
        job.get("/api/v1/secrets").expect(200);
        let path = format!("/api/v1/trusts/{trust}");
        match end {
            "disable" => bed.provider.admin().patch(&path, &json!({"isActive": false})).expect(200),
            "narrow" => bed
                .provider
                .admin()
                .patch(&path, &json!({"rules": [{"claim": "repository_id", "anyOf": ["1"]}]}))
                .expect(200),
            _ => bed.provider.admin().delete(&path).expect(204),
        };
        eventually(SOON, || (job.get("/api/v1/secrets").status == 401).then_some(()));
        refused(&bed.exchange(&trust, &bed.job(&github())), 400, "invalid_grant");
    }
}

#[test]
fn nobody_trusts_somebody_with_more_than_they_have() {
    let bed = Bed::start();
    let body = |scopes: Value, resources: Value| json!({"name": "n", "kind": "github", "issuer": bed.issuer.url, "rules": github_rules(), "scopes": scopes, "resources": resources});
    let maker = bed.provider.server.key(&["trusts:write", "secrets:read"], &["secrets:shop/*"]);
    maker.post("/api/v1/trusts", &body(json!(["secrets:write"]), json!(["secrets:shop/*"]))).refused(403, "forbidden");
    maker.post("/api/v1/trusts", &body(json!(["secrets:read"]), json!([]))).refused(403, "forbidden");
    maker.post("/api/v1/trusts", &body(json!(["secrets:read"]), json!(["secrets:shop/a"]))).expect(201);
    let admin = bed.provider.admin();
    admin.post("/api/v1/trusts", &body(json!(["platform:admin"]), json!([]))).refused(400, "invalid_request");
    let mut loose = body(json!(["secrets:read"]), json!([]));
    loose["rules"] = json!([{"claim": "sub", "anyOf": ["repo:acme/shop:ref:refs/heads/main"]}]);
    admin.post("/api/v1/trusts", &loose).refused(400, "invalid_request");
}

#[test]
fn keys_are_not_fetched_from_where_a_server_must_not_reach() {
    let bed = Bed::start();
    for (uri, said) in [
        ("https://169.254.169.254/keys", "neither public nor allowed"),
        ("https://10.0.0.1/keys", "neither public nor allowed"),
        ("https://[::ffff:10.0.0.1]/keys", "neither public nor allowed"),
    ] {
        let trust = bed.trust_with("github", &github_rules(), &json!({"jwksUri": uri, "name": uri}));
        let path = format!("/api/v1/trusts/{trust}/test");
        let verdict = bed.provider.admin().post(&path, &json!({"token": bed.job(&github())})).expect(200);
        assert!(verdict.text().contains(said), "{}", verdict.text());
    }
    let moved = format!("{}/moved", bed.issuer.url);
    let trust = bed.trust_with("github", &github_rules(), &json!({"jwksUri": moved, "name": "moved"}));
    let path = format!("/api/v1/trusts/{trust}/test");
    let verdict = bed.provider.admin().post(&path, &json!({"token": bed.job(&github())})).expect(200);
    assert!(verdict.text().contains("the answer was 302") && bed.issuer.fetched() == 0, "{}", verdict.text());
}
