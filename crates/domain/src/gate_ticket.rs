//! Tickets for the deploy gate: what lets unverified images pass in an emergency, for a while and by name.

use crate::environment::{BadEnvironment, Environment};
use crate::ids::{GateTicketId, TenantId};
use crate::time::{HOUR_MS, Timestamp};
use serde::{Deserialize, Serialize};

/// No ticket lives longer.
pub const LONGEST_S: u32 = 24 * 3600;
/// How long one lives unless told.
pub const USUAL_S: u32 = 3600;
/// Shorter ones would be gone before they are used.
pub const SHORTEST_S: u32 = 60;
/// A reason is a sentence.
pub const REASON_CHARS: usize = 500;
/// So many images in one ticket.
pub const MOST_DIGESTS: usize = 100;
/// The type of the payload that is signed, as DSSE binds it.
pub const PAYLOAD_TYPE: &str = "application/vnd.qapi.gate-ticket.v1+json";

/// What somebody may pass, why, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Why. It stands in the audit trail and in every report.
    pub reason: String,
    /// The environment for which everything passes, or, with digests, for which those pass.
    pub environment: Option<Environment>,
    /// The images that pass, by digest, sorted.
    pub digests: Vec<String>,
    /// How long.
    pub lifetime_s: u32,
}

/// Why there is no such ticket.
#[derive(Debug, thiserror::Error)]
pub enum BadTerms {
    /// Nobody can tell later what it was for.
    #[error("reason has 1 to {REASON_CHARS} characters and no control characters")]
    Reason,
    /// A ticket for everything would be no gate.
    #[error("a ticket names an environment, or the digests of images")]
    Unbound,
    /// The name of the environment.
    #[error("environment: {0}")]
    Environment(#[source] BadEnvironment),
    /// A digest, or how many there are.
    #[error("digests are at most {MOST_DIGESTS} of the form sha256:<64 hexadecimal digits>")]
    Digests,
    /// How long it lives.
    #[error("lifetimeSeconds is from {SHORTEST_S} to {LONGEST_S}")]
    Lifetime,
}

impl Terms {
    /// The terms that a ticket may have.
    pub fn new(
        reason: &str,
        environment: Option<&str>,
        digests: Vec<String>,
        lifetime_s: Option<u32>,
    ) -> Result<Self, BadTerms> {
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS || reason.chars().any(char::is_control) {
            return Err(BadTerms::Reason);
        }
        let environment = environment.map(str::parse).transpose().map_err(BadTerms::Environment)?;
        if environment.is_none() && digests.is_empty() {
            return Err(BadTerms::Unbound);
        }
        if digests.len() > MOST_DIGESTS || !digests.iter().all(|digest| is_digest(digest)) {
            return Err(BadTerms::Digests);
        }
        let lifetime_s = lifetime_s.unwrap_or(USUAL_S);
        if !(SHORTEST_S..=LONGEST_S).contains(&lifetime_s) {
            return Err(BadTerms::Lifetime);
        }
        let mut digests = digests;
        digests.sort();
        digests.dedup();
        Ok(Self { reason: reason.to_owned(), environment, digests, lifetime_s })
    }
}

/// What a ticket says under its signature. Its JSON is a format: docs/formats.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// The ticket.
    pub id: GateTicketId,
    /// The tenant that issued it: all tenants of a platform have one key.
    pub tenant: TenantId,
    /// Why.
    pub reason: String,
    /// Who issued it, as the audit trail calls them.
    pub issued_by: String,
    /// For which environment.
    pub environment: Option<String>,
    /// For which images.
    pub digests: Vec<String>,
    /// Since when, in Unix seconds.
    pub issued_at: i64,
    /// Until when, in Unix seconds.
    pub expires_at: i64,
}

/// How a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It lets pass.
    Active,
    /// Somebody took it back.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Status {
    /// As the wire shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// How a ticket stands at `now`. Where somebody took it back, that is what is told.
pub fn status(expires_at: Timestamp, revoked_at: Option<Timestamp>, now: Timestamp) -> Status {
    match revoked_at {
        Some(_) => Status::Revoked,
        None if expires_at <= now => Status::Expired,
        None => Status::Active,
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

const _: () = assert!(LONGEST_S as i64 * 1000 == 24 * HOUR_MS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_bound_and_has_a_reason_and_an_end() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let long = "x".repeat(REASON_CHARS + 1);
        let terms = |reason: &str, environment, digests: &[&str], lifetime_s| {
            Terms::new(reason, environment, digests.iter().map(|text| (*text).to_owned()).collect(), lifetime_s)
        };
        for (found, is_good) in [
            (terms("hotfix", Some("production"), &[], None), true),
            (terms("hotfix", None, &[&digest], Some(LONGEST_S)), true),
            (terms("hotfix", Some("production"), &[&digest], Some(SHORTEST_S)), true),
            (terms("", Some("production"), &[], None), false),
            (terms(" \t ", Some("production"), &[], None), false),
            (terms(&long, Some("production"), &[], None), false),
            (terms("hot\nfix", Some("production"), &[], None), false),
            (terms("hotfix", None, &[], None), false),
            (terms("hotfix", Some(""), &[], None), false),
            (terms("hotfix", None, &["sha256:00"], None), false),
            (terms("hotfix", None, &[&digest.to_uppercase()], None), false),
            (terms("hotfix", None, &vec![digest.as_str(); MOST_DIGESTS + 1], None), false),
            (terms("hotfix", Some("production"), &[], Some(LONGEST_S + 1)), false),
            (terms("hotfix", Some("production"), &[], Some(0)), false),
        ] {
            assert_eq!(found.is_ok(), is_good, "{found:?}");
        }
        let twice = terms("hotfix", None, &[&digest, &digest], None).unwrap();
        assert_eq!((twice.digests.len(), twice.lifetime_s), (1, USUAL_S));
    }

    #[test]
    fn a_ticket_ends_by_itself_or_by_somebody() {
        let at = Timestamp::from_millis;
        assert_eq!(status(at(10), None, at(9)), Status::Active);
        assert_eq!(status(at(10), None, at(10)), Status::Expired);
        assert_eq!(status(at(10), Some(at(5)), at(20)), Status::Revoked);
    }
}
