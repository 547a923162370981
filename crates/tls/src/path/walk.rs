//! The judgement of one whole path (RFC 5280 6.1), from its anchor to the certificate in question.

use crypto::x509::{Certificate, KeyUsage, Purpose};

use super::conformity::Standing;
use super::constraints::Constraints;
use super::{Expectation, Reason, Refusal, Rigor, Trust, conformity, names, pedantry, revocation};

pub(super) struct Judge<'a> {
    pub(super) trust: &'a Trust,
    pub(super) expectation: &'a Expectation,
    pub(super) now: i64,
}

impl Judge<'_> {
    /// What can be said of the certificate before its path is known.
    pub(super) fn leaf(&self, leaf: &Certificate) -> Result<(), Refusal> {
        self.leaf_rules(leaf).map_err(|refusal| refusal.of(leaf))
    }

    fn leaf_rules(&self, leaf: &Certificate) -> Result<(), Refusal> {
        // A key that only encapsulates (RFC 9935) can be vouched for, but it cannot be a peer's in a handshake.
        let encapsulates = leaf.public_key().is_some_and(|key| key.algorithm().is_kem());
        if !encapsulates || self.expectation.purpose.is_some() {
            self.algorithms(leaf)?;
        }
        conformity::check(leaf)?;
        self.validity(leaf)?;
        self.purpose(leaf, Position::Leaf)?;
        if let Some(usage) = leaf.key_usage()
            && !usage.contains(self.expectation.usage)
        {
            let detail = format!("the key may be used for {usage}, not for {}", self.expectation.usage);
            return Err(Refusal::new(Reason::WrongKeyUsage, "RFC 9846 4.4.2.2", detail));
        }
        names::check(leaf, &self.expectation.names)?;
        if self.trust.rigor == Rigor::Pedantic {
            pedantry::check_leaf(leaf, self.expectation.purpose)?;
        }
        Ok(())
    }

    /// A path whose signatures hold: from the certificate to an anchor.
    pub(super) fn path(&self, path: &[&Certificate]) -> Result<(), Refusal> {
        let Some((leaf, authorities)) = path.split_first() else {
            return Err(Refusal::new(Reason::NoPath, "RFC 5280 6.1", "an empty path"));
        };
        let mut intermediates_after = 0;
        for (place, authority) in authorities.iter().enumerate() {
            let standing = if place + 1 == authorities.len() { Standing::Anchor } else { Standing::Intermediate };
            self.authority(authority, standing, intermediates_after).map_err(|refusal| refusal.of(authority))?;
            // RFC 5280 6.1.4(l): self-issued certificates are for a change of keys and do not count.
            intermediates_after += usize::from(!authority.is_self_issued());
        }
        self.names_within_constraints(leaf, authorities)?;
        for pair in path.windows(2) {
            let [subject, issuer] = pair else { continue };
            revocation::check(subject, issuer, self.trust, self.now).map_err(|refusal| refusal.of(subject))?;
        }
        Ok(())
    }

    fn authority(
        &self,
        authority: &Certificate,
        standing: Standing,
        intermediates_after: usize,
    ) -> Result<(), Refusal> {
        self.algorithms(authority)?;
        conformity::check(authority)?;
        conformity::check_authority(authority, standing)?;
        self.validity(authority)?;
        self.purpose(authority, Position::Authority)?;
        let constraints = authority.extensions().basic_constraints.as_ref().map(|constraints| constraints.value);
        if let Some(limit) = constraints.and_then(|constraints| constraints.path_len)
            && usize::from(limit) < intermediates_after
        {
            let detail = format!("it allows {limit} authorities after it, and there are {intermediates_after}");
            return Err(Refusal::new(Reason::PathTooLong, "RFC 5280 4.2.1.9", detail));
        }
        if authority.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::KEY_CERT_SIGN)) {
            let detail = "its key may not sign certificates";
            return Err(Refusal::new(Reason::WrongKeyUsage, "RFC 5280 6.1.4(n)", detail));
        }
        if self.trust.rigor == Rigor::Pedantic { pedantry::check_authority(authority, standing) } else { Ok(()) }
    }

    /// The key must be usable and reach the floor; so must the signature of whatever is not trusted by itself, which the
    /// search has tied to the issuer's key.
    fn algorithms(&self, certificate: &Certificate) -> Result<(), Refusal> {
        let refuse = |detail| Err(Refusal::new(Reason::AlgorithmRefused, "RFC 9881 2", detail));
        match certificate.public_key() {
            None => refuse("its key is malformed or of an algorithm that is not offered".to_owned()),
            Some(key) if !self.trust.floor.admits(key.algorithm()) => refuse(format!(
                "a key for {} is not admitted, or below the floor of this trust domain",
                key.algorithm()
            )),
            Some(_) => Ok(()),
        }
    }

    /// RFC 5280 4.1.2.5: both ends are part of the validity.
    fn validity(&self, certificate: &Certificate) -> Result<(), Refusal> {
        let clause = "RFC 5280 6.1.3(a)(2)";
        if self.now < certificate.not_before() {
            let wait = certificate.not_before() - self.now;
            return Err(Refusal::new(Reason::NotYetValid, clause, format!("it becomes valid in {wait} s")));
        }
        if self.now > certificate.not_after() {
            let late = self.now - certificate.not_after();
            return Err(Refusal::new(Reason::Expired, clause, format!("it expired {late} s ago")));
        }
        Ok(())
    }

    /// RFC 5280 4.2.1.12. An authority that lists purposes vouches for these alone, as all implementations have it. A
    /// certificate for any purpose at all is nobody's service certificate.
    fn purpose(&self, certificate: &Certificate, position: Position) -> Result<(), Refusal> {
        let Some(purpose) = self.expectation.purpose else { return Ok(()) };
        let Some(listed) = certificate.extensions().purposes.as_ref() else { return Ok(()) };
        let any = listed.value.contains(&Purpose::Any);
        let fits = match position {
            Position::Leaf => listed.value.contains(&purpose) && !any,
            Position::Authority => listed.value.contains(&purpose) || any,
        };
        if fits {
            return Ok(());
        }
        let listed: Vec<_> = listed.value.iter().map(ToString::to_string).collect();
        let detail = format!("it is for {}, not for {purpose} alone", listed.join(", "));
        Err(Refusal::new(Reason::WrongPurpose, "RFC 5280 4.2.1.12", detail))
    }

    /// RFC 5280 6.1.3(b) and (c): what an authority is limited to holds for everything below it, save self-issued
    /// authorities.
    fn names_within_constraints(&self, leaf: &Certificate, authorities: &[&Certificate]) -> Result<(), Refusal> {
        let mut constraints = Constraints::default();
        for authority in authorities.iter().rev() {
            if !authority.is_self_issued() {
                constraints.check(authority).map_err(|refusal| refusal.of(authority))?;
            }
            if let Some(added) = &authority.extensions().name_constraints {
                constraints.add(&added.value);
            }
        }
        constraints.check(leaf).map_err(|refusal| refusal.of(leaf))
    }
}

#[derive(Clone, Copy)]
enum Position {
    Leaf,
    Authority,
}
