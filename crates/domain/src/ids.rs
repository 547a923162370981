//! Every identifier of the product, each its own type so that one can never be passed for another.
//!
//! Append only: an identifier's text form is a UUID (RFC 9562) and is on the wire for ever.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A version 4 identifier made of the caller's random bytes.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The identifier stored as these sixteen bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes that are stored and bound into ciphertexts.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The identifier as the wire's UUID.
            pub fn uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A tenant: the boundary that nothing crosses.
    TenantId,
    /// A secret, through all its versions.
    SecretId,
    /// A named key, through all its versions.
    KeyId,
    /// One version of a named key.
    KeyVersionId,
    /// An API key.
    ApiKeyId,
    /// A share link.
    ShareLinkId,
    /// An audit event.
    EventId,
    /// One request, on every answer and in every log line.
    RequestId,
    /// An audit lane: one process incarnation's hash chains.
    LaneId,
    /// A certificate authority: one key of it, through all its certificates.
    AuthorityId,
    /// An issued certificate.
    CertificateId,
    /// An application: an OAuth client, and the realm of its end users.
    ApplicationId,
    /// A secret of an application.
    ApplicationSecretId,
    /// An API that tokens are for.
    ResourceServerId,
    /// A person.
    AccountId,
    /// A role.
    RoleId,
    /// One role of one person.
    RoleAssignmentId,
    /// A second factor.
    FactorId,
    /// An event of an account's history.
    LoginEventId,
    /// A letter.
    MailId,
    /// A browser that somebody signed in with.
    SessionId,
    /// What an application was allowed: the family of a code and its tokens.
    GrantId,
    /// A key that signs tokens.
    TokenKeyId,
    /// A trust in another issuer.
    TrustId,
    /// A ticket that lets images pass the deploy gate.
    GateTicketId,
}

impl CertificateId {
    /// A version 7 identifier: of certificates made one after the other, the ids stand beside each other, and so do their rows in
    /// every index. With random ids each certificate was one more page to be written.
    pub fn in_order(at: Timestamp, random: [u8; 16]) -> Self {
        let millis = u64::try_from(at.millis()).unwrap_or_default();
        let [.., a, b, c, d, e, f, g, h, i, j] = random;
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_made_later_have_higher_ids_and_those_of_one_moment_differ() {
        let id = |millis, random| CertificateId::in_order(Timestamp::from_millis(millis), [random; 16]);
        let (early, late) = (id(1_764_000_000_000, 0xff), id(1_764_000_000_001, 0));
        assert!(early < late);
        assert_ne!(id(5, 1), id(5, 2));
        assert_eq!((early.uuid().get_version_num(), early.uuid().get_variant()), (7, uuid::Variant::RFC4122));
    }
}
