//! Issuing: decide, record the intent, sign, record the completion. A certificate is handed out only when its completion
//! and its audit event are durable.

use std::sync::Arc;

use api::certificates as wire;
use api::error::ErrorCode;
use crypto::key::{PrivateKey, PublicKey};
use crypto::x509::{SerialNumber, Statement};
use domain::authz::{Actor, Authorized, WriteCertificates};
use domain::ids::CertificateId;
use domain::pki::authority::Kind;
use domain::pki::issuance::{IssuanceToken, Issuer, Refusal, Terms, prepare};
use domain::pki::names::Learning;
use domain::time::{SECOND_MS, Timestamp};
use store::certificates::{StoredCertificate, complete_certificate, insert_intent};

use super::asking::Which;
use super::loaded::{Loaded, LoadedAuthority};
use super::{Asked, Authority, CLASSICAL, ISSUING, TRIES};
use crate::app::applications::standing_in::by_certificate;
use crate::app::tenants::bytes;
use crate::ctx::Ctx;
use crate::keyring::public_of;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The key to be certified, and the private half if it is made here.
pub(super) enum Subject {
    Theirs(PublicKey),
    Ours(PrivateKey),
}

/// A certificate and everything that was decided about it.
pub(super) struct Issued {
    pub id: CertificateId,
    pub der: Vec<u8>,
    pub statement: Statement,
    pub profile: String,
    pub warnings: Vec<String>,
    pub private: Option<PrivateKey>,
    pub loaded: Arc<Loaded>,
    pub issuer: domain::ids::AuthorityId,
}

/// An intent that stands in the store.
struct Intent {
    id: CertificateId,
    token: IssuanceToken,
    loaded: Arc<Loaded>,
    issuer: domain::ids::AuthorityId,
}

