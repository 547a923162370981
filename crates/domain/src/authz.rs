//! Authorization as a value: nothing touches a tenant's data without an [`Authorized`] made here.
//!
//! The decision is pure. [`authorize`] checks the scope and hands out a proof that names tenant, actor and limits;
//! `store` takes the proof and applies the limits to each row, so a row outside them is simply absent.

use std::marker::PhantomData;
use std::sync::Arc;

use uuid::Uuid;

use crate::environment::relabelled;
use crate::ids::{AccountId, ApiKeyId, ApplicationId, TenantId, TrustId};
use crate::limits::{Kind, Limits};
use crate::scope::{Scope, Scopes};
use crate::time::Timestamp;

/// Who acts, once a credential has been accepted.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The tenant the credential belongs to; it decides the tenant of the whole request.
    pub tenant: TenantId,
    /// Who it is.
    pub actor: Actor,
    /// Their name, for people who read the audit log.
    pub name: Arc<str>,
    /// What it may do.
    pub scopes: Scopes,
    /// What it is confined to.
    pub limits: Arc<Limits>,
    /// Until when and from where it works.
    pub bounds: Bounds,
}

/// Until when and from where a credential works: what it makes may be bound by neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// When it ends, unless whoever has it gets another by being who they are.
    pub ends_at: Option<Timestamp>,
    /// Whether it works from some networks alone.
    pub has_networks: bool,
}

/// Whose credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// An API key's, which is its own.
    ApiKey(ApiKeyId),
    /// One of the tenant's own people.
    Person(AccountId),
    /// An application, for itself.
    Application(ApplicationId),
    /// A job or workload that another issuer vouches for, by the trust in it.
    Federated(TrustId),
    /// The platform itself.
    Platform,
}

impl Actor {
    /// What the actor is known by; nil for the platform.
    pub fn uuid(&self) -> Uuid {
        match self {
            Self::ApiKey(id) => id.uuid(),
            Self::Person(id) => id.uuid(),
            Self::Application(id) => id.uuid(),
            Self::Federated(id) => id.uuid(),
            Self::Platform => Uuid::nil(),
        }
    }

    /// As the audit trail calls its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "apiKey",
            Self::Person(_) => "user",
            Self::Application(_) => "application",
            Self::Federated(_) => "federated",
            Self::Platform => "other",
        }
    }
}

impl Principal {
    /// How the audit trail and histories call whoever acts.
    pub fn called(&self) -> String {
        match self.actor {
            Actor::ApiKey(_) => format!("apikey:{}", self.name),
            Actor::Federated(_) => format!("federated:{}", self.name),
            Actor::Person(_) | Actor::Application(_) | Actor::Platform => self.name.to_string(),
        }
    }
}

/// The credential lacks this scope.
#[derive(Debug, thiserror::Error)]
#[error("the credential lacks the scope {required}")]
pub struct Denied {
    /// The scope that would have allowed it.
    pub required: Scope,
}

/// Something a principal can be authorized to do.
pub trait Action {
    /// The scope it takes.
    const SCOPE: Scope;
    /// The kind of resource whose limits apply, if any do.
    const KIND: Option<Kind> = None;
}

/// Proof that an action was authorized. Only [`authorize`] and [`on_behalf_of_the_platform`] make one.
#[derive(Debug)]
pub struct Authorized<A> {
    tenant: TenantId,
    limits: Arc<Limits>,
    action: PhantomData<fn() -> A>,
}

impl<A: Action> Authorized<A> {
    /// The tenant within which the action is allowed.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The same proof again, for a transaction that may have to run twice.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { tenant: self.tenant, limits: Arc::clone(&self.limits), action: PhantomData }
    }

    /// Whether the action may touch the resource of this id and name, which has no labels.
    pub fn admits(&self, id: Uuid, name: &str) -> bool {
        self.admits_labelled(id, name, NO_LABELS)
    }

    /// Whether the action may touch the resource of this id, name and labels: a JSON array of texts.
    pub fn admits_labelled(&self, id: Uuid, name: &str, labels: &str) -> bool {
        A::KIND.is_none_or(|kind| self.limits.admit(kind, id, name, labels))
    }

    /// The labels that a resource may be given which had `before`, or none where it is new. Who is bound to an environment
    /// makes things within it, and moves nothing into it or out of it: then there are none.
    pub fn relabelled(&self, before: Option<&[String]>, after: Vec<String>) -> Option<Vec<String>> {
        match (self.limits.environment(), before) {
            (None, _) => Some(after),
            (Some(_), Some(before)) => relabelled(before, &after),
            (Some(own), None) => relabelled(&[own.label()], &after),
        }
    }

    /// Whether the caller reaches only some of what the action is about.
    pub fn is_confined(&self) -> bool {
        A::KIND.is_some() && !self.limits.is_unlimited()
    }

    /// Whether the action may make a resource of this name.
    pub fn admits_new(&self, name: &str) -> bool {
        A::KIND.is_none_or(|kind| self.limits.admit_new(kind, name))
    }
}

/// The labels of what has none.
const NO_LABELS: &str = "[]";

