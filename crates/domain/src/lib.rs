//! What the product is: identifiers, states and the decisions over them.
//!
//! Pure: no I/O, no clock, no generator. Time and randomness are arguments, so every rule here can be tested as a
//! table. What is spelled on the wire is `api`'s business, how it is stored is `store`'s.

pub mod api_key;
pub mod audit;
pub mod authz;
pub mod environment;
pub mod gate_ticket;
pub mod identity;
pub mod ids;
pub mod insights;
pub mod key;
pub mod limits;
pub mod mesh;
pub mod name;
pub mod pki;
pub mod rate;
pub mod scope;
pub mod secret;
pub mod share;
pub mod time;
