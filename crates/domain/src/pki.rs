//! Certificates: what may be asked for, what is issued instead, and how authorities follow one another.
//!
//! - [`profile`]: kinds of certificate, as data that is checked when it is loaded.
//! - [`names`]: the names that a tenant's certificates may hold, and the identity that follows from them.
//! - [`issuance`]: from a wish and a profile to an [`issuance::IssuanceToken`], the right to sign exactly one certificate.
//!   Nothing else in the product makes a certificate of somebody's wish.
//! - [`authority`]: which key issues, and how the next one takes over.
//! - [`deny_list`]: what peers are told of revocations.
//!
//! Nothing here signs, and nothing here knows where a private key is.

pub mod authority;
pub mod deny_list;
pub mod issuance;
pub mod lifetime;
pub mod names;
pub mod profile;
