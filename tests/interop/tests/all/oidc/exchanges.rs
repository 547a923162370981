//! Tokens that were exchanged for others hang on everybody whom they name: whatever ends one of those ends them, at once and everywhere.

use std::time::Duration;

use serde_json::json;

use super::provider::{App, Provider, TOKEN_EXCHANGE, part, refused};
use super::visitor::{CALLBACK, Visitor};
use crate::server::eventually;

const ADA: &str = "ada@people.example";
/// What a revocation may take.
const A_SECOND: Duration = Duration::from_secs(1);

/// A service that exchanges tokens for the APIs that it is, for those of others that it calls.
fn service(provider: &Provider, serves: &[&str], calls: &[&str]) -> App {
    provider
        .service(&json!({ "grantTypes": ["client_credentials", TOKEN_EXCHANGE], "serves": serves, "resources": calls }))
}

/// A token of somebody who is signed in to an application, for an API.
fn somebodys(provider: &Provider, app: &App, api: &str) -> String {
    let code = Visitor::new(provider).code_with(app, ADA, &[("resource", api)]);
    provider.redeem(app, &code).expect(200).text_of("access_token")
}

#[track_caller]
fn ends(provider: &Provider, by: &App, token: &str, what: &str) {
    println!("{what}");
    eventually(A_SECOND, || (!provider.is_active(by, token)).then_some(()));
    refused(&provider.exchange(by, token, &[]), 400, "invalid_grant");
}

#[test]
fn what_ends_a_persons_grant_ends_what_its_tokens_were_exchanged_for() {
    let provider = Provider::start();
    let admin = provider.admin();
    let orders = service(&provider, &["urn:orders"], &[]);
    for what in ["cut off", "application deleted", "person blocked", "signed out everywhere"] {
        let shop = provider
            .app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "skip", "resources": ["urn:orders"] }));
        let user = provider.end_user(&shop, ADA);
        let exchanged = provider.exchange(&orders, &somebodys(&provider, &shop, "urn:orders"), &[]);
        let exchanged = exchanged.expect(200).text_of("access_token");
        assert_eq!(part(&exchanged, 1)["sub"], user["id"]);
        assert!(provider.is_active(&orders, &exchanged));
        let place = format!("/api/v1/applications/{}", shop.id);
        let person = format!("{place}/end-users/{}", user["id"].as_str().unwrap());
        match what {
            "cut off" => admin.post(&format!("{place}/revoke-tokens"), &json!({})).expect(204),
            "application deleted" => admin.delete(&place).expect(204),
            "person blocked" => admin.post(&format!("{person}/block"), &json!({ "reason": "test" })).expect(200),
            _ => admin.delete(&format!("{person}/sessions")).expect(204),
        };
        ends(&provider, &orders, &exchanged, what);
    }
}

/// The shop calls the orders, which call the stock for it; the stock has a token for its own next call.
struct Chain {
    shop: App,
    orders: App,
    stock: App,
    own: String,
    once: String,
    twice: String,
}

fn own(provider: &Provider, shop: &App) -> String {
    let fields = [("grant_type", "client_credentials"), ("resource", "urn:orders")];
    provider.token(shop, &fields).expect(200).text_of("access_token")
}

fn called(provider: &Provider, orders: &App, token: &str) -> String {
    provider.exchange(orders, token, &[("resource", "urn:stock")]).expect(200).text_of("access_token")
}

impl Chain {
    fn new(provider: &Provider) -> Self {
        let shop = service(provider, &[], &["urn:orders"]);
        let orders = service(provider, &["urn:orders"], &["urn:stock"]);
        let stock = service(provider, &["urn:stock"], &[]);
        let own = own(provider, &shop);
        let once = called(provider, &orders, &own);
        let twice = provider.exchange(&stock, &once, &[]).expect(200).text_of("access_token");
        Self { shop, orders, stock, own, once, twice }
    }
}

#[test]
fn what_ends_a_service_ends_what_its_tokens_were_exchanged_for() {
    let provider = Provider::start();
    let admin = provider.admin();
    for what in ["cut off", "deleted", "the one between cut off", "the one between deleted"] {
        let Chain { shop, orders, stock, twice, .. } = Chain::new(&provider);
        let said = part(&twice, 1);
        assert_eq!((&said["sub"], &said["act"]["act"]["sub"]), (&json!(shop.client_id), &json!(orders.client_id)));
        assert!(provider.is_active(&stock, &twice));
        let ended = if what.starts_with("the one between") { &orders } else { &shop };
        let place = format!("/api/v1/applications/{}", ended.id);
        match what.ends_with("deleted") {
            true => admin.delete(&place).expect(204),
            false => admin.post(&format!("{place}/revoke-tokens"), &json!({})).expect(204),
        };
        ends(&provider, &stock, &twice, what);
    }
}

#[test]
fn a_token_ends_with_each_that_it_was_exchanged_from() {
    let provider = Provider::start();
    for what in ["the first token", "the token between"] {
        let chain = Chain::new(&provider);
        let name = |token: &str| part(token, 1)["jti"].clone();
        let said = &part(&chain.twice, 1)["exchanged_from"];
        assert_eq!(said, &json!([name(&chain.once), name(&chain.own)]));
        let other = called(&provider, &chain.orders, &own(&provider, &chain.shop));
        assert!(provider.is_active(&chain.stock, &chain.twice));
        let (by, token) =
            if what == "the first token" { (&chain.shop, &chain.own) } else { (&chain.orders, &chain.once) };
        provider.by(by, "/oauth2/revoke", &[("token", token)]).expect(200);
        ends(&provider, &chain.stock, &chain.twice, what);
        assert!(provider.is_active(&chain.stock, &other), "what came from another token stays");
    }
}
