//! The identity provider as clients and attackers meet it: the checks of its design, each under its own name.

pub mod provider;
pub mod surface;

mod protocol_clients;
mod protocol_tokens;
