//! Certificates that were issued: found, shown, revoked.

use api::certificates as wire;
use api::error::ErrorCode;
use crypto::x509::Reason;
use domain::authz::{Authorized, ReadCertificates, WriteCertificates};
use domain::ids::{AuthorityId, CertificateId};
use store::authorities::{advance_bundle, spoil_crl};
use store::certificates::{StoredCertificate, revoke_certificate};

use super::{Authority, showing};
use crate::app::paging::Page;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

impl Authority {
    /// One certificate.
    pub async fn get(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadCertificates>,
        id: CertificateId,
    ) -> Outcome<wire::Certificate> {
        let mut entry = Entry::new("CertificateRead", "certificates", "Certificate");
        entry.resource_id(id);
        let result = async {
            let row = self.core.store.certificate(auth, id).await?.ok_or_else(|| Problem::not_found("certificate"))?;
            name(&mut entry, &row);
            showing::certificate(&row, ctx.now())
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// A page of certificates, newest first. Limits are applied before anything is counted.
    pub async fn list(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadCertificates>,
        query: &wire::ListCertificates,
    ) -> Outcome<wire::CertificateList> {
        let result = self.list_now(ctx, auth, query).await;
        self.core.trail.conclude(ctx, Entry::new("CertificatesListed", "certificates", "Certificate"), result).await
    }

    async fn list_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadCertificates>,
        query: &wire::ListCertificates,
    ) -> Outcome<wire::CertificateList> {
        let page = Page::parse(query.page, query.page_size)?;
        let searches = query.status.is_some() || query.search.is_some() || query.ca_id.is_some();
        let (total, rows) = if !auth.is_confined() && !searches {
            self.core.store.page_of_certificates(auth, page.skipped(), page.size).await?
        } else {
            let rows = self.core.store.find_certificates(auth, |row| wanted(row, query, ctx)).await?;
            (rows.len() as u64, page.cut(rows).0)
        };
        let has_more = total > u64::from(page.skipped()) + rows.len() as u64;
        let certificates = rows.iter().map(|row| showing::certificate(row, ctx.now())).collect::<Outcome<Vec<_>>>()?;
        let has_more = has_more && !certificates.is_empty();
        Ok(wire::CertificateList { certificates, total, page: page.number, page_size: page.size, has_more })
    }

    /// Revokes a certificate. Row, list, bundle and event move together; doing it again changes nothing.
    pub async fn revoke(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        id: CertificateId,
        request: &wire::RevokeCertificate,
    ) -> Outcome<wire::Certificate> {
        let mut entry = Entry::new("CertificateRevoked", "certificates", "Certificate");
        entry.resource_id(id);
        let result = async {
            let row = self.core.store.certificate(auth, id).await?.ok_or_else(|| Problem::not_found("certificate"))?;
            name(&mut entry, &row);
            let reason = reason(request)?;
            entry.note(format!("reason={reason} serial={}", hex::encode(&row.serial)));
            if row.revoked_at.is_none() {
                self.revoke_row(ctx, auth, &row, reason, &entry).await?;
                entry.committed();
            }
            let row = self.core.store.certificate(auth, id).await?.ok_or_else(|| Problem::not_found("certificate"))?;
            showing::certificate(&row, ctx.now())
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn revoke_row(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        row: &StoredCertificate,
        reason: Reason,
        entry: &Entry,
    ) -> Outcome<()> {
        let statements = vec![
            revoke_certificate(auth, row.id, ctx.now(), reason.as_str()),
            spoil_crl(auth, row.ca),
            advance_bundle(auth, ctx.now()),
        ];
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change("revoke certificate", ctx.tenant(), statements, event).await
    }
}

fn name(entry: &mut Entry, row: &StoredCertificate) {
    entry.resource(row.id, row.names.first().map_or("", String::as_str)).algorithm(&row.algorithm);
}

/// Holding a certificate back for a while is not offered: it would have to be taken off lists that peers keep.
fn reason(request: &wire::RevokeCertificate) -> Outcome<Reason> {
    let known = || {
        let words = Reason::ALL.iter().filter(|reason| **reason != Reason::CertificateHold);
        let words: Vec<&str> = words.map(|reason| reason.as_str()).collect();
        Problem::new(ErrorCode::InvalidRequest, format!("reason is one of: {}.", words.join(", ")))
    };
    let reason = request.reason.as_deref().map_or(Ok(Reason::Unspecified), str::parse).map_err(|_| known())?;
    if reason == Reason::CertificateHold { Err(known()) } else { Ok(reason) }
}

fn wanted(row: &StoredCertificate, query: &wire::ListCertificates, ctx: &Ctx) -> bool {
    let holds = |text: &str| {
        let text = text.to_lowercase();
        row.subject.to_lowercase().contains(&text) || row.names.iter().any(|name| name.to_lowercase().contains(&text))
    };
    query.status.as_deref().is_none_or(|status| status.eq_ignore_ascii_case(showing::status(row, ctx.now())))
        && query.ca_id.is_none_or(|id| AuthorityId::from(id) == row.ca)
        && query.search.as_deref().is_none_or(holds)
}
