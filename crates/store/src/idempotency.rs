//! Requests that may be sent again under the same `Idempotency-Key`, and what was answered to them.
//!
//! A key is claimed before its request is served and completed with the answer afterwards, so of two requests with one key only one
//! is served. The transaction of a mutation checks the claim and marks it as done ([`crate::outbox::OutboxRow::insert_once`]). So
//! whoever comes after the claim has run out may take it over whatever became of its server: what was done is marked, and what
//! was not done cannot be any more, because the transaction would find another's claim.
//!
//! `status` is 0 while nothing was done, 1 once it was done and not answered, and the answer's status after that. Until there is an
//! answer, `answer` holds the claim's token.

use domain::ids::TenantId;
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One request. Another credential's equal key is another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub tenant: TenantId,
    pub principal: [u8; 16],
    pub key: String,
    /// A keyed hash of the request: the same key with another request is the caller's mistake.
    pub request: [u8; 32],
    /// Random: tells this claim from the one that takes it over.
    pub token: [u8; 16],
}

/// What a request that is given back has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was refused for a reason, and what it did on the way may be done again.
    Refused,
    /// It failed, and nobody knows how far it came: only what was certainly not done may be done again.
    Unknown,
}

/// What is known of the request that has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub request: [u8; 32],
    /// The answer's status; 0 while nothing was done, 1 while it was done and not answered.
    pub status: u16,
    /// The sealed answer; absent when it showed a value that is shown once.
    pub answer: Option<Vec<u8>>,
    /// When it was claimed.
    pub claimed_at: Timestamp,
}

impl Claim {
    /// Marks the claim as done, if it is still this one.
    pub(crate) fn done(&self, kept_until: Timestamp) -> Stmt {
        let update = sql("UPDATE idempotency SET status = 1, expires_at = $5
                          WHERE tenant = $1 AND principal = $2 AND k = $3 AND answer = $4 AND status IN (0, 1)");
        addressed(update, self).bind(self.token).bind(kept_until.millis())
    }
}

impl Store {
    /// Claims a key until `until`; answers with the request that has it when it is taken.
    pub async fn claim_idempotency(&self, claim: &Claim, now: Timestamp, until: Timestamp) -> Result<Option<Kept>> {
        let (insert, select) = (insert(claim, now, until), select(claim));
        self.write("claim idempotency key", move |tx| {
            let (insert, select) = (insert.clone(), select.clone());
            Box::pin(async move {
                if tx.exec(insert).await? == 1 {
                    return Ok(None);
                }
                // Given back or run out in between: the next try finds the key free.
                tx.row(select).await?.as_ref().map(kept).transpose()?.ok_or(Error::Conflict).map(Some)
            })
        })
        .await
    }

    /// Completes a claim with its answer.
    pub async fn keep_answer(
        &self,
        claim: &Claim,
        status: u16,
        answer: Option<Vec<u8>>,
        until: Timestamp,
    ) -> Result<()> {
        let update = sql("UPDATE idempotency SET status = $4, answer = $5, expires_at = $6
                          WHERE tenant = $1 AND principal = $2 AND k = $3 AND status IN (0, 1) AND answer = $7");
        let update =
            addressed(update, claim).bind(u32::from(status)).bind(answer).bind(until.millis()).bind(claim.token);
        self.touch_claim("keep answer", update).await
    }

    /// Gives a claim back, so that its request may be sent again; says whether the claim was still this one.
    pub async fn release_idempotency(&self, claim: &Claim, ended: Ended) -> Result<bool> {
        let most: i64 = match ended {
            Ended::Refused => 1,
            Ended::Unknown => 0,
        };
        let delete = sql("DELETE FROM idempotency
                          WHERE tenant = $1 AND principal = $2 AND k = $3 AND answer = $4 AND status <= $5");
        let delete = addressed(delete, claim).bind(claim.token).bind(most);
        let select = select(claim);
        let token = claim.token;
        self.write("release idempotency key", move |tx| {
            let (delete, select) = (delete.clone(), select.clone());
            Box::pin(async move {
                if tx.exec(delete).await? == 1 {
                    return Ok(true);
                }
                // Done and kept, or taken over.
                let found = tx.row(select).await?.as_ref().map(kept).transpose()?;
                Ok(found.is_some_and(|found| found.answer.as_deref() == Some(token.as_slice())))
            })
        })
        .await
    }

    /// Forgets up to a thousand requests that have run out by `now`; returns how many.
    pub async fn expire_idempotency(&self, now: Timestamp) -> Result<u64> {
        self.write("expire idempotency keys", move |tx| {
            Box::pin(async move {
                tx.exec(
                    sql("DELETE FROM idempotency WHERE (tenant, principal, k) IN
                         (SELECT tenant, principal, k FROM idempotency WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1000)")
                    .bind(now.millis()),
                )
                .await
            })
        })
        .await
    }

    async fn touch_claim(&self, name: &'static str, statement: Stmt) -> Result<()> {
        self.write(name, move |tx| {
            let statement = statement.clone();
            Box::pin(async move { if tx.exec(statement).await? == 1 { Ok(()) } else { Err(Error::Conflict) } })
        })
        .await
    }
}

/// Takes the key if nobody has it or what had it has run out.
fn insert(claim: &Claim, now: Timestamp, until: Timestamp) -> Stmt {
    let insert = sql("INSERT INTO idempotency (tenant, principal, k, request, status, answer, created_at, expires_at)
                      VALUES ($1, $2, $3, $4, 0, $7, $5, $6)
                      ON CONFLICT (tenant, principal, k) DO UPDATE
                      SET request = excluded.request, status = 0, answer = excluded.answer,
                          created_at = excluded.created_at, expires_at = excluded.expires_at
                      WHERE idempotency.expires_at <= excluded.created_at");
    addressed(insert, claim).bind(claim.request).bind(now.millis()).bind(until.millis()).bind(claim.token)
}

fn select(claim: &Claim) -> Stmt {
    let text = "SELECT request, status, answer, created_at FROM idempotency WHERE tenant = $1 AND principal = $2 AND k = $3 LIMIT 1";
    addressed(sql(text), claim)
}

/// Parameters 1 to 3.
fn addressed(statement: Stmt, claim: &Claim) -> Stmt {
    statement.bind(claim.tenant.as_bytes()).bind(claim.principal).bind(&claim.key)
}

fn kept(row: &Row) -> Result<Kept> {
    Ok(Kept {
        request: row.array(0)?,
        status: u16::try_from(row.int(1)?).map_err(|_| Error::corrupt("a status"))?,
        answer: row.opt_blob(2)?.map(<[u8]>::to_vec),
        claimed_at: Timestamp::from_millis(row.int(3)?),
    })
}
