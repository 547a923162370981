//! Keys that carry their one algorithm and their name.

use serde_json::{Value, json};

use super::compact::{Parts, seal, signing_input};
use super::{Refusal, SignatureAlgorithm, Typ, Verified, ecdsa};
use crate::Error;
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;

/// A key that signs tokens.
pub struct SigningKey {
    key: PrivateKey,
    public: VerifyingKey,
}

/// A key that tokens are checked with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifyingKey {
    key: PublicKey,
    algorithm: SignatureAlgorithm,
    kid: Option<String>,
}

impl SigningKey {
    /// The key under the name that its thumbprint is (RFC 7638). Refused for keys that do not sign.
    pub fn new(key: PrivateKey) -> Result<Self, Error> {
        let public = key.public_key().ok_or(Error::WrongOperation("signing tokens"))?;
        let kid = public.thumbprint();
        let public = VerifyingKey::new(public, Some(kid))?;
        Ok(Self { key, public })
    }

    /// Its public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.public.algorithm
    }

    /// A token of this type over the payload, in compact form.
    pub fn sign(&self, typ: &str, payload: &[u8], random: &dyn Random) -> Result<String, Error> {
        let header = json!({"alg": self.algorithm().as_str(), "typ": typ, "kid": self.public.kid}).to_string();
        let input = signing_input(&header, payload);
        let signature = self.key.sign(input.as_bytes(), random)?;
        Ok(match scalar_len(self.algorithm()) {
            Some(length) => seal(input, &ecdsa::to_fixed(&signature, length)?),
            None => seal(input, &signature),
        })
    }
}

impl VerifyingKey {
    /// The key under a name of the caller's choice. Refused for keys that do not verify signatures.
    pub fn new(key: PublicKey, kid: Option<String>) -> Result<Self, Error> {
        let algorithm = SignatureAlgorithm::of_key(key.algorithm()).ok_or(Error::WrongOperation("verifying tokens"))?;
        Ok(Self { key, algorithm, kid })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Its name.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key itself.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The public JSON Web Key, with `alg`, `use` and `kid`.
    pub fn to_jwk(&self) -> Value {
        self.key.to_jwk(self.kid())
    }

    /// What the token says, if this key signed it.
    pub fn verify(&self, token: &str, typ: Typ<'_>) -> Result<Verified, Refusal> {
        self.open(Parts::of(token)?, typ)
    }

    pub(super) fn open(&self, parts: Parts<'_>, typ: Typ<'_>) -> Result<Verified, Refusal> {
        if SignatureAlgorithm::named(&parts.alg) != Some(self.algorithm) {
            return Err(Refusal::Algorithm);
        }
        if !self.is_valid(parts.signed.as_bytes(), &parts.signature) {
            return Err(Refusal::Signature);
        }
        parts.open(typ, self.algorithm.as_str())
    }

    fn is_valid(&self, message: &[u8], signature: &[u8]) -> bool {
        match scalar_len(self.algorithm) {
            Some(length) => ecdsa::to_der(signature, length).is_some_and(|der| self.key.verify(message, &der)),
            None => self.key.verify(message, signature),
        }
    }
}

fn scalar_len(algorithm: SignatureAlgorithm) -> Option<usize> {
    match algorithm {
        SignatureAlgorithm::Es256 => Some(32),
        SignatureAlgorithm::Es384 => Some(48),
        _ => None,
    }
}
