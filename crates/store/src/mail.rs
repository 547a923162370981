//! Letters on their way: whose turn it is, and what became of them. They are put here by `letters`.
//!
//! Whoever takes a letter moves its next turn forward in the same statement, so of any number of replicas one sends it, and one that dies
//! while sending leaves it to be tried again.

use domain::authz::{Action, Authorized};
use domain::ids::{MailId, TenantId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A letter whose turn it is.
#[derive(Clone, Debug)]
pub struct DueLetter {
    pub tenant: TenantId,
    pub id: MailId,
    /// How often it was tried.
    pub tries: i64,
    /// Address, subject and text.
    pub sealed: Vec<u8>,
}

impl Store {
    /// Letters whose turn it is, of every tenant, those that wait longest first.
    pub async fn due_letters(&self, now: Timestamp, most: u32) -> Result<Vec<DueLetter>> {
        let text = "SELECT tenant, id, attempts, sealed FROM mail WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at LIMIT $2";
        let rows = self.scan(sql(text).bind(now.millis()).bind(most)).await?;
        let read = |row: &crate::row::Row| {
            Ok(DueLetter {
                tenant: TenantId::from_bytes(row.array(0)?),
                id: MailId::from_bytes(row.array(1)?),
                tries: row.int(2)?,
                sealed: row.blob(3)?.to_vec(),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Takes a letter in order to send it. Answers with whether it was still there to be taken.
    pub async fn take_letter(&self, letter: &DueLetter, next_at: Timestamp) -> Result<bool> {
        let take = sql("UPDATE mail SET attempts = attempts + 1, next_at = $4 \
                        WHERE tenant = $1 AND id = $2 AND attempts = $3 AND state = 'waiting'")
        .bind(letter.tenant.as_bytes())
        .bind(letter.id.as_bytes())
        .bind(letter.tries)
        .bind(next_at.millis());
        let taken = self.write("take a letter", move |tx| {
            let take = take.clone();
            Box::pin(async move { tx.exec(take).await })
        });
        Ok(taken.await? == 1)
    }

    /// Puts a letter back whose try failed.
    pub async fn put_letter_back(&self, letter: &DueLetter, next_at: Timestamp) -> Result<()> {
        let back =
            sql("UPDATE mail SET next_at = $4 WHERE tenant = $1 AND id = $2 AND attempts = $3 AND state = 'waiting'")
                .bind(letter.tenant.as_bytes())
                .bind(letter.id.as_bytes())
                .bind(letter.tries + 1)
                .bind(next_at.millis());
        self.write("put a letter back", move |tx| {
            let back = back.clone();
            Box::pin(async move { tx.exec(back).await.map(|_| ()) })
        })
        .await
    }

    /// Forgets a letter that was delivered: what it says is its reader's alone.
    pub async fn forget_letter(&self, letter: &DueLetter) -> Result<()> {
        let forget = sql("DELETE FROM mail WHERE tenant = $1 AND id = $2")
            .bind(letter.tenant.as_bytes())
            .bind(letter.id.as_bytes());
        self.write("forget a letter", move |tx| {
            let forget = forget.clone();
            Box::pin(async move { tx.exec(forget).await.map(|_| ()) })
        })
        .await
    }

    /// Forgets letters that nobody tries any more, and codes that have ended. Answers with how many rows went.
    pub async fn forget_letters_and_codes(&self, letters_before: Timestamp, codes_before: Timestamp) -> Result<u64> {
        let letters = sql("DELETE FROM mail WHERE state = 'dead' AND created_at < $1").bind(letters_before.millis());
        let codes = sql("DELETE FROM account_code WHERE expires_at < $1").bind(codes_before.millis());
        self.write("forget letters and codes", move |tx| {
            let statements = vec![letters.clone(), codes.clone()];
            Box::pin(async move { Ok(tx.exec_all(statements).await?.iter().sum()) })
        })
        .await
    }
}

/// Gives a letter up: it is kept, and nobody tries it any more. Touches no row when it was given up or delivered already.
pub fn give_up_letter<A: Action>(auth: &Authorized<A>, id: MailId) -> Stmt {
    sql("UPDATE mail SET state = 'dead' WHERE tenant = $1 AND id = $2 AND state = 'waiting'")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
}
