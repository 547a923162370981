//! Which passwords people get: by their own choice, and by an administrator's.

use serde_json::json;

use super::provider::{App, Provider};
use super::visitor::{CALLBACK, PASSWORD, Visitor, hidden, parameter, sent};
use crate::client::Answer;
use crate::connections::server_with;
use crate::installation::PORTAL;

const ADA: &str = "ada@people.example";
/// Long, not guessed first, and leaked all the same.
const LEAKED: &str = "a battery of correct horses";

/// Creates somebody with a password.
fn created(provider: &Provider, app: &App, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "displayName": "Ada L.", "password": password, "emailVerified": true });
    provider.admin().post(&format!("/api/v1/applications/{}/end-users", app.id), &body)
}

fn portal(provider: &Provider) -> App {
    provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "skip" }))
}

#[test]
fn what_leaked_is_nobodys_password() {
    let kept = tempfile::tempdir().unwrap();
    let list = kept.path().join("leaked.txt");
    std::fs::write(&list, format!("{LEAKED}\n")).unwrap();
    let (_kept, server) = server_with(&format!("[passwords]\nbreach_list_file = {:?}\n", list.to_str().unwrap()));
    let provider = Provider { server };
    let app = portal(&provider);
    let said = created(&provider, &app, ADA, LEAKED).refused(400, "invalid_request").to_string();
    assert!(said.contains("leaked"), "{said}");
    created(&provider, &app, ADA, PASSWORD).expect(201);
    let visitor = Visitor::new(&provider);
    let interaction = parameter(&visitor.authorize(&app, &[]), "interaction");
    let fields = [("interaction", interaction.as_str()), ("email", ADA), ("password", PASSWORD)];
    sent(&visitor.post_from(PORTAL, "/login", &fields));
    let change = |new: &str| {
        let token = hidden(&visitor.get("/account").expect(200), "token");
        let fields = [("do", "password"), ("password", PASSWORD), ("new_password", new), ("token", &token)];
        visitor.post_from(PORTAL, "/account", &fields)
    };
    let page = change(LEAKED).expect(400);
    assert!(page.text().contains("leaked"), "{}", page.text());
    change("four words nobody has said").expect(200);
}

#[test]
fn an_administrator_gives_nobody_what_is_tried_first() {
    let provider = Provider::start();
    let app = portal(&provider);
    for (password, why) in [("seven77", "at least 8"), ("password", "guessed first"), ("12345678", "guessed first")] {
        let said = created(&provider, &app, ADA, password).refused(400, "invalid_request").to_string();
        assert!(said.contains(why), "{password}: {said}");
    }
    // Where people come from other rules held.
    created(&provider, &app, ADA, "Winter-7-Shoes").expect(201);
}

/// A keyboard that makes letters out of pieces is as good as one that makes them whole.
#[test]
fn the_same_letters_sign_in_whoever_typed_them() {
    let provider = Provider::start();
    let app = portal(&provider);
    created(&provider, &app, ADA, "Gru\u{308}ne Zoe\u{308} am See").expect(201);
    let visitor = Visitor::new(&provider);
    let signed_in = visitor.sign_in(&visitor.authorize(&app, &[]), ADA, "Gr\u{fc}ne Zo\u{eb} am See");
    assert!(sent(&signed_in).contains("code="));
}
