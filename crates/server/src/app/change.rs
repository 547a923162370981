//! One way to change what replicas cache: guarded statements, their audit event, and the tenant's epoch, together.

use api::error::ErrorCode;
use domain::ids::TenantId;
use store::Stmt;

use super::Core;
use crate::problem::{Outcome, Problem};

impl Core {
    /// One transaction. Every statement must touch exactly one row; otherwise nothing happens and it is a conflict.
    pub async fn change(
        &self,
        name: &'static str,
        tenant: TenantId,
        statements: Vec<Stmt>,
        event: Stmt,
    ) -> Outcome<()> {
        self.change_with(name, tenant, statements, Vec::new(), event).await
    }

    /// The same with statements that follow: they touch as many rows as there are.
    pub async fn change_with(
        &self,
        name: &'static str,
        tenant: TenantId,
        exact: Vec<Stmt>,
        follow: Vec<Stmt>,
        event: Stmt,
    ) -> Outcome<()> {
        let written = self.store.write(name, move |tx| {
            let (exact, follow, event) = (exact.clone(), follow.clone(), event.clone());
            Box::pin(async move {
                if tx.exec_all(exact).await?.iter().any(|touched| *touched != 1) {
                    return Err(store::Error::Conflict);
                }
                tx.exec_all(follow).await?;
                tx.exec_last(event);
                tx.bump_epoch(*tenant.as_bytes());
                Ok(())
            })
        });
        Ok(written.await?)
    }
}

/// Something as it is shown, with the revision that is its entity tag.
pub struct Revised<T> {
    /// As it is shown.
    pub body: T,
    /// Counts changes.
    pub revision: i64,
}

/// Refuses a change over another revision than the caller saw, if they say which.
pub fn must_be_seen(seen: Option<i64>, revision: i64) -> Outcome<()> {
    if seen.is_none_or(|seen| seen == revision) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::PreconditionFailed, "It was changed since it was read."))
}
