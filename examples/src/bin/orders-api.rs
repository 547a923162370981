//! The orders API: an `axum` router behind a gateway, which believes the access tokens of the platform's identity provider.
//!
//! | variable | meaning |
//! |---|---|
//! | `ISSUER` | the issuer, as its metadata names it |
//! | `AUDIENCE` | how tokens call this API |
//! | `CLIENT_ID`, `CLIENT_SECRET` | the client that `serves` this API, by whom it asks what a token is worth |
//! | `LISTEN` | where it serves |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use examples::{listen, required, start_log};
use sdk::verify::{Bearer, Confirmed, Rejected, Settings, Verifier};
use serde_json::{Value, json};

#[derive(Clone)]
struct Shop {
    verifier: Arc<Verifier>,
    orders: Arc<Mutex<BTreeMap<u64, Value>>>,
}

impl FromRef<Shop> for Arc<Verifier> {
    fn from_ref(shop: &Shop) -> Self {
        Arc::clone(&shop.verifier)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    start_log()?;
    let variables = &|name: &str| std::env::var(name).ok();
    let settings = Settings::new(required(variables, "ISSUER")?, required(variables, "AUDIENCE")?)
        .with_client(required(variables, "CLIENT_ID")?, &required(variables, "CLIENT_SECRET")?);
    let shop = Shop { verifier: Arc::new(Verifier::new(settings)?), orders: Arc::default() };
    let router = Router::new()
        .route("/orders", get(list).post(place))
        .route("/orders/{number}", delete(cancel))
        .route("/status", get(status))
        .with_state(shop);
    let listener = listen(variables).await?;
    announce(listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}

/// The signature is enough to look.
async fn list(Bearer(access): Bearer, State(shop): State<Shop>) -> Result<Json<Vec<Value>>, Rejected> {
    access.must_allow("orders:read")?;
    Ok(Json(shop.known().values().cloned().collect()))
}

async fn place(Bearer(access): Bearer, State(shop): State<Shop>) -> Result<(StatusCode, Json<Value>), Rejected> {
    access.must_allow("orders:write")?;
    let mut orders = shop.known();
    let number = orders.last_key_value().map_or(1, |(number, _)| number + 1);
    let order = json!({ "number": number, "placedBy": access.subject() });
    orders.insert(number, order.clone());
    Ok((StatusCode::CREATED, Json(order)))
}

/// What cannot be taken back is done for tokens that are alive at this moment.
async fn cancel(
    Confirmed(access): Confirmed,
    State(shop): State<Shop>,
    Path(number): Path<u64>,
) -> Result<StatusCode, Rejected> {
    access.must_allow("orders:write")?;
    let found = shop.known().remove(&number);
    Ok(if found.is_some() { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

/// For the monitoring: an issuer that is away for a day is somebody's business.
async fn status(State(shop): State<Shop>) -> Json<Value> {
    let keys = shop.verifier.status();
    Json(json!({
        "keys": keys.keys,
        "keyFetches": keys.fetches,
        "keyFetchFailures": keys.failures,
        "keyAgeSeconds": keys.age.map(|age| age.as_secs()),
    }))
}

impl Shop {
    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Value>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::print_stdout, reason = "whoever starts the service waits for this line")]
fn announce(listener: std::net::SocketAddr) {
    println!("ready {listener}");
}
