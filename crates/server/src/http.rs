//! HTTP: parse, call one application function, wrap. Nothing is decided here.

pub mod extract;
pub mod forwarded;
mod lingering;
pub mod mount;
pub mod reply;
pub mod serve;

mod api_keys;
mod applications;
mod audit;
mod certificates;
mod encryption;
mod gate_tickets;
pub mod health;
mod idempotency;
mod keys;
pub mod metrics;
mod oidc;
mod operator;
mod page;
pub mod pages;
mod people;
mod qrng;
mod secrets;
mod shares;
mod tenants;
mod transit;
mod trusts;

use std::convert::Infallible;

use api::error::ErrorCode;
use axum::Router;
use axum::extract::State;

use crate::platform::Platform;
use crate::problem::{Outcome, Problem};
use crate::trail::{Entry, Trail};
use extract::Proven;

/// Every route of the public listener.
pub fn router(platform: &Platform) -> Router<Platform> {
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
        .merge(oidc::router(platform))
        .merge(pages::router())
        .merge(api_keys::router())
        .merge(applications::router())
        .merge(people::router())
        .merge(trusts::router())
        .merge(gate_tickets::router())
        .merge(tenants::router())
        .merge(operator::router())
}

/// Every route of the listener for services. What takes an API key is not among them: on this listener the certificate is
/// the only credential, and it is good for its own renewal. A key that is sent along is not looked at.
pub fn services_router(platform: &Platform) -> Router<Platform> {
    Router::new()
        .merge(health::anonymous())
        .merge(certificates::published())
        .merge(certificates::of_services())
        .merge(oidc::of_clients(platform))
        .fallback(beyond)
}

/// A service that wants more than its certificate is good for.
async fn beyond(State(trail): State<Trail>, Proven(ctx, _): Proven) -> Problem {
    let entry = Entry::new(ctx.origin.operation, "auth", "Route");
    let message = "Here a service renews its own certificate, and reads what anybody may.";
    let refused: Outcome<Infallible> = Err(Problem::new(ErrorCode::Forbidden, message));
    match trail.conclude(&ctx, entry, refused).await {
        Err(problem) => problem,
        Ok(never) => match never {},
    }
}
