//! A client for the platform: one method a route, the bodies of `api`, errors as values.
//!
//! ```no_run
//! # async fn example() -> Result<(), sdk::Error> {
//! let client = sdk::Client::new(sdk::Config::new("https://vault.example").with_key("qapi_..."))?;
//! let secret = client.secret_by_name("users-api/db-connection", &Default::default()).await?;
//! connect(secret.value.expose());
//! # Ok(())
//! # }
//! # fn connect(_: &str) {}
//! ```
//!
//! There is no default server. Requests that were not answered are sent again as long as that cannot do a thing twice:
//! what changes something carries an `Idempotency-Key`. Redirects are not followed, because they would carry the
//! credential elsewhere.

#![deny(missing_docs)]

mod call;
mod calls;
mod client;
mod config;
mod error;
pub mod identity;
pub mod mesh;
pub mod oauth;
pub mod random;
mod retry;
pub mod secrets;
mod task;
pub mod tokens;
pub mod verify;

pub use client::{Client, Download};
pub use config::Config;
pub use error::{Error, OAuthRefusal, Refusal, report};
