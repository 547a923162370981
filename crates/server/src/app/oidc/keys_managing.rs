//! Keys that sign tokens, listed, rotated and revoked: by an administrator, and on schedule.

use api::error::ErrorCode;
use api::oauth as wire;
use crypto::algorithm::Algorithm;
use domain::authz::{Authorized, ManageTokens};
use domain::identity::token_key::{
    Phase, RETIRED_FOR_MS, ROTATED_AFTER_MS, is_due, is_published, phase, successor_from,
};
use domain::ids::TokenKeyId;
use domain::time::Timestamp;
use store::Stmt;
use store::token_keys::{insert_token_key, keep_token_key, retire_token_key, revoke_token_key};

use super::Oidc;
use super::keys::{SigningKey, SigningKeys};
use super::site::Site;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

impl Oidc {
    /// Every key of the tenant.
    pub async fn token_keys(&self, ctx: &Ctx, _: &Authorized<ManageTokens>) -> Outcome<wire::TokenKeyList> {
        let result = self.site_of(ctx).await;
        let result = match result {
            Ok(site) => self.signing_keys(&site).await.map_err(into_problem),
            Err(problem) => Err(problem),
        };
        let result = result.map(|keys| {
            let keys: Vec<_> = keys.keys.iter().map(|key| shown(key, ctx.now())).collect();
            wire::TokenKeyList { total: keys.len() as u64, keys }
        });
        let entry = Entry::new("TokenKeysListed", "identity", "TokenKey");
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Gives the key of an algorithm a successor, which signs once everybody can know it. Answers with it.
    pub async fn rotate_token_key(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageTokens>,
        request: &wire::RotateTokenKey,
    ) -> Outcome<wire::TokenKey> {
        let mut entry = Entry::new("TokenKeyRotated", "identity", "TokenKey");
        let result = self.rotate_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn rotate_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageTokens>,
        request: &wire::RotateTokenKey,
        entry: &mut Entry,
    ) -> Outcome<wire::TokenKey> {
        let algorithm = request.algorithm.as_deref().map_or(Ok(Algorithm::MlDsa65), str::parse);
        let signs =
            [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87, Algorithm::EcdsaP256, Algorithm::Ed25519];
        let algorithm = algorithm.ok().filter(|algorithm| signs.contains(algorithm));
        let algorithm = algorithm
            .ok_or_else(|| Problem::new(ErrorCode::Unsupported, "No tokens are signed with this algorithm."))?;
        let site = self.site_of(ctx).await?;
        let keys = self.keys_that_sign(&site, algorithm).await.map_err(into_problem)?;
        let active_from = successor_from(request.lead_seconds, ctx.now());
        self.succeed(&site, auth, &keys, algorithm, active_from, entry).await
    }

    async fn succeed(
        &self,
        site: &Site,
        auth: &Authorized<ManageTokens>,
        keys: &SigningKeys,
        algorithm: Algorithm,
        active_from: Timestamp,
        entry: &mut Entry,
    ) -> Outcome<wire::TokenKey> {
        let now = site.ctx.now();
        let waits = |key: &&SigningKey| key.algorithm == algorithm && phase(&key.facts(), now) == Phase::Next;
        if keys.keys.iter().any(|key| waits(&key)) {
            return Err(Problem::new(ErrorCode::Conflict, "A successor waits already."));
        }
        let next = self.new_token_key(site, algorithm, active_from).map_err(into_problem)?;
        let is_live =
            |key: &&SigningKey| key.algorithm == algorithm && !key.row.is_revoked && key.row.retired_at.is_none();
        let mut statements: Vec<Stmt> = keys
            .keys
            .iter()
            .filter(is_live)
            .map(|key| retire_token_key(auth, key.row.id, active_from, active_from.plus_millis(RETIRED_FOR_MS)))
            .collect();
        statements.push(insert_token_key(auth, &next));
        entry.resource(next.id, &next.kid).algorithm(algorithm);
        let event = self.core.trail.event(&site.ctx, entry)?;
        self.core.change("rotate a token key", site.tenant(), statements, event).await?;
        entry.committed();
        let keys = self.signing_keys(site).await.map_err(into_problem)?;
        let made = keys.keys.iter().find(|key| key.row.id == next.id);
        made.map(|key| shown(key, now)).ok_or_else(|| Problem::internal("rotating a token key", "it is not there"))
    }

    /// Revokes a key at once: nothing it signed is believed here any more, and a new one takes over. Answers with the revoked one.
    pub async fn revoke_token_key(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageTokens>,
        id: TokenKeyId,
    ) -> Outcome<wire::TokenKey> {
        let mut entry = Entry::new("TokenKeyRevoked", "identity", "TokenKey");
        entry.resource_id(id);
        let result = self.revoke_key_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn revoke_key_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageTokens>,
        id: TokenKeyId,
        entry: &mut Entry,
    ) -> Outcome<wire::TokenKey> {
        let site = self.site_of(ctx).await?;
        let keys = self.signing_keys(&site).await.map_err(into_problem)?;
        let key = keys.keys.iter().find(|key| key.row.id == id).ok_or_else(|| Problem::not_found("token key"))?;
        if key.row.is_revoked {
            return Ok(shown(key, ctx.now()));
        }
        entry.resource(id, &key.row.kid).algorithm(key.algorithm);
        let mut statements = vec![revoke_token_key(auth, id, ctx.now())];
        let signs = keys.active(key.algorithm, ctx.now()).is_some_and(|active| active.row.id == id);
        if signs {
            // Whoever meets an unknown key asks for the set anew.
            let next = self.new_token_key(&site, key.algorithm, ctx.now()).map_err(into_problem)?;
            statements.push(insert_token_key(auth, &next));
        }
        statements.extend(keys.before(key, ctx.now()).map(|key| keep_token_key(auth, key.row.id)));
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change("revoke a token key", ctx.tenant(), statements, event).await?;
        entry.committed();
        let keys = self.signing_keys(&site).await.map_err(into_problem)?;
        let revoked = keys.keys.iter().find(|key| key.row.id == id);
        revoked.map(|key| shown(key, ctx.now())).ok_or_else(|| Problem::internal("revoking a token key", "it is gone"))
    }

    /// The issuer of a tenant that came by the management API.
    pub(super) async fn site_of(&self, ctx: &Ctx) -> Outcome<Site> {
        let slug = self.core.store.slug_of_tenant(ctx.tenant()).await?.ok_or_else(|| Problem::not_found("tenant"))?;
        let site = self.site(&ctx.keyring, ctx.origin.clone(), Some(&slug), None).await?;
        // It stays the caller's doing.
        Ok(Site { ctx: ctx.clone(), ..site })
    }

    /// Gives every old key a successor: the scheduled part, of one tenant.
    pub async fn rotate_old_keys(&self, ctx: &Ctx) -> Outcome<()> {
        let site = self.site_of(ctx).await?;
        let keys = self.signing_keys(&site).await.map_err(into_problem)?;
        for algorithm in Algorithm::ALL {
            let facts: Vec<_> =
                keys.keys.iter().filter(|key| key.algorithm == *algorithm).map(SigningKey::facts).collect();
            if !is_due(&facts, ctx.now()) {
                continue;
            }
            let mut entry = Entry::new("TokenKeyRotated", "identity", "TokenKey");
            entry.note("on schedule");
            let (auth, from) = (super::on_behalf(ctx.tenant()), successor_from(None, ctx.now()));
            let result = self.succeed(&site, &auth, &keys, *algorithm, from, &mut entry).await;
            self.core.trail.conclude(ctx, entry, result).await?;
        }
        Ok(())
    }

    /// Since when a key has to sign to be old at `now`.
    pub fn old_before(now: Timestamp) -> Timestamp {
        now.plus_millis(-ROTATED_AFTER_MS)
    }
}

fn shown(key: &SigningKey, now: Timestamp) -> wire::TokenKey {
    let facts = key.facts();
    wire::TokenKey {
        id: key.row.id.uuid(),
        kid: key.row.kid.clone(),
        algorithm: key.algorithm.to_string(),
        state: phase(&facts, now).as_str().to_owned(),
        is_published: is_published(&facts, now),
        created_at: key.row.created_at.into(),
        active_from: key.row.active_from.into(),
        retired_at: key.row.retired_at.map(Into::into),
    }
}

fn into_problem(refused: super::Refused) -> Problem {
    let mut problem = refused.as_problem();
    problem.cause = refused.cause;
    problem
}
