//! What signing in reads and writes beside the session: the sealed password, the history, and the failures that slow down who guesses.

use domain::authz::{Action, Authorized};
use domain::identity::throttle::Failures;
use domain::ids::{AccountId, LoginEventId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// An event of somebody's history.
#[derive(Clone, Debug)]
pub struct NewLogin<'a> {
    pub id: LoginEventId,
    pub account: AccountId,
    pub at: Timestamp,
    /// `Login`, `LoginFailed`, `PasswordReset` or `Logout`.
    pub kind: &'a str,
    /// Why it failed.
    pub reason: Option<&'a str>,
    /// Address and device, sealed.
    pub sealed: Vec<u8>,
}

/// A try that counts as a failure until it is known to be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What it is counted for.
    pub subject: [u8; 32],
    /// The failures before it.
    pub seen: Option<Failures>,
    /// The failures with it.
    pub counted: Failures,
}

impl Store {
    /// The sealed record by which somebody's password is checked.
    pub async fn password_of<A: Action>(&self, auth: &Authorized<A>, id: AccountId) -> Result<Option<Vec<u8>>> {
        let text = "SELECT password FROM account WHERE tenant = $1 AND id = $2 LIMIT 1";
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes())).await?;
        Ok(row.map(|row| row.opt_blob(0).map(|blob| blob.map(<[u8]>::to_vec))).transpose()?.flatten())
    }

    /// The failures counted for a subject.
    pub async fn failures<A: Action>(&self, auth: &Authorized<A>, subject: &[u8; 32]) -> Result<Option<Failures>> {
        let text = "SELECT failures, failed_at FROM login_throttle WHERE tenant = $1 AND subject = $2 LIMIT 1";
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(subject)).await?;
        row.map(|row| Ok(Failures { count: row.int(0)?, last_at: Timestamp::from_millis(row.int(1)?) })).transpose()
    }

    /// Counts a try, if the failures of its subject are still those that were seen. Of tries that are made at once one is counted.
    pub async fn count_attempt<A: Action>(&self, auth: &Authorized<A>, attempt: &Attempt) -> Result<bool> {
        let count = match attempt.seen {
            Some(seen) => sql("UPDATE login_throttle SET failures = $3, failed_at = $4 \
                               WHERE tenant = $1 AND subject = $2 AND failures = $5 AND failed_at = $6")
            .bind(auth.tenant().as_bytes())
            .bind(attempt.subject)
            .bind(attempt.counted.count)
            .bind(attempt.counted.last_at.millis())
            .bind(seen.count)
            .bind(seen.last_at.millis()),
            None => sql("INSERT INTO login_throttle (tenant, subject, failures, failed_at) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (tenant, subject) DO NOTHING")
            .bind(auth.tenant().as_bytes())
            .bind(attempt.subject)
            .bind(attempt.counted.count)
            .bind(attempt.counted.last_at.millis()),
        };
        Ok(self.changed("count an attempt", count).await? == 1)
    }

    /// Takes a try back that was no failure. Those that were counted meanwhile stay.
    pub async fn take_attempt_back<A: Action>(&self, auth: &Authorized<A>, attempt: &Attempt) -> Result<()> {
        let before = attempt.seen.map_or(attempt.counted.last_at, |seen| seen.last_at);
        let back = sql("UPDATE login_throttle SET failures = failures - 1, \
                        failed_at = CASE WHEN failures = $3 AND failed_at = $4 THEN $5 ELSE failed_at END \
                        WHERE tenant = $1 AND subject = $2 AND failures > 0")
        .bind(auth.tenant().as_bytes())
        .bind(attempt.subject)
        .bind(attempt.counted.count)
        .bind(attempt.counted.last_at.millis())
        .bind(before.millis());
        self.changed("take an attempt back", back).await.map(|_| ())
    }

    async fn changed(&self, name: &'static str, statement: Stmt) -> Result<u64> {
        self.write(name, move |tx| {
            let statement = statement.clone();
            Box::pin(async move { tx.exec(statement).await })
        })
        .await
    }

    /// When all failures of a network will be forgiven.
    pub async fn network_forgiven_at<A: Action>(
        &self,
        auth: &Authorized<A>,
        network: &[u8; 32],
    ) -> Result<Option<Timestamp>> {
        Ok(self.failures(auth, network).await?.map(|failures| failures.last_at))
    }

    /// Forgets failures and history older than these. Answers with how many rows went.
    pub async fn forget_sign_ins(&self, failures_before: Timestamp, history_before: Timestamp) -> Result<u64> {
        let failures = sql("DELETE FROM login_throttle WHERE failed_at < $1").bind(failures_before.millis());
        let history = sql("DELETE FROM login_event WHERE at < $1").bind(history_before.millis());
        self.write("forget sign-ins", move |tx| {
            let statements = vec![failures.clone(), history.clone()];
            Box::pin(async move { Ok(tx.exec_all(statements).await?.iter().sum()) })
        })
        .await
    }
}

/// Counts a failure of a network: it is forgiven all of them so much later.
pub fn count_network_failure<A: Action>(
    auth: &Authorized<A>,
    network: &[u8; 32],
    now: Timestamp,
    forgives_ms: i64,
) -> Stmt {
    sql("INSERT INTO login_throttle (tenant, subject, failures, failed_at) VALUES ($1, $2, 1, $3) \
         ON CONFLICT (tenant, subject) DO UPDATE SET failures = login_throttle.failures + 1, failed_at = CASE \
         WHEN login_throttle.failed_at > $4 THEN login_throttle.failed_at + $5 ELSE excluded.failed_at END")
    .bind(auth.tenant().as_bytes())
    .bind(network)
    .bind(now.plus_millis(forgives_ms).millis())
    .bind(now.millis())
    .bind(forgives_ms)
}

/// Forgets the failures of a subject.
pub fn forgive<A: Action>(auth: &Authorized<A>, subject: &[u8; 32]) -> Stmt {
    sql("DELETE FROM login_throttle WHERE tenant = $1 AND subject = $2").bind(auth.tenant().as_bytes()).bind(subject)
}

/// Adds an event to somebody's history.
pub fn insert_login<A: Action>(auth: &Authorized<A>, event: &NewLogin<'_>) -> Stmt {
    sql("INSERT INTO login_event (tenant, id, account, at, kind, is_success, reason, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(auth.tenant().as_bytes())
        .bind(event.id.as_bytes())
        .bind(event.account.as_bytes())
        .bind(event.at.millis())
        .bind(event.kind)
        .bind(event.reason.is_none())
        .bind(event.reason)
        .bind(&event.sealed)
}

/// Counts that somebody signed in. Touches no row when they may not.
pub fn count_sign_in<A: Action>(auth: &Authorized<A>, id: AccountId, now: Timestamp) -> Stmt {
    sql("UPDATE account SET login_count = login_count + 1, last_login_at = $3 WHERE tenant = $1 AND id = $2 AND state = 'active'")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(now.millis())
}
