//! HTTP between services: a server that knows who calls, and a client that knows who answers.
//!
//! Both speak HTTP/1.1 over the mTLS of a [`ServiceIdentity`](crate::identity::ServiceIdentity), and neither lets a connection
//! outlive the certificates of its ends: it is drained, and the next one is judged anew. A connection whose peer is not believed
//! any more is closed at once.

mod client;
mod expiring;
#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "reqwest")]
mod lending;
mod server;

pub use client::{CallFailed, MeshClient};
#[cfg(feature = "axum")]
pub use extract::{Caller, NoCaller};
#[cfg(feature = "reqwest")]
pub use lending::{MeshReqwest, NoClient};
pub use server::{Doorkeeper, serve};
