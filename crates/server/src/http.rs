//! HTTP: parse, call one application function, wrap. Nothing is decided here.

pub mod extract;
pub mod mount;
pub mod reply;
pub mod serve;

mod api_keys;
mod audit;
mod certificates;
mod encryption;
pub mod health;
pub mod idempotency;
mod keys;
pub mod metrics;
mod operator;
mod page;
mod qrng;
mod secrets;
mod shares;
mod tenants;
mod transit;

use axum::Router;

use crate::platform::Platform;

/// Every route of the public listener.
pub fn router() -> Router<Platform> {
    Router::new()
        .merge(health::router())
        .merge(page::router())
        .merge(keys::router())
        .merge(encryption::router())
        .merge(transit::router())
        .merge(secrets::router())
        .merge(shares::router())
        .merge(qrng::router())
        .merge(audit::router())
        .merge(certificates::router())
        .merge(api_keys::router())
        .merge(tenants::router())
        .merge(operator::router())
}
