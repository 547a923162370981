//! People: where they belong, what is known of them, and what may become of them.

mod email;

use serde::{Deserialize, Serialize};

pub use email::{BadEmail, Email};

use super::words::words;
use crate::ids::ApplicationId;

/// Where a person belongs. The same address may be two people in two realms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountRealm {
    /// The end users of an application.
    Application(ApplicationId),
    /// The tenant's own people.
    Tenant,
}

/// No application has this id.
const TENANT: [u8; 16] = [0; 16];

impl AccountRealm {
    /// As it is stored and hashed.
    pub fn to_bytes(self) -> [u8; 16] {
        match self {
            Self::Application(id) => *id.as_bytes(),
            Self::Tenant => TENANT,
        }
    }

    /// What was stored.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        if bytes == TENANT { Self::Tenant } else { Self::Application(ApplicationId::from_bytes(bytes)) }
    }

    /// The application, if it is one's.
    pub fn application(self) -> Option<ApplicationId> {
        match self {
            Self::Application(id) => Some(id),
            Self::Tenant => None,
        }
    }
}

words! {
    /// Whether somebody may come in.
    State {
        /// Was invited and has not come yet.
        Invited = "invited",
        /// May come in.
        Active = "active",
        /// May not, until unblocked.
        Blocked = "blocked",
        /// Is gone: nobody is signed in as them, and their address is free.
        Deleted = "deleted",
    }
    /// What one of the tenant's own people is there.
    TenantRole {
        /// Everything inside the tenant. One of them always stays.
        Owner = "owner",
        /// The same; there need not be any.
        Admin = "admin",
        /// Reads.
        Member = "member",
    }
}

impl State {
    /// Whether the person may sign in and have tokens.
    pub fn is_admitted(self) -> bool {
        self == Self::Active
    }

    /// What an account that is blocked becomes.
    pub fn blocked(self) -> Result<Self, NoSuchStep> {
        match self {
            Self::Invited | Self::Active | Self::Blocked => Ok(Self::Blocked),
            Self::Deleted => Err(NoSuchStep { from: self }),
        }
    }

    /// What one that is unblocked becomes: somebody who never came still has to accept the invitation.
    pub fn unblocked(self, has_come: bool) -> Self {
        match self {
            Self::Blocked | Self::Deleted if has_come => Self::Active,
            Self::Blocked | Self::Deleted => Self::Invited,
            Self::Invited | Self::Active => self,
        }
    }

    /// Whether it may be erased for ever: only somebody who is shut out already.
    pub fn is_erasable(self) -> bool {
        matches!(self, Self::Blocked | Self::Deleted)
    }
}

/// An account in this state cannot become that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account that is {from} cannot be changed so")]
pub struct NoSuchStep {
    /// The state it is in.
    pub from: State,
}

/// What is known of a person; at rest it is sealed. It is nobody's business in a log, so it has no `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The address, as it was written.
    pub email: String,
    /// What they are called.
    pub display_name: String,
    /// Their first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Their last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Their telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The address of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// The application's own JSON, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Why they are blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<String>,
}

const NAME_MAX: usize = 200;
const PHONE_MAX: usize = 50;
const REASON_MAX: usize = 1_000;
const METADATA_MAX: usize = 16_384;

/// What is wrong with a profile; what was sent is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct BadProfile {
    /// The member, as the wire calls it.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Profile {
    /// Whether every member is of its form. The address is checked by [`Email`].
    pub fn check(&self) -> Result<(), BadProfile> {
        if self.display_name.trim().is_empty() {
            return Err(BadProfile { field: "displayName", reason: "must not be empty" });
        }
        name("displayName", Some(&self.display_name))?;
        name("firstName", self.first_name.as_deref())?;
        name("lastName", self.last_name.as_deref())?;
        line(
            "phoneNumber",
            self.phone.as_deref(),
            PHONE_MAX,
            "must have at most 50 characters, none of them control characters",
        )?;
        line(
            "reason",
            self.blocked_reason.as_deref(),
            REASON_MAX,
            "must have at most 1000 characters, none of them control characters",
        )?;
        let is_address = |text: &str| super::uri::check_redirect(text, super::uri::Reach::Https).is_ok();
        if self.picture.as_deref().is_some_and(|text| !is_address(text)) {
            return Err(BadProfile { field: "profilePictureUrl", reason: "must be an https address" });
        }
        let is_json =
            |text: &str| text.len() <= METADATA_MAX && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if self.metadata.as_deref().is_some_and(|text| !is_json(text)) {
            return Err(BadProfile {
                field: "metadata",
                reason: "must be the text of a JSON value of at most 16384 bytes",
            });
        }
        Ok(())
    }

    /// Whether a search for `needle`, which is in lower case, finds this person: by address or by any of the names.
    pub fn is_found_by(&self, needle: &str) -> bool {
        let names = [Some(&self.email), Some(&self.display_name), self.first_name.as_ref(), self.last_name.as_ref()];
        names.into_iter().flatten().any(|text| text.to_lowercase().contains(needle))
    }
}

