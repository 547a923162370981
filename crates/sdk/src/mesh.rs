//! HTTP between services: a server that knows who calls, and a client that knows who answers.
//!
//! Both speak HTTP/1.1 over the mTLS of a [`ServiceIdentity`](crate::identity::ServiceIdentity), and neither lets a connection
//! outlive the certificates of its ends: it is drained, and the next one is judged anew.

mod client;
mod expiring;
#[cfg(feature = "axum")]
mod extract;
mod server;

pub use client::{CallFailed, MeshClient};
#[cfg(feature = "axum")]
pub use extract::{Caller, NoCaller};
pub use server::{Doorkeeper, serve};
