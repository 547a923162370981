//! The search for paths: depth first from the certificate towards the anchors, along issuer names and signatures.

use crypto::x509::Certificate;

use super::{Reason, Refusal, Trust};

/// A search among untrusted intermediates. Whoever sends them decides how many there are and how they hang together, so
/// signatures are counted and every path is short.
pub(super) struct Search<'a> {
    trust: &'a Trust,
    intermediates: &'a [Certificate],
    max_intermediates: usize,
    signatures_left: usize,
    /// The best that can be said so far if nothing is found.
    refusal: Refusal,
    reached_anchor: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(trust: &'a Trust, intermediates: &'a [Certificate], max_intermediates: usize) -> Self {
        let refusal = Refusal::new(Reason::NoPath, "RFC 5280 6.1", "no trusted authority has issued it");
        Self {
            trust,
            intermediates,
            max_intermediates,
            signatures_left: MAX_SIGNATURES,
            refusal,
            reached_anchor: false,
        }
    }

    /// The first path to an anchor that `judge` accepts.
    pub(super) fn find(
        &mut self,
        leaf: &'a Certificate,
        judge: &mut dyn FnMut(&[&'a Certificate]) -> Result<(), Refusal>,
    ) -> Result<Vec<&'a Certificate>, Refusal> {
        if self.intermediates.len() > MAX_CANDIDATES {
            return Err(too_much("more intermediates than anybody needs"));
        }
        let mut path = vec![leaf];
        match self.extend(&mut path, judge)? {
            Found::Path => Ok(path),
            Found::Nothing => Err(self.refusal.clone().of(leaf)),
        }
    }

    /// Extends the path by every possible issuer of its last certificate. An error ends the whole search.
    fn extend(
        &mut self,
        path: &mut Vec<&'a Certificate>,
        judge: &mut dyn FnMut(&[&'a Certificate]) -> Result<(), Refusal>,
    ) -> Result<Found, Refusal> {
        let Some(&last) = path.last() else { return Ok(Found::Nothing) };
        let trust = self.trust;
        for anchor in likely_first(last, &trust.anchors) {
            if !self.is_issuer(last, anchor)? {
                continue;
            }
            path.push(anchor);
            match judge(path) {
                Ok(()) => return Ok(Found::Path),
                Err(refusal) => self.remember(refusal),
            }
            path.pop();
        }
        let candidates = likely_first(last, self.intermediates).filter(|candidate| !is_repetition(path, candidate));
        let candidates: Vec<_> = candidates.collect();
        if path.len() > self.max_intermediates {
            if !candidates.is_empty() && !self.reached_anchor {
                let detail = format!("more than {} intermediates", self.max_intermediates);
                self.refusal = Refusal::new(Reason::TooDeep, "RFC 5280 6.1", detail);
            }
            return Ok(Found::Nothing);
        }
        for candidate in candidates {
            if !self.is_issuer(last, candidate)? {
                continue;
            }
            path.push(candidate);
            if let Found::Path = self.extend(path, judge)? {
                return Ok(Found::Path);
            }
            path.pop();
        }
        Ok(Found::Nothing)
    }

    /// The first path that reaches an anchor says best what is wrong.
    fn remember(&mut self, refusal: Refusal) {
        if !self.reached_anchor {
            self.reached_anchor = true;
            self.refusal = refusal;
        }
    }

    /// Whether the issuer's key signed it.
    fn is_issuer(&mut self, child: &Certificate, issuer: &Certificate) -> Result<bool, Refusal> {
        let Some(key) = issuer.public_key() else {
            self.explain(
                child,
                Reason::AlgorithmRefused,
                "RFC 9881 2",
                "its issuer's key is of an algorithm not offered",
            );
            return Ok(false);
        };
        let left = self.signatures_left.checked_sub(1);
        self.signatures_left = left.ok_or_else(|| too_much("more signatures to check than any path needs"))?;
        let signed = child.is_signed_by(key);
        if !signed {
            self.explain(child, Reason::BadSignature, "RFC 5280 6.1.3(a)(1)", "its signature is not its issuer's");
        }
        Ok(signed)
    }

    fn explain(&mut self, child: &Certificate, reason: Reason, clause: &'static str, detail: &str) {
        if !self.reached_anchor && self.refusal.reason == Reason::NoPath {
            self.refusal = Refusal::new(reason, clause, detail).of(child);
        }
    }
}

enum Found {
    Path,
    Nothing,
}

fn too_much(detail: &str) -> Refusal {
    Refusal::new(Reason::TooMuchWork, "RFC 4158 2.4.2", detail)
}

/// Certificates that bear the issuer's name, those with the right key identifier first: the identifier is a hint to
/// whoever searches (RFC 4158 3.5.12), never a reason to refuse.
fn likely_first<'c>(child: &Certificate, pool: &'c [Certificate]) -> impl Iterator<Item = &'c Certificate> + use<'c> {
    let mut named: Vec<&Certificate> = pool.iter().filter(|issuer| issuer.subject().matches(child.issuer())).collect();
    let wanted = child.authority_key_id();
    named.sort_by_key(|issuer| wanted.is_none() || issuer.subject_key_id() != wanted);
    named.into_iter()
}

/// RFC 4158 2.4.1: no certificate twice, and no name with a key twice, or a path could wind through cross-certificates.
fn is_repetition(path: &[&Certificate], candidate: &Certificate) -> bool {
    let again = |earlier: &&Certificate| {
        *earlier == candidate || earlier.key() == candidate.key() && earlier.subject() == candidate.subject()
    };
    path.iter().any(again)
}

const MAX_CANDIDATES: usize = 200;
/// A handshake may cost some milliseconds of checking signatures, not more.
const MAX_SIGNATURES: usize = 100;
