//! API keys: their text, and whether one is alive.
//!
//! The text is `qapi_` and 43 alphanumerics (over 255 bits), so that public secret scanners catch a leaked one. It is
//! shown once; at rest there is a keyed hash.

use core::net::IpAddr;

use ipnet::IpNet;

use crypto::secret::SecretBytes;

use crate::time::Timestamp;

/// The prefix of every key issued here. Scanners know it: it is for ever.
pub const PREFIX: &str = "qapi_";
/// Prefixes accepted on keys brought from elsewhere (contract 2.2).
pub const ACCEPTED_PREFIXES: [&str; 3] = [PREFIX, "qid_", "qv_"];
/// Characters after the prefix.
pub const BODY_LEN: usize = 43;
/// Characters kept for display.
pub const DISPLAY_LEN: usize = 9;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The largest multiple of 62 below 256: bytes at or above it are drawn again, so that no letter is likelier.
const UNBIASED: u8 = 248;

/// A new key's text, made of the generator's bytes.
pub fn new_text(random: &dyn crypto::random::Random) -> SecretBytes {
    bearer_text(PREFIX, random)
}

/// A text that whoever holds it acts by: the prefix, and over 255 random bits as alphanumerics.
pub fn bearer_text(prefix: &str, random: &dyn crypto::random::Random) -> SecretBytes {
    let mut text = Vec::with_capacity(prefix.len() + BODY_LEN);
    text.extend_from_slice(prefix.as_bytes());
    while text.len() < prefix.len() + BODY_LEN {
        let mut byte = [0];
        random.fill(&mut byte);
        if byte[0] < UNBIASED {
            text.push(ALPHABET[usize::from(byte[0] % 62)]);
        }
    }
    SecretBytes::new(text)
}

/// Whether a text can be an API key at all; what cannot is refused before any look-up.
pub fn is_plausible(text: &str) -> bool {
    let body = ACCEPTED_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix));
    body.is_some_and(|body| (32..=128).contains(&body.len()) && body.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// What decides whether a key is alive.
#[derive(Clone, Debug)]
pub struct Standing {
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it expires, if it does.
    pub expires_at: Option<Timestamp>,
    /// When a rotated-out key stops working.
    pub grace_until: Option<Timestamp>,
    /// Networks it may be used from; empty means any.
    pub cidrs: Vec<IpNet>,
}

/// Why a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dead {
    /// Revoked, expired or rotated out: the caller learns only that it is not valid.
    Invalid,
    /// Used from an address outside its networks.
    Address,
}

impl Standing {
    /// Whether the key may be used at `now` from `address`.
    pub fn alive(&self, now: Timestamp, address: IpAddr) -> Result<(), Dead> {
        let over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if over(self.revoked_at) || over(self.expires_at) || over(self.grace_until) {
            return Err(Dead::Invalid);
        }
        let address = address.to_canonical();
        if !self.cidrs.is_empty() && !self.cidrs.iter().any(|net| net.contains(&address)) {
            return Err(Dead::Address);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_dies_by_revocation_expiry_rotation_and_address() {
        let now = Timestamp::from_millis(10);
        let home: IpAddr = "10.1.2.3".parse().unwrap();
        let alive = Standing { revoked_at: None, expires_at: None, grace_until: None, cidrs: vec![] };
        assert_eq!(alive.alive(now, home), Ok(()));
        assert_eq!(Standing { revoked_at: Some(now), ..alive.clone() }.alive(now, home), Err(Dead::Invalid));
        assert_eq!(Standing { expires_at: Some(now), ..alive.clone() }.alive(now, home), Err(Dead::Invalid));
        assert_eq!(Standing { grace_until: Some(now), ..alive.clone() }.alive(now, home), Err(Dead::Invalid));
        let homebound = Standing { cidrs: vec!["10.0.0.0/8".parse().unwrap()], ..alive };
        assert_eq!(homebound.alive(now, home), Ok(()));
        assert_eq!(homebound.alive(now, "::ffff:10.9.9.9".parse().unwrap()), Ok(()));
        assert_eq!(homebound.alive(now, "192.0.2.1".parse().unwrap()), Err(Dead::Address));
    }

    #[test]
    fn implausible_texts_never_reach_the_store() {
        for (text, plausible) in [
            (format!("qapi_{}", "a".repeat(43)), true),
            (format!("qid_{}", "Z9".repeat(16)), true),
            ("qapi_short".to_owned(), false),
            (format!("qapi_{}", "é".repeat(32)), false),
            (format!("Bearer qapi_{}", "a".repeat(43)), false),
        ] {
            assert_eq!(is_plausible(&text), plausible, "{text}");
        }
    }
}
