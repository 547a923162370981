//! The first answer to a request that may be sent again under the same `Idempotency-Key`.
//!
//! The row is written in the mutation's own transaction, so of two requests with one key only one takes effect; the other finds the
//! key taken ([`Error::Unique`]), reads the row and repeats its answer.

use domain::ids::{ApiKeyId, TenantId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::sql;
use crate::store::Store;
use crate::tx::Tx;

/// Whose key it is; another credential's equal key is another key.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    pub tenant: TenantId,
    pub principal: ApiKeyId,
    pub key: String,
}

/// What was answered.
#[derive(Clone)]
pub struct Answered {
    /// Hash of the request: the same key with another request is the caller's mistake.
    pub request: [u8; 32],
    pub status: u16,
    /// The sealed answer; absent when it showed a value that is shown once.
    pub answer: Option<Vec<u8>>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Store {
    /// What was answered under this key, unless that is forgotten by `now`.
    pub async fn answered(&self, key: &IdempotencyKey, now: Timestamp) -> Result<Option<Answered>> {
        let statement = sql("SELECT request, status, answer, created_at, expires_at FROM idempotency
                             WHERE tenant = $1 AND principal = $2 AND k = $3 AND expires_at > $4 LIMIT 1")
        .bind(key.tenant.as_bytes())
        .bind(key.principal.as_bytes())
        .bind(&key.key)
        .bind(now.millis());
        self.read_one(statement).await?.as_ref().map(answered).transpose()
    }

    /// Deletes up to a thousand answers that are forgotten by `now`; returns how many.
    pub async fn forget_answers(&self, now: Timestamp) -> Result<u64> {
        self.write("forget answers", move |tx| {
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
}

/// Keeps an answer. The key being taken by one that is not yet forgotten is [`Error::Unique`].
pub async fn insert_answer(tx: &mut Tx<'_>, key: &IdempotencyKey, answer: &Answered) -> Result<()> {
    let statement =
        sql("INSERT INTO idempotency (tenant, principal, k, request, status, answer, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (tenant, principal, k) DO UPDATE
             SET request = excluded.request, status = excluded.status, answer = excluded.answer,
                 created_at = excluded.created_at, expires_at = excluded.expires_at
             WHERE idempotency.expires_at <= excluded.created_at")
        .bind(key.tenant.as_bytes())
        .bind(key.principal.as_bytes())
        .bind(&key.key)
        .bind(answer.request)
        .bind(u32::from(answer.status))
        .bind(answer.answer.clone())
        .bind(answer.created_at.millis())
        .bind(answer.expires_at.millis());
    if tx.exec(statement).await? == 1 { Ok(()) } else { Err(Error::Unique) }
}

fn answered(row: &Row) -> Result<Answered> {
    Ok(Answered {
        request: row.array(0)?,
        status: u16::try_from(row.int(1)?).map_err(|_| Error::corrupt("a status"))?,
        answer: row.opt_blob(2)?.map(<[u8]>::to_vec),
        created_at: Timestamp::from_millis(row.int(3)?),
        expires_at: Timestamp::from_millis(row.int(4)?),
    })
}
