//! Operating the platform: its seal, and backups of everything.
//!
//! Unsealing asks for no credential, because none can be checked while sealed; the share or the passphrase is the
//! credential. One attempt runs at a time: deriving a key from a passphrase takes a quarter of a gigabyte.

use api::error::ErrorCode;
use api::operator::{CreateBackup, OperatorStatus, Unseal};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::key::PublicKey;
use crypto::secret::SecretBytes;
use domain::authz::{Authorized, ManageTenants, Operate, on_behalf_of_the_platform};
use domain::ids::TenantId;
use zeroize::Zeroizing;

use super::backup;
use super::tenants::DEFAULT_SLUG;
use crate::ctx::{Ctx, Origin};
use crate::platform::Platform;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// What anybody may know of the seal.
pub fn status(platform: &Platform) -> OperatorStatus {
    let progress = platform.seal.progress();
    OperatorStatus {
        initialized: true,
        sealed: progress.sealed,
        seal: platform.seal.method().to_owned(),
        threshold: progress.threshold.into(),
        shares: progress.shares.into(),
        progress: u32::try_from(progress.given).unwrap_or(u32::MAX),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Takes a passphrase or a share. On a platform that is open it changes nothing and checks nothing.
pub async fn unseal(platform: &Platform, origin: &Origin, request: Unseal) -> Outcome<OperatorStatus> {
    platform.credentials.admit_anonymous(origin)?;
    let reset = request.reset;
    let secret = match (request.passphrase, request.share) {
        (Some(secret), None) | (None, Some(secret)) => secret,
        (None, None) if reset => {
            return Err(Problem::invalid("Whoever begins again gives a share: nobody else may undo what was given."));
        }
        _ => return Err(Problem::invalid("Give exactly one of passphrase and share.")),
    };
    let was_sealed = platform.seal.progress().sealed;
    let Some(_attempt) = platform.seal.attempt().await else {
        let problem = Problem::new(ErrorCode::RateLimitExceeded, "Another attempt to unseal is under way.");
        return Err(problem.retry_after(1));
    };
    let mut text: Zeroizing<String> = secret.into_zeroizing();
    let secret = SecretBytes::new(std::mem::take(&mut *text).into_bytes());
    if reset {
        platform.seal.begin_again(&secret)?;
    }
    let tried = platform.unseal(secret).await;
    match &tried {
        Ok(progress) if was_sealed && !progress.sealed => note_unsealed(platform, origin).await?,
        Ok(_) => {}
        Err(problem) => {
            tracing::warn!(error.code = problem.code.as_str(), address = %origin.address, "unsealing was refused")
        }
    }
    tried.map(|_| status(platform))
}

/// Forgets every key of this process. The event is written first: afterwards nothing can be.
pub async fn seal(platform: &Platform, ctx: &Ctx, _: &Authorized<Operate>) -> Outcome<OperatorStatus> {
    let result = platform.seal.can_be_sealed();
    platform.trail.conclude(ctx, Entry::new("PlatformSealed", "platform", "Platform"), result).await?;
    platform.seal.seal()?;
    platform.services.forget_keys();
    tracing::warn!("sealed by an operator");
    Ok(status(platform))
}

/// Begins a backup, encrypted to the recipient.
pub async fn back_up(platform: &Platform, ctx: &Ctx, _: &Authorized<Operate>, request: &CreateBackup) -> Outcome<Body> {
    let mut entry = Entry::new("BackupCreated", "platform", "Platform");
    let to = recipient(&request.recipient).ok_or_else(|| {
        Problem::new(
            ErrorCode::Unsupported,
            "recipient must be a KEM's public key: PEM, or base64 of its SubjectPublicKeyInfo.",
        )
    });
    if let Ok(to) = &to {
        entry.algorithm(to.algorithm()).note(format!("recipient={}", hex::encode(to.hash())));
    }
    let to = platform.trail.conclude(ctx, entry, to).await?;
    Ok(backup::body(platform.store.clone(), to, platform.entropy.clone()))
}

/// Reads a recipient: PEM, or base64 of its SubjectPublicKeyInfo.
pub fn recipient(text: &str) -> Option<PublicKey> {
    let key = if text.contains("-----BEGIN") {
        PublicKey::from_pem(text).ok()
    } else {
        PublicKey::from_spki_der(&STANDARD.decode(text.trim()).ok()?).ok()
    };
    key.filter(|key| key.algorithm().is_kem())
}

/// Unsealing is an event of the default tenant, by nobody who has a credential.
async fn note_unsealed(platform: &Platform, origin: &Origin) -> Outcome<()> {
    let Some(tenant) = default_tenant(platform).await? else { return Ok(()) };
    let keyring = platform.seal.keyring()?;
    let keys = keyring.tenant(&platform.store, tenant).await?;
    let ctx = Ctx::of_the_platform(origin.clone(), keyring, keys);
    platform.trail.conclude(&ctx, Entry::new("PlatformUnsealed", "platform", "Platform"), Ok(())).await
}

async fn default_tenant(platform: &Platform) -> Outcome<Option<TenantId>> {
    // Listing tenants asks for a proof of the platform's own, which names no tenant of interest.
    let auth = on_behalf_of_the_platform::<ManageTenants>(TenantId::from_bytes([0; 16]));
    let tenants = platform.store.tenants(&auth).await?;
    Ok(tenants.into_iter().find(|tenant| tenant.slug == DEFAULT_SLUG).map(|tenant| tenant.id))
}
