//! One way to change what replicas cache: guarded statements, their audit event, and the tenant's epoch, together.

use domain::ids::TenantId;
use store::Stmt;

use super::Core;
use crate::problem::Outcome;

impl Core {
    /// One transaction. Every statement must touch exactly one row; otherwise nothing happens and it is a conflict.
    pub async fn change(
        &self,
        name: &'static str,
        tenant: TenantId,
        statements: Vec<Stmt>,
        event: Stmt,
    ) -> Outcome<()> {
        let written = self.store.write(name, move |tx| {
            let (statements, event) = (statements.clone(), event.clone());
            Box::pin(async move {
                if tx.exec_all(statements).await?.iter().any(|touched| *touched != 1) {
                    return Err(store::Error::Conflict);
                }
                tx.exec_last(event);
                tx.bump_epoch(*tenant.as_bytes());
                Ok(())
            })
        });
        Ok(written.await?)
    }
}
