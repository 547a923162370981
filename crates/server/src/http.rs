//! HTTP: parse, call one application function, wrap. Nothing is decided here.

pub mod extract;
pub mod mount;
pub mod reply;
pub mod serve;

mod encryption;
mod health;
mod keys;
mod page;
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
}
