//! Share links from making to the end, whichever end that is.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::{Server, list};

fn secret(client: &Client, name: &str) -> String {
    client
        .post("/api/v1/secrets", &json!({"name": name, "value": format!("value of {name}")}))
        .expect(201)
        .text_of("id")
}

fn link(client: &Client, secret: &str, with: &Value) -> Value {
    let mut body = with.clone();
    body["secretId"] = json!(secret);
    client.post("/api/v1/vault/share", &body).expect(201).json()
}

fn open(client: &Client, link: &Value, body: &Value) -> crate::client::Answer {
    client.anonymous().post(&format!("/api/v1/share/{}", link["token"].as_str().unwrap()), body)
}

fn statuses(client: &Client, secret: &str) -> Vec<String> {
    let listed = client.get(&format!("/api/v1/vault/share/by-secret/{secret}")).expect(200).json();
    list(&listed, "links").iter().map(|link| link["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_share_link_opens_as_often_as_allowed_and_then_never_again() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = secret(&client, "counted");
    let link = link(&client, &secret, &json!({"maxAccessCount": 2}));
    for count in 1..=2 {
        let opened = open(&client, &link, &json!({})).expect(200).json();
        assert_eq!((&opened["value"], &opened["accessCount"]), (&json!("value of counted"), &json!(count)));
    }
    open(&client, &link, &json!({})).refused(400, "link_exhausted");
    assert_eq!(statuses(&client, &secret), ["Exhausted"]);
}

#[test]
fn a_wrong_password_does_not_use_up_a_share_link() {
    let server = Server::start_dev();
    let client = server.client();
    let link = link(&client, &secret(&client, "locked"), &json!({"maxAccessCount": 1, "password": "right"}));
    open(&client, &link, &json!({})).refused(400, "password_required");
    for _ in 0..3 {
        open(&client, &link, &json!({"password": "wrong"})).refused(400, "invalid_password");
    }
    open(&client, &link, &json!({"password": "right"})).expect(200);
    open(&client, &link, &json!({"password": "right"})).refused(400, "link_exhausted");
}

#[test]
fn parallel_openings_never_exceed_the_count() {
    let server = Server::start_dev();
    let client = server.client();
    let link = link(&client, &secret(&client, "raced"), &json!({"maxAccessCount": 3}));
    let opened: usize = std::thread::scope(|scope| {
        let racers: Vec<_> =
            (0..12).map(|_| scope.spawn(|| usize::from(open(&client, &link, &json!({})).status == 200))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(opened, 3);
}

#[test]
fn a_link_to_a_secret_that_is_gone_is_retired() {
    let server = Server::start_dev();
    let client = server.client();
    let (kept, gone) = (secret(&client, "kept"), secret(&client, "gone"));
    let (to_kept, to_gone) = (link(&client, &kept, &json!({})), link(&client, &gone, &json!({})));
    client.request("POST", &format!("/api/v1/secrets/{kept}/deactivate")).send().expect(204);
    client.delete(&format!("/api/v1/secrets/{gone}")).expect(204);
    open(&client, &to_kept, &json!({})).refused(410, "link_retired");
    open(&client, &to_gone, &json!({})).refused(410, "link_retired");
}

#[test]
fn a_revoked_or_unknown_link_is_not_found() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = secret(&client, "revoked");
    let (first, second) = (link(&client, &secret, &json!({})), link(&client, &secret, &json!({"expiresInHours": 720})));
    client.delete(&format!("/api/v1/vault/share/{}", first["id"].as_str().unwrap())).expect(200);
    open(&client, &first, &json!({})).refused(404, "link_not_found");
    open(&client, &json!({"token": "unknown"}), &json!({})).refused(404, "link_not_found");
    open(&client, &second, &json!({})).expect(200);
    assert_eq!(statuses(&client, &secret), ["Active", "Revoked"]);
    let stranger = server.tenant("link-stranger");
    stranger.delete(&format!("/api/v1/vault/share/{}", second["id"].as_str().unwrap())).refused(404, "link_not_found");
    for hours in [0, 721] {
        let body = json!({"secretId": secret, "expiresInHours": hours});
        client.post("/api/v1/vault/share", &body).refused(400, "invalid_request");
    }
}

#[test]
fn a_link_shows_the_value_of_the_day_it_is_opened() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = secret(&client, "current");
    let link = link(&client, &secret, &json!({}));
    client.put(&format!("/api/v1/secrets/{secret}/value"), &json!({"value": "newer"})).expect(200);
    assert_eq!(open(&client, &link, &json!({})).expect(200).text_of("value"), "newer");
    let url = link["url"].as_str().unwrap();
    assert_eq!(url, format!("{}/share/{}", server.base_url(), link["token"].as_str().unwrap()));
}
