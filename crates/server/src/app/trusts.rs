//! Trusts in other issuers: made, shown, changed, tried, removed. [`judging`] decides whether a token is believed.

mod issuers;
pub mod judging;

use std::sync::Arc;

use api::error::ErrorCode;
use api::trusts::{CreateTrust, Trust as Shown, TrustList, TrustRule, UpdateTrust};
use domain::authz::{Action, Authorized, ReadTrusts, WriteTrusts};
use domain::identity::trust::{Kind, Rule, Settings, State, check_trust_name};
use domain::ids::TrustId;
use store::Stmt;
use store::trusts::{StoredTrust, delete_trust, insert_trust, update_trust};

use super::Core;
use super::applications::standing_in::by_trust;
use super::tenants::{DEFAULT_SLUG, bytes};
use crate::ctx::Ctx;
use crate::egress::Egress;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Seconds that a token for a token lives unless told.
const LIFETIME_S: u32 = 300;

/// The trusts of tenants.
pub struct Trusts {
    core: Core,
    issuers: issuers::Issuers,
    /// The origin of every issuer of ours.
    origin: String,
}

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "identity", "Trust")
}

impl Trusts {
    /// Over the store and the way out.
    pub fn new(core: Core, egress: Arc<Egress>, origin: &str) -> Self {
        Self { core, issuers: issuers::Issuers::new(egress), origin: origin.to_owned() }
    }

    /// Makes a trust.
    pub async fn create(&self, ctx: &Ctx, auth: &Authorized<WriteTrusts>, request: CreateTrust) -> Outcome<Shown> {
        let mut entry = entry("TrustCreated");
        let result = self.create_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteTrusts>,
        request: CreateTrust,
        entry: &mut Entry,
    ) -> Outcome<Shown> {
        let row = self.new_row(ctx, &self.issuer_of(ctx).await?, request)?;
        entry.resource(row.id, &row.name);
        checked(ctx, &row)?;
        self.commit(ctx, "create trust", insert_trust(auth, &row)?, entry).await?;
        Ok(show(&row))
    }

    /// One trust.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadTrusts>, id: TrustId) -> Outcome<Shown> {
        let mut entry = entry("TrustRead");
        let result = self.load(auth, id, &mut entry).await.map(|row| show(&row));
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// All of them, the oldest first.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadTrusts>) -> Outcome<TrustList> {
        let rows = self.core.store.trusts(auth).await.map_err(Problem::from);
        let result =
            rows.map(|rows| TrustList { total_count: rows.len() as u64, items: rows.iter().map(show).collect() });
        self.core.trail.conclude(ctx, entry("TrustListed"), result).await
    }

    /// Changes what is given.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteTrusts>,
        id: TrustId,
        request: UpdateTrust,
    ) -> Outcome<Shown> {
        let mut entry = entry("TrustUpdated");
        let result = self.update_now(ctx, auth, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteTrusts>,
        id: TrustId,
        request: UpdateTrust,
        entry: &mut Entry,
    ) -> Outcome<Shown> {
        let old = self.load(auth, id, entry).await?;
        // Whoever could not have made it as it is may not make something of it.
        covers(ctx, &old.settings)?;
        by_trust(ctx, &self.core.store, auth, id).await?;
        let row = changed(ctx, old, request)?;
        checked(ctx, &row)?;
        self.commit(ctx, "update trust", update_trust(auth, &row)?, entry).await?;
        Ok(show(&row))
    }

    /// Removes a trust.
    pub async fn delete(&self, ctx: &Ctx, auth: &Authorized<WriteTrusts>, id: TrustId) -> Outcome<()> {
        let mut entry = entry("TrustDeleted");
        let result = self.delete_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn delete_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteTrusts>,
        id: TrustId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        self.load(auth, id, entry).await?;
        by_trust(ctx, &self.core.store, auth, id).await?;
        self.commit(ctx, "delete trust", delete_trust(auth, id), entry).await
    }

    async fn load<A: Action>(&self, auth: &Authorized<A>, id: TrustId, entry: &mut Entry) -> Outcome<StoredTrust> {
        let row = self.core.store.trust(auth, id).await?.ok_or_else(|| Problem::not_found("trust"))?;
        entry.resource(row.id, &row.name);
        Ok(row)
    }

    async fn commit(&self, ctx: &Ctx, name: &'static str, statement: Stmt, entry: &mut Entry) -> Outcome<()> {
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change(name, ctx.tenant(), vec![statement], event).await?;
        entry.committed();
        Ok(())
    }

    /// The tenant's own issuer: what other systems are asked to make their tokens for.
    async fn issuer_of(&self, ctx: &Ctx) -> Outcome<String> {
        let slug = self.core.store.slug_of_tenant(ctx.tenant()).await?.ok_or_else(|| Problem::not_found("tenant"))?;
        Ok(if slug == DEFAULT_SLUG { self.origin.clone() } else { format!("{}/t/{slug}", self.origin) })
    }

    fn new_row(&self, ctx: &Ctx, own: &str, request: CreateTrust) -> Outcome<StoredTrust> {
        let kind: Kind = request.kind.parse().map_err(|bad| Problem::invalid(format!("kind: {bad}.")))?;
        let issuer = request.issuer.or_else(|| kind.issuer().map(str::to_owned));
        let settings = Settings {
            audience: request.audience.unwrap_or_else(|| kind.audience(own)),
            jwks: request.jwks,
            jwks_uri: request.jwks_uri,
            rules: rules(request.rules),
            scopes: request.scopes,
            limits: request.resources,
            lifetime_s: request.lifetime_seconds.unwrap_or(LIFETIME_S),
            is_single_use: request.single_use.unwrap_or(kind.is_single_use()),
        };
        Ok(StoredTrust {
            id: TrustId::from_random(bytes(&*self.core.entropy)),
            name: check_trust_name(&request.name)?.to_owned(),
            kind,
            issuer: issuer.ok_or_else(|| Problem::invalid("issuer is needed for this kind."))?,
            state: State::Active,
            settings,
            not_before: ctx.now(),
            revision: 1,
            created_at: ctx.now(),
            updated_at: ctx.now(),
        })
    }
}

