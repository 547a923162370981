//! Routes of certificates and their authorities (contract, section 6).
//!
//! What anybody may read is served for the default tenant at the root and for every tenant under its slug; the handlers
//! are the same, and [`Public`] says whose it is.

use std::sync::Arc;

use api::certificates as wire;
use api::routes::certificates as routes;
use axum::Router;
use axum::extract::{FromRef, FromRequestParts, RawPathParams, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::request::Parts;
use crypto::x509::pem;
use domain::authz::{ManageAuthorities, ReadAuthorities, ReadCertificates, WriteCertificates};
use domain::ids::{AuthorityId, CertificateId};

use super::extract::{Allowed, Body, Path, Proven, Query, Stranger};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::authority::{Asked, Authority, Encoding};
use crate::app::tenants::DEFAULT_SLUG;
use crate::credentials::Credentials;
use crate::ctx::Ctx;
use crate::platform::Platform;
use crate::problem::Problem;
use crate::seal_state::SealState;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::CERTIFICATE_ISSUE, issue)
        .mount(&routes::PKI_ISSUE, issue)
        .mount(&routes::CERTIFICATE_LIST, list)
        .mount(&routes::CERTIFICATE_GET, get)
        .mount(&routes::CERTIFICATE_RENEW, renew)
        .merge(of_services())
        .mount(&routes::CERTIFICATE_REVOKE, revoke)
        .mount(&routes::CA_LIST, authorities)
        .mount(&routes::CA_CREATE, create)
        .mount(&routes::CA_GET, authority)
        .mount(&routes::CA_ROTATE, rotate)
        .mount(&routes::CA_POLICY, policy)
        .mount(&routes::CA_POLICY_UPDATE, update_policy)
        .merge(published())
}

/// What a service may do with its certificate.
pub fn of_services() -> Router<Platform> {
    Router::new().mount(&routes::CERTIFICATE_RENEW_OWN, renew_own)
}

/// What anybody may read.
pub fn published() -> Router<Platform> {
    Router::new()
        .mount(&routes::CA_CERTIFICATE, anchor)
        .mount(&routes::PKI_CA_PEM, anchor)
        .mount(&routes::CA_CERTIFICATE_OF, anchor)
        .mount(&routes::CA_CRL, crl)
        .mount(&routes::CA_BUNDLE, bundle)
        .mount(&routes::CA_BUNDLE_SPIFFE, spiffe_bundle)
        .mount(&routes::TENANT_CA_CERTIFICATE, anchor)
        .mount(&routes::TENANT_CA_CERTIFICATE_OF, anchor)
        .mount(&routes::TENANT_CA_CRL, crl)
        .mount(&routes::TENANT_CA_BUNDLE, bundle)
        .mount(&routes::TENANT_CA_BUNDLE_SPIFFE, spiffe_bundle)
}

type Service = State<Arc<Authority>>;

async fn issue(
    State(authority): Service,
    who: Allowed<WriteCertificates>,
    Query(query): Query<wire::Issuing>,
    Body(request): Body<wire::IssueCertificate>,
) -> Answer {
    let issued = authority.issue(&who.ctx, &who.auth, Asked::to_issue(&request, &query)).await?;
    created(&who.ctx, &issued)
}

async fn renew(
    State(authority): Service,
    who: Allowed<WriteCertificates>,
    Path(id): Path<CertificateId>,
    Query(query): Query<wire::Issuing>,
    Body(request): Body<wire::RenewCertificate>,
) -> Answer {
    let issued = authority.renew(&who.ctx, &who.auth, id, &request, &query).await?;
    created(&who.ctx, &issued)
}

async fn renew_own(
    State(authority): Service,
    Proven(ctx, service): Proven,
    Body(request): Body<wire::RenewCertificate>,
) -> Answer {
    created(&ctx, &authority.renew_by_identity(&ctx, &service.peer, &request).await?)
}

/// A certificate for the key of a request is shown to whoever repeats it; a key that was made here is shown once.
fn created(ctx: &Ctx, issued: &wire::IssuedCertificate) -> Answer {
    let pem = 2 * issued.certificate.len() + issued.chain.len() + issued.ca_certificate.len();
    // Line ends take two bytes in JSON, and what else is said fits twice into this.
    let length = pem + pem / 32 + 4096;
    let reply = Reply::created_long(&ctx.origin, format!("/api/v1/certificates/{}", issued.id), length, issued)?;
    Ok(if issued.private_key.is_none() { reply.shows_nothing() } else { reply })
}

async fn list(
    State(authority): Service,
    who: Allowed<ReadCertificates>,
    Query(query): Query<wire::ListCertificates>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.list(&who.ctx, &who.auth, &query).await?)
}

