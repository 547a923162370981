//! The identity provider as clients and attackers meet it: the checks of its design, each under its own name.

pub mod browser;
pub mod place;
pub mod provider;
mod receiver;
mod redeeming;
mod refreshing;
pub mod surface;
pub mod visitor;

mod asking;
mod attacks;
mod checks;
mod clients;
mod comparing;
mod confusion;
mod crashes;
mod devices;
mod enumeration;
mod exchanges;
mod factors;
mod helpdesk;
mod issuer;
mod jobs;
mod logouts;
mod mail;
mod page_views;
mod people;
mod protocol_clients;
mod protocol_mtls;
mod protocol_tokens;
mod proxy;
mod resource_servers;
mod sign_in;
mod tokens;
mod trusts;
mod two_tenants;
mod walls;
