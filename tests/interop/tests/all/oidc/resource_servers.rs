//! APIs that believe our tokens by the SDK: while the issuer is there, while it is away, and when its keys change.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sdk::oauth::Provider as OAuth;
use sdk::tokens::{ClientCredentials, ClientProof, TokenSource as _};
use sdk::verify::{Rejected, Settings, Verifier};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::provider::{App, Provider};
use crate::binaries::binary;
use crate::client::Client;
use crate::server::{Lines, Server, eventually};

const API: &str = "https://orders.example";
const PATIENCE: Duration = Duration::from_secs(90);

/// A provider whose data stays, a service that calls an API, and the API as a client.
struct Bed {
    data: tempfile::TempDir,
    provider: Provider,
    caller: App,
    api: App,
    runtime: Runtime,
}

impl Bed {
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let provider = Provider { server: Server::start_dev_in(&data.path().join("data")) };
        let api = json!({ "identifier": API, "name": "Orders", "scopes": ["orders:read", "orders:write"] });
        provider.admin().post("/api/v1/resource-servers", &api).expect(201);
        let caller = provider.service(&json!({ "resources": [API], "allowedScopes": ["orders:read", "orders:write"] }));
        let api = provider.service(&json!({ "serves": [API] }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { data, provider, caller, api, runtime }
    }

    fn issuer(&self) -> &str {
        self.provider.server.base_url()
    }

    fn config(&self) -> sdk::Config {
        sdk::Config::new(self.issuer()).with_retries(0).with_timeout(Duration::from_secs(5))
    }

    fn verifier(&self) -> Arc<Verifier> {
        let settings = Settings::new(self.issuer(), API).with_config(self.config());
        let secret = self.api.secret.as_deref().unwrap();
        Arc::new(Verifier::new(settings.with_client(&self.api.client_id, secret)).unwrap())
    }

    /// A token as the SDK gets one.
    #[track_caller]
    fn token(&self, scope: &str) -> String {
        let proof = ClientProof::secret(self.caller.secret.as_deref().unwrap());
        let source = ClientCredentials::new(OAuth::new(&self.config()).unwrap(), &self.caller.client_id, proof);
        let source = source.with_resource(API).with_scope(scope);
        let token = self.runtime.block_on(source.fetch(None)).unwrap_or_else(|error| panic!("{error}"));
        token.expose().to_owned()
    }

    /// The same server again, at the same address.
    fn restart(&mut self) {
        let address = self.issuer().strip_prefix("http://").unwrap().to_owned();
        let data = self.data.path().join("data");
        self.provider.server = Server::start_dev_with(Path::new(&data), &["--listen", &address]);
    }
}

#[test]
fn tokens_are_believed_through_an_outage_and_confirmed_by_nobody_meanwhile() {
    let mut bed = Bed::start();
    let verifier = bed.verifier();
    let token = bed.token("orders:read");
    let access = bed.runtime.block_on(verifier.verify(&token)).unwrap();
    assert_eq!((access.subject(), access.is_client_itself()), (bed.caller.client_id.as_str(), true));
    assert!(access.allows("orders:read") && !access.allows("orders:write"));
    bed.runtime.block_on(verifier.introspect(&token)).unwrap();
    // A token that is for somebody else is for nobody here.
    let own = bed.provider.own_token(&bed.caller);
    assert!(matches!(bed.runtime.block_on(verifier.verify(&own)), Err(Rejected::Token(_))));

    bed.provider.server.kill();
    bed.runtime.block_on(verifier.verify(&token)).unwrap();
    let confirmed = bed.runtime.block_on(verifier.introspect(&token));
    assert!(matches!(confirmed, Err(Rejected::Unavailable(_))), "{confirmed:?}");
    // Who never had the keys believes nobody, and says how often it asked in vain.
    let late = bed.verifier();
    assert!(matches!(bed.runtime.block_on(late.verify(&token)), Err(Rejected::Unavailable(_))));
    assert_eq!((late.status().failures, late.status().keys), (1, 0));

    bed.restart();
    bed.runtime.block_on(verifier.introspect(&token)).unwrap();
    let late = bed.verifier();
    bed.runtime.block_on(late.verify(&token)).unwrap();

    let fields = [("token", token.as_str())];
    bed.provider.by(&bed.caller, "/oauth2/revoke", &fields).expect(200);
    eventually(PATIENCE, || {
        (bed.runtime.block_on(verifier.introspect(&token)).err() == Some(Rejected::Inactive)).then_some(())
    });
    // Whoever looks at the signature alone learns of it when the token ends.
    bed.runtime.block_on(verifier.verify(&token)).unwrap();
}

#[test]
fn a_key_that_takes_over_is_found_and_a_revoked_one_is_not_asked_for_again() {
    let bed = Bed::start();
    let verifier = bed.verifier();
    let old = bed.token("orders:read");
    bed.runtime.block_on(verifier.verify(&old)).unwrap();
    let admin = bed.provider.admin();
    let keys = admin.get("/api/v1/token-keys").expect(200).json();
    let active =
        keys["keys"].as_array().unwrap().iter().find(|key| key["state"] == "active" && key["algorithm"] == "ML-DSA-65");
    let id = active.unwrap()["id"].as_str().unwrap().to_owned();
    admin.post(&format!("/api/v1/token-keys/{id}/revoke"), &json!({})).expect(200);
    let new = eventually(PATIENCE, || {
        let token = bed.token("orders:read");
        let kid = |token: &str| super::provider::part(token, 0)["kid"].clone();
        (kid(&token) != kid(&old)).then_some(token)
    });
    eventually(PATIENCE, || bed.runtime.block_on(verifier.verify(&new)).ok());
    assert!(matches!(bed.runtime.block_on(verifier.verify(&old)), Err(Rejected::Token(_))));
    assert!(verifier.status().fetches <= 3, "{:?}", verifier.status());
}

/// The example, which the guide is made of.
struct Orders {
    child: Child,
    client: Client,
}

impl Orders {
    fn start(bed: &Bed) -> Self {
        let mut child = Command::new(binary("orders-api"))
            .env("ISSUER", bed.issuer())
            .env("AUDIENCE", API)
            .env("CLIENT_ID", &bed.api.client_id)
            .env("CLIENT_SECRET", bed.api.secret.as_deref().unwrap())
            .env("LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let said = Lines::collect(child.stdout.take().expect("a pipe"));
        let address = said.wait_for("ready ", PATIENCE).expect("the example is ready");
        Self { child, client: Client::new(&format!("http://{address}"), None) }
    }

    fn ask(&self, method: &str, path: &str, token: &str) -> crate::client::Answer {
        self.client.request(method, path).header("Authorization", &format!("Bearer {token}")).send()
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[test]
fn the_orders_api_lets_in_whom_it_should() {
    let bed = Bed::start();
    let orders = Orders::start(&bed);
    let (reader, writer) = (bed.token("orders:read"), bed.token("orders:read orders:write"));
    let nobody = orders.client.get("/orders");
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
    let forged = orders.ask("GET", "/orders", "a.b.c");
    assert_eq!((forged.status, forged.header("www-authenticate")), (401, Some("Bearer error=\"invalid_token\"")));
    let refused = orders.ask("POST", "/orders", &reader);
    let wanted = "Bearer error=\"insufficient_scope\", scope=\"orders:write\"";
    assert_eq!((refused.status, refused.header("www-authenticate")), (403, Some(wanted)));
    let order = orders.ask("POST", "/orders", &writer).expect(201).json();
    assert_eq!(order, json!({ "number": 1, "placedBy": bed.caller.client_id }));
    assert_eq!(orders.ask("GET", "/orders", &reader).expect(200).json(), json!([order]));

    bed.provider.by(&bed.caller, "/oauth2/revoke", &[("token", writer.as_str())]).expect(200);
    let cancelled =
        eventually(PATIENCE, || Some(orders.ask("DELETE", "/orders/9", &writer)).filter(|answer| answer.status != 404));
    assert_eq!(cancelled.status, 401);
    orders.ask("GET", "/orders", &writer).expect(200);
    let other = bed.token("orders:write");
    orders.ask("DELETE", "/orders/1", &other).expect(204);
    let status: Value = orders.client.get("/status").expect(200).json();
    assert_eq!((&status["keyFetches"], &status["keyFetchFailures"]), (&json!(1), &json!(0)));
}
