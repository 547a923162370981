//! Whose provider a request came to: the default tenant's at the root, or the one of the slug in the path.

use std::sync::{Arc, OnceLock};

use domain::ids::TenantId;

use super::Oidc;
use crate::app::tenants::{DEFAULT_SLUG, tenant_of_slug};
use crate::ctx::{Ctx, Origin, Service};
use crate::keyring::Keyring;
use crate::problem::{Outcome, Problem};

/// One issuer, and a request to it.
#[derive(Clone)]
pub struct Site {
    /// The request, on behalf of nobody yet.
    pub ctx: Ctx,
    /// The issuer, as tokens name it.
    pub issuer: Arc<str>,
    /// The certificate that the client showed, on the listener where that counts.
    pub service: Option<Arc<Service>>,
    /// Where is kept which application asks, for whoever wants to know it afterwards.
    pub caller: Option<Arc<OnceLock<String>>>,
}

impl Site {
    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.ctx.tenant()
    }

    /// An application asks, as it says, or as the token says that is shown.
    pub fn is_asked_by(&self, client_id: &str) {
        if let Some(caller) = &self.caller {
            // The first one stays: a request is one application's.
            let _named = caller.set(client_id.to_owned());
        }
    }

    /// An address below the issuer.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The path below which the issuer's pages are.
    pub fn path(&self, path: &str, origin: &str) -> String {
        format!("{}{path}", self.issuer.strip_prefix(origin).unwrap_or_default())
    }
}

impl Oidc {
    /// The issuer of a slug. Its name comes from the configuration, never from a request.
    pub async fn site(
        &self,
        keyring: &Arc<Keyring>,
        origin: Origin,
        slug: Option<&str>,
        service: Option<Arc<Service>>,
    ) -> Outcome<Site> {
        let slug = slug.unwrap_or(DEFAULT_SLUG);
        let tenant = self.tenant_of(slug).await?;
        let keys = keyring.tenant(&self.core.store, tenant).await?;
        let issuer = match slug {
            DEFAULT_SLUG => Arc::clone(&self.origin),
            slug => format!("{}/t/{slug}", self.origin).into(),
        };
        let ctx = Ctx::of_the_platform(origin, Arc::clone(keyring), keys);
        // A certificate of another tenant's authority says nothing here.
        let service = service.filter(|service| service.tenant == tenant);
        Ok(Site { ctx, issuer, service, caller: None })
    }

    /// Slugs never change, so they are looked up once.
    async fn tenant_of(&self, slug: &str) -> Outcome<TenantId> {
        let known = self.tenants.read().ok().and_then(|tenants| tenants.get(slug).copied());
        if let Some(tenant) = known {
            return Ok(tenant);
        }
        let found =
            Box::pin(tenant_of_slug(&self.core.store, slug)).await?.ok_or_else(|| Problem::not_found("issuer"))?;
        if let Ok(mut tenants) = self.tenants.write() {
            tenants.insert(slug.to_owned(), found);
        }
        Ok(found)
    }

    /// Where pages are.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}