impl Authority {
    /// Issues a certificate.
    pub async fn issue(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        asked: Outcome<Asked>,
    ) -> Outcome<wire::IssuedCertificate> {
        let mut entry = Entry::new("CertificateIssued", "certificates", "Certificate");
        let result = match asked {
            Ok(asked) => self.issue_now(ctx, auth, asked, &mut entry).await.and_then(Issued::shown),
            Err(problem) => Err(problem),
        };
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Issues a certificate of the same names under a new key.
    pub async fn renew(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        id: CertificateId,
        request: &wire::RenewCertificate,
        query: &wire::Issuing,
    ) -> Outcome<wire::IssuedCertificate> {
        let mut entry = Entry::new("CertificateRenewed", "certificates", "Certificate");
        entry.resource_id(id);
        let result = async {
            let old = self.core.store.certificate(auth, id).await?.ok_or_else(|| Problem::not_found("certificate"))?;
            self.renew_row(ctx, auth, &old, request, query, &mut entry).await
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    pub(super) async fn renew_row(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        old: &StoredCertificate,
        request: &wire::RenewCertificate,
        query: &wire::Issuing,
        entry: &mut Entry,
    ) -> Outcome<wire::IssuedCertificate> {
        if old.revoked_at.is_some() {
            return Err(Problem::new(ErrorCode::Conflict, "A revoked certificate is not renewed; ask for a new one."));
        }
        let asked = Asked::to_renew(request, query, old)?;
        self.issue_now(ctx, auth, asked, entry).await?.shown()
    }

    pub(super) async fn issue_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        mut asked: Asked,
        entry: &mut Entry,
    ) -> Outcome<Issued> {
        let profile = self.profile(&asked.profile)?;
        if !profile.is_quantum_safe() {
            self.ensure_classical(ctx, &*self.load(ctx).await?).await?;
        }
        let subject = match asked.request.take() {
            Some(request) => Subject::Theirs(request.public_key().clone()),
            None => {
                let algorithm = asked.algorithm.or(profile.algorithms().first().copied());
                let algorithm = algorithm.filter(|algorithm| profile.algorithms().contains(algorithm));
                let algorithm = algorithm.ok_or_else(|| {
                    let message = format!("The profile {} certifies no such keys.", profile.name());
                    Problem::new(ErrorCode::Unsupported, message)
                })?;
                Subject::Ours(PrivateKey::generate(algorithm, &*self.core.entropy)?)
            }
        };
        let intent = self.intend(ctx, auth, &asked, &subject).await?;
        self.sign(ctx, auth, intent, subject, asked, entry).await
    }

    /// Decides and records; again when somebody else's change of the tenant came in between.
    async fn intend(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        asked: &Asked,
        subject: &Subject,
    ) -> Outcome<Intent> {
        for _ in 0..TRIES {
            let loaded = self.load(ctx).await?;
            let (token, issuer) = self.decide(ctx, auth, asked, subject, &loaded)?;
            let id = CertificateId::in_order(ctx.now(), bytes(&*self.core.entropy));
            let row = intent_row(ctx, id, issuer, asked, subject, token.statement());
            let intent = insert_intent(auth, &row)?;
            let learned = token.learned().is_some();
            let written = match token.learned() {
                Some(policy) => {
                    let mut statements = self.put_in_force(ctx, &loaded, policy)?;
                    statements.push(intent);
                    let event = self.learning_event(ctx, &loaded, policy)?;
                    self.core.change("learn names", ctx.tenant(), statements, event).await
                }
                None => self.write_ones("intend certificate", [intent], None).await,
            };
            match written {
                Ok(()) => {
                    let loaded = if learned { self.load(ctx).await? } else { loaded };
                    return Ok(Intent { id, token, loaded, issuer });
                }
                Err(problem) if problem.code == ErrorCode::Conflict => self.forget(ctx.tenant()),
                Err(problem) => return Err(problem),
            }
        }
        Err(Problem::new(ErrorCode::Conflict, "The tenant's names are being changed by many at once; try again."))
    }

    fn decide(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        asked: &Asked,
        subject: &Subject,
        loaded: &Loaded,
    ) -> Outcome<(IssuanceToken, domain::ids::AuthorityId)> {
        let profile = self.profile(&asked.profile)?;
        let signer = signer(loaded, asked, profile.is_quantum_safe(), ctx.now())?;
        let end = signer.row.retires_at.map_or(signer.row.not_after, |at| at.min(signer.row.not_after));
        let issuer = Issuer {
            subject: signer.subject.clone(),
            not_after_s: end.seconds(),
            crl_url: self.url(&loaded.slug, signer.row.id, "crl"),
            certificate_url: self.url(&loaded.slug, signer.row.id, "certificate"),
        };
        let terms = Terms {
            profile,
            policy: &loaded.policy,
            issuer: &issuer,
            key: subject.public()?,
            serial_number: SerialNumber::in_order(ctx.now().millis(), &*self.core.entropy),
            now_s: ctx.now().seconds(),
            admits: &|name| auth.admits_new(name),
            learning: if !auth.is_confined() { asked.learning } else { Learning::Off },
        };
        let token = prepare(asked.wish.clone(), terms)?;
        // A service that renews what it has gets nothing new, and the platform asks for nobody.
        if ctx.principal.actor != Actor::Platform {
            by_certificate(ctx, &loaded.proved, &token.statement().alt_names)?;
        }
        Ok((token, signer.row.id))
    }

    async fn sign(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteCertificates>,
        intent: Intent,
        subject: Subject,
        asked: Asked,
        entry: &mut Entry,
    ) -> Outcome<Issued> {
        let Intent { id, token, loaded, issuer } = intent;
        let signer = loaded.get(issuer).ok_or_else(|| Problem::internal("signing", "the authority is gone"))?;
        let warnings = token.warnings().to_vec();
        let statement = token.spend();
        let der = statement.sign(signer.private(&ctx.keys)?, &*self.core.entropy)?;
        describe(entry, id, &statement, &asked, &subject);
        let event = self.core.trail.event(ctx, entry)?;
        let completion = complete_certificate(auth, id, &der);
        self.write_ones("complete certificate", completion, Some(event)).await?;
        entry.committed();
        let private = match subject {
            Subject::Ours(private) => Some(private),
            Subject::Theirs(_) => None,
        };
        Ok(Issued { id, der, statement, profile: asked.profile, warnings, private, loaded, issuer })
    }

    /// Statements that touch one row each, with their event. Nothing that replicas cache changes.
    async fn write_ones<const N: usize>(
        &self,
        name: &'static str,
        statements: [store::Stmt; N],
        event: Option<store::Stmt>,
    ) -> Outcome<()> {
        let statements = Arc::new(statements);
        let written = self.core.store.write(name, move |tx| {
            let (statements, event) = (Arc::clone(&statements), event.clone());
            Box::pin(async move {
                if tx.exec_all(&*statements).await? != [1; N] {
                    return Err(store::Error::Conflict);
                }
                if let Some(event) = event {
                    tx.exec_last(event);
                }
                Ok(())
            })
        });
        Ok(written.await?)
    }

    fn learning_event(
        &self,
        ctx: &Ctx,
        loaded: &Loaded,
        policy: &domain::pki::names::NamePolicy,
    ) -> Outcome<store::Stmt> {
        let new = policy.allowed().iter().filter(|name| !loaded.policy.allowed().contains(name));
        let new: Vec<String> = new.map(ToString::to_string).collect();
        let mut entry = Entry::new("NamesLearned", "certificates", "NamePolicy");
        entry.resource(loaded.tenant, loaded.policy.trust_domain()).note(format!("allowed={}", new.join(" ")));
        self.core.trail.event(ctx, &entry)
    }
}

/// The authority that signs: the one asked for or what it was rotated to, and otherwise the one of the profile.
fn signer<'a>(
    loaded: &'a Loaded,
    asked: &Asked,
    is_quantum_safe: bool,
    now: Timestamp,
) -> Outcome<&'a LoadedAuthority> {
    let kind = if is_quantum_safe { Kind::Issuing } else { Kind::Classical };
    match &asked.authority {
        Which::Usual => loaded.issuer(if is_quantum_safe { ISSUING } else { CLASSICAL }, now),
        Which::Of(id) => {
            let named = loaded.get(*id).ok_or_else(|| Problem::not_found("certificate authority"))?;
            if named.kind != kind {
                let message = format!("The authority does not issue by the profile {}.", asked.profile);
                return Err(Problem::new(ErrorCode::Unsupported, message));
            }
            loaded.issuer(&named.row.name, now)
        }
    }
}

