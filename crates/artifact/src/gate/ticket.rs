//! Tickets: how an emergency passes the gate, for a while, by name, and in the audit trail of whoever issued it.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::json;
use crate::policy::{Code, Finding, Judgement, Policy};
use crate::trusted_key::Purpose;

/// The type of the payload, as its envelope binds it.
const PAYLOAD_TYPE: &str = "application/vnd.qapi.gate-ticket.v1+json";
/// A ticket for a hundred digests has some 20 KiB.
const LONGEST_BYTES: usize = 64 << 10;
/// Clocks of a server and of a gate differ by less.
const CLOCKS_DIFFER_S: i64 = 60;
/// No ticket lives longer, whatever it says.
const LONGEST_S: i64 = 24 * 3600;

/// A ticket that was found to be genuine and not revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Its id: what the audit trail calls it.
    pub id: String,
    /// Why it was issued.
    pub reason: String,
    /// Who issued it.
    pub issued_by: String,
    /// The environment for which everything passes, where it is for one.
    pub environment: Option<String>,
    /// The images that pass anywhere, where it is for some.
    pub digests: Vec<Digest>,
    /// Until when, in Unix seconds.
    pub expires: i64,
}

/// Why a ticket is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATicket {
    /// It is no signed ticket at all.
    #[error("it is no signed ticket")]
    Malformed,
    /// The policy believes no ticket by its signature.
    #[error(
        "the policy believes no signed tickets: it needs `tickets` with the tenant, and a key of the purpose ticket"
    )]
    NotAccepted,
    /// No key of the policy has signed it.
    #[error("no key of the policy for tickets has signed it")]
    NotSigned,
    /// It is another tenant's.
    #[error("it was issued by the tenant {0}")]
    OtherTenant(String),
    /// Its time has not come, is over, or is longer than any ticket's.
    #[error("it is not valid now")]
    NotNow,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    id: String,
    tenant: String,
    reason: String,
    issued_by: String,
    environment: Option<String>,
    digests: Vec<Digest>,
    issued_at: i64,
    expires_at: i64,
}

impl Ticket {
    /// Reads a signed ticket and believes it by the keys of a policy. Whether it was taken back, only the server knows.
    pub fn read(token: &str, policy: &Policy, now: i64) -> Result<Self, NotATicket> {
        let tenant = policy.ticket_tenant().ok_or(NotATicket::NotAccepted)?;
        let token = token.trim();
        if token.len() > 2 * LONGEST_BYTES {
            return Err(NotATicket::Malformed);
        }
        let bytes = crate::base64::decode(token).ok_or(NotATicket::Malformed)?;
        let envelope = Envelope::parse(&bytes).map_err(|_| NotATicket::Malformed)?;
        let keys = policy.keys().iter().filter(|key| key.at(now).usable(Purpose::Ticket, now).is_ok());
        let keys: Vec<_> = keys.map(|key| key.key.clone()).collect();
        let verified = envelope.verify(PAYLOAD_TYPE, &keys, 1).map_err(|_| NotATicket::NotSigned)?;
        let payload: Payload = json::read(verified.payload, LONGEST_BYTES).map_err(|_| NotATicket::Malformed)?;
        if payload.tenant != tenant {
            return Err(NotATicket::OtherTenant(payload.tenant.chars().take(100).collect()));
        }
        let has_begun = payload.issued_at <= now + CLOCKS_DIFFER_S;
        let is_short = payload.expires_at.checked_sub(payload.issued_at).is_some_and(|life| life <= LONGEST_S);
        if !has_begun || !is_short || now >= payload.expires_at {
            return Err(NotATicket::NotNow);
        }
        let Payload { id, reason, issued_by, environment, digests, expires_at, .. } = payload;
        Ok(Self { id, reason, issued_by, environment, digests, expires: expires_at })
    }

