//! What people allowed applications, so that they are not asked twice; and assertions that were accepted, so that none is accepted twice.

use domain::authz::{Action, Authorized};
use domain::identity::oauth_scope::OauthScope;
use domain::ids::{AccountId, ApplicationId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

impl Store {
    /// What a person allowed an application, in words: all that they ever said yes to, which may be more than one request can ask for.
    pub async fn consent<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
        application: ApplicationId,
    ) -> Result<OauthScope> {
        let text = "SELECT scopes FROM consent WHERE tenant = $1 AND account = $2 AND application = $3 LIMIT 1";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(application.as_bytes());
        let row = self.read_one(statement).await?;
        Ok(words(row.as_ref().map(|row| row.text(0)).transpose()?.unwrap_or_default()))
    }
}

/// What stands in a row: no request, and so without a request's limits.
pub(crate) fn words(text: &str) -> OauthScope {
    OauthScope::of(text.split(' ').filter(|word| !word.is_empty()))
}

/// Keeps what a person allowed an application, in place of what they allowed before.
pub fn keep_consent<A: Action>(
    auth: &Authorized<A>,
    account: AccountId,
    application: ApplicationId,
    scopes: &OauthScope,
    now: Timestamp,
) -> Stmt {
    sql("INSERT INTO consent (tenant, account, application, scopes, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5) \
         ON CONFLICT (tenant, account, application) DO UPDATE SET scopes = $4, updated_at = $5")
    .bind(auth.tenant().as_bytes())
    .bind(account.as_bytes())
    .bind(application.as_bytes())
    .bind(scopes.to_string())
    .bind(now.millis())
}

/// Forgets what a person allowed an application.
pub fn forget_consent<A: Action>(auth: &Authorized<A>, account: AccountId, application: ApplicationId) -> Stmt {
    sql("DELETE FROM consent WHERE tenant = $1 AND account = $2 AND application = $3")
        .bind(auth.tenant().as_bytes())
        .bind(account.as_bytes())
        .bind(application.as_bytes())
}

/// Spends an assertion, until it would have ended. Touches no row when it was spent before.
pub fn spend_assertion<A: Action>(auth: &Authorized<A>, hash: &[u8; 32], expires_at: Timestamp) -> Stmt {
    sql("INSERT INTO spent_assertion (tenant, hash, expires_at) VALUES ($1, $2, $3) ON CONFLICT (tenant, hash) DO NOTHING")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
        .bind(expires_at.millis())
}