fn rules(rules: Vec<TrustRule>) -> Vec<Rule> {
    rules.into_iter().map(|rule| Rule { claim: rule.claim, any_of: rule.any_of }).collect()
}

/// What tokens were believed for under other rules is dead once the rules are others.
fn changed(ctx: &Ctx, mut row: StoredTrust, request: UpdateTrust) -> Outcome<StoredTrust> {
    let before = (row.settings.clone(), row.state);
    if let Some(name) = &request.name {
        row.name = check_trust_name(name)?.to_owned();
    }
    let settings = &mut row.settings;
    if request.jwks.is_some() || request.jwks_uri.is_some() {
        (settings.jwks, settings.jwks_uri) = (request.jwks, request.jwks_uri);
    }
    settings.audience = request.audience.unwrap_or_else(|| settings.audience.clone());
    settings.rules = request.rules.map_or_else(|| settings.rules.clone(), rules);
    settings.scopes = request.scopes.unwrap_or_else(|| settings.scopes.clone());
    settings.limits = request.resources.unwrap_or_else(|| settings.limits.clone());
    settings.lifetime_s = request.lifetime_seconds.unwrap_or(settings.lifetime_s);
    settings.is_single_use = request.single_use.unwrap_or(settings.is_single_use);
    if let Some(is_active) = request.is_active {
        row.state = if is_active { State::Active } else { State::Disabled };
    }
    if before != (row.settings.clone(), row.state) {
        row.not_before = ctx.now();
    }
    row.updated_at = ctx.now();
    Ok(row)
}

/// Refuses what no trust may be, and a trust that would give what its maker lacks.
fn checked(ctx: &Ctx, row: &StoredTrust) -> Outcome<()> {
    row.kind.check_issuer(&row.issuer)?;
    row.settings.check(row.kind)?;
    if let Some(jwks) = &row.settings.jwks {
        issuers::pinned(jwks).map_err(|refusal| Problem::invalid(format!("jwks: {refusal}.")))?;
    }
    covers(ctx, &row.settings)
}

fn covers(ctx: &Ctx, settings: &Settings) -> Outcome<()> {
    let (scopes, limits) = settings.granted()?;
    if !ctx.principal.scopes.covers(scopes) {
        return Err(Problem::new(ErrorCode::Forbidden, "The credential cannot grant scopes that it lacks."));
    }
    if ctx.principal.limits.cover(&limits) && ctx.principal.limits.environment().is_none() {
        return ctx.must_be_unbounded();
    }
    Err(Problem::new(ErrorCode::Forbidden, "The credential cannot grant resources that it does not reach itself."))
}

fn show(row: &StoredTrust) -> Shown {
    let settings = &row.settings;
    let rule = |rule: &Rule| TrustRule { claim: rule.claim.clone(), any_of: rule.any_of.clone() };
    Shown {
        id: row.id.uuid(),
        name: row.name.clone(),
        kind: row.kind.to_string(),
        issuer: row.issuer.clone(),
        audience: settings.audience.clone(),
        jwks: settings.jwks.clone(),
        jwks_uri: settings.jwks_uri.clone(),
        rules: settings.rules.iter().map(rule).collect(),
        scopes: settings.scopes.clone(),
        resources: settings.limits.clone(),
        lifetime_seconds: settings.lifetime_s,
        single_use: settings.is_single_use,
        is_active: row.state == State::Active,
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
    }
}
