//! What a public key set may hold. Keys of kinds we do not know are passed over; a private one spoils the whole set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Refusal, SignatureAlgorithm, VerifyingKey, json};
use crate::key::PublicKey;

/// One key of a set, as its members.
pub(super) struct Jwk(Map<String, Value>);

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
        let Value::Object(members) = key else { return Err(Refusal::KeySet("a key is no object")) };
        let jwk = Jwk::checked(members)?;
        if jwk.is_for_signatures()? {
            signing.push(jwk);
        }
    }
    Ok(signing)
}

impl Jwk {
    fn checked(members: Map<String, Value>) -> Result<Self, Refusal> {
        let is_private = PRIVATE.iter().any(|name| members.contains_key(*name));
        if is_private || members.get("kty").and_then(Value::as_str) == Some("oct") {
            return Err(Refusal::KeySet("a private or symmetric key"));
        }
        Ok(Self(members))
    }

    fn is_for_signatures(&self) -> Result<bool, Refusal> {
        let verifies = match self.0.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
            Some(_) => return Err(Refusal::KeySet("`key_ops` is no array")),
        };
        Ok(verifies && self.text("use")?.is_none_or(|usage| usage == "sig"))
    }

    /// The key, if it is of a kind that tokens of ours are signed with.
    pub(super) fn verifying_key(&self) -> Result<Option<VerifyingKey>, Refusal> {
        let Some(algorithm) = self.algorithm()? else { return Ok(None) };
        let raw = match algorithm {
            SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 => {
                let (x, y) = (self.bytes("x")?, self.bytes("y")?);
                if x.len() != y.len() {
                    return Err(NOT_A_KEY);
                }
                [&[4], x.as_slice(), y.as_slice()].concat()
            }
            SignatureAlgorithm::Ed25519 => self.bytes("x")?,
            _ => self.bytes("pub")?,
        };
        let key = PublicKey::from_raw(algorithm.key_algorithm(), &raw).map_err(|_| NOT_A_KEY)?;
        VerifyingKey::new(key, self.kid()?).map(Some).map_err(|_| NOT_A_KEY)
    }

    /// The algorithm that the kind of key and its parameters decide. `alg` must agree, and says it alone for `AKP`.
    fn algorithm(&self) -> Result<Option<SignatureAlgorithm>, Refusal> {
        let (said, curve) = (self.text("alg")?, self.text("crv")?);
        let algorithm = match (self.kind()?, curve) {
            ("AKP", _) => {
                let algorithm = said.and_then(SignatureAlgorithm::named);
                return Ok(algorithm.filter(|algorithm| algorithm.key_algorithm().is_ml_dsa()));
            }
            ("EC", Some("P-256")) => SignatureAlgorithm::Es256,
            ("EC", Some("P-384")) => SignatureAlgorithm::Es384,
            ("OKP", Some("Ed25519")) => SignatureAlgorithm::Ed25519,
            _ => return Ok(None),
        };
        let agrees = said.is_none_or(|said| SignatureAlgorithm::named(said) == Some(algorithm));
        Ok(agrees.then_some(algorithm))
    }

    pub(super) fn kind(&self) -> Result<&str, Refusal> {
        self.text("kty")?.ok_or(Refusal::KeySet("a key without `kty`"))
    }

    pub(super) fn kid(&self) -> Result<Option<String>, Refusal> {
        Ok(self.text("kid")?.map(str::to_owned))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        json::text(&self.0, name).map_err(|_| NOT_A_KEY)
    }

    pub(super) fn bytes(&self, name: &'static str) -> Result<Vec<u8>, Refusal> {
        URL_SAFE_NO_PAD.decode(self.text(name)?.ok_or(NOT_A_KEY)?).map_err(|_| NOT_A_KEY)
    }
}

const NOT_A_KEY: Refusal = Refusal::KeySet("a key is malformed");
/// The private members of every kind of key: AKP, EC and OKP, RSA, oct.
const PRIVATE: &[&str] = &["priv", "d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const SET_LIMIT: usize = 64 * 1024;
const KEYS_LIMIT: usize = 100;
