//! What somebody sees and ends of their own account.

use domain::authz::{Action, Authorized};
use domain::identity::grant::Ended;
use domain::identity::oauth_scope::OauthScope;
use domain::ids::{AccountId, ApplicationId, SessionId};
use domain::time::Timestamp;

use crate::account_codes::forget_what_waits;
use crate::consents::words;
use crate::error::Result;
use crate::logout_notices::tell_of_others;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// What somebody has allowed an application.
#[derive(Clone, Debug)]
pub struct ListedConsent {
    pub application: ApplicationId,
    /// The application's name.
    pub name: String,
    pub scope: OauthScope,
}

const MOST_CONSENTS: i64 = 200;

impl Store {
    /// What somebody has allowed, by the names of the applications.
    pub async fn listed_consents<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
    ) -> Result<Vec<ListedConsent>> {
        let text = "SELECT c.application, a.name, c.scopes FROM consent c JOIN application a ON a.tenant = c.tenant \
                    AND a.id = c.application WHERE c.tenant = $1 AND c.account = $2 AND a.state = 'active' ORDER BY a.name, a.id LIMIT $3";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(MOST_CONSENTS);
        let rows = self.scan(statement).await?;
        let read = |row: &crate::row::Row| {
            Ok(ListedConsent {
                application: ApplicationId::from_bytes(row.array(0)?),
                name: row.text(1)?.to_owned(),
                scope: words(row.text(2)?),
            })
        };
        rows.iter().map(read).collect()
    }
}

/// Ends what an application was granted on somebody's behalf.
pub fn end_grants_to<A: Action>(
    auth: &Authorized<A>,
    account: AccountId,
    application: ApplicationId,
    why: Ended,
    now: Timestamp,
) -> Stmt {
    sql("UPDATE token_grant SET state = 'ended', reason = $4, ended_at = $5 \
         WHERE tenant = $1 AND account = $2 AND application = $3 AND state = 'live'")
    .bind(auth.tenant().as_bytes())
    .bind(account.as_bytes())
    .bind(application.as_bytes())
    .bind(why.as_str())
    .bind(now.millis())
}

/// Ends every session of somebody but one, every grant that does not hang on it, and what waits for them; access tokens issued before
/// are dead. The applications of the ended sessions are told.
pub fn end_everything_but<A: Action>(
    auth: &Authorized<A>,
    account: AccountId,
    kept: SessionId,
    why: Ended,
    now: Timestamp,
) -> Vec<Stmt> {
    let end = |text: &'static str| {
        sql(text)
            .bind(auth.tenant().as_bytes())
            .bind(account.as_bytes())
            .bind(kept.as_bytes())
            .bind(why.as_str())
            .bind(now.millis())
    };
    let cut = "UPDATE account SET tokens_not_before = CASE WHEN tokens_not_before > $3 THEN tokens_not_before ELSE $3 END \
               WHERE tenant = $1 AND id = $2";
    let [codes, authenticators] = forget_what_waits(auth, account);
    vec![
        tell_of_others(auth, account, kept, now),
        end("UPDATE session SET state = 'ended', reason = $4, ended_at = $5 \
             WHERE tenant = $1 AND account = $2 AND id <> $3 AND state = 'live'"),
        end("UPDATE token_grant SET state = 'ended', reason = $4, ended_at = $5 \
             WHERE tenant = $1 AND account = $2 AND (session IS NULL OR session <> $3) AND state = 'live'"),
        sql(cut).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(now.millis()),
        codes,
        authenticators,
    ]
}
