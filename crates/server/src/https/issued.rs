//! Certificates of the platform's own authority, renewed long before they end.

use crypto::x509::AltName;
use domain::time::Timestamp;
use tls::credentials::Credentials;
use tls::public::{Certificates, Strictness};

use super::files::Read;
use crate::app::authority::platforms::{PlatformCertificate, PlatformKey};
use crate::clock;
use crate::config::tls::Pair;
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
    /// Files in the place of the classical certificate.
    classical: Option<Pair>,
    /// SHA-256 of what was read there last, usable or not.
    seen: [u8; 32],
    strictness: Strictness,
    due: Timestamp,
    /// What is shown to peers that can read it.
    held: Option<Credentials>,
}

impl Issued {
    /// Nothing is issued yet.
    pub fn new(platform: Platform, names: Vec<AltName>, classical: Option<Pair>, strictness: Strictness) -> Self {
        let due = Timestamp::from_millis(0);
        Self { platform, names, classical, seen: [0; 32], strictness, due, held: None }
    }

    /// New certificates when they are due or the files of the classical one have changed; none while the platform is sealed,
    /// since its authority's key is.
    pub async fn look(&mut self) -> anyhow::Result<Option<Certificates>> {
        let now = clock::now();
        let is_due = now >= self.due && self.platform.seal.keyring().is_ok();
        let Some(pair) = self.classical.clone() else {
            return if is_due { self.renew(now).await.map(Some) } else { Ok(None) };
        };
        if is_due {
            self.held = Some(self.renew(now).await?.quantum_safe);
            self.seen = [0; 32];
        }
        let read = Read::of(&pair).await?;
        if read.digest() == self.seen {
            return Ok(None);
        }
        let Some(quantum_safe) = self.held.clone() else { return Ok(None) };
        self.seen = read.digest();
        Ok(Some(Certificates { quantum_safe, classical: Some(read.credentials()?) }))
    }

    async fn renew(&mut self, now: Timestamp) -> anyhow::Result<Certificates> {
        self.due = Timestamp::from_millis(now.millis().saturating_add(PAUSE_MS));
        let context = own_context(&self.platform, now, "httpsCertificate").await.map_err(Problem::for_operator)?;
        let quantum_safe = self.issue(&context, PlatformKey::QuantumSafe).await?;
        let classical = match (self.strictness, &self.classical) {
            (Strictness::QuantumSafe, _) | (_, Some(_)) => None,
            (Strictness::Compatible, None) => Some(self.issue(&context, PlatformKey::Classical).await?),
        };
        let ends = std::iter::once(&quantum_safe).chain(&classical).map(|issued| issued.not_after.millis()).min();
        let renewed = ends.unwrap_or_default().saturating_sub(RENEWED_BEFORE_MS);
        let certificates = Certificates {
            quantum_safe: credentials(&quantum_safe)?,
            classical: classical.as_ref().map(credentials).transpose()?,
        };
        // Names that an authority gives less than that are renewed every minute, and no faster.
        self.due = Timestamp::from_millis(renewed.max(self.due.millis()));
        Ok(certificates)
    }

    async fn issue(&self, context: &Ctx, key: PlatformKey) -> anyhow::Result<PlatformCertificate> {
        let issued = self.platform.services.authority.issue_for_platform(context, &self.names, key).await;
        issued.map_err(Problem::for_operator)
    }
}

/// The context of what the platform issues for itself.
pub async fn own_context(platform: &Platform, now: Timestamp, operation: &'static str) -> Outcome<Ctx> {
    let keyring = platform.seal.keyring()?;
    let origin = Origin::of_the_platform(&*platform.entropy, now, operation);
    platform.services.authority.default_tenant(&keyring, origin).await
}

/// The leaf, and its self-signed authority for clients that know it by its fingerprint.
pub fn credentials(issued: &PlatformCertificate) -> anyhow::Result<Credentials> {
    Ok(Credentials::new(&issued.key, vec![issued.certificate.clone(), issued.anchor.clone()])?)
}
