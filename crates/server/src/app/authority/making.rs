//! Making authorities, and certifying them: at first, when their names change, and when they rotate.

use crypto::algorithm::Algorithm;
use crypto::key::{PrivateKey, PublicKey};
use crypto::x509::{DistinguishedName, KeyId, Role, SerialNumber, Statement};
use domain::ids::AuthorityId;
use domain::pki::authority::Kind;
use domain::pki::issuance::BACKDATING_S;
use domain::pki::names::{ALLOWED_AT_FIRST, NamePolicy};
use domain::pki::profile::Profile;
use domain::time::{SECOND_MS, Timestamp};
use store::Stmt;
use store::authorities::{
    StoredAuthority, StoredPolicy, insert_authority, insert_policy, recertify_authority, update_policy,
};

use super::loaded::{Loaded, LoadedAuthority};
use super::{Authority, CLASSICAL, ISSUING, ROOT, manager};
use crate::app::tenants::{DEFAULT_SLUG, bytes};
use crate::config::LearnNames;
use crate::ctx::Ctx;
use crate::keyring::public_of;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// A key of an authority to be made.
pub(super) struct Blank<'a> {
    pub kind: Kind,
    pub name: &'a str,
    pub generation: u32,
    pub algorithm: Algorithm,
    pub active_from: Timestamp,
}

impl<'a> Blank<'a> {
    /// A first generation. Nobody has to hear of it first, and requests that began a moment before it was made, or on a
    /// replica whose clock is behind, are to find it at work.
    pub fn first(kind: Kind, name: &'a str, algorithm: Algorithm, now: Timestamp) -> Self {
        Self { kind, name, generation: 1, algorithm, active_from: now.plus_millis(-BACKDATING_S * SECOND_MS) }
    }
}

/// Where a key is certified.
pub(super) struct Place<'a> {
    pub slug: &'a str,
    pub policy: &'a NamePolicy,
    /// The oldest first.
    pub roots: &'a [&'a LoadedAuthority],
}

impl Authority {
    /// Makes the tenant's policy, root and issuing authority. Somebody else having done so is a conflict.
    pub(super) async fn make(&self, ctx: &Ctx) -> Outcome<()> {
        let mut entry = Entry::new("AuthorityCreated", "certificates", "CertificateAuthority");
        let result = self.make_now(ctx, &mut entry).await;
        match result {
            // Nothing was done, and nothing went wrong: another replica was faster.
            Err(problem) if problem.code == api::error::ErrorCode::Conflict => Err(problem),
            result => self.core.trail.conclude(ctx, entry, result).await,
        }
    }

    async fn make_now(&self, ctx: &Ctx, entry: &mut Entry) -> Outcome<()> {
        let slug = self.core.store.slug_of_tenant(ctx.tenant()).await?.ok_or_else(|| Problem::not_found("tenant"))?;
        let (row, policy) = self.first_policy(ctx, &slug)?;
        let blank = |kind, name, algorithm| Blank::first(kind, name, algorithm, ctx.now());
        let place = Place { slug: &slug, policy: &policy, roots: &[] };
        let root = self.new_key(ctx, &blank(Kind::Root, ROOT, Algorithm::MlDsa87), &place)?;
        let place = Place { roots: &[&root], ..place };
        let issuing = self.new_key(ctx, &blank(Kind::Issuing, ISSUING, Algorithm::MlDsa65), &place)?;
        entry.resource(issuing.row.id, &issuing.row.name).algorithm(issuing.algorithm);
        entry.note(format!("root={} keyId={}", root.row.id, hex::encode(&issuing.row.key_identifier)));
        let auth = manager(ctx.tenant());
        let statements =
            vec![insert_policy(&auth, &row), insert_authority(&auth, &root.row), insert_authority(&auth, &issuing.row)];
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change("make authorities", ctx.tenant(), statements, event).await?;
        entry.committed();
        Ok(())
    }

    fn first_policy(&self, ctx: &Ctx, slug: &str) -> Outcome<(StoredPolicy, NamePolicy)> {
        let learning = match self.learn_names {
            LearnNames::Everywhere => true,
            LearnNames::DefaultTenant => slug == DEFAULT_SLUG,
            LearnNames::Nowhere => false,
        };
        let trust_domain =
            if slug == DEFAULT_SLUG { "qapi.internal".to_owned() } else { format!("{slug}.qapi.internal") };
        let allowed = serde_json::to_string(&ALLOWED_AT_FIRST).map_err(|error| unwritable(&error))?;
        let row = StoredPolicy {
            trust_domain,
            allowed,
            learning,
            seq: 1,
            seq_at: ctx.now(),
            revision: 1,
            created_at: ctx.now(),
            updated_at: ctx.now(),
        };
        let policy = super::loaded::policy(&row)?;
        Ok((row, policy))
    }

