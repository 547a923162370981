//! Issuing tokens. An access token says the same in both of its forms; a JWT has no row, an opaque token is nothing else.

use api::oauth::TokenAnswer;
use crypto::algorithm::Algorithm;
use crypto::jose::SignatureAlgorithm;
use domain::identity::application::TokenFormat;
use domain::identity::claims::{AccessClaims, Actor, Audience, Confirmation, token_name};
use domain::identity::grant::{TOKEN_S, Terms};
use domain::identity::oauth_scope::{OPENID, OauthScope};
use domain::identity::parameters::VALUE_MAX;
use domain::identity::target::{BadTarget, Target, choose};
use domain::ids::{AccountId, GrantId, TrustId};
use serde_json::{Map, Value, json};
use store::Stmt;
use store::access_tokens::{StoredAccessToken, insert_access_token};

use super::clients::Client;
use super::keys::algorithm_of;
use super::people::Person;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::{Kind, Oidc, bearer_hash, jws, on_behalf};
use crate::app::tenants::bytes;
use crate::keyring::cells::Cell;
use crate::problem::Problem;

/// Whom an access token is about, and what it hangs on.
#[derive(Default)]
pub struct About<'a> {
    /// A person's id, or the application's own name.
    pub subject: String,
    /// The person.
    pub account: Option<AccountId>,
    /// The grant, with its terms.
    pub grant: Option<(GrantId, &'a Terms)>,
    /// The person's roles.
    pub roles: Vec<String>,
    /// What it is bound to.
    pub thumbprint: Option<String>,
    /// Who acts.
    pub act: Option<Actor>,
    /// The names of the tokens that it is exchanged from.
    pub exchanged_from: Vec<String>,
    /// What signed the token of another issuer that was given for it.
    pub upstream_alg: Option<String>,
    /// Who believed that issuer.
    pub trust: Option<TrustId>,
    /// When it ends at the latest, in seconds: a token that was exchanged is not outlived.
    pub not_after: Option<i64>,
}

/// An access token that is not handed out yet.
pub struct Issued {
    /// The answer, which has no other tokens yet.
    pub answer: TokenAnswer,
    /// What it says.
    pub claims: AccessClaims,
    /// Its row, if it has one: to be written before it is handed out.
    pub row: Option<Stmt>,
    /// What signs the ID token beside it.
    pub algorithm: Algorithm,
}

impl Oidc {
    /// Decides whom a token is for.
    pub(super) fn target(
        &self,
        site: &Site,
        client: &Client,
        resources: &[String],
        scope: &OauthScope,
    ) -> Answered<Target> {
        let own = client.row.settings.access_token_format;
        let may = |resource: &str| client.may_reach(site, resource);
        choose(client.id(), own, resources, may, &client.apis, scope).map_err(Refused::from)
    }

    /// Makes an access token.
    pub(super) async fn access_token(
        &self,
        site: &Site,
        client: &Client,
        target: Target,
        about: About<'_>,
    ) -> Answered<Issued> {
        let now = site.ctx.now();
        let end = now.seconds() + target.lifetime_s;
        let exp = about.not_after.map_or(end, |latest| latest.min(end));
        let terms = about.grant.map(|(_, terms)| terms);
        let is_own = target.audience == Audience::One(client.id().to_owned());
        let claims = AccessClaims {
            iss: site.issuer.to_string(),
            sub: about.subject,
            aud: target.audience,
            client_id: client.id().to_owned(),
            iat: now.seconds(),
            exp,
            jti: token_name(bytes(&*self.core.entropy), now),
            scope: Some(target.scope.to_string()).filter(|text| !text.is_empty()),
            sid: terms.and_then(|terms| terms.sid.clone()),
            auth_time: terms.and_then(|terms| terms.auth_time),
            acr: terms.and_then(|terms| terms.acr.clone()),
            amr: terms.map(|terms| terms.amr.clone()).unwrap_or_default(),
            role: about.roles,
            cnf: about.thumbprint.map(|thumbprint| Confirmation { thumbprint }),
            act: about.act,
            exchanged_from: about.exchanged_from,
            upstream_alg: about.upstream_alg,
            trust: about.trust,
            gid: about.grant.map(|(id, _)| id),
        };
        // An application that cannot verify ML-DSA yet gets what is for itself in what an administrator chose for it.
        let own_algorithm = algorithm_of(client.row.settings.id_token_alg);
        let algorithm = if is_own { own_algorithm } else { Algorithm::MlDsa65 };
        let (text, row) = match target.format {
            TokenFormat::Jwt => (self.signed(site, algorithm, jws::ACCESS, &claims).await?, None),
            TokenFormat::Opaque => self.opaque(site, client, &claims, about.account)?,
        };
        let answer = TokenAnswer {
            access_token: text,
            token_type: "Bearer".to_owned(),
            expires_in: exp - now.seconds(),
            scope: claims.scope.clone(),
            refresh_token: None,
            id_token: None,
            issued_token_type: None,
        };
        Ok(Issued { answer, claims, row, algorithm: own_algorithm })
    }

