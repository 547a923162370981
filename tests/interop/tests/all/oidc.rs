//! The identity provider as clients and attackers meet it: the checks of its design, each under its own name.

pub mod browser;
pub mod place;
pub mod provider;
pub mod surface;
pub mod visitor;

mod checks;
mod clients;
mod factors;
mod issuer;
mod jobs;
mod mail;
mod people;
mod protocol_clients;
mod protocol_mtls;
mod protocol_tokens;
mod proxy;
mod resource_servers;
mod sign_in;
mod tokens;
mod trusts;
