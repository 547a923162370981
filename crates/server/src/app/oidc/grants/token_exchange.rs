//! A token for a token (RFC 8693): a service that was called by somebody goes on calling for them, and the token says that it does.
//!
//! Only a token that is for the service itself, or for an API that it is, can be exchanged by it: nobody turns what they merely saw into something of their own.
//! What comes out allows no more than what went in, lives no longer, and dies with its grant, with the token itself and with everybody whom it names.

use std::slice;

use api::oauth::TokenAnswer;
use domain::identity::claims::{ACTORS_MAX, AccessClaims, Actor};
use domain::identity::grant::Terms;
use domain::identity::oauth_scope::OauthScope;

use super::Asked;
use crate::app::oidc::Oidc;
use crate::app::oidc::refusal::{Answered, OauthCode, Refused};
use crate::app::oidc::tokens::About;
use crate::app::oidc::tokens_read::must_be_shown_by;
use crate::app::oidc::writing::Change;
use crate::trail::Entry;

/// An access token.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// A JWT of another issuer.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl Oidc {
    pub(super) async fn token_exchange(&self, asked: &Asked<'_>, entry: &mut Entry) -> Answered<TokenAnswer> {
        let (site, form) = (asked.site, asked.form);
        let subject = form.get("subject_token").ok_or_else(|| Refused::invalid("subject_token is missing."))?;
        let wanted = form.get("requested_token_type").unwrap_or(ACCESS_TOKEN);
        if wanted != ACCESS_TOKEN {
            return Err(Refused::invalid("requested_token_type is that of access tokens."));
        }
        match form.get("subject_token_type") {
            Some(ACCESS_TOKEN) => {}
            Some(JWT) => return Err(Refused::grant("no trust vouches for the token")),
            _ => return Err(Refused::invalid("subject_token_type is that of access tokens.")),
        }
        if form.has("actor_token") != form.has("actor_token_type") {
            return Err(Refused::invalid("actor_token and actor_token_type belong together."));
        }
        let claims = &self.alive(site, subject).await.map_err(into_grant)?.claims()?;
        must_be_shown_by(claims, site).map_err(into_grant)?;
        let client = &asked.proved.client;
        if !client.is_among(&claims.aud) {
            return Err(Refused::grant("the token is not for the client that exchanges it"));
        }
        let actor = self.actor(asked, claims).await?;
        let scope = self.exchanged_scope(asked, claims)?;
        let target = self.target(site, client, &asked.targets()?, &scope)?;
        let terms = Terms {
            scope: scope.clone(),
            sid: claims.sid.clone(),
            acr: claims.acr.clone(),
            amr: claims.amr.clone(),
            auth_time: claims.auth_time,
            ..Terms::default()
        };
        let about = About {
            subject: claims.sub.clone(),
            account: claims.account(),
            grant: claims.gid.map(|id| (id, &terms)),
            roles: claims.role.clone(),
            thumbprint: asked.proved.thumbprint.clone(),
            act: Some(actor),
            exchanged_from: [slice::from_ref(&claims.jti), &claims.exchanged_from].concat(),
            upstream_alg: claims.upstream_alg.clone(),
            trust: claims.trust,
            not_after: Some(claims.exp),
        };
        let issued = self.access_token(site, client, target, about).await?;
        entry.resource_id(&issued.claims.jti).note(format!("token-exchange of {} for {}", claims.jti, claims.sub));
        if let Some(row) = issued.row {
            let event = self.event(site, client.id(), entry)?;
            self.write("issue an opaque token", site.tenant(), Change::of(vec![row]), event).await?;
            entry.committed();
        }
        Ok(TokenAnswer { issued_token_type: Some(ACCESS_TOKEN.to_owned()), ..issued.answer })
    }

    /// Who acts from now on: the client, or whose token it shows for the actor, and behind them whoever acted before.
    async fn actor(&self, asked: &Asked<'_>, claims: &AccessClaims) -> Answered<Actor> {
        let client = &asked.proved.client;
        if let Some(token) = asked.form.get("actor_token") {
            if asked.form.get("actor_token_type") != Some(ACCESS_TOKEN) {
                return Err(Refused::invalid("actor_token_type is that of access tokens."));
            }
            let actor = self.alive(asked.site, token).await.map_err(into_grant)?.claims()?;
            // Nobody names somebody else as acting.
            if actor.client_id != client.id() || actor.sub != client.id() {
                return Err(Refused::grant("the actor is another client"));
            }
        }
        let actor = Actor { sub: client.id().to_owned(), act: claims.act.clone().map(Box::new) };
        if actor.depth() > ACTORS_MAX {
            return Err(Refused::grant("too many have acted behind one another"));
        }
        Ok(actor)
    }

    /// What comes out: of what went in, the part that is asked for and that the client may have.
    fn exchanged_scope(&self, asked: &Asked<'_>, claims: &AccessClaims) -> Answered<OauthScope> {
        let (client, had) = (&asked.proved.client, claims.scopes());
        let may = |word: &str| had.has(word) && client.may_have(word);
        let Some(wanted) = asked.scope()? else { return Ok(had.among(may)) };
        if wanted.words().all(may) {
            return Ok(wanted);
        }
        Err(Refused::new(OauthCode::InvalidScope, "More is asked for than the token allows."))
    }
}

impl Asked<'_> {
    /// The APIs that a token is exchanged for, by either of their names.
    fn targets(&self) -> Answered<Vec<String>> {
        let mut named = self.resources();
        named.extend(self.form.all("audience").map(str::to_owned));
        named.retain(|name| name != self.proved.client.id());
        Ok(named)
    }
}

/// A token that is shown for another is no bearer token of this endpoint.
fn into_grant(refused: Refused) -> Refused {
    match refused.code {
        OauthCode::InvalidToken => Refused::grant(refused.cause.unwrap_or_default()),
        _ => refused,
    }
}
