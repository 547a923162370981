//! Routes of the audit trail (contract 4.12).

use std::sync::Arc;

use api::audit::{AuditKey, ListAudit, ListAuditLogs};
use api::routes::platform as routes;
use axum::Router;
use axum::extract::State;
use crypto::algorithm::Algorithm;
use crypto::key::PublicKey;
use domain::authz::ReadAudit;
use futures_util::stream;

use super::extract::{Allowed, Anonymous, Query};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::audit::{Audit, Lines};
use crate::credentials::Credentials;
use crate::platform::Platform;
use crate::seal_state::SealState;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::AUDIT_LOGS, list)
        .mount(&routes::AUDIT, list_older)
        .mount(&routes::AUDIT_EXPORT, export)
        .mount(&routes::AUDIT_KEY, key)
}

async fn list(State(audit): State<Arc<Audit>>, who: Allowed<ReadAudit>, Query(query): Query<ListAuditLogs>) -> Answer {
    Reply::ok(&who.ctx.origin, &audit.list(&who.ctx, &who.auth, &query).await?)
}

async fn list_older(
    State(audit): State<Arc<Audit>>,
    who: Allowed<ReadAudit>,
    Query(query): Query<ListAudit>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &audit.list_older(&who.ctx, &who.auth, &query).await?)
}

async fn export(State(audit): State<Arc<Audit>>, who: Allowed<ReadAudit>) -> Answer {
    let lines = audit.export(&who.ctx, &who.auth).await?;
    let body = axum::body::Body::from_stream(stream::try_unfold(lines, next_lines));
    Reply::download("application/x-ndjson", "audit.ndjson", body)
}

/// For everybody: whoever verifies an export needs no credential here.
async fn key(
    State(seal): State<Arc<SealState>>,
    State(credentials): State<Arc<Credentials>>,
    Anonymous(origin): Anonymous,
) -> Answer {
    seal.keyring()?;
    credentials.admit_anonymous(&origin)?;
    let public = PublicKey::from_raw(Algorithm::MlDsa65, seal.audit_public())?;
    let shown = AuditKey {
        algorithm: public.algorithm().to_string(),
        public_key: public.to_pem(),
        thumbprint: public.thumbprint(),
    };
    Reply::ok(&origin, &shown)
}

/// A failure ends the body early: without its trailer nobody takes the file for a whole one.
async fn next_lines(mut lines: Lines) -> std::io::Result<Option<(bytes::Bytes, Lines)>> {
    match lines.next().await {
        Ok(next) => Ok(next.map(|next| (next, lines))),
        Err(problem) => {
            tracing::error!(error.cause = ?problem.cause, "an audit export was not finished: {}", problem.message);
            Err(std::io::Error::other("the export was not finished"))
        }
    }
}
