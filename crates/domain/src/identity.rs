//! Who acts: applications, people, their roles, and what each of them may be.

pub mod account;
pub mod application;
pub mod authorization_request;
pub mod claims;
pub mod grant;
pub mod liveness;
pub mod logout;
pub mod mail;
pub mod oauth_scope;
pub mod parameters;
pub mod password_policy;
pub mod pkce;
pub mod recovery_code;
pub mod redirect_uri;
pub mod role;
pub mod session;
pub mod target;
pub mod throttle;
pub mod token_key;
pub mod totp;
pub mod trust;
pub mod uri;
pub mod words;
