//! Certificates of the platform's own authority, renewed long before they end.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use api::casing::Casing;
use crypto::random::Random as _;
use crypto::x509::AltName;
use domain::ids::RequestId;
use domain::time::Timestamp;
use tls::credentials::Credentials;
use tls::public::{Certificates, Strictness};

use crate::app::authority::platforms::{PlatformCertificate, PlatformKey};
use crate::clock;
use crate::ctx::{Ctx, Origin};
use crate::platform::Platform;
use crate::problem::{Outcome, Problem};

/// What is renewed when two thirds of its life are over, like every certificate of a day.
pub const RENEWED_BEFORE_MS: i64 = 8 * 3_600_000;
/// How long after a failure it is tried again.
pub const PAUSE_MS: i64 = 60_000;

/// The certificates for some names.
pub struct Issued {
    platform: Platform,
    names: Vec<AltName>,
    strictness: Strictness,
    due: Timestamp,
}

impl Issued {
    /// Nothing is issued yet.
    pub fn new(platform: Platform, names: Vec<AltName>, strictness: Strictness) -> Self {
        Self { platform, names, strictness, due: Timestamp::from_millis(0) }
    }

    /// New certificates when they are due; none while the platform is sealed, since its authority's key is.
    pub async fn look(&mut self) -> anyhow::Result<Option<Certificates>> {
        let now = clock::now();
        if now < self.due || self.platform.seal.keyring().is_err() {
            return Ok(None);
        }
        self.due = Timestamp::from_millis(now.millis().saturating_add(PAUSE_MS));
        let context = own_context(&self.platform, now, "httpsCertificate").await.map_err(Problem::for_operator)?;
        let quantum_safe = self.issue(&context, PlatformKey::QuantumSafe).await?;
        let classical = match self.strictness {
            Strictness::QuantumSafe => None,
            Strictness::Compatible => Some(self.issue(&context, PlatformKey::Classical).await?),
        };
        let ends = std::iter::once(&quantum_safe).chain(&classical).map(|issued| issued.not_after.millis()).min();
        let renewed = ends.unwrap_or_default().saturating_sub(RENEWED_BEFORE_MS);
        let certificates = Certificates {
            quantum_safe: credentials(&quantum_safe)?,
            classical: classical.as_ref().map(credentials).transpose()?,
        };
        // Names that an authority gives less than that are renewed every minute, and no faster.
        self.due = Timestamp::from_millis(renewed.max(self.due.millis()));
        Ok(Some(certificates))
    }

    async fn issue(&self, context: &Ctx, key: PlatformKey) -> anyhow::Result<PlatformCertificate> {
        let issued = self.platform.services.authority.issue_for_platform(context, &self.names, key).await;
        issued.map_err(Problem::for_operator)
    }
}

/// The context of what the platform issues for itself.
pub async fn own_context(platform: &Platform, now: Timestamp, operation: &'static str) -> Outcome<Ctx> {
    let keyring = platform.seal.keyring()?;
    let mut id = [0; 16];
    platform.entropy.fill(&mut id);
    let origin = Origin {
        request_id: RequestId::from_random(id),
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        user_agent: None,
        now,
        casing: Casing::Camel,
        snake_body: Arc::default(),
        operation,
        allowance: Arc::default(),
    };
    platform.services.authority.default_tenant(&keyring, origin).await
}

/// The leaf, and its self-signed authority for clients that know it by its fingerprint.
pub fn credentials(issued: &PlatformCertificate) -> anyhow::Result<Credentials> {
    Ok(Credentials::new(&issued.key, vec![issued.certificate.clone(), issued.anchor.clone()])?)
}