impl Subject {
    fn public(&self) -> Outcome<PublicKey> {
        match self {
            Self::Theirs(public) => Ok(public.clone()),
            Self::Ours(private) => public_of(private),
        }
    }
}

fn intent_row(
    ctx: &Ctx,
    id: CertificateId,
    ca: domain::ids::AuthorityId,
    asked: &Asked,
    subject: &Subject,
    statement: &Statement,
) -> StoredCertificate {
    let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(SECOND_MS));
    let by = match &ctx.service {
        Some(service) => service.spiffe_id.clone(),
        None if ctx.is_of_the_platform() => "system".to_owned(),
        None => ctx.principal.called(),
    };
    StoredCertificate {
        id,
        ca,
        serial: statement.serial_number.as_bytes().to_vec(),
        profile: asked.profile.to_ascii_lowercase(),
        algorithm: statement.key.algorithm().to_string(),
        subject: statement.subject.to_string(),
        names: statement.alt_names.iter().map(ToString::to_string).collect(),
        is_server_made: matches!(subject, Subject::Ours(_)),
        not_before: at(statement.not_before),
        not_after: at(statement.not_after),
        certificate: None,
        requested_by: by,
        renewed_from: asked.renews,
        revoked_at: None,
        reason: None,
        created_at: ctx.now(),
    }
}

fn describe(entry: &mut Entry, id: CertificateId, statement: &Statement, asked: &Asked, subject: &Subject) {
    let name = statement.alt_names.first().map(ToString::to_string).unwrap_or_default();
    let key = if matches!(subject, Subject::Ours(_)) { "server-made" } else { "requester's" };
    let names: Vec<String> = statement.alt_names.iter().map(ToString::to_string).collect();
    let renews = asked.renews.map(|id| format!(" renews={id}")).unwrap_or_default();
    entry.resource(id, &name).algorithm(statement.key.algorithm()).note(format!(
        "key={key} profile={} serial={} names={}{renews}",
        asked.profile,
        statement.serial_number,
        names.join(",")
    ));
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Malformed(_) => Self::invalid(format!("{message}.")),
            Refusal::Algorithm { .. } => Self::new(ErrorCode::Unsupported, format!("{message}.")),
            Refusal::Names(names) => Self::new(ErrorCode::NameNotAllowed, format!("{message}.")).detail("names", names),
            Refusal::NotIssued(reasons) => Self::new(ErrorCode::UsageNotAllowed, message).detail("reasons", reasons),
            Refusal::IssuerEnded => Self::new(ErrorCode::Conflict, "The authority has ended; rotate it."),
        }
    }
}
