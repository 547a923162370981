//! Applications as the protocol meets them: read once, used for as long as the tenant's epoch stands still.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::identity::application::{ClientAuth, GrantType, IdTokenAlg, MfaPolicy};
use domain::identity::claims::Audience;
use domain::identity::target::Api;
use domain::time::Timestamp;
use domain::{identity::authorization_request::Asking, rate::Bucket};
use store::applications::{StoredApplication, StoredApplicationSecret};
use store::standing::HangsOn;

use super::federated::is_built_in;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::{CAPACITY, Oidc, on_behalf};
use crate::freshness::Stand;
use crate::problem::{Outcome, Problem};

/// An application that is there.
pub struct Client {
    /// Its row.
    pub row: StoredApplication,
    /// The secrets it has, those included that end soon.
    pub secrets: Vec<StoredApplicationSecret>,
    /// The APIs of its tenant.
    pub apis: Vec<Api>,
    /// What it may name in `resource`.
    reach: Vec<String>,
    /// Whether its people need a second factor.
    pub mfa_policy: MfaPolicy,
    /// Where its tenant stood when it was read.
    pub stand: Stand,
}

/// The origins of the browsers that a tenant's applications run in.
pub struct Origins {
    all: BTreeSet<String>,
    stand: Stand,
}

/// The longest name of an application.
const CLIENT_ID_MAX: usize = 200;

/// Whether a text could be the name of an application (RFC 6749, A.1). Nothing else is looked for.
fn could_be_client_id(text: &str) -> bool {
    (1..=CLIENT_ID_MAX).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

impl Client {
    /// What it calls itself.
    pub fn id(&self) -> &str {
        &self.row.client_id
    }

    /// Whether it may use a grant.
    pub fn has(&self, grant: GrantType) -> bool {
        self.row.settings.grant_types.contains(&grant)
    }

    /// Refuses a grant that it may not use.
    pub fn must_have(&self, grant: GrantType) -> Answered<()> {
        if self.has(grant) {
            return Ok(());
        }
        Err(Refused::new(OauthCode::UnauthorizedClient, "The application may not use this grant."))
    }

    /// What it may ask at the authorization endpoint.
    pub fn asking(&self) -> Asking<'_> {
        let settings = &self.row.settings;
        Asking {
            redirect_uris: &settings.redirect_uris,
            is_installed: self.row.kind.is_installed(),
            allowed_scopes: &settings.allowed_scopes,
            resources: &self.reach,
            has_codes: self.has(GrantType::AuthorizationCode),
        }
    }

    /// Whether a token for these is for it: it is one of them, or the API that one of them is.
    pub fn is_among(&self, audience: &Audience) -> bool {
        let serves = &self.row.settings.serves;
        audience.has(self.id()) || serves.iter().any(|api| audience.has(api))
    }

    /// Whether it may have tokens for an API: one that it may call, or this platform, when it may do something here.
    pub fn may_reach(&self, site: &Site, resource: &str) -> bool {
        reach(site, &self.row).any(|known| known == resource)
    }

    /// Whether it has something to prove who it is with.
    pub fn is_proven(&self) -> bool {
        self.row.settings.client_auth != ClientAuth::None
    }

    /// Whether it may ask for a scope.
    pub fn may_have(&self, word: &str) -> bool {
        let settings = &self.row.settings;
        [&settings.allowed_scopes, &settings.platform_scopes].into_iter().flatten().any(|known| known == word)
    }
}

/// What an application may have tokens for: the APIs it may call, and this platform when it may do something here.
fn reach<'a>(site: &'a Site, row: &'a StoredApplication) -> impl Iterator<Item = &'a str> {
    let platform = Some(&*site.issuer).filter(|_| !row.settings.platform_scopes.is_empty());
    row.settings.resources.iter().map(String::as_str).chain(platform)
}

impl Oidc {
    /// The application that calls itself so, if it is there and its tenant is not suspended.
    pub async fn client(&self, site: &Site, client_id: &str) -> Answered<Option<Arc<Client>>> {
        if !could_be_client_id(client_id) {
            return Ok(None);
        }
        let stand = self.freshness.stand(site.tenant())?;
        let key = (site.tenant(), client_id.to_owned());
        let cached = self.clients.read().ok().and_then(|clients| clients.get(&key).map(Arc::clone));
        if let Some(client) = cached.filter(|client| client.stand.holds(&stand)) {
            return Ok(Some(client));
        }
        let Some(client) = Box::pin(self.read_client(site, client_id, stand)).await? else { return Ok(None) };
        if let Ok(mut clients) = self.clients.write() {
            if clients.len() >= CAPACITY {
                clients.clear();
            }
            clients.insert(key, Arc::clone(&client));
        }
        Ok(Some(client))
    }

