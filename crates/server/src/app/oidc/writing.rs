//! How the protocol writes: guarded statements with their audit event in one transaction; and how it writes down what it does without one.

use domain::ids::TenantId;
use store::Stmt;

use super::Oidc;
use super::refusal::{Answered, Refused};
use super::site::Site;
use crate::trail::{Entry, Scene};

/// Whether what replicas remember of the tenant is to be read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing that is remembered changed.
    Stays,
    /// Something did: a token that was alive may be dead.
    Goes,
}

/// What a transaction does.
pub struct Change {
    /// Each touches exactly one row, or nothing happens at all.
    pub exact: Vec<Stmt>,
    /// These touch as many as there are.
    pub follow: Vec<Stmt>,
    /// What becomes of what is remembered.
    pub remembered: Remembered,
}

impl Change {
    /// Guarded statements, after which nothing that is remembered is wrong.
    pub fn of(exact: Vec<Stmt>) -> Self {
        Self { exact, follow: Vec::new(), remembered: Remembered::Stays }
    }

    /// Statements after which tokens may be dead.
    pub fn ending(exact: Vec<Stmt>, follow: Vec<Stmt>) -> Self {
        Self { exact, follow, remembered: Remembered::Goes }
    }
}

impl Oidc {
    /// One transaction with its event. False when a guarded statement touched no row: then nothing happened.
    pub(super) async fn write(
        &self,
        name: &'static str,
        tenant: TenantId,
        change: Change,
        event: Stmt,
    ) -> Answered<bool> {
        let Change { exact, follow, remembered } = change;
        let written = self.core.store.write(name, move |tx| {
            let (exact, follow, event) = (exact.clone(), follow.clone(), event.clone());
            Box::pin(async move {
                if tx.exec_all(exact).await?.iter().any(|touched| *touched != 1) {
                    return Err(store::Error::Conflict);
                }
                tx.exec_all(follow).await?;
                tx.exec_last(event);
                if remembered == Remembered::Goes {
                    tx.bump_epoch(*tenant.as_bytes());
                }
                Ok(())
            })
        });
        match written.await {
            Ok(()) => Ok(true),
            Err(store::Error::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down how a request ended, then lets its result out. What a transaction wrote down already is not written again.
    pub(super) async fn conclude<'a, T>(&self, scene: Scene<'a>, mut entry: Entry, result: Answered<T>) -> Answered<T> {
        let told = match &result {
            Ok(_) => Ok(()),
            Err(refused) => {
                if let Some(cause) = &refused.cause {
                    entry.note(cause.clone());
                }
                Err(refused.as_problem())
            }
        };
        let was_told = told.is_err();
        match self.core.trail.conclude(scene, entry, told).await {
            // Without its line in the trail nothing is handed out.
            Err(problem) if !was_told => Err(Refused::from(problem)),
            _ => result,
        }
    }

    /// The event of a change, for its transaction.
    pub(super) fn event(&self, site: &Site, client_id: &str, entry: &Entry) -> Answered<Stmt> {
        Ok(self.core.trail.event(Scene::application(&site.ctx, client_id), entry)?)
    }
}
