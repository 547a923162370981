//! The platform, as far as an identity needs it: it issues, and it publishes whom to trust.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use api::certificates::{Bundle, IssueCertificate, ReadBundle, RenewCertificate};
use tls::snapshot::Snapshot;

use super::bundle::Published;
use super::candidate::Issued;
use super::door::Door;
use super::wanted::Wanted;
use crate::client::Client;
use crate::config::Config;
use crate::error::{Error, report};

/// What an answer of the authority is awaited as.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The seam between an identity and the platform; tests put an authority of their own behind it.
pub trait Authority: Send + Sync + 'static {
    /// A certificate for this request.
    fn issue<'a>(&'a self, request: String, wanted: &'a Wanted) -> Answer<'a, Issued>;
    /// A certificate for this request in place of the one that the snapshot shows; by another credential where that one is
    /// not enough.
    fn renew<'a>(&'a self, request: String, wanted: &'a Wanted, showing: Snapshot) -> Answer<'a, Issued> {
        drop(showing);
        self.issue(request, wanted)
    }
    /// The trust bundle of this moment.
    fn bundle(&self) -> Answer<'_, Published>;
    /// The trust bundle as soon as its sequence is beyond `after`, or after a while whichever it is.
    fn next_bundle(&self, after: i64) -> Answer<'_, Published>;
}

/// The platform over HTTP. Its clients try once: when to try again is the identity's own decision.
pub struct Platform {
    issuing: Client,
    door: Option<Door>,
    has_key: bool,
    waiting: Client,
    tenant: Option<String>,
}

impl Platform {
    /// The platform at this address, with this credential; a tenant by its slug, or the default one.
    pub fn new(access: Config, tenant: Option<String>) -> Result<Self, Error> {
        let access = access.with_retries(0);
        Ok(Self {
            door: access.mtls_url.as_deref().map(Door::new).transpose()?,
            has_key: access.key.is_some(),
            issuing: Client::new(access.duplicate().with_timeout(ISSUE_TIMEOUT))?,
            waiting: Client::new(access.with_timeout(WAIT + ISSUE_TIMEOUT))?,
            tenant,
        })
    }
}

impl Platform {
    async fn published(&self, client: &Client, query: ReadBundle) -> Result<Published, Error> {
        let bundle = match &self.tenant {
            Some(slug) => client.tenant_trust_bundle(slug, &query).await?,
            None => client.trust_bundle(&query).await?,
        };
        Ok(published(bundle))
    }

    /// Renews at the listener that knows the service by its certificate.
    async fn renew_at(
        &self,
        door: &Door,
        request: String,
        wanted: &Wanted,
        mut showing: Snapshot,
    ) -> Result<Issued, Error> {
        if self.tenant.is_some() {
            // The listener's own certificate is of the default tenant's trust domain, which is believed for this alone.
            let bundle = published(self.issuing.trust_bundle(&ReadBundle::default()).await?);
            let trusted = bundle.check().map_err(|error| Error::Config(report(&error)))?;
            showing = showing.with_trust(trusted.trust);
        }
        let wish = RenewCertificate {
            csr: Some(request),
            validity_hours: wanted.validity_hours,
            ..RenewCertificate::default()
        };
        let renewed = tokio::time::timeout(ISSUE_TIMEOUT, door.renew(showing, &wish)).await;
        let renewed = renewed.map_err(|_| door.timed_out(ISSUE_TIMEOUT))??;
        Ok(Issued { certificate: renewed.certificate, chain: renewed.chain })
    }
}

impl Authority for Platform {
    fn issue<'a>(&'a self, request: String, wanted: &'a Wanted) -> Answer<'a, Issued> {
        Box::pin(async move {
            let wish = IssueCertificate {
                csr: Some(request),
                validity_hours: wanted.validity_hours,
                ..IssueCertificate::default()
            };
            let issued = self.issuing.issue_certificate(&wish).await?;
            Ok(Issued { certificate: issued.certificate, chain: issued.chain })
        })
    }

    fn renew<'a>(&'a self, request: String, wanted: &'a Wanted, showing: Snapshot) -> Answer<'a, Issued> {
        let Some(door) = &self.door else { return self.issue(request, wanted) };
        Box::pin(async move {
            match self.renew_at(door, request.clone(), wanted, showing).await {
                Err(error) if self.has_key => {
                    tracing::warn!(error = report(&error), "not renewed by the certificate; asking with the API key");
                    self.issue(request, wanted).await
                }
                renewed => renewed,
            }
        })
    }

    fn bundle(&self) -> Answer<'_, Published> {
        Box::pin(self.published(&self.issuing, ReadBundle::default()))
    }

    fn next_bundle(&self, after: i64) -> Answer<'_, Published> {
        let query = ReadBundle { after: Some(after), wait_seconds: u32::try_from(WAIT.as_secs()).ok() };
        Box::pin(self.published(&self.waiting, query))
    }
}

fn published(bundle: Bundle) -> Published {
    Published {
        trust_domain: bundle.trust_domain,
        sequence: bundle.sequence,
        anchors: bundle.anchors,
        intermediates: bundle.intermediates,
        denied: bundle.deny_list.payload,
        signature: bundle.deny_list.signature,
        key_id: bundle.deny_list.key_id,
    }
}

pub(super) const ISSUE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the platform may hold the question for the next bundle back.
const WAIT: Duration = Duration::from_secs(30);
