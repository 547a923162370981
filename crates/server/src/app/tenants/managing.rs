//! Managing tenants: made, renamed, suspended and activated by the platform's operators.
//!
//! A suspended tenant's credentials are refused everywhere within a second; nothing of it is deleted. Neither the
//! operator's own tenant nor the default one can be suspended: nobody could undo it.

use api::error::ErrorCode;
use api::tenants::{CreateTenant, CreatedTenant, ListTenants, Tenant as Shown, TenantList, UpdateTenant};
use domain::authz::{Authorized, ManageTenants};
use domain::identity::application::MfaPolicy;
use domain::ids::TenantId;
use domain::name::KeyName;
use domain::scope::{Scope, Scopes};
use store::Store;
use store::tenants::{Tenant, update_tenant};

use super::{NewTenant, bytes, provision};
use crate::app::Core;
use crate::app::api_keys::shown_once;
use crate::app::applications::wanted::word;
use crate::app::paging::Page;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

const SLUG_CHARS: usize = 63;
/// The tenant that every platform begins with.
pub const DEFAULT_SLUG: &str = "default";

/// The tenants of the platform.
pub struct Tenants {
    pub(super) core: Core,
}

impl Tenants {
    /// Over the store.
    pub fn new(core: Core) -> Self {
        Self { core }
    }

    /// Makes a tenant with its keys, and shows its administrator's key.
    pub async fn create(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageTenants>,
        request: CreateTenant,
    ) -> Outcome<CreatedTenant> {
        let mut entry = Entry::new("TenantCreated", "platform", "Tenant");
        let result = self.create_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        _: &Authorized<ManageTenants>,
        request: CreateTenant,
        entry: &mut Entry,
    ) -> Outcome<CreatedTenant> {
        let name = name(&request.name)?;
        let slug = request.slug.map_or_else(|| slug_of(&name), |slug| checked_slug(&slug))?;
        let id = TenantId::from_random(bytes(&*self.core.entropy));
        entry.resource(id, &slug);
        let new = NewTenant {
            id,
            slug: slug.clone(),
            name: name.clone(),
            admin_name: "administrator".to_owned(),
            admin_scopes: Scopes::of(&[Scope::Admin]),
            admin_rate_per_minute: None,
        };
        let made = provision(&ctx.keyring.root, new, ctx.now(), &*self.core.entropy)?;
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change("create tenant", id, made.statements, event).await?;
        entry.committed();
        Ok(CreatedTenant {
            id: id.uuid(),
            name,
            slug,
            status: status(false),
            created_at: ctx.now().into(),
            updated_at: ctx.now().into(),
            admin_key: shown_once(&made.admin, &made.admin_key, None),
        })
    }

