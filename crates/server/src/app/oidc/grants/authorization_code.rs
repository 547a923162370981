//! Redeeming a code. Whoever shows one spends it, whatever else is wrong; whoever shows it a second time ends everything that it was redeemed for.

use api::oauth::TokenAnswer;
use domain::identity::grant::Ended;
use domain::identity::{application::GrantType, pkce};
use serde::{Deserialize, Serialize};
use store::Stmt;
use store::grants::{StoredCode, StoredGrant, StoredRefresh, end_grant, insert_refresh, spend_code};

use super::{Asked, person_of};
use crate::app::oidc::refusal::{Answered, Refused};
use crate::app::oidc::tokens_read::is_of;
use crate::app::oidc::writing::Change;
use crate::app::oidc::{Kind, Oidc, bearer_hash, on_behalf};
use crate::keyring::cells::Cell;
use crate::trail::Entry;

/// What a code was asked with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeTerms {
    /// Where the browser was sent.
    pub redirect_uri: String,
    /// PKCE.
    pub code_challenge: String,
}

/// Where the terms of a code stand.
pub fn code_cell(hash: &[u8; 32]) -> Cell<'_> {
    Cell { table: "authorization_code", row: hash, column: "sealed", version: 0 }
}

impl Oidc {
    pub(super) async fn authorization_code(&self, asked: &Asked<'_>, entry: &mut Entry) -> Answered<TokenAnswer> {
        let site = asked.site;
        let code = asked.form.get("code").ok_or_else(|| Refused::invalid("code is missing."))?;
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Code, code);
        let row = self.core.store.authorization_code(&on_behalf(site.tenant()), &hash).await?;
        let row = row.ok_or_else(|| Refused::grant("there is no such code"))?;
        entry.resource_id(row.grant);
        // Another client's code is left to the one that it belongs to: guessing must not be a way to burn it.
        if !is_of(row.application, &asked.proved.client) {
            return Err(Refused::grant("the code is another client's"));
        }
        if !row.is_live {
            return self.reused(asked, &row, entry).await;
        }
        match self.redeemed(asked, &row, entry).await {
            Err(refused) => {
                self.burn(asked, &row, entry).await?;
                Err(refused)
            }
            Ok(None) => self.reused(asked, &row, entry).await,
            Ok(Some(answer)) => Ok(answer),
        }
    }

    /// The tokens of a code; none when somebody else was faster.
    async fn redeemed(&self, asked: &Asked<'_>, row: &StoredCode, entry: &mut Entry) -> Answered<Option<TokenAnswer>> {
        let (site, client) = (asked.site, &asked.proved.client);
        if row.expires_at <= site.ctx.now() {
            return Err(Refused::grant("the code expired"));
        }
        let opened = site.ctx.keys.cells.open(code_cell(&row.hash), &row.sealed)?;
        let terms: CodeTerms = serde_json::from_slice(opened.expose())?;
        if asked.form.get("redirect_uri") != Some(&terms.redirect_uri) {
            return Err(Refused::grant("redirect_uri is missing or another one"));
        }
        // Every code has a challenge, so a verifier is never optional.
        let verifier = asked.form.get("code_verifier").unwrap_or_default();
        if !pkce::fits(&terms.code_challenge, verifier) {
            return Err(Refused::grant("the code verifier does not fit"));
        }
        let grant = self.core.store.grant(&on_behalf(site.tenant()), row.grant).await?;
        let grant = grant.ok_or_else(|| Refused::grant("the grant is gone"))?;
        self.grant_must_live(site, client.id(), grant.account, grant.id).await?;
        let person = self.person(site, person_of(&grant)?).await?;
        let (scope, resources) = asked.narrowed(&grant.terms.scope, &grant.terms.resources)?;
        let issued = self.tokens_of(asked, &grant, &person, &scope, &resources).await?;
        let mut answer = issued.answer;
        let mut statements = vec![spend_code(&on_behalf(site.tenant()), &row.hash)];
        statements.extend(issued.row);
        if client.has(GrantType::RefreshToken) {
            let (text, statement) = self.first_refresh(asked, &grant);
            answer.refresh_token = Some(text);
            statements.push(statement);
        }
        entry.note("authorization_code");
        let event = self.event(site, client.id(), entry)?;
        let won = self.write("redeem a code", site.tenant(), Change::of(statements), event).await?;
        if won {
            entry.committed();
        }
        Ok(won.then_some(answer))
    }

    /// The first refresh token of a grant.
    pub(super) fn first_refresh(&self, asked: &Asked<'_>, grant: &StoredGrant) -> (String, Stmt) {
        let site = asked.site;
        let text = self.bearer(Kind::Refresh.prefix());
        let row = StoredRefresh {
            hash: bearer_hash(&site.ctx.keyring.root, Kind::Refresh, &text),
            application: grant.application,
            grant: grant.id,
            is_live: true,
            successor: None,
            spent_at: None,
            created_at: site.ctx.now(),
            expires_at: grant.expires_at,
        };
        let statement = insert_refresh(&on_behalf(site.tenant()), &row);
        (text, statement)
    }

    /// Spends a code for which there are no tokens, and ends its grant.
    async fn burn(&self, asked: &Asked<'_>, row: &StoredCode, entry: &Entry) -> Answered<()> {
        let (site, auth) = (asked.site, on_behalf(asked.site.tenant()));
        let mut entry = entry.clone();
        entry.note("the code is burnt");
        let event = self.event(site, asked.proved.client.id(), &entry)?;
        let follow = vec![end_grant(&auth, row.grant, Ended::Revoked, site.ctx.now())];
        let change = Change::ending(vec![spend_code(&auth, &row.hash)], follow);
        self.write("burn a code", site.tenant(), change, event).await?;
        Ok(())
    }

    /// Ends everything that a code was redeemed for: it was shown twice, and nobody knows who was first.
    async fn reused<T>(&self, asked: &Asked<'_>, row: &StoredCode, entry: &mut Entry) -> Answered<T> {
        let (site, auth) = (asked.site, on_behalf(asked.site.tenant()));
        let mut told = Entry::new("CodeReused", "identity", "Grant");
        told.resource_id(row.grant);
        let event = self.event(site, asked.proved.client.id(), &told)?;
        let end = end_grant(&auth, row.grant, Ended::CodeReused, site.ctx.now());
        // Who finds it ended already has nothing to add.
        self.write("end a reused code", site.tenant(), Change::ending(vec![end], Vec::new()), event).await?;
        entry.note("the code was redeemed before");
        Err(Refused::grant("the code was redeemed before"))
    }
}