/// Decides whether `principal` may do `A`.
pub fn authorize<A: Action>(principal: &Principal) -> Result<Authorized<A>, Denied> {
    if !principal.scopes.allows(A::SCOPE) {
        return Err(Denied { required: A::SCOPE });
    }
    Ok(Authorized { tenant: principal.tenant, limits: Arc::clone(&principal.limits), action: PhantomData })
}

/// The proof for a service that showed a certificate of its own: it reaches exactly the names that the certificate holds.
pub fn on_behalf_of_a_peer<A: Action>(tenant: TenantId, own: Limits) -> Authorized<A> {
    Authorized { tenant, limits: Arc::new(own), action: PhantomData }
}

/// The proof for work that no credential asked for: background tasks and a share link's own authority.
pub fn on_behalf_of_the_platform<A: Action>(tenant: TenantId) -> Authorized<A> {
    Authorized { tenant, limits: Arc::default(), action: PhantomData }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident => $scope:ident $(in $kind:ident)?),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl Action for $name {
            const SCOPE: Scope = Scope::$scope;
            $(const KIND: Option<Kind> = Some(Kind::$kind);)?
        }
    )+};
}

actions! {
    /// Read secrets, history, insights and share links.
    ReadSecrets => SecretsRead in Secrets,
    /// Create, change, share and delete secrets.
    WriteSecrets => SecretsWrite in Secrets,
    /// Read keys, versions and public halves.
    ReadKeys => KeysRead in Keys,
    /// Create, import, export, rotate and retire keys.
    WriteKeys => KeysWrite in Keys,
    /// Encrypt and make data keys.
    Encrypt => Encrypt in Keys,
    /// Decrypt, unwrap and rewrap.
    Decrypt => Decrypt in Keys,
    /// Sign and compute MACs.
    Sign => Sign in Keys,
    /// Verify signatures.
    Verify => Verify in Keys,
    /// Draw entropy.
    DrawEntropy => QrngRead,
    /// Read and export the audit log.
    ReadAudit => AuditRead,
    /// Read API keys.
    ReadApiKeys => ApiKeysRead,
    /// Create, rotate and revoke API keys.
    WriteApiKeys => ApiKeysWrite,
    /// Read certificates.
    ReadCertificates => CertificatesRead in Certificates,
    /// Issue, renew and revoke certificates.
    WriteCertificates => CertificatesWrite in Certificates,
    /// Read the authorities and the policy of names.
    ReadAuthorities => CertificatesRead,
    /// Make and rotate authorities, and change the policy of names.
    ManageAuthorities => Admin,
    /// Read applications and the APIs that tokens are for.
    ReadApplications => ApplicationsRead,
    /// Create, change and delete them, and rotate their secrets.
    WriteApplications => ApplicationsWrite,
    /// Choose what only an administrator may: a classical algorithm for an application's tokens, the rotation of the keys that sign them.
    ManageTokens => Admin,
    /// Say how the tenant's people sign in where an application says nothing.
    ManageSignIn => Admin,
    /// Read end users, their sessions and their history.
    ReadEndUsers => EndUsersRead,
    /// Create, change, block and delete end users.
    WriteEndUsers => EndUsersWrite,
    /// Read roles.
    ReadRoles => RolesRead,
    /// Create, change and delete roles.
    WriteRoles => RolesWrite,
    /// Read the tenant's own people.
    ReadUsers => UsersRead,
    /// Invite, change and remove them.
    WriteUsers => UsersWrite,
    /// Read trusts in other issuers.
    ReadTrusts => TrustsRead,
    /// Create, change and delete them.
    WriteTrusts => TrustsWrite,
    /// Read tickets for the deploy gate.
    ReadGateTickets => GateRead,
    /// Issue and revoke them.
    WriteGateTickets => GateWrite,
    /// Create and change tenants.
    ManageTenants => PlatformAdmin,
    /// Seal, back up and inspect the platform.
    Operate => PlatformAdmin,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scopes: &[Scope], limits: &[&str]) -> Principal {
        Principal {
            tenant: TenantId::from_bytes([1; 16]),
            actor: Actor::ApiKey(ApiKeyId::from_bytes([2; 16])),
            name: "ci".into(),
            scopes: Scopes::of(scopes),
            limits: Arc::new(Limits::new(limits.iter().map(|text| text.parse().unwrap()).collect())),
            bounds: Bounds::default(),
        }
    }

    #[test]
    fn a_missing_scope_is_named() {
        let denied = authorize::<Decrypt>(&principal(&[Scope::Encrypt], &[])).unwrap_err();
        assert_eq!(denied.required, Scope::Decrypt);
    }

    #[test]
    fn limits_travel_with_the_proof_and_apply_to_their_kind_only() {
        let who = principal(&[Scope::SecretsRead, Scope::AuditRead], &["secrets:a/*"]);
        let secrets = authorize::<ReadSecrets>(&who).unwrap();
        assert!(secrets.admits(Uuid::nil(), "a/b"));
        assert!(!secrets.admits(Uuid::nil(), "b/a"));
        assert!(authorize::<ReadAudit>(&who).unwrap().admits(Uuid::nil(), "anything"));
    }
}
