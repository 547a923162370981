//! Codes that work once, by their keyed hash: those of letters, and the half of a sign-in that waits for its second factor.

use domain::authz::{Action, Authorized};
use domain::ids::AccountId;
use domain::time::Timestamp;

use crate::account_factors::forget_waiting_totp;
use crate::error::Result;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

impl Store {
    /// Whose a code is, and since when, while it works.
    pub async fn owner_of_code<A: Action>(
        &self,
        auth: &Authorized<A>,
        hash: &[u8; 32],
        purpose: &str,
        now: Timestamp,
    ) -> Result<Option<(AccountId, Timestamp)>> {
        let text = "SELECT account, created_at FROM account_code \
                    WHERE tenant = $1 AND hash = $2 AND purpose = $3 AND state = 'live' AND expires_at > $4 LIMIT 1";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(hash).bind(purpose).bind(now.millis());
        let row = self.read_one(statement).await?;
        row.map(|row| Ok((AccountId::from_bytes(row.array(0)?), Timestamp::from_millis(row.int(1)?)))).transpose()
    }

    /// Counts a try of a code. Answers with whether one was left.
    pub async fn count_try<A: Action>(
        &self,
        auth: &Authorized<A>,
        hash: &[u8; 32],
        most: i64,
        now: Timestamp,
    ) -> Result<bool> {
        let count = sql("UPDATE account_code SET attempts = attempts + 1 \
                         WHERE tenant = $1 AND hash = $2 AND state = 'live' AND attempts < $3 AND expires_at > $4")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
        .bind(most)
        .bind(now.millis());
        let counted = self.write("count a try", move |tx| {
            let count = count.clone();
            Box::pin(async move { tx.exec(count).await })
        });
        Ok(counted.await? == 1)
    }
}

/// Lets nothing work any more that somebody was sent or began: codes, but those that only confirm an address, and authenticators that
/// wait for their first code. Whoever has one of them may be whom everything is ended for.
pub fn forget_what_waits<A: Action>(auth: &Authorized<A>, account: AccountId) -> [Stmt; 2] {
    let codes = "UPDATE account_code SET state = 'spent' \
                 WHERE tenant = $1 AND account = $2 AND purpose <> 'verification' AND state = 'live'";
    [sql(codes).bind(auth.tenant().as_bytes()).bind(account.as_bytes()), forget_waiting_totp(auth, account)]
}

/// Spends a code. Touches no row when it was spent, withdrawn or is too old.
pub fn spend_code<A: Action>(auth: &Authorized<A>, hash: &[u8; 32], purpose: &str, now: Timestamp) -> Stmt {
    sql("UPDATE account_code SET state = 'spent' \
         WHERE tenant = $1 AND hash = $2 AND purpose = $3 AND state = 'live' AND expires_at > $4")
    .bind(auth.tenant().as_bytes())
    .bind(hash)
    .bind(purpose)
    .bind(now.millis())
}