    /// A new key with its certificates, not stored yet.
    pub(super) fn new_key(&self, ctx: &Ctx, blank: &Blank<'_>, place: &Place<'_>) -> Outcome<LoadedAuthority> {
        let random = &*self.core.entropy;
        let private = PrivateKey::generate(blank.algorithm, random)?;
        let public = public_of(&private)?;
        let id = AuthorityId::from_random(bytes(random));
        let key_id = KeyId::of(&public);
        let subject = subject(place.slug, blank, &key_id)?;
        let profile = self.own_profile(profile_of(blank.kind))?;
        let row = StoredAuthority {
            id,
            kind: blank.kind.as_str().to_owned(),
            name: blank.name.to_owned(),
            generation: blank.generation,
            algorithm: blank.algorithm.to_string(),
            subject: subject.to_string(),
            key_identifier: key_id.as_bytes().to_vec(),
            public: public.raw().to_vec(),
            sealed: ctx.keys.seal_authority(id, &private, random)?,
            kek_version: ctx.keys.kek_version,
            certificate: Vec::new(),
            intermediate: None,
            not_before: ctx.now().plus_millis(-BACKDATING_S * SECOND_MS),
            not_after: end(ctx.now(), profile, place.roots),
            active_from: blank.active_from,
            retires_at: None,
            retired_at: None,
            created_at: ctx.now(),
        };
        let mut made = LoadedAuthority::fresh(row, blank.kind, subject, private);
        self.certify(ctx, &mut made, place)?;
        Ok(made)
    }

    /// Writes the certificates of a key: self-signed, and under the roots unless it is one or a classical one.
    fn certify(&self, ctx: &Ctx, key: &mut LoadedAuthority, place: &Place<'_>) -> Outcome<()> {
        let statement = self.statement(key, &key.subject, place)?;
        key.row.certificate = statement.sign(key.private(&ctx.keys)?, &*self.core.entropy)?;
        key.row.intermediate = None;
        self.certify_under(ctx, key, place)
    }

    /// Adds its certificates under the roots of the place to those that a key has.
    fn certify_under(&self, ctx: &Ctx, key: &mut LoadedAuthority, place: &Place<'_>) -> Outcome<()> {
        if key.kind != Kind::Issuing {
            return Ok(());
        }
        let mut intermediates = key.row.intermediate.take().unwrap_or_default();
        for root in place.roots {
            let mut under = self.statement(key, &root.subject, place)?;
            under.not_after = under.not_after.min(root.row.not_after.seconds());
            under.crl_urls = vec![self.url(place.slug, root.row.id, "crl")];
            under.issuer_urls = vec![self.url(place.slug, root.row.id, "certificate")];
            intermediates.extend(under.sign(root.private(&ctx.keys)?, &*self.core.entropy)?);
        }
        key.row.intermediate = Some(intermediates);
        Ok(())
    }

    fn statement(&self, key: &LoadedAuthority, issuer: &DistinguishedName, place: &Place<'_>) -> Outcome<Statement> {
        let profile = self.own_profile(profile_of(key.kind))?;
        Ok(Statement {
            serial_number: SerialNumber::draw(&*self.core.entropy),
            issuer: issuer.clone(),
            subject: key.subject.clone(),
            not_before: key.row.not_before.seconds(),
            not_after: key.row.not_after.seconds(),
            key: PublicKey::from_raw(key.algorithm, &key.row.public)?,
            role: Role::Authority { path_len: profile.path_length() },
            key_usage: profile.usage(),
            purposes: Vec::new(),
            alt_names: Vec::new(),
            permitted_dns: if key.kind == Kind::Root { Vec::new() } else { place.policy.permitted_dns() },
            policies: Vec::new(),
            no_rev_avail: false,
            crl_urls: Vec::new(),
            issuer_urls: Vec::new(),
        })
    }