    /// One tenant.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ManageTenants>, id: TenantId) -> Outcome<Shown> {
        let mut entry = Entry::new("TenantRead", "platform", "Tenant");
        let result = self.load(auth, id, &mut entry).await.map(|tenant| show(&tenant));
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// A page of tenants, by slug.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ManageTenants>, query: &ListTenants) -> Outcome<TenantList> {
        let result = self.list_now(auth, query).await;
        self.core.trail.conclude(ctx, Entry::new("TenantListed", "platform", "Tenant"), result).await
    }

    async fn list_now(&self, auth: &Authorized<ManageTenants>, query: &ListTenants) -> Outcome<TenantList> {
        let page = Page::parse(query.page, query.page_size)?;
        let rows = self.core.store.tenants(auth).await?;
        let total = rows.len() as u64;
        let (rows, has_more) = page.cut(rows);
        let tenants = rows.iter().map(show).collect();
        Ok(TenantList { tenants, total, page: page.number, page_size: page.size, has_more })
    }

    /// Changes what is given.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageTenants>,
        id: TenantId,
        request: UpdateTenant,
    ) -> Outcome<Shown> {
        let entry = Entry::new("TenantUpdated", "platform", "Tenant");
        self.changed(ctx, auth, id, entry, |mut tenant| {
            if let Some(text) = &request.name {
                tenant.name = name(text)?;
            }
            tenant.mfa_policy = word("mfaPolicy", request.mfa_policy.as_deref())?.or(tenant.mfa_policy);
            Ok(tenant)
        })
        .await
    }

    /// Refuses all credentials of a tenant.
    pub async fn suspend(&self, ctx: &Ctx, auth: &Authorized<ManageTenants>, id: TenantId) -> Outcome<Shown> {
        let entry = Entry::new("TenantSuspended", "platform", "Tenant");
        self.changed(ctx, auth, id, entry, |tenant| {
            if tenant.id == ctx.tenant() || tenant.slug == DEFAULT_SLUG {
                return Err(Problem::new(
                    ErrorCode::Conflict,
                    "Neither one's own tenant nor the default one can be suspended.",
                ));
            }
            Ok(Tenant { is_suspended: true, ..tenant })
        })
        .await
    }

    /// Accepts a suspended tenant's credentials again.
    pub async fn activate(&self, ctx: &Ctx, auth: &Authorized<ManageTenants>, id: TenantId) -> Outcome<Shown> {
        let entry = Entry::new("TenantActivated", "platform", "Tenant");
        self.changed(ctx, auth, id, entry, |tenant| Ok(Tenant { is_suspended: false, ..tenant })).await
    }

    async fn changed(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageTenants>,
        id: TenantId,
        mut entry: Entry,
        change: impl FnOnce(Tenant) -> Outcome<Tenant>,
    ) -> Outcome<Shown> {
        let result = async {
            let tenant = change(self.load(auth, id, &mut entry).await?)?;
            let tenant = Tenant { updated_at: ctx.now(), ..tenant };
            let event = self.core.trail.event(ctx, &entry)?;
            self.core.change("update tenant", id, vec![update_tenant(auth, &tenant)], event).await?;
            entry.committed();
            Ok(show(&tenant))
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn load(&self, auth: &Authorized<ManageTenants>, id: TenantId, entry: &mut Entry) -> Outcome<Tenant> {
        let tenant = self.core.store.tenant(auth, id).await?.ok_or_else(|| Problem::not_found("tenant"))?;
        entry.resource(tenant.id, &tenant.slug);
        Ok(tenant)
    }
}

fn show(tenant: &Tenant) -> Shown {
    Shown {
        id: tenant.id.uuid(),
        name: tenant.name.clone(),
        slug: tenant.slug.clone(),
        status: status(tenant.is_suspended),
        mfa_policy: tenant.mfa_policy.unwrap_or(MfaPolicy::Optional).to_string(),
        created_at: tenant.created_at.into(),
        updated_at: tenant.updated_at.into(),
    }
}

fn status(is_suspended: bool) -> String {
    if is_suspended { "suspended" } else { "active" }.to_owned()
}

fn name(text: &str) -> Outcome<String> {
    Ok(KeyName::parse(text)?.as_str().to_owned())
}

/// The tenant of a slug, as an address brings it. What no tenant can be called is not looked for.
pub async fn tenant_of_slug(store: &Store, slug: &str) -> Outcome<Option<TenantId>> {
    if is_slug(slug) { Ok(store.tenant_of_slug(slug).await?) } else { Ok(None) }
}

/// Lower-case letters, digits and single hyphens inside: it stands in addresses for ever.
fn is_slug(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= SLUG_CHARS && text.split('-').all(|part| !part.is_empty() && part.bytes().all(plain))
}

fn checked_slug(slug: &str) -> Outcome<String> {
    if !is_slug(slug) {
        return Err(Problem::invalid(format!(
            "slug has 1 to {SLUG_CHARS} lower-case letters, digits and hyphens, with a hyphen only between two of the others."
        )));
    }
    Ok(slug.to_owned())
}

/// A slug made of a name: what cannot stand in one becomes a hyphen.
fn slug_of(name: &str) -> Outcome<String> {
    let folded: String =
        name.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { ' ' }).collect();
    let slug: String = folded.split_whitespace().collect::<Vec<_>>().join("-").chars().take(SLUG_CHARS).collect();
    checked_slug(slug.trim_end_matches('-')).map_err(|_| Problem::invalid("No slug can be made of the name; give one."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_made_of_names_and_checked() {
        assert_eq!(slug_of("Users & Billing, Ltd.").unwrap(), "users-billing-ltd");
        assert!(slug_of(&"a b ".repeat(25)).unwrap().len() <= SLUG_CHARS);
        assert!(slug_of("ωω").is_err());
        for (slug, good) in
            [("a", true), ("a-1", true), ("", false), ("-a", false), ("a--b", false), ("A", false), ("a/b", false)]
        {
            assert_eq!(checked_slug(slug).is_ok(), good, "{slug}");
        }
    }
}
