//! The commands, one module a noun.

pub mod api_keys;
pub mod apis;
pub mod apps;
pub mod artifact;
pub mod audit;
pub mod certs;
pub mod completions;
pub mod encryption;
pub mod gate;
pub mod grants;
pub mod health;
pub mod image;
pub mod keys;
pub mod login;
pub mod mesh;
pub mod operator;
pub mod random;
pub mod roles;
pub mod run;
pub mod sbom;
pub mod secrets;
pub mod sessions;
pub mod tenants;
pub mod trusts;
pub mod users;
pub mod whoami;
