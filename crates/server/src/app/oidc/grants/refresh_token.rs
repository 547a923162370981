//! New tokens for old. A refresh token works once. Whoever shows a spent one ends its family, unless it is the same client that lost the answer a moment ago.

use api::oauth::TokenAnswer;
use domain::identity::grant::{Ended, REPLAY_MS};
use store::grants::{StoredGrant, StoredRefresh, end_grant, insert_refresh, spend_refresh};
use store::sessions::see_session;

use super::{Asked, person_of};
use crate::app::oidc::people::Person;
use crate::app::oidc::refusal::{Answered, Refused};
use crate::app::oidc::tokens_read::is_of;
use crate::app::oidc::writing::Change;
use crate::app::oidc::{Kind, Oidc, bearer_hash, on_behalf};
use crate::keyring::cells::Cell;
use crate::trail::Entry;

/// Where the successor of a refresh token stands.
fn successor_cell(hash: &[u8; 32]) -> Cell<'_> {
    Cell { table: "refresh_token", row: hash, column: "successor", version: 0 }
}

impl Oidc {
    pub(super) async fn refresh_token(&self, asked: &Asked<'_>, entry: &mut Entry) -> Answered<TokenAnswer> {
        let site = asked.site;
        let shown = asked.form.get("refresh_token").ok_or_else(|| Refused::invalid("refresh_token is missing."))?;
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Refresh, shown);
        let row = self.refresh_row(asked, &hash).await?;
        entry.resource_id(row.grant).note("refresh_token");
        let grant = self.core.store.grant(&on_behalf(site.tenant()), row.grant).await?;
        let mut grant = grant.ok_or_else(|| Refused::grant("the grant is gone"))?;
        // It belonged to the sign-in, and a refresh is none (OpenID Connect Core, 12.2).
        grant.terms.nonce = None;
        self.grant_must_live(site, asked.proved.client.id(), grant.account, grant.id).await?;
        let person = self.person(site, person_of(&grant)?).await?;
        if !row.is_live {
            return self.replayed(asked, &row, &grant, &person, entry).await;
        }
        match self.rotated(asked, &row, &grant, &person, entry).await? {
            Some(answer) => Ok(answer),
            // Somebody was faster with the same token.
            None => {
                let row = self.refresh_row(asked, &hash).await?;
                self.replayed(asked, &row, &grant, &person, entry).await
            }
        }
    }

    async fn refresh_row(&self, asked: &Asked<'_>, hash: &[u8; 32]) -> Answered<StoredRefresh> {
        let row = self.core.store.refresh_token(&on_behalf(asked.site.tenant()), hash).await?;
        let row = row.ok_or_else(|| Refused::grant("there is no such refresh token"))?;
        if !is_of(row.application, &asked.proved.client) {
            return Err(Refused::grant("the refresh token is another client's"));
        }
        if row.expires_at <= asked.site.ctx.now() {
            return Err(Refused::grant("the refresh token expired"));
        }
        Ok(row)
    }

    /// The tokens and the successor; none when the token was spent meanwhile.
    async fn rotated(
        &self,
        asked: &Asked<'_>,
        row: &StoredRefresh,
        grant: &StoredGrant,
        person: &Person,
        entry: &mut Entry,
    ) -> Answered<Option<TokenAnswer>> {
        let (site, auth) = (asked.site, on_behalf(asked.site.tenant()));
        let (scope, resources) = asked.narrowed(&grant.terms.scope, &grant.terms.resources)?;
        let issued = self.tokens_of(asked, grant, person, &scope, &resources).await?;
        let text = self.bearer(Kind::Refresh.prefix());
        let next = StoredRefresh {
            hash: bearer_hash(&site.ctx.keyring.root, Kind::Refresh, &text),
            created_at: site.ctx.now(),
            ..row.clone()
        };
        let cells = &site.ctx.keys.cells;
        let sealed = cells.seal(successor_cell(&row.hash), text.as_bytes(), &*self.core.entropy)?;
        let mut statements =
            vec![spend_refresh(&auth, &row.hash, &sealed, site.ctx.now()), insert_refresh(&auth, &next)];
        statements.extend(issued.row);
        let event = self.event(site, asked.proved.client.id(), entry)?;
        // Whoever uses an application is not idle; but one that has offline access may be used by nobody.
        let seen = grant
            .session
            .filter(|_| !grant.terms.is_offline())
            .map(|session| see_session(&auth, session, site.ctx.now()));
        let change = Change { follow: seen.into_iter().collect(), ..Change::of(statements) };
        if !self.write("rotate a refresh token", site.tenant(), change, event).await? {
            return Ok(None);
        }
        entry.committed();
        let mut answer = issued.answer;
        answer.refresh_token = Some(text);
        Ok(Some(answer))
    }

    /// The same successor again, for a moment and while nobody used it; afterwards the end of the family.
    async fn replayed(
        &self,
        asked: &Asked<'_>,
        row: &StoredRefresh,
        grant: &StoredGrant,
        person: &Person,
        entry: &mut Entry,
    ) -> Answered<TokenAnswer> {
        let (site, auth) = (asked.site, on_behalf(asked.site.tenant()));
        let is_recent = row.spent_at.is_some_and(|at| at.plus_millis(REPLAY_MS) > site.ctx.now());
        let sealed = row.successor.as_deref().filter(|_| is_recent);
        let Some(sealed) = sealed else { return self.family_ends(asked, row, entry).await };
        let opened = site.ctx.keys.cells.open(successor_cell(&row.hash), sealed)?;
        let text = String::from_utf8_lossy(opened.expose()).into_owned();
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Refresh, &text);
        let next = self.core.store.refresh_token(&auth, &hash).await?;
        if !next.is_some_and(|next| next.is_live) {
            return self.family_ends(asked, row, entry).await;
        }
        let (scope, resources) = asked.narrowed(&grant.terms.scope, &grant.terms.resources)?;
        let issued = self.tokens_of(asked, grant, person, &scope, &resources).await?;
        entry.note("refresh_token, the same answer again");
        if let Some(row) = issued.row {
            let event = self.event(site, asked.proved.client.id(), entry)?;
            self.write("issue an opaque token", site.tenant(), Change::of(vec![row]), event).await?;
            entry.committed();
        }
        let mut answer = issued.answer;
        answer.refresh_token = Some(text);
        Ok(answer)
    }

    async fn family_ends<T>(&self, asked: &Asked<'_>, row: &StoredRefresh, entry: &mut Entry) -> Answered<T> {
        let (site, auth) = (asked.site, on_behalf(asked.site.tenant()));
        let mut told = Entry::new("RefreshTokenReused", "identity", "Grant");
        told.resource_id(row.grant);
        let event = self.event(site, asked.proved.client.id(), &told)?;
        let end = end_grant(&auth, row.grant, Ended::RefreshReused, site.ctx.now());
        self.write("end a family", site.tenant(), Change::ending(vec![end], Vec::new()), event).await?;
        entry.note("the refresh token was spent before");
        Err(Refused::grant("the refresh token was spent before"))
    }
}