fn name(field: &'static str, text: Option<&str>) -> Result<(), BadProfile> {
    line(field, text, NAME_MAX, "must have at most 200 characters, none of them control characters")
}

fn line(field: &'static str, text: Option<&str>, most: usize, reason: &'static str) -> Result<(), BadProfile> {
    let is_line = |text: &str| text.chars().count() <= most && !text.chars().any(char::is_control);
    if text.is_none_or(is_line) { Ok(()) } else { Err(BadProfile { field, reason }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_stored_as_sixteen_bytes() {
        let application = AccountRealm::Application(ApplicationId::from_bytes([7; 16]));
        for realm in [AccountRealm::Tenant, application] {
            assert_eq!(AccountRealm::from_bytes(realm.to_bytes()), realm);
        }
        assert_eq!(application.application(), Some(ApplicationId::from_bytes([7; 16])));
    }

    #[test]
    fn whoever_never_came_is_still_invited_after_being_unblocked() {
        for (from, blocked, came, never) in [
            (State::Invited, Ok(State::Blocked), State::Invited, State::Invited),
            (State::Active, Ok(State::Blocked), State::Active, State::Active),
            (State::Blocked, Ok(State::Blocked), State::Active, State::Invited),
            (State::Deleted, Err(NoSuchStep { from: State::Deleted }), State::Active, State::Invited),
        ] {
            assert_eq!((from.blocked(), from.unblocked(true), from.unblocked(false)), (blocked, came, never), "{from}");
            assert_eq!(from.is_erasable(), matches!(from, State::Blocked | State::Deleted));
        }
    }

    fn checked(change: impl FnOnce(&mut Profile)) -> Option<&'static str> {
        let mut profile = Profile { email: "a@b.example".into(), display_name: "Ada".into(), ..Profile::default() };
        change(&mut profile);
        profile.check().err().map(|bad| bad.field)
    }

    #[test]
    fn a_profile_is_bounded_and_its_metadata_is_json() {
        assert_eq!(checked(|_| {}), None);
        assert_eq!(checked(|to| to.display_name = " ".into()), Some("displayName"));
        assert_eq!(checked(|to| to.first_name = Some("a".repeat(201))), Some("firstName"));
        assert_eq!(checked(|to| to.phone = Some("+49\n1".into())), Some("phoneNumber"));
        assert_eq!(checked(|to| to.picture = Some("javascript:alert(1)".into())), Some("profilePictureUrl"));
        assert_eq!(checked(|to| to.metadata = Some("{\"plan\":\"gold\"}".into())), None);
        assert_eq!(checked(|to| to.metadata = Some("{".into())), Some("metadata"));
        assert_eq!(checked(|to| to.metadata = Some(format!("\"{}\"", "a".repeat(METADATA_MAX)))), Some("metadata"));
    }

    #[test]
    fn a_search_finds_addresses_and_names_in_any_case() {
        let profile = Profile {
            email: "Ada@b.example".into(),
            display_name: "Lady L".into(),
            last_name: Some("Lovelace".into()),
            ..Profile::default()
        };
        for (needle, found) in [("ada@", true), ("lady", true), ("lovel", true), ("grace", false)] {
            assert_eq!(profile.is_found_by(needle), found, "{needle}");
        }
    }
}
