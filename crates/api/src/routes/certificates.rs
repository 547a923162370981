//! Routes of certificates and their authorities. What anybody may read of the default tenant stands at the root, and of
//! every tenant under its slug.

use super::{Route, routes, schema};
use crate::certificates::{
    Authority, AuthorityList, Bundle, Certificate, CertificateList, CreateAuthority, IssueCertificate,
    IssuedCertificate, Issuing, ListCertificates, NamePolicy, ReadBundle, ReadEncoded, RenewCertificate,
    RevokeCertificate, RotateAuthority, SpiffeBundle, UpdateNamePolicy,
};
use crate::error::ErrorCode::{
    self, Conflict, Forbidden, IdempotencyKeyReused, NameNotAllowed, NotFound, Unsupported, UsageNotAllowed,
    ValueNotReplayable,
};

const ISSUES: &[ErrorCode] =
    &[Unsupported, NotFound, NameNotAllowed, UsageNotAllowed, Conflict, ValueNotReplayable, IdempotencyKeyReused];
const PEM: &str = "application/pem-certificate-chain, application/pkix-cert, application/json";
const CRL: &str = "application/pkix-crl, application/x-pem-file";

routes! {
    /// A new certificate.
    CERTIFICATE_ISSUE = Route::post("issueCertificate", "/api/v1/certificates", "certificates")
        .scope("certificates:write")
        .does("Issue a certificate, for a request's key or for one that is made here and shown once.")
        .asks(schema::<Issuing>())
        .takes(schema::<IssueCertificate>())
        .creates(schema::<IssuedCertificate>())
        .fails(ISSUES);
    /// A new certificate, by an older name.
    PKI_ISSUE = Route::post("issuePkiCertificate", "/v1/pki/issue", "certificates")
        .scope("certificates:write")
        .does("Issue a certificate, for clients of the older route.")
        .asks(schema::<Issuing>())
        .takes(schema::<IssueCertificate>())
        .creates(schema::<IssuedCertificate>())
        .fails(ISSUES);
    /// The certificates.
    CERTIFICATE_LIST = Route::get("listCertificates", "/api/v1/certificates", "certificates")
        .scope("certificates:read")
        .does("List certificates, newest first.")
        .asks(schema::<ListCertificates>())
        .answers(schema::<CertificateList>());
    /// One certificate.
    CERTIFICATE_GET = Route::get("getCertificate", "/api/v1/certificates/{id}", "certificates")
        .scope("certificates:read")
        .does("Read a certificate.")
        .answers(schema::<Certificate>())
        .fails(&[NotFound]);
    /// The same names under a new key.
    CERTIFICATE_RENEW = Route::post("renewCertificate", "/api/v1/certificates/{id}/renew", "certificates")
        .scope("certificates:write")
        .does("Issue a certificate of the same names under a new key.")
        .asks(schema::<Issuing>())
        .takes(schema::<RenewCertificate>())
        .creates(schema::<IssuedCertificate>())
        .fails(ISSUES);
    /// The same names under a new key, for the service itself.
    CERTIFICATE_RENEW_OWN = Route::post("renewOwnCertificate", "/api/v1/certificates/renew", "certificates")
        .by_certificate()
        .does("Renew the certificate that the mTLS listener was shown: its names, for the key of a request.")
        .takes(schema::<RenewCertificate>())
        .creates(schema::<IssuedCertificate>())
        .fails(&[Forbidden, Unsupported, NameNotAllowed, UsageNotAllowed, Conflict]);
    /// No longer to be trusted.
    CERTIFICATE_REVOKE = Route::post("revokeCertificate", "/api/v1/certificates/{id}/revoke", "certificates")
        .scope("certificates:write")
        .does("Revoke a certificate; peers that wait for the bundle hear of it within a second.")
        .takes(schema::<RevokeCertificate>())
        .answers(schema::<Certificate>())
        .fails(&[NotFound, Conflict]);

    /// The authorities.
    CA_LIST = Route::get("listAuthorities", "/api/v1/cas", "certificates")
        .scope("certificates:read")
        .does("List the tenant's certificate authorities.")
        .answers(schema::<AuthorityList>());
    /// A further authority.
    CA_CREATE = Route::post("createAuthority", "/api/v1/cas", "certificates")
        .scope("admin")
        .does("Make a further issuing authority under the tenant's root.")
        .takes(schema::<CreateAuthority>())
        .creates(schema::<Authority>())
        .fails(&[Unsupported, Conflict, IdempotencyKeyReused]);
    /// One authority.
    CA_GET = Route::get("getAuthority", "/api/v1/cas/{id}", "certificates")
        .scope("certificates:read")
        .does("Read a certificate authority.")
        .answers(schema::<Authority>())
        .fails(&[NotFound]);
    /// A successor.
    CA_ROTATE = Route::post("rotateAuthority", "/api/v1/cas/{id}/rotate", "certificates")
        .scope("admin")
        .does("Give an authority a successor, which is published first and issues later; both are anchors meanwhile.")
        .takes(schema::<RotateAuthority>())
        .answers(schema::<Authority>())
        .fails(&[NotFound, Conflict]);
    /// What certificates may be called.
    CA_POLICY = Route::get("getNamePolicy", "/api/v1/ca/policy", "certificates")
        .scope("certificates:read")
        .does("Read which names the tenant's certificates may hold.")
        .answers(schema::<NamePolicy>());
    /// Change what certificates may be called.
    CA_POLICY_UPDATE = Route::patch("updateNamePolicy", "/api/v1/ca/policy", "certificates")
        .scope("admin")
        .does("Change which names the tenant's certificates may hold; its authorities are certified anew.")
        .takes(schema::<UpdateNamePolicy>())
        .answers(schema::<NamePolicy>())
        .fails(&[Conflict]);

    /// The anchor.
    CA_CERTIFICATE = Route::get("getCaCertificate", "/api/v1/ca/certificate", "certificates")
        .anonymous()
        .does("The self-signed certificate of the authority that issues now: PEM, DER or JSON.")
        .asks(schema::<ReadEncoded>())
        .streams(PEM);
    /// The anchor, by an older name.
    PKI_CA_PEM = Route::get("getPkiCaPem", "/v1/pki/ca/pem", "certificates")
        .anonymous()
        .does("The same, for clients of the older route.")
        .asks(schema::<ReadEncoded>())
        .streams(PEM);
    /// What peers trust.
    CA_BUNDLE = Route::get("getTrustBundle", "/api/v1/ca/bundle", "certificates")
        .anonymous()
        .does("The anchors and the signed deny list; waits for something new when told after what.")
        .asks(schema::<ReadBundle>())
        .answers(schema::<Bundle>());
    /// What peers trust, as SPIFFE spells it.
    CA_BUNDLE_SPIFFE = Route::get("getSpiffeBundle", "/api/v1/ca/bundle/spiffe", "certificates")
        .anonymous()
        .does("The anchors as a SPIFFE bundle.")
        .answers(schema::<SpiffeBundle>());
    /// An authority's own certificate.
    CA_CERTIFICATE_OF = Route::get("getAuthorityCertificate", "/api/v1/cas/{id}/certificate", "certificates")
        .anonymous()
        .does("The self-signed certificate of an authority: PEM, DER or JSON.")
        .asks(schema::<ReadEncoded>())
        .streams(PEM)
        .fails(&[NotFound]);
    /// An authority's revocation list.
    CA_CRL = Route::get("getAuthorityCrl", "/api/v1/cas/{id}/crl", "certificates")
        .anonymous()
        .does("The revocation list of an authority: PEM or DER.")
        .asks(schema::<ReadEncoded>())
        .streams(CRL)
        .fails(&[NotFound]);

    /// A tenant's anchor.
    TENANT_CA_CERTIFICATE = Route::get("getTenantCaCertificate", "/t/{slug}/api/v1/ca/certificate", "certificates")
        .anonymous()
        .does("The self-signed certificate of a tenant's authority: PEM, DER or JSON.")
        .asks(schema::<ReadEncoded>())
        .streams(PEM)
        .fails(&[NotFound]);
    /// What a tenant's peers trust.
    TENANT_CA_BUNDLE = Route::get("getTenantTrustBundle", "/t/{slug}/api/v1/ca/bundle", "certificates")
        .anonymous()
        .does("A tenant's anchors and signed deny list.")
        .asks(schema::<ReadBundle>())
        .answers(schema::<Bundle>())
        .fails(&[NotFound]);
    /// What a tenant's peers trust, as SPIFFE spells it.
    TENANT_CA_BUNDLE_SPIFFE = Route::get("getTenantSpiffeBundle", "/t/{slug}/api/v1/ca/bundle/spiffe", "certificates")
        .anonymous()
        .does("A tenant's anchors as a SPIFFE bundle.")
        .answers(schema::<SpiffeBundle>())
        .fails(&[NotFound]);
    /// The certificate of a tenant's authority.
    TENANT_CA_CERTIFICATE_OF = Route::get(
            "getTenantAuthorityCertificate", "/t/{slug}/api/v1/cas/{id}/certificate", "certificates")
        .anonymous()
        .does("The self-signed certificate of one of a tenant's authorities.")
        .asks(schema::<ReadEncoded>())
        .streams(PEM)
        .fails(&[NotFound]);
    /// The revocation list of a tenant's authority.
    TENANT_CA_CRL = Route::get("getTenantAuthorityCrl", "/t/{slug}/api/v1/cas/{id}/crl", "certificates")
        .anonymous()
        .does("The revocation list of one of a tenant's authorities: PEM or DER.")
        .asks(schema::<ReadEncoded>())
        .streams(CRL)
        .fails(&[NotFound]);
}
