//! To call an API is one thing, to be it another: what tokens for it are worth is told to who serves it, and they alone exchange them.

use std::time::Duration;

use serde_json::json;

use super::provider::{App, Provider, TOKEN_EXCHANGE, part, refused};
use crate::client::Answer;
use crate::server::eventually;

const API: &str = "https://orders.example";
const A_SECOND: Duration = Duration::from_secs(1);

/// The shop and the gateway call the orders API; whoever serves it is the API.
struct Bed {
    provider: Provider,
    shop: App,
    gateway: App,
    orders: App,
}

impl Bed {
    fn start(form: &str) -> Self {
        let provider = Provider::start();
        let api = json!({ "identifier": API, "name": "Orders", "tokenFormat": form });
        provider.admin().post("/api/v1/resource-servers", &api).expect(201);
        let grants = json!(["client_credentials", TOKEN_EXCHANGE]);
        let shop = provider.service(&json!({ "resources": [API] }));
        let gateway = provider.service(&json!({ "grantTypes": grants, "resources": [API] }));
        let orders = provider.service(&json!({ "grantTypes": grants, "serves": [API] }));
        Self { provider, shop, gateway, orders }
    }

    fn ask(&self, by: &App) -> Answer {
        self.provider.token(by, &[("grant_type", "client_credentials"), ("resource", API)])
    }

    fn exchange(&self, by: &App, token: &str) -> Answer {
        self.provider.exchange(by, token, &[])
    }

    fn serve(&self, apis: &[&str]) {
        let place = format!("/api/v1/applications/{}", self.orders.id);
        let shown = self.provider.admin().put(&place, &json!({ "serves": apis })).expect(200).json();
        assert_eq!((&shown["serves"], &shown["resources"]), (&json!(apis), &json!([])));
    }
}

#[test]
fn who_calls_an_api_is_told_nothing_of_others_tokens_for_it_and_exchanges_none() {
    for form in ["jwt", "opaque"] {
        let bed = Bed::start(form);
        let token = bed.ask(&bed.shop).expect(200).text_of("access_token");
        // Also after the API itself asked.
        for _ in 0..2 {
            assert_eq!(bed.provider.introspect(&bed.gateway, &token), json!({ "active": false }), "{form}");
            refused(&bed.exchange(&bed.gateway, &token), 400, "invalid_grant");
            let told = bed.provider.introspect(&bed.orders, &token);
            assert_eq!((&told["active"], &told["aud"]), (&json!(true), &json!(API)), "{form}");
            assert_eq!(told["client_id"], bed.shop.client_id);
        }
        let exchanged = bed.exchange(&bed.orders, &token).expect(200).text_of("access_token");
        let said = part(&exchanged, 1);
        assert_eq!((&said["sub"], &said["act"]["sub"]), (&json!(bed.shop.client_id), &json!(bed.orders.client_id)));
        // Its own tokens concern whoever they were issued to.
        assert!(bed.provider.is_active(&bed.shop, &token));
        let own = bed.ask(&bed.gateway).expect(200).text_of("access_token");
        assert!(bed.provider.is_active(&bed.gateway, &own));
        refused(&bed.exchange(&bed.gateway, &own), 400, "invalid_grant");
        // An API calls itself as little as anybody else, unless it may.
        refused(&bed.ask(&bed.orders), 400, "invalid_target");
    }
}

#[test]
fn what_an_application_serves_changes_within_a_second() {
    let bed = Bed::start("jwt");
    let token = bed.ask(&bed.shop).expect(200).text_of("access_token");
    for _ in 0..3 {
        eventually(A_SECOND, || bed.provider.is_active(&bed.orders, &token).then_some(()));
        bed.exchange(&bed.orders, &token).expect(200);
        bed.serve(&[]);
        eventually(A_SECOND, || (!bed.provider.is_active(&bed.orders, &token)).then_some(()));
        refused(&bed.exchange(&bed.orders, &token), 400, "invalid_grant");
        bed.serve(&["urn:other"]);
        assert!(!bed.provider.is_active(&bed.orders, &token));
        bed.serve(&["urn:other", API]);
    }
}

#[test]
fn whoever_registers_applications_says_which_apis_they_are_and_the_platforms_is_none_of_them() {
    let provider = Provider::start();
    let key = provider.server.key(&["applications:write"], &[]);
    let serving = |kind: &str, api: &str| {
        key.post("/api/v1/applications", &json!({ "name": "n", "applicationType": kind, "serves": [api] }))
    };
    let issuer = provider.server.base_url();
    for api in [API, "urn:orders", &format!("{issuer}/orders")] {
        assert_eq!(serving("MachineToMachine", api).expect(201).json()["serves"], json!([api]));
    }
    // What cannot prove who it is could neither ask nor exchange.
    for kind in ["SPA", "NativeApp", "Agent"] {
        serving(kind, API).refused(400, "invalid_request");
    }
    let place = format!("/api/v1/applications/{}", provider.service(&json!({ "serves": [API] })).id);
    let ours = ["", "/api/v1", "/t/acme", "/t/acme/api/v1"].map(|path| format!("{issuer}{path}"));
    for api in
        ours.iter().map(String::as_str).chain(["orders", "https://orders.example/#a", "https://a@orders.example"])
    {
        serving("MachineToMachine", api).refused(400, "invalid_request");
        key.put(&place, &json!({ "serves": [API, api] })).refused(400, "invalid_request");
    }
    assert_eq!(provider.admin().get(&place).expect(200).json()["serves"], json!([API]));
}
