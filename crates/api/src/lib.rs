//! What is spelled on the wire: bodies, names, error codes and routes, and the published document made of them.
//!
//! The server, the SDK and the command line speak through these types, so a field has one spelling. Bodies carry no
//! meaning: parsing a name, authorizing, deciding are `domain`'s. Requests bind their fields in any casing and answers
//! can carry a second casing ([`casing`]), because clients of both kinds are installed. Request types that hold secret
//! text wipe it ([`secret::SecretText`]) and have no `Debug`.

#![deny(missing_docs)]

#[macro_use]
mod words;

pub mod api_keys;
pub mod applications;
pub mod audit;
pub mod casing;
pub mod certificates;
pub mod encryption;
pub mod error;
pub mod gate_tickets;
pub mod health;
pub mod keys;
pub mod limits;
pub mod oauth;
pub mod openapi;
pub mod operator;
pub mod people;
pub mod qrng;
pub mod routes;
pub mod secret;
pub mod secrets;
pub mod shares;
pub mod tenants;
pub mod time;
pub mod transit;
pub mod trusts;
