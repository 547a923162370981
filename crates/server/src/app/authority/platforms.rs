//! What other parts of the server ask of the authority.

use api::certificates as wire;
use api::error::ErrorCode;
use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::x509::{AltName, KeyId, SerialNumber};
use domain::authz::{WriteCertificates, on_behalf_of_a_peer, on_behalf_of_the_platform};
use domain::limits::{Limit, Limits};
use domain::pki::profile::{CLASSICAL, DEFAULT};
use domain::time::{SECOND_MS, Timestamp};

use super::{Asked, Authority, reader};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Which kind of certificate the platform wants for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformKey {
    /// ML-DSA-65 under the issuing authority.
    QuantumSafe,
    /// ECDSA P-256 under the classical authority, for peers that know nothing else.
    Classical,
}

/// A certificate of the platform's own. The private key never touches the store.
pub struct PlatformCertificate {
    /// Its key.
    pub key: PrivateKey,
    /// It, in DER; send it alone to peers that have the anchor.
    pub certificate: Vec<u8>,
    /// Its authority, self-signed.
    pub anchor: Vec<u8>,
    /// When it ends.
    pub not_after: Timestamp,
}

/// A service that proved possession of a certificate of ours, by a handshake that verified it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The key identifier of the certificate's issuer.
    pub issuer_key_id: KeyId,
    /// The certificate's number.
    pub serial_number: SerialNumber,
}

impl Authority {
    /// Issues a certificate for the platform itself, in the tenant of `ctx`. New names are learned as for an unconfined
    /// credential, so that the authority's constraints admit them; where the tenant does not learn they must be allowed.
    pub async fn issue_for_platform(
        &self,
        ctx: &Ctx,
        names: &[AltName],
        key: PlatformKey,
    ) -> Outcome<PlatformCertificate> {
        let (profile, algorithm) = match key {
            PlatformKey::QuantumSafe => (DEFAULT, Algorithm::MlDsa65),
            PlatformKey::Classical => (CLASSICAL, Algorithm::EcdsaP256),
        };
        let mut entry = Entry::new("CertificateIssued", "certificates", "Certificate");
        let asked = Asked::of_the_platform(names, profile, algorithm);
        let auth = on_behalf_of_the_platform::<WriteCertificates>(ctx.tenant());
        let issued = self.issue_now(ctx, &auth, asked, &mut entry).await;
        let issued = self.core.trail.conclude(ctx, entry, issued).await?;
        let broken = |what: &str| Problem::internal("issuing for the platform", what);
        let issuer = issued.loaded.get(issued.issuer).ok_or_else(|| broken("the authority is gone"))?;
        Ok(PlatformCertificate {
            key: issued.private.ok_or_else(|| broken("there is no key"))?,
            certificate: issued.der,
            anchor: issuer.row.certificate.clone(),
            not_after: Timestamp::from_millis(issued.statement.not_after.saturating_mul(SECOND_MS)),
        })
    }

    /// Renews the certificate that a peer showed in its handshake, for the key of its request: the same names, nothing
    /// else. The certificate must not have ended or been revoked, whatever the handshake thought of it.
    pub async fn renew_by_identity(
        &self,
        ctx: &Ctx,
        peer: &Peer,
        request: &wire::RenewCertificate,
    ) -> Outcome<wire::IssuedCertificate> {
        let mut entry = Entry::new("CertificateRenewed", "certificates", "Certificate");
        let result = self.renew_of_peer(ctx, peer, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn renew_of_peer(
        &self,
        ctx: &Ctx,
        peer: &Peer,
        request: &wire::RenewCertificate,
        entry: &mut Entry,
    ) -> Outcome<wire::IssuedCertificate> {
        let stranger = || Problem::new(ErrorCode::Forbidden, "The certificate is none that can renew itself.");
        if request.csr.is_none() {
            return Err(Problem::invalid("A service renews with a csr: its key stays with it."));
        }
        let loaded = self.load(ctx).await?;
        let issuer = loaded.keys.iter().find(|key| key.row.key_identifier == peer.issuer_key_id.as_bytes());
        let issuer = issuer.ok_or_else(stranger)?;
        let auth = reader(ctx.tenant());
        let old = self.core.store.certificate_of_serial(&auth, issuer.row.id, peer.serial_number.as_bytes()).await?;
        let old = old.filter(|old| old.not_after > ctx.now() && old.revoked_at.is_none()).ok_or_else(stranger)?;
        entry.resource(old.id, old.names.first().map_or("", String::as_str)).note("by its own certificate");
        let names = old.names.iter().filter_map(|name| name.parse::<AltName>().ok());
        let limits = Limits::new(names.map(|name| Limit::to_certificate_name(name.value())).collect());
        let auth = on_behalf_of_a_peer::<WriteCertificates>(ctx.tenant(), limits);
        self.renew_row(ctx, &auth, &old, request, &wire::Issuing::default(), entry).await
    }
}
