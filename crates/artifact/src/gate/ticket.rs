//! Tickets: how an emergency passes the gate, for a while, by name, and in the audit trail of whoever issued it.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::policy::{Code, Finding, Judgement};

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

impl Ticket {
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
