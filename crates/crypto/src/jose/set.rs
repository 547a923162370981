//! A set of public keys, as an issuer or a client publishes it.

use serde_json::{Value, json};

use super::compact::Parts;
use super::{Refusal, Typ, Verified, VerifyingKey, jwk};

/// Public keys, found by their names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeySet(Vec<VerifyingKey>);

impl KeySet {
    /// A set of these keys.
    pub fn new(keys: Vec<VerifyingKey>) -> Self {
        Self(keys)
    }

    /// Reads a JWK set (RFC 7517). Keys of unknown kinds, for encryption, of algorithms that are not ours, or malformed are
    /// passed over (section 5); a private one is refused with the whole set.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let mut keys: Vec<VerifyingKey> = Vec::new();
        for jwk in jwk::read(text)? {
            let Ok(key) = jwk.verifying_key() else { continue };
            let is_taken = |other: &VerifyingKey| other.kid() == key.kid() && other.algorithm() == key.algorithm();
            if key.kid().is_some() && keys.iter().any(is_taken) {
                return Err(Refusal::KeySet("two keys of one name"));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// The JWK set, for publication.
    pub fn to_json(&self) -> Value {
        json!({ "keys": self.0.iter().map(VerifyingKey::to_jwk).collect::<Vec<_>>() })
    }

    /// The keys, in their order.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.0
    }

    /// What the token says, if a key of the set signed it: the one that it names, or else the only one of its algorithm.
    pub fn verify(&self, token: &str, typ: Typ<'_>) -> Result<Verified, Refusal> {
        let parts = Parts::of(token)?;
        let key = select(&self.0, &parts, VerifyingKey::kid, |key, alg| {
            super::SignatureAlgorithm::named(alg) == Some(key.algorithm())
        })?;
        key.open(parts, typ)
    }
}

/// The key that a token asks for by name; without a name, the only one that fits.
pub(super) fn select<'a, K>(
    keys: &'a [K],
    parts: &Parts<'_>,
    kid: impl Fn(&'a K) -> Option<&'a str>,
    fits: impl Fn(&K, &str) -> bool,
) -> Result<&'a K, Refusal> {
    let Some(name) = parts.kid.as_deref() else {
        let mut fitting = keys.iter().filter(|key| fits(key, &parts.alg));
        let only = fitting.next().ok_or(Refusal::Algorithm)?;
        return if fitting.next().is_none() { Ok(only) } else { Err(Refusal::UnknownKey) };
    };
    let mut named = keys.iter().filter(|key| kid(key) == Some(name)).peekable();
    if named.peek().is_none() {
        return Err(Refusal::UnknownKey);
    }
    named.find(|key| fits(key, &parts.alg)).ok_or(Refusal::Algorithm)
}