    /// The id that a signed ticket names, of which nothing is proved. Good for asking the server about it.
    pub fn danger_unverified_id(token: &str) -> Option<String> {
        let token = Some(token.trim()).filter(|token| token.len() <= 2 * LONGEST_BYTES)?;
        let envelope = Envelope::parse(&crate::base64::decode(token)?).ok()?;
        let payload: Payload = json::read(envelope.danger_unverified_payload(), LONGEST_BYTES).ok()?;
        Some(payload.id)
    }

    /// Whether the ticket lets an image pass in an environment.
    pub fn covers(&self, image: Option<&Digest>, environment: Option<&str>, now: i64) -> bool {
        let is_place = self.environment.as_deref().is_none_or(|place| environment == Some(place));
        let is_image = self.digests.is_empty() || image.is_some_and(|image| self.digests.contains(image));
        // A ticket for neither an environment nor an image would be one for everything.
        let is_bound = self.environment.is_some() || !self.digests.is_empty();
        now < self.expires && is_bound && is_place && is_image
    }

    /// Lets a refused image pass: what it was refused for becomes what is warned of. A digest that the policy denies stays
    /// denied: somebody wrote down that this very content must not run.
    pub fn apply(&self, judgement: Judgement) -> Judgement {
        if judgement.passes() || judgement.refusals.iter().any(|refusal| refusal.code == Code::DigestDenied) {
            return judgement;
        }
        let text = format!("ticket {} by {} lets it pass: {}", self.id, self.issued_by, self.reason);
        let bypass = Finding::new(Code::Bypassed, text);
        let Judgement { rule, refusals, warnings, notes } = judgement;
        let warnings = std::iter::once(bypass).chain(refusals).chain(warnings).collect();
        Judgement { rule, refusals: Vec::new(), warnings, notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_lets_pass_what_it_names_and_nothing_else() {
        let (image, other) = (Digest::of(b"image"), Digest::of(b"other"));
        let ticket = |environment: Option<&str>, digests: &[&Digest]| Ticket {
            id: "1".to_owned(),
            reason: "hotfix".to_owned(),
            issued_by: "ada".to_owned(),
            environment: environment.map(str::to_owned),
            digests: digests.iter().map(|digest| (*digest).clone()).collect(),
            expires: 100,
        };
        for (ticket, image, environment, now, covers) in [
            (ticket(Some("production"), &[]), Some(&image), Some("production"), 99, true),
            (ticket(Some("production"), &[]), None, Some("production"), 99, true),
            (ticket(Some("production"), &[]), Some(&image), Some("production"), 100, false),
            (ticket(Some("production"), &[]), Some(&image), Some("staging"), 99, false),
            (ticket(Some("production"), &[]), Some(&image), None, 99, false),
            (ticket(None, &[&image]), Some(&image), None, 99, true),
            (ticket(None, &[&image]), Some(&other), None, 99, false),
            (ticket(None, &[&image]), None, None, 99, false),
            (ticket(Some("production"), &[&image]), Some(&image), Some("staging"), 99, false),
            (ticket(None, &[]), Some(&image), Some("production"), 99, false),
        ] {
            assert_eq!(ticket.covers(image, environment, now), covers, "{ticket:?} {image:?} {environment:?} {now}");
        }
    }

    #[test]
    fn what_is_denied_by_name_stays_denied() {
        let ticket = Ticket {
            id: "1".to_owned(),
            reason: "hotfix".to_owned(),
            issued_by: "ada".to_owned(),
            environment: Some("production".to_owned()),
            digests: Vec::new(),
            expires: 100,
        };
        let passed = ticket.apply(Judgement::refused(Code::NotSigned, "it is not signed"));
        assert_eq!(passed.warnings.iter().map(|one| one.code).collect::<Vec<_>>(), [Code::Bypassed, Code::NotSigned]);
        assert!(passed.passes());
        assert!(!ticket.apply(Judgement::refused(Code::DigestDenied, "CVE")).passes());
    }
}
