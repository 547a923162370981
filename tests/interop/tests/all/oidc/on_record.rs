//! What the trail has of introspections: the first answer at once, the same one of the same minute under its event.

use std::time::Duration;

use serde_json::{Value, json};

use super::provider::{App, Provider, basic, events};
use crate::connections::server_with;
use crate::moved_clock::MovedClock;
use crate::server::Server;

/// Introspects from an address that a proxy tells.
fn ask_from(provider: &Provider, app: &App, token: &str, address: &str) -> bool {
    let request = provider.admin().anonymous().request("POST", "/oauth2/introspect");
    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
    let request = request.header("Authorization", &basic(app)).header("X-Forwarded-For", address);
    request.bytes(format!("token={token}")).send().expect(200).json()["active"] == true
}

/// All introspections that the trail has: by whom, from where, and whether the token was alive. The index goes in order, so what was
/// before a last one that is listed is listed as well; those of one millisecond are listed in any order, so they are sorted here.
fn on_record(provider: &Provider, app: &App) -> Vec<(String, String, bool)> {
    let mark = "192.0.2.99";
    std::thread::sleep(Duration::from_millis(5));
    assert!(!ask_from(provider, app, "qat_nobody-has-this", mark));
    let is_listed = |items: &Value| items[0]["ipAddress"] == mark || items[0]["ipAddress"] == "127.0.0.1";
    let found = events(provider, "action=TokenIntrospected", |items| is_listed(items) && items[0]["valid"] == false);
    let field = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let line = |event: &Value| (field(event, "actor"), field(event, "ipAddress"), event["valid"] == true);
    let mut lines: Vec<_> = found.as_array().expect("events").iter().skip(1).map(line).collect();
    lines.sort();
    lines
}

const PROXY: &str = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n";

#[test]
fn the_same_answer_of_a_minute_stands_under_one_event() {
    let (_kept, server) = server_with(PROXY);
    let provider = Provider { server };
    let api = "urn:orders";
    let app = provider.service(&json!({ "resources": [api], "allowedScopes": ["orders:read"] }));
    let orders = provider.service(&json!({ "serves": [api] }));
    let fields = [("grant_type", "client_credentials"), ("resource", api)];
    let token = provider.token(&app, &fields).expect(200).text_of("access_token");
    for _ in 0..3 {
        assert!(ask_from(&provider, &orders, &token, "10.0.0.1"));
    }
    // Another address, and another client, are on record by themselves.
    for _ in 0..3 {
        assert!(ask_from(&provider, &orders, &token, "10.0.0.2"));
        assert!(ask_from(&provider, &app, &token, "10.0.0.1"));
    }
    // What is dead is written down each time, also for those who were told that it lives.
    provider.by(&app, "/oauth2/revoke", &[("token", &token)]).expect(200);
    for _ in 0..2 {
        assert!(!ask_from(&provider, &orders, &token, "10.0.0.1"));
    }
    let line = |by: &App, address: &str, alive| (by.client_id.clone(), address.to_owned(), alive);
    let mut expected = [
        line(&orders, "10.0.0.1", true),
        line(&orders, "10.0.0.2", true),
        line(&app, "10.0.0.1", true),
        line(&orders, "10.0.0.1", false),
        line(&orders, "10.0.0.1", false),
    ];
    expected.sort();
    assert_eq!(on_record(&provider, &app), expected);
    // Those that stand under another are counted all the same.
    let counted = provider.server.metrics();
    let counted = counted.lines().filter(|line| line.contains("TokenIntrospected")).collect::<Vec<_>>().join("\n");
    assert!(counted.contains(" 12"), "{counted}");
}

#[test]
fn every_introspection_is_written_down_where_that_is_wanted() {
    let (_kept, server) = server_with(&format!("{PROXY}[audit]\nevery_introspection = true\n"));
    let provider = Provider { server };
    let app = provider.service(&json!({}));
    let token = provider.own_token(&app);
    for _ in 0..3 {
        assert!(ask_from(&provider, &app, &token, "10.0.0.1"));
    }
    assert_eq!(on_record(&provider, &app), vec![(app.client_id.clone(), "10.0.0.1".to_owned(), true); 3]);
}

#[test]
fn an_event_speaks_for_a_minute_and_for_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let provider = Provider { server: Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]) };
    let app = provider.service(&json!({}));
    let token = provider.own_token(&app);
    for ahead_s in [0, 30, 75, 100] {
        clock.set_ahead_s(ahead_s);
        assert!(provider.is_active(&app, &token));
    }
    assert_eq!(on_record(&provider, &app).len(), 2);
}
