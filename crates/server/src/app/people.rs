//! People as they come: signing in, the sessions that follow, and what they may change of themselves.
//!
//! Whoever signs in is told nothing but that it did not work: an address that nobody has costs the same work and gets the same answer.

pub mod account;
mod attempts;
pub mod codes;
pub mod cookies;
pub mod factors;
mod notices;
pub mod own_factors;
pub mod passwords;
pub mod second_step;
pub mod sessions;
pub mod sign_in;

use std::sync::Arc;

use domain::authz::{Authorized, WriteEndUsers, on_behalf_of_the_platform};
use domain::ids::TenantId;

use super::accounts::Accounts;

/// The people of every tenant.
pub struct People {
    accounts: Arc<Accounts>,
}

impl People {
    /// Over the accounts that others manage.
    pub fn new(accounts: Arc<Accounts>) -> Self {
        Self { accounts }
    }
}

/// The proof for what people do for themselves: that they may was decided by a password or a session.
fn on_behalf(tenant: TenantId) -> Authorized<WriteEndUsers> {
    on_behalf_of_the_platform(tenant)
}
