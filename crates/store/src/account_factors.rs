//! Second factors: an authenticator (`totp`) and recovery codes (`recovery`).
//!
//! An authenticator is `waiting` until its first code was shown, then `live`. A recovery code is `live` until it is `spent`; its row
//! holds a keyed hash.

use domain::authz::{Action, Authorized};
use domain::ids::{AccountId, FactorId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// An authenticator.
#[derive(Clone, Debug)]
pub struct StoredTotp {
    pub id: FactorId,
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// The step of the last code that was taken.
    pub last_step: i64,
}

/// What somebody has of one kind of second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFactors {
    /// `totp` or `recovery`.
    pub kind: String,
    /// How many of it still prove something.
    pub left: u64,
    /// When the first of those was set up.
    pub created_at: Timestamp,
    /// When one of the kind, which may be spent by that, was shown last.
    pub used_at: Option<Timestamp>,
}

impl Store {
    /// The second factors of somebody by their kinds; an authenticator that nobody has shown a code of is none yet.
    pub async fn listed_factors<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
    ) -> Result<Vec<ListedFactors>> {
        let text = "SELECT kind, COUNT(CASE WHEN state = 'live' THEN 1 END), MIN(created_at), MAX(used_at) FROM account_factor \
                    WHERE tenant = $1 AND account = $2 AND state IN ('live', 'spent') GROUP BY kind ORDER BY kind DESC";
        let rows = self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes())).await?;
        let listed = |row: &crate::row::Row| {
            Ok(ListedFactors {
                kind: row.text(0)?.to_owned(),
                left: u64::try_from(row.int(1)?).unwrap_or_default(),
                created_at: Timestamp::from_millis(row.int(2)?),
                used_at: row.opt_int(3)?.map(Timestamp::from_millis),
            })
        };
        rows.iter().map(listed).collect()
    }

    /// The authenticator that somebody has.
    pub async fn totp<A: Action>(&self, auth: &Authorized<A>, account: AccountId) -> Result<Option<StoredTotp>> {
        let text = "SELECT id, sealed, last_step FROM account_factor WHERE tenant = $1 AND account = $2 \
                    AND kind = 'totp' AND state = 'live' LIMIT 1";
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes())).await?;
        row.as_ref().map(totp).transpose()
    }

    /// The authenticator of this id, if it waits for somebody's first code since after this time.
    pub async fn waiting_totp<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
        id: FactorId,
        after: Timestamp,
    ) -> Result<Option<StoredTotp>> {
        let text = "SELECT id, sealed, last_step FROM account_factor WHERE tenant = $1 AND account = $2 AND id = $3 \
                    AND kind = 'totp' AND state = 'waiting' AND created_at > $4 LIMIT 1";
        let statement =
            sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(id.as_bytes()).bind(after.millis());
        self.read_one(statement).await?.as_ref().map(totp).transpose()
    }

    /// How many recovery codes somebody has left.
    pub async fn recovery_codes_left<A: Action>(&self, auth: &Authorized<A>, account: AccountId) -> Result<u64> {
        let text = "SELECT COUNT(*) FROM account_factor WHERE tenant = $1 AND account = $2 AND kind = 'recovery' AND state = 'live'";
        let rows = self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes())).await?;
        rows.first().map_or(Ok(0), |row| Ok(u64::try_from(row.int(0)?).unwrap_or_default()))
    }

    /// The recovery code of this hash, if somebody has it and has not spent it.
    pub async fn recovery_code<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
        hash: &[u8; 32],
    ) -> Result<Option<FactorId>> {
        let text = "SELECT id FROM account_factor WHERE tenant = $1 AND account = $2 AND kind = 'recovery' AND state = 'live' \
                    AND sealed = $3 LIMIT 1";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(hash);
        self.read_one(statement).await?.map(|row| Ok(FactorId::from_bytes(row.array(0)?))).transpose()
    }
}

fn totp(row: &crate::row::Row) -> Result<StoredTotp> {
    Ok(StoredTotp { id: FactorId::from_bytes(row.array(0)?), sealed: row.blob(1)?.to_vec(), last_step: row.int(2)? })
}