async fn get(State(authority): Service, who: Allowed<ReadCertificates>, Path(id): Path<CertificateId>) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.get(&who.ctx, &who.auth, id).await?)
}

async fn revoke(
    State(authority): Service,
    who: Allowed<WriteCertificates>,
    Path(id): Path<CertificateId>,
    Body(request): Body<wire::RevokeCertificate>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.revoke(&who.ctx, &who.auth, id, &request).await?)
}

async fn authorities(State(authority): Service, who: Allowed<ReadAuthorities>) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.authorities(&who.ctx, &who.auth).await?)
}

async fn create(
    State(authority): Service,
    who: Allowed<ManageAuthorities>,
    Body(request): Body<wire::CreateAuthority>,
) -> Answer {
    let made = authority.create(&who.ctx, &who.auth, &request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/cas/{}", made.id), &made)
}

async fn authority(State(authority): Service, who: Allowed<ReadAuthorities>, Path(id): Path<AuthorityId>) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.authority(&who.ctx, &who.auth, id).await?)
}

async fn rotate(
    State(authority): Service,
    who: Allowed<ManageAuthorities>,
    Path(id): Path<AuthorityId>,
    Body(request): Body<wire::RotateAuthority>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.rotate(&who.ctx, &who.auth, id, &request).await?)
}

async fn policy(State(authority): Service, who: Allowed<ReadAuthorities>) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.policy(&who.ctx, &who.auth).await?)
}

async fn update_policy(
    State(authority): Service,
    who: Allowed<ManageAuthorities>,
    Body(request): Body<wire::UpdateNamePolicy>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &authority.update_policy(&who.ctx, &who.auth, &request).await?)
}

async fn anchor(State(authority): Service, of: Public, Query(query): Query<wire::ReadEncoded>) -> Answer {
    let encoding = of.encoding(&query)?;
    let (der, described) = authority.anchor(&of.ctx, of.authority).await?;
    match encoding {
        Encoding::Der => Reply::raw("application/pkix-cert", der).header(CACHE_CONTROL, BRIEFLY),
        Encoding::Json => Reply::ok(&of.ctx.origin, &described),
        Encoding::Pem => {
            Reply::raw("application/pem-certificate-chain", described.certificate).header(CACHE_CONTROL, BRIEFLY)
        }
    }
}

async fn crl(State(authority): Service, of: Public, Query(query): Query<wire::ReadEncoded>) -> Answer {
    let encoding = of.encoding(&query)?;
    let id = of.authority.ok_or_else(|| Problem::not_found("certificate authority"))?;
    let der = authority.crl(&of.ctx, id).await?;
    match encoding {
        Encoding::Der => Reply::raw("application/pkix-crl", der).header(CACHE_CONTROL, BRIEFLY),
        Encoding::Pem | Encoding::Json => {
            Reply::raw("application/x-pem-file", pem::encode(pem::CRL, &der)).header(CACHE_CONTROL, BRIEFLY)
        }
    }
}

async fn bundle(State(authority): Service, of: Public, Query(query): Query<wire::ReadBundle>) -> Answer {
    Reply::ok(&of.ctx.origin, &*authority.bundle(&of.ctx, &query).await?)
}

async fn spiffe_bundle(State(authority): Service, of: Public) -> Answer {
    Reply::ok(&of.ctx.origin, &authority.spiffe_bundle(&of.ctx).await?)
}

/// Anchors and lists change seldom, but a cache must not hide for long that they did.
const BRIEFLY: &str = "public, max-age=60";

/// Somebody without a credential who reads what a tenant publishes: the one of the path's slug, or the default one.
struct Public {
    ctx: Ctx,
    authority: Option<AuthorityId>,
    accept: Option<String>,
}

impl Public {
    fn encoding(&self, query: &wire::ReadEncoded) -> Result<Encoding, Problem> {
        Encoding::of(query.format.as_deref(), self.accept.as_deref())
    }
}

impl<S> FromRequestParts<S> for Public
where
    S: Send + Sync,
    Arc<Authority>: FromRef<S>,
    Arc<Credentials>: FromRef<S>,
    Arc<SealState>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Stranger(origin) = Stranger::from_request_parts(parts, state).await?;
        let keyring = Arc::<SealState>::from_ref(state).keyring()?;
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let missing = |what: &'static str| move || Problem::not_found(what);
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| missing("resource")())?;
        let param = |wanted: &str| params.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let authority = param("id").map(str::parse).transpose().ok();
        let authority = authority.ok_or_else(missing("certificate authority"))?;
        let slug = param("slug").unwrap_or(DEFAULT_SLUG);
        let ctx = Arc::<Authority>::from_ref(state).tenant_of_slug(&keyring, origin, slug).await?;
        Ok(Self { ctx, authority, accept })
    }
}
