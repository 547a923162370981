//! What a token is worth (RFC 7662), giving one back (RFC 7009), and who it is about.

use api::oauth::UserInfo;
use bytes::Bytes;
use domain::identity::claims::AccessClaims;
use domain::identity::grant::Ended;
use domain::identity::oauth_scope::OPENID;
use store::access_tokens::insert_revoked;
use store::grants::end_grant;

use super::bearer::is_for;
use super::client_auth::Proved;
use super::clients::Client;
use super::on_record::Asker;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::tokens_read::{Known, is_of, must_be_shown_by};
use super::writing::Change;
use super::{Kind, Oidc, bearer_hash, on_behalf};
use crate::trail::{Entry, Scene};

impl Oidc {
    /// What a token is worth to a client that proved who it is, as JSON. Of tokens that do not concern it, and of dead ones, it learns
    /// nothing else.
    pub async fn introspect(&self, site: &Site, proved: &Proved, token: Option<&str>) -> Answered<Bytes> {
        let token = token.ok_or_else(|| Refused::invalid("token is missing."))?;
        let client = &proved.client;
        let mut entry = Entry::new("TokenIntrospected", "identity", "Token");
        let answer = match self.alive(site, token).await {
            Ok(known) => match known.told_to(client)? {
                Some(told) => return self.tell_worth(site, client, &known, told, entry).await,
                None => {
                    entry.valid(false).note("the token does not concern the caller");
                    Ok(inactive())
                }
            },
            Err(refused) if refused.code == OauthCode::InvalidToken => {
                entry.valid(false).note(refused.cause.unwrap_or_default());
                Ok(inactive())
            }
            Err(refused) => Err(refused),
        };
        self.conclude(Scene::application(&site.ctx, client.id()), entry, answer).await
    }

    /// Tells what a token is worth, when that is on record.
    async fn tell_worth(
        &self,
        site: &Site,
        client: &Client,
        known: &Known,
        told: Bytes,
        mut entry: Entry,
    ) -> Answered<Bytes> {
        let asker = Asker { application: client.row.id, address: site.ctx.origin.address };
        if !self.every_introspection && known.on_record.covers(&asker, site.ctx.now()) {
            self.core.trail.covered(&entry);
            return Ok(told);
        }
        entry.resource_id(&known.name).valid(true);
        let told = self.conclude(Scene::application(&site.ctx, client.id()), entry, Ok(told)).await?;
        known.on_record.written(asker, site.ctx.now());
        Ok(told)
    }

    /// Takes a token back. Whoever shows somebody else's, or nonsense, is told the same.
    pub async fn revoke(&self, site: &Site, proved: &Proved, token: Option<&str>) -> Answered<()> {
        let token = token.ok_or_else(|| Refused::invalid("token is missing."))?;
        let mut entry = Entry::new("TokenRevoked", "identity", "Token");
        let result = self.revoke_now(site, proved, token, &mut entry).await;
        let result = match result {
            // There is nothing to take back.
            Err(refused) if [OauthCode::InvalidToken, OauthCode::InvalidGrant].contains(&refused.code) => {
                entry.note(refused.cause.unwrap_or_default());
                Ok(())
            }
            result => result,
        };
        self.conclude(Scene::application(&site.ctx, proved.client.id()), entry, result).await
    }

    async fn revoke_now(&self, site: &Site, proved: &Proved, token: &str, entry: &mut Entry) -> Answered<()> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let client = &proved.client;
        let statements = if token.starts_with(Kind::Refresh.prefix()) {
            let hash = bearer_hash(&site.ctx.keyring.root, Kind::Refresh, token);
            let row = self.core.store.refresh_token(&auth, &hash).await?;
            let row = row.filter(|row| is_of(row.application, client));
            let row = row.ok_or_else(|| Refused::grant("no refresh token of this client"))?;
            entry.resource_id(row.grant);
            end_grant(&auth, row.grant, Ended::Revoked, now)
        } else {
            let claims = self.read_claims(site, token).await?;
            if claims.client_id != client.id() {
                return Err(Refused::token("another client's"));
            }
            let key = claims.revocation_key().ok_or_else(|| Refused::token("its name"))?;
            entry.resource_id(&claims.jti);
            insert_revoked(&auth, &key, now, claims.expires_at())
        };
        let event = self.event(site, client.id(), entry)?;
        // Taking back twice is the same as once.
        self.write("revoke a token", site.tenant(), Change::ending(Vec::new(), vec![statements]), event).await?;
        entry.committed();
        Ok(())
    }

    /// Who a token is about, as far as it lets its bearer know.
    pub async fn userinfo(&self, site: &Site, token: Option<&str>) -> Answered<UserInfo> {
        let token = token.ok_or_else(Refused::nothing_shown)?;
        let mut entry = Entry::new("UserInfoRead", "identity", "Account");
        let claims = match self.alive(site, token).await {
            Ok(known) => known.claims(),
            Err(refused) => Err(refused),
        };
        let (client_id, result) = match claims {
            Ok(claims) => {
                site.is_asked_by(&claims.client_id);
                let result = self.info(site, &claims, &mut entry).await;
                (claims.client_id, result)
            }
            Err(refused) => (String::new(), Err(refused)),
        };
        self.conclude(Scene::application(&site.ctx, &client_id), entry, result).await
    }

    async fn info(&self, site: &Site, claims: &AccessClaims, entry: &mut Entry) -> Answered<UserInfo> {
        must_be_shown_by(claims, site)?;
        // An API that a token is for may use it for what the API does, and not to ask about whoever called (RFC 9068, 4).
        if !claims.aud.has(&claims.client_id) && !is_for(claims, &site.issuer) {
            return Err(Refused::token("for an API"));
        }
        let scope = claims.scopes();
        let account = claims.account().filter(|_| scope.has(OPENID));
        let Some(account) = account else {
            return Err(Refused::scope(OPENID));
        };
        entry.resource_id(account);
        let person = self.person(site, account).await.map_err(|refused| match refused.code {
            OauthCode::InvalidGrant => Refused::token("its person is gone"),
            _ => refused,
        })?;
        Ok(person.info(&scope))
    }
}

fn inactive() -> Bytes {
    Bytes::from_static(br#"{"active":false}"#)
}