/// Adds an authenticator that waits for its first code.
pub fn insert_totp<A: Action>(
    auth: &Authorized<A>,
    account: AccountId,
    id: FactorId,
    sealed: Vec<u8>,
    now: Timestamp,
) -> Stmt {
    sql("INSERT INTO account_factor (tenant, id, account, kind, state, sealed, last_step, created_at) \
         VALUES ($1, $2, $3, 'totp', 'waiting', $4, 0, $5)")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(account.as_bytes())
    .bind(sealed)
    .bind(now.millis())
}

/// Adds a recovery code by its keyed hash.
pub fn insert_recovery_code<A: Action>(
    auth: &Authorized<A>,
    account: AccountId,
    id: FactorId,
    hash: [u8; 32],
    now: Timestamp,
) -> Stmt {
    sql("INSERT INTO account_factor (tenant, id, account, kind, state, sealed, last_step, created_at) \
         VALUES ($1, $2, $3, 'recovery', 'live', $4, 0, $5)")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(account.as_bytes())
    .bind(hash)
    .bind(now.millis())
}

/// Takes a code of an authenticator: it and all before it are worth nothing any more. Touches no row when one of them was taken already.
pub fn take_totp<A: Action>(auth: &Authorized<A>, id: FactorId, step: i64, now: Timestamp) -> Stmt {
    sql("UPDATE account_factor SET last_step = $3, used_at = $4, state = 'live' \
         WHERE tenant = $1 AND id = $2 AND kind = 'totp' AND state IN ('live', 'waiting') AND last_step < $3")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(step)
    .bind(now.millis())
}

/// Spends a recovery code. Touches no row when it was spent already.
pub fn spend_recovery_code<A: Action>(auth: &Authorized<A>, id: FactorId, now: Timestamp) -> Stmt {
    sql("UPDATE account_factor SET state = 'spent', used_at = $3 \
         WHERE tenant = $1 AND id = $2 AND kind = 'recovery' AND state = 'live'")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(now.millis())
}

/// Forgets authenticators that still wait for their first code.
pub fn forget_waiting_totp<A: Action>(auth: &Authorized<A>, account: AccountId) -> Stmt {
    sql("DELETE FROM account_factor WHERE tenant = $1 AND account = $2 AND kind = 'totp' AND state = 'waiting'")
        .bind(auth.tenant().as_bytes())
        .bind(account.as_bytes())
}

/// Forgets authenticators that have waited for their first code since before this time.
pub fn forget_totp_offered_before<A: Action>(auth: &Authorized<A>, account: AccountId, before: Timestamp) -> Stmt {
    sql("DELETE FROM account_factor \
         WHERE tenant = $1 AND account = $2 AND kind = 'totp' AND state = 'waiting' AND created_at < $3")
    .bind(auth.tenant().as_bytes())
    .bind(account.as_bytes())
    .bind(before.millis())
}

/// Forgets the recovery codes of somebody.
pub fn forget_recovery_codes<A: Action>(auth: &Authorized<A>, account: AccountId) -> Stmt {
    sql("DELETE FROM account_factor WHERE tenant = $1 AND account = $2 AND kind = 'recovery'")
        .bind(auth.tenant().as_bytes())
        .bind(account.as_bytes())
}

/// Forgets every second factor of somebody.
pub fn forget_factors<A: Action>(auth: &Authorized<A>, account: AccountId) -> Stmt {
    sql("DELETE FROM account_factor WHERE tenant = $1 AND account = $2")
        .bind(auth.tenant().as_bytes())
        .bind(account.as_bytes())
}

/// Whether somebody is asked for a second factor. Touches one row, or none when it is so already.
pub fn mark_second_factor<A: Action>(auth: &Authorized<A>, account: AccountId, has: Has) -> Stmt {
    sql("UPDATE account SET has_second_factor = $3, ver = ver + 1 WHERE tenant = $1 AND id = $2 AND has_second_factor <> $3")
        .bind(auth.tenant().as_bytes())
        .bind(account.as_bytes())
        .bind(has == Has::One)
}

/// See [`mark_second_factor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// They have one.
    One,
    /// They have none.
    None,
}
