//! How texts of strangers are compared with ours: what opens something by a keyed hash, origins whole.

use std::path::Path;

use serde_json::json;

use super::provider::{Provider, form, refused};
use super::visitor::{CALLBACK, PASSWORD, Visitor, parameter, sent};
use crate::server::Server;

const ADA: &str = "ada@people.example";

/// Everything in the files of the database.
fn database(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of_the_database = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && !["dev.env", "unseal.key"].contains(&&*name)
    };
    files.filter(|path| of_the_database(path)).flat_map(|path| std::fs::read(path).unwrap()).collect()
}

/// A byte-by-byte comparison would tell by its time how much of a guess is right, and a stolen database what to guess; a hash
/// that nobody outside can compute tells neither.
#[test]
fn what_opens_something_is_kept_as_a_keyed_hash_and_nothing_alike_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let provider = Provider { server: Server::start_dev_in(&data) };
    let settings = json!({
        "redirectUris": [CALLBACK], "consent": "skip", "allowedScopes": ["openid", "offline_access"], "accessTokenFormat": "opaque",
    });
    let app = provider.app("WebApp", &settings);
    provider.end_user(&app, ADA);
    let key = provider.server.key(&["users:read"], &[]);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[("scope", "openid offline_access")]);
    let code = parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code");
    let tokens = provider.redeem(&app, &code).expect(200).json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let secret = app.secret.clone().unwrap();
    let session = visitor.cookie("qapi_session").unwrap();

    let other = |text: &str| {
        let last = if text.ends_with('A') { 'B' } else { 'A' };
        format!("{}{last}", &text[..text.len() - 1])
    };
    let mut guessing = app.clone();
    guessing.secret = Some(other(&secret));
    refused(
        &provider.token(&guessing, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]),
        401,
        "invalid_client",
    );
    let grant = |token: &str| provider.token(&app, &[("grant_type", "refresh_token"), ("refresh_token", token)]);
    refused(&grant(&other(refresh)), 400, "invalid_grant");
    assert_eq!(key.with_key(&other(key.key())).get("/api/v1/users").status, 401);
    visitor.set_cookie("qapi_session", &other(&session));
    visitor.get("/account").expect(401);
    grant(refresh).expect(200);
    key.get("/api/v1/users").expect(200);

    let kept = database(&data);
    assert!(kept.windows(15).any(|window| window == b"SQLite format 3"), "the database lies elsewhere");
    let holds = |what: &[u8]| kept.windows(what.len()).any(|window| window == what);
    for (name, text) in [
        ("a code", &*code),
        ("a refresh token", refresh),
        ("a secret", &secret),
        ("a session", &session),
        ("a key", key.key()),
    ] {
        let hash = crypto::hash::sha256(&[text.as_bytes()]);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!holds(text.as_bytes()), "{name} lies in the database");
        assert!(
            !holds(&hash) && !holds(hex.as_bytes()),
            "a hash of {name} that anybody can compute lies in the database"
        );
    }
}

#[test]
fn an_origin_that_begins_or_ends_alike_is_another() {
    let provider = Provider::start();
    let spa = provider
        .app("SPA", &json!({ "redirectUris": ["https://ours.example/cb"], "corsOrigins": ["https://ours.example"] }));
    let allowed = |origin: &str| {
        let body = form(&[("grant_type", "refresh_token"), ("refresh_token", "qrt_x"), ("client_id", &spa.client_id)]);
        let request = provider.admin().anonymous().request("POST", "/oauth2/token").header("Origin", origin);
        let answer = request.header("Content-Type", "application/x-www-form-urlencoded").bytes(body).send();
        answer.header("access-control-allow-origin").is_some()
    };
    assert!(allowed("https://ours.example"));
    for origin in [
        "https://ours.example.evil.example",
        "https://evilours.example",
        "https://evil.ours.example",
        "https://ours.example:444",
        "https://ours.exampl",
        "https://ours.example.",
        "https://ours.example/",
        "https://ours.example@evil.example",
        "http://ours.example",
        "null",
        "https://ours.example https://evil.example",
    ] {
        assert!(!allowed(origin), "{origin}");
    }
    // Nor does a page of such an origin send our forms.
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let interaction = parameter(&page, "interaction");
    let fields = [("interaction", interaction.as_str()), ("email", ADA), ("password", PASSWORD)];
    let own = provider.server.base_url();
    for origin in [
        format!("{own}.evil.example"),
        format!("{own}0"),
        own.replace("127", "0127"),
        own.replace("http", "https"),
        format!("{own}/"),
    ] {
        assert_eq!(visitor.post_from(&origin, "/login", &fields).status, 403, "{origin}");
    }
    sent(&visitor.post("/login", &fields));
}
