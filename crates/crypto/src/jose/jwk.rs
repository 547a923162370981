//! What a public key set may hold. Keys of kinds we do not know, without what their kind needs, or out of range are passed over, as
//! RFC 7517, 5 wants it: the others are as good as before, and a rotation that adds a kind of key takes nobody out.
//!
//! A private or symmetric key spoils the whole set. It is no key that we fail to understand: whoever published it has lost it, and if
//! we passed over it in silence, nobody would tell them. So does a set that can be read in two ways: a member twice, or two keys of one
//! name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Refusal, SignatureAlgorithm, VerifyingKey, json};
use crate::key::PublicKey;

/// One key of a set, as its members.
pub(super) struct Jwk(Map<String, Value>);

/// A key that nothing is verified with: of an unknown kind, for something else, or malformed.
#[derive(Debug)]
pub(super) struct Unusable;

/// The keys of a set for signatures, in their order.
pub(super) fn read(text: &str) -> Result<Vec<Jwk>, Refusal> {
    if text.len() > SET_LIMIT {
        return Err(Refusal::TooLong);
    }
    let mut set = json::object(text.as_bytes())?;
    let Some(Value::Array(keys)) = set.remove("keys") else { return Err(Refusal::KeySet("`keys` is no array")) };
    if keys.len() > KEYS_LIMIT {
        return Err(Refusal::TooLong);
    }
    let mut signing = Vec::with_capacity(keys.len());
    for key in keys {
        let Value::Object(members) = key else { continue };
        let jwk = Jwk::public(members)?;
        if jwk.is_for_signatures() {
            signing.push(jwk);
        }
    }
    Ok(signing)
}

impl Jwk {
    fn public(members: Map<String, Value>) -> Result<Self, Refusal> {
        let kind = members.get("kty").and_then(Value::as_str);
        // Names of members mean what their kind of key says; where that is forgotten, what they mean everywhere.
        let is_known = kind.is_none_or(|kind| KINDS.contains(&kind));
        let is_private = is_known && PRIVATE.iter().any(|name| members.contains_key(*name));
        if is_private || kind == Some("oct") {
            return Err(Refusal::KeySet("a private or symmetric key"));
        }
        Ok(Self(members))
    }

    fn is_for_signatures(&self) -> bool {
        let verifies = match self.0.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
            Some(_) => false,
        };
        verifies && self.0.get("use").is_none_or(|usage| usage == "sig")
    }

    /// The key, if it is of a kind that tokens of ours are signed with.
    pub(super) fn verifying_key(&self) -> Result<VerifyingKey, Unusable> {
        let algorithm = self.algorithm()?;
        let raw = match algorithm {
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 => {
                let (x, y) = (self.bytes("x")?, self.bytes("y")?);
                if x.len() != y.len() {
                    return Err(Unusable);
                }
                [&[4], x.as_slice(), y.as_slice()].concat()
            }
            SignatureAlgorithm::Ed25519 => self.bytes("x")?,
            _ => self.bytes("pub")?,
        };
        let key = PublicKey::from_raw(algorithm.key_algorithm(), &raw).map_err(|_| Unusable)?;
        VerifyingKey::new(key, self.kid()?).map_err(|_| Unusable)
    }

    /// The algorithm that the kind of key and its parameters decide. `alg` must agree, and says it alone for `AKP`.
    fn algorithm(&self) -> Result<SignatureAlgorithm, Unusable> {
        let said = self.text("alg")?;
        let algorithm = match (self.kind()?, self.text("crv")?) {
            ("AKP", _) => {
                let algorithm = said.and_then(SignatureAlgorithm::named);
                return algorithm.filter(|algorithm| algorithm.key_algorithm().is_ml_dsa()).ok_or(Unusable);
            }
            ("EC", Some("P-256")) => SignatureAlgorithm::Es256,
            ("EC", Some("P-384")) => SignatureAlgorithm::Es384,
            ("OKP", Some("Ed25519")) => SignatureAlgorithm::Ed25519,
            _ => return Err(Unusable),
        };
        let agrees = said.is_none_or(|said| SignatureAlgorithm::named(said) == Some(algorithm));
        if agrees { Ok(algorithm) } else { Err(Unusable) }
    }

    pub(super) fn kind(&self) -> Result<&str, Unusable> {
        self.text("kty")?.ok_or(Unusable)
    }

    pub(super) fn kid(&self) -> Result<Option<String>, Unusable> {
        Ok(self.text("kid")?.map(str::to_owned))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Unusable> {
        json::text(&self.0, name).map_err(|_| Unusable)
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<Vec<u8>, Unusable> {
        URL_SAFE_NO_PAD.decode(self.text(name)?.ok_or(Unusable)?).map_err(|_| Unusable)
    }
}

/// The kinds whose members we know.
const KINDS: &[&str] = &["AKP", "EC", "OKP", "RSA", "oct"];
/// The private members of every kind of key: AKP, EC and OKP, RSA, oct.
const PRIVATE: &[&str] = &["priv", "d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const SET_LIMIT: usize = 64 * 1024;
const KEYS_LIMIT: usize = 100;