    /// Signs claims as a token of this type.
    pub(super) async fn signed<T: serde::Serialize>(
        &self,
        site: &Site,
        algorithm: Algorithm,
        typ: &str,
        claims: &T,
    ) -> Answered<String> {
        let keys = self.keys_that_sign(site, algorithm).await?;
        let key = keys.active(algorithm, site.ctx.now());
        let key = key.ok_or_else(|| Problem::internal("signing a token", "no key signs"))?;
        let private = key.private(&site.ctx.keys)?;
        let text = private.sign(typ, &serde_json::to_vec(claims)?, &*self.core.entropy)?;
        if text.len() > VALUE_MAX {
            // Nobody could ask what it is worth or take it back.
            let message =
                "The token would have more than 16384 bytes: name fewer resources, or let the API have opaque tokens.";
            return Err(Refused::new(OauthCode::InvalidTarget, message));
        }
        Ok(text)
    }

    fn opaque(
        &self,
        site: &Site,
        client: &Client,
        claims: &AccessClaims,
        account: Option<AccountId>,
    ) -> Answered<(String, Option<Stmt>)> {
        let text = self.bearer(Kind::Access.prefix());
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Access, &text);
        let sealed = site.ctx.keys.cells.seal(claims_cell(&hash), &serde_json::to_vec(claims)?, &*self.core.entropy)?;
        let row = StoredAccessToken {
            hash,
            application: client.row.id,
            grant: claims.gid,
            account,
            claims: sealed,
            issued_at: claims.issued_at(),
            expires_at: claims.expires_at(),
        };
        Ok((text, Some(insert_access_token(&on_behalf(site.tenant()), &row))))
    }

    /// Makes the ID token that goes with an access token, if one was asked for.
    pub(super) async fn id_token(
        &self,
        site: &Site,
        client: &Client,
        terms: &Terms,
        person: &Person,
        issued: &Issued,
    ) -> Answered<Option<String>> {
        if !terms.scope.has(OPENID) {
            return Ok(None);
        }
        let now = site.ctx.now().seconds();
        let mut claims = match serde_json::to_value(person.info(&terms.scope))? {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        for (name, value) in [
            ("iss", json!(&*site.issuer)),
            ("aud", json!(client.id())),
            ("iat", json!(now)),
            ("exp", json!(now + TOKEN_S)),
            ("auth_time", json!(terms.auth_time)),
            ("nonce", json!(terms.nonce)),
            ("acr", json!(terms.acr)),
            ("amr", json!(terms.amr)),
            ("sid", json!(terms.sid)),
            ("azp", json!(client.id())),
            ("at_hash", json!(half_hash(issued.algorithm, &issued.answer.access_token))),
        ] {
            if !value.is_null() {
                claims.insert(name.to_owned(), value);
            }
        }
        self.signed(site, issued.algorithm, jws::ID, &claims).await.map(Some)
    }
}

fn half_hash(algorithm: Algorithm, token: &str) -> Option<String> {
    SignatureAlgorithm::of_key(algorithm).map(|algorithm| algorithm.half_hash(token))
}

/// Where the claims of an opaque token stand.
pub(super) fn claims_cell(hash: &[u8; 32]) -> Cell<'_> {
    Cell { table: "access_token", row: hash, column: "claims", version: 0 }
}

impl From<BadTarget> for Refused {
    fn from(bad: BadTarget) -> Self {
        Self::new(OauthCode::InvalidTarget, format!("{bad}."))
    }
}
