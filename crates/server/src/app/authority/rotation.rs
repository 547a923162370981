//! Authorities listed, added, rotated and retired.

use api::certificates as wire;
use api::error::ErrorCode;
use crypto::algorithm::Algorithm;
use domain::authz::{Authorized, ManageAuthorities, ReadAuthorities};
use domain::ids::AuthorityId;
use domain::pki::authority::{Act, Kind, NoRotation, Situation, Step, plan_rotation};
use domain::time::SECOND_MS;
use store::authorities::{advance_bundle, insert_authority, limit_authority, retire_authority, update_policy};

use super::loaded::{Loaded, LoadedAuthority};
use super::making::{Blank, Place, stored};
use super::{Authority, CLASSICAL, REFRESH_HINT_S, ROOT, manager, reader, showing};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// How long a successor is published before it issues, unless told: every peer asks twice in that time.
const LEAD_MS: i64 = 2 * REFRESH_HINT_S as i64 * SECOND_MS;
const NAME_CHARS: usize = 40;

impl Authority {
    /// Every authority of the tenant.
    pub async fn authorities(&self, ctx: &Ctx, _: &Authorized<ReadAuthorities>) -> Outcome<wire::AuthorityList> {
        let result = self.load(ctx).await.map(|loaded| {
            let cas: Vec<_> = loaded.keys.iter().map(|key| showing::authority(&loaded, key, ctx.now())).collect();
            wire::AuthorityList { total: cas.len() as u64, cas }
        });
        let entry = Entry::new("AuthoritiesListed", "certificates", "CertificateAuthority");
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// One authority.
    pub async fn authority(
        &self,
        ctx: &Ctx,
        _: &Authorized<ReadAuthorities>,
        id: AuthorityId,
    ) -> Outcome<wire::Authority> {
        let mut entry = Entry::new("AuthorityRead", "certificates", "CertificateAuthority");
        entry.resource_id(id);
        let result = self.shown_authority(ctx, id).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn shown_authority(&self, ctx: &Ctx, id: AuthorityId) -> Outcome<wire::Authority> {
        let loaded = self.load(ctx).await?;
        let key = loaded.get(id).ok_or_else(missing)?;
        Ok(showing::authority(&loaded, key, ctx.now()))
    }

    /// The self-signed certificate of an authority, or of the one that issues now.
    pub async fn anchor(&self, ctx: &Ctx, id: Option<AuthorityId>) -> Outcome<(Vec<u8>, wire::AuthorityCertificate)> {
        let loaded = self.load(ctx).await?;
        let key = match id {
            Some(id) => loaded.get(id).ok_or_else(missing)?,
            None => loaded.issuer(super::ISSUING, ctx.now())?,
        };
        Ok((key.row.certificate.clone(), showing::anchor(key)))
    }

    /// Makes a further issuing authority.
    pub async fn create(
        &self,
        ctx: &Ctx,
        _: &Authorized<ManageAuthorities>,
        request: &wire::CreateAuthority,
    ) -> Outcome<wire::Authority> {
        let name = checked_name(&request.name)?;
        let algorithm = request.algorithm.as_deref().map_or(Ok(Algorithm::MlDsa65), str::parse);
        let algorithm = algorithm.ok().filter(|algorithm| algorithm.is_ml_dsa());
        let algorithm = algorithm.ok_or_else(|| {
            Problem::new(ErrorCode::Unsupported, "An authority has ML-DSA-44, ML-DSA-65 or ML-DSA-87.")
        })?;
        let loaded = self.load(ctx).await?;
        if loaded.facts.iter().any(|facts| facts.name == name) {
            return Err(Problem::new(ErrorCode::Conflict, "There is an authority of this name; rotate it."));
        }
        let blank = Blank::first(Kind::Issuing, &name, algorithm, ctx.now());
        let id = self.add(ctx, &loaded, &blank).await?;
        self.shown_authority(ctx, id).await
    }

    /// Gives an authority a successor. Answers with it. A root's successor certifies what issues beside it, so that who trusts
    /// either believes what is issued, until the old one leaves.
    pub async fn rotate(
        &self,
        ctx: &Ctx,
        _: &Authorized<ManageAuthorities>,
        id: AuthorityId,
        request: &wire::RotateAuthority,
    ) -> Outcome<wire::Authority> {
        let mut entry = Entry::new("AuthorityRotated", "certificates", "CertificateAuthority");
        entry.resource_id(id);
        let result = self.rotate_now(ctx, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn rotate_now(
        &self,
        ctx: &Ctx,
        id: AuthorityId,
        request: &wire::RotateAuthority,
        entry: &mut Entry,
    ) -> Outcome<wire::Authority> {
        let loaded = self.load(ctx).await?;
        let named = loaded.get(id).ok_or_else(missing)?;
        let present = loaded.issuer(&named.row.name, ctx.now())?;
        let ms = |seconds: u32| i64::from(seconds) * SECOND_MS;
        let steps = plan_rotation(&Situation {
            all: &loaded.facts,
            name: &present.row.name,
            last_end: self.core.store.last_end(&reader(ctx.tenant()), present.row.id).await?,
            lead_ms: request.lead_seconds.map_or(LEAD_MS, ms),
            overlap_ms: request.overlap_seconds.map(ms),
            now: ctx.now(),
        })?;
        let reasons: Vec<&str> = steps.iter().map(|step| step.reason.as_str()).collect();
        entry.note(reasons.join("; "));
        let made = self.apply(ctx, &loaded, present, &steps, entry).await?;
        entry.committed();
        self.shown_authority(ctx, made).await
    }

    async fn apply(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        present: &LoadedAuthority,
        steps: &[Step],
        entry: &mut Entry,
    ) -> Outcome<AuthorityId> {
        let auth = manager(ctx.tenant());
        let mut statements = vec![update_policy(&auth, &stored(&loaded.row, &loaded.policy)?, ctx.now())];
        let mut made = present.row.id;
        for step in steps {
            match step.act {
                Act::Publish { generation, active_from } => {
                    let (kind, algorithm) = (present.kind, present.algorithm);
                    let blank = Blank { kind, name: &present.row.name, generation, algorithm, active_from };
                    let roots = if kind == Kind::Root { Vec::new() } else { loaded.roots()? };
                    let place = Place { slug: &loaded.slug, policy: &loaded.policy, roots: &roots };
                    let next = self.new_key(ctx, &blank, &place)?;
                    made = next.row.id;
                    entry.resource(made, &next.row.name).algorithm(algorithm).version(generation);
                    statements.push(insert_authority(&auth, &next.row));
                    if kind == Kind::Root {
                        statements.extend(self.publish_under(ctx, loaded, &next)?);
                    }
                }
                Act::Retire { id, at } => statements.push(limit_authority(&auth, id, at)),
            }
        }
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change("rotate authority", ctx.tenant(), statements, event).await?;
        Ok(made)
    }

    /// Takes an authority whose overlap is over out of the bundle. Called by the background; on whichever replica comes
    /// second nothing happens.
    pub async fn retire(&self, ctx: &Ctx, id: AuthorityId) -> Outcome<()> {
        let mut entry = Entry::new("AuthorityRetired", "certificates", "CertificateAuthority");
        entry.resource_id(id);
        let auth = manager(ctx.tenant());
        let statements = vec![retire_authority(&auth, id, ctx.now()), advance_bundle(&auth, ctx.now())];
        let event = self.core.trail.event(ctx, &entry)?;
        match self.core.change("retire authority", ctx.tenant(), statements, event).await {
            Err(problem) if problem.code == ErrorCode::Conflict => Ok(()),
            result => {
                if result.is_ok() {
                    entry.committed();
                }
                self.core.trail.conclude(ctx, entry, result).await
            }
        }
    }
}

/// The name stands in subjects; those of the authorities that are made by themselves are taken.
fn checked_name(text: &str) -> Outcome<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let name = text.trim().to_ascii_lowercase();
    if name.is_empty() || name.len() > NAME_CHARS || !name.bytes().all(plain) {
        return Err(Problem::invalid(format!("name has 1 to {NAME_CHARS} letters, digits and hyphens.")));
    }
    if [ROOT, CLASSICAL].contains(&name.as_str()) {
        return Err(Problem::new(ErrorCode::Conflict, "The name belongs to an authority that is made by itself."));
    }
    Ok(name)
}

fn missing() -> Problem {
    Problem::not_found("certificate authority")
}

impl From<NoRotation> for Problem {
    fn from(none: NoRotation) -> Self {
        Self::new(ErrorCode::Conflict, format!("{none}."))
    }
}