    /// Certifies what issues under a root that was just made, beside its certificates under the roots before it: whoever trusts
    /// one of them believes it.
    pub(super) fn publish_under(&self, ctx: &Ctx, loaded: &Loaded, root: &LoadedAuthority) -> Outcome<Vec<Stmt>> {
        let auth = manager(ctx.tenant());
        let place = Place { slug: &loaded.slug, policy: &loaded.policy, roots: &[root] };
        let mut statements = Vec::new();
        for key in loaded.current(ctx.now()).filter(|key| key.kind == Kind::Issuing) {
            let mut published = LoadedAuthority::again(key);
            published.row.intermediate = Some(key.chain.concat());
            self.certify_under(ctx, &mut published, &place)?;
            statements.push(recertify_authority(&auth, &published.row));
        }
        Ok(statements)
    }

    /// What puts another policy in force: its row, and every authority certified anew with its names.
    pub(super) fn put_in_force(&self, ctx: &Ctx, loaded: &Loaded, policy: &NamePolicy) -> Outcome<Vec<Stmt>> {
        let auth = manager(ctx.tenant());
        let mut statements = vec![update_policy(&auth, &stored(&loaded.row, policy)?, ctx.now())];
        if policy.permitted_dns() == loaded.policy.permitted_dns() {
            return Ok(statements);
        }
        let roots = loaded.roots()?;
        for key in loaded.current(ctx.now()).filter(|key| key.kind != Kind::Root) {
            let mut renewed = LoadedAuthority::again(key);
            self.certify(ctx, &mut renewed, &Place { slug: &loaded.slug, policy, roots: &roots })?;
            statements.push(recertify_authority(&auth, &renewed.row));
        }
        Ok(statements)
    }

    /// The classical authority, made when `mesh-compat` is first asked for.
    pub(super) async fn ensure_classical(&self, ctx: &Ctx, loaded: &Loaded) -> Outcome<()> {
        if loaded.facts.iter().any(|facts| facts.name == CLASSICAL) {
            return Ok(());
        }
        let blank = Blank::first(Kind::Classical, CLASSICAL, Algorithm::EcdsaP256, ctx.now());
        match self.add(ctx, loaded, &blank).await {
            Err(problem) if problem.code == api::error::ErrorCode::Conflict => self.forget(ctx.tenant()),
            made => drop(made?),
        }
        Ok(())
    }

    /// Makes and stores a first key of a further authority.
    pub(super) async fn add(&self, ctx: &Ctx, loaded: &Loaded, blank: &Blank<'_>) -> Outcome<AuthorityId> {
        let mut entry = Entry::new("AuthorityCreated", "certificates", "CertificateAuthority");
        let result = async {
            let place = Place { slug: &loaded.slug, policy: &loaded.policy, roots: &loaded.roots()? };
            let made = self.new_key(ctx, blank, &place)?;
            entry.resource(made.row.id, &made.row.name).algorithm(made.algorithm);
            let auth = manager(ctx.tenant());
            let policy = stored(&loaded.row, &loaded.policy)?;
            let statements = vec![update_policy(&auth, &policy, ctx.now()), insert_authority(&auth, &made.row)];
            let event = self.core.trail.event(ctx, &entry)?;
            self.core.change("add authority", ctx.tenant(), statements, event).await?;
            entry.committed();
            Ok(made.row.id)
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }
}

/// The row of a policy, at the revision that was read.
pub(super) fn stored(before: &StoredPolicy, policy: &NamePolicy) -> Outcome<StoredPolicy> {
    let allowed: Vec<String> = policy.allowed().iter().map(ToString::to_string).collect();
    Ok(StoredPolicy {
        trust_domain: policy.trust_domain().to_owned(),
        allowed: serde_json::to_string(&allowed).map_err(|error| unwritable(&error))?,
        learning: policy.learning() == domain::pki::names::Learning::On,
        ..before.clone()
    })
}

fn unwritable(error: &serde_json::Error) -> Problem {
    Problem::internal("writing a policy of names", error)
}

fn profile_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Root => "root",
        Kind::Issuing => "ca",
        Kind::Classical => "ca-compat",
    }
}

/// Names differ from key to key, so that nobody takes one generation for another.
fn subject(slug: &str, blank: &Blank<'_>, key_id: &KeyId) -> Outcome<DistinguishedName> {
    let key_id: String = key_id.to_string().chars().take(8).collect();
    let text = format!("O={slug},CN={} g{} {key_id}", blank.name, blank.generation);
    Ok(text.parse()?)
}

/// An authority does not outlive the last of its roots.
fn end(now: Timestamp, profile: &Profile, roots: &[&LoadedAuthority]) -> Timestamp {
    let end = now.plus_millis(profile.default_lifetime_s() * SECOND_MS);
    roots.iter().map(|root| root.row.not_after).max().map_or(end, |last| end.min(last))
}