    async fn read_client(&self, site: &Site, client_id: &str, stand: Stand) -> Answered<Option<Arc<Client>>> {
        let (auth, store) = (on_behalf(site.tenant()), &self.core.store);
        let hangs_on = HangsOn { client_id, account: None, grant: None, trust: None, token: None };
        if !store.standing(&auth, &hangs_on).await?.is_tenant_active {
            return Ok(None);
        }
        let mut found = store.application_by_client_id(&auth, client_id).await?;
        if found.is_none() && is_built_in(client_id) {
            self.make_built_in(site).await?;
            found = store.application_by_client_id(&auth, client_id).await?;
        }
        let Some(row) = found else { return Ok(None) };
        let secrets = store.application_secrets(&auth, row.id, site.ctx.now()).await?;
        let apis = self.apis(site).await?;
        let reach = reach(site, &row).map(str::to_owned).collect();
        let mfa_policy = match row.settings.mfa_policy {
            Some(policy) => policy,
            None => store.mfa_policy_of_tenant(site.tenant()).await?.unwrap_or(MfaPolicy::Optional),
        };
        Ok(Some(Arc::new(Client { row, secrets, apis, reach, mfa_policy, stand })))
    }

    /// The APIs that tokens of the tenant are for.
    async fn apis(&self, site: &Site) -> Answered<Vec<Api>> {
        let rows = self.core.store.resource_servers(&on_behalf(site.tenant())).await?;
        let read = |row: store::resource_servers::StoredResourceServer| -> Outcome<Api> {
            let scopes = serde_json::from_str(&row.scopes);
            Ok(Api {
                identifier: row.identifier,
                format: row.token_format,
                lifetime_s: i64::from(row.token_lifetime_s),
                scopes: scopes.map_err(|error| Problem::internal("reading the scopes of an API", error))?,
            })
        };
        Ok(rows.into_iter().map(read).collect::<Outcome<_>>()?)
    }

    /// Which algorithms the applications of a tenant have their ID tokens signed with.
    pub(super) async fn algorithms_in_use(&self, site: &Site) -> Answered<Vec<IdTokenAlg>> {
        let mut used = vec![IdTokenAlg::MlDsa65];
        self.each_application(site, |application| {
            if !used.contains(&application.settings.id_token_alg) {
                used.push(application.settings.id_token_alg);
            }
        })
        .await?;
        Ok(used)
    }

    /// Whether an application of the tenant runs in browsers of this origin.
    pub async fn is_known_origin(&self, site: &Site, origin: &str) -> bool {
        match self.origins(site).await {
            Ok(origins) => origins.all.contains(origin),
            Err(refused) => {
                tracing::warn!(error.cause = ?refused.cause, "the origins of applications could not be read");
                false
            }
        }
    }

    async fn origins(&self, site: &Site) -> Answered<Arc<Origins>> {
        let stand = self.freshness.stand(site.tenant())?;
        let cached = self.origins.read().ok().and_then(|origins| origins.get(&site.tenant()).map(Arc::clone));
        if let Some(origins) = cached.filter(|origins| origins.stand.holds(&stand)) {
            return Ok(origins);
        }
        let mut all = BTreeSet::new();
        self.each_application(site, |application| all.extend(application.settings.cors_origins.iter().cloned()))
            .await?;
        let read = Arc::new(Origins { all, stand });
        if let Ok(mut origins) = self.origins.write() {
            origins.insert(site.tenant(), Arc::clone(&read));
        }
        Ok(read)
    }

    async fn each_application(&self, site: &Site, mut see: impl FnMut(&StoredApplication) + Send) -> Answered<()> {
        let auth = on_behalf(site.tenant());
        let mut skipped = 0;
        loop {
            let page = self.core.store.applications(&auth, PAGE, skipped).await?;
            page.iter().for_each(&mut see);
            if page.len() < PAGE as usize {
                return Ok(());
            }
            skipped += PAGE;
        }
    }

    /// Counts a request of a client that proved who it is.
    pub(super) fn count_client(&self, client: &Client, now: Timestamp) -> Answered<()> {
        if self.requests_per_minute == 0 {
            return Ok(());
        }
        let Ok(mut buckets) = self.buckets.lock() else { return Ok(()) };
        if buckets.len() >= CAPACITY {
            buckets.clear();
        }
        let bucket = buckets.entry(client.row.id).or_insert_with(|| Bucket::full(self.requests_per_minute, now));
        let taken = bucket.take(now).map(drop);
        Ok(taken.map_err(crate::credentials::exhausted)?)
    }
}

const PAGE: u32 = 200;
