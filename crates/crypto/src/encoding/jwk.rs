//! JSON Web Keys: `AKP` for ML-DSA (RFC 9964), `EC` (RFC 7518), `OKP` (RFC 8037), `oct`. ML-KEM and X-Wing use `AKP` the
//! same way with our algorithm names, because no document gives them a JWK yet. `priv` is always the seed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::{Zeroize as _, Zeroizing};

use crate::Error;
use crate::algorithm::Algorithm;
use crate::hash::sha256;
use crate::import::Imported;
use crate::key::{PrivateKey, PublicKey};
use crate::secret::SecretBytes;

/// The members we read. Others (use, key_ops, kid, x5c) say nothing about the key itself.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    crv: Option<String>,
    #[serde(rename = "pub")]
    public: Option<String>,
    x: Option<String>,
    y: Option<String>,
    #[serde(rename = "priv")]
    private: Option<String>,
    d: Option<String>,
    k: Option<String>,
}

impl Drop for Jwk {
    fn drop(&mut self) {
        for secret in [&mut self.private, &mut self.d, &mut self.k].into_iter().flatten() {
            secret.zeroize();
        }
    }
}

/// The key that a JWK holds. `expected` decides for `oct`, whose kind the JWK need not say.
pub(crate) fn decode(text: &str, expected: Algorithm) -> Result<Imported, Error> {
    let jwk: Jwk = serde_json::from_str(text).map_err(|_| MALFORMED)?;
    let named = jwk.alg.as_deref().and_then(named);
    match jwk.kty.as_str() {
        "AKP" => {
            let algorithm = named.ok_or(MALFORMED)?;
            if matches!(algorithm, Algorithm::EcdsaP256 | Algorithm::EcdsaP384 | Algorithm::Ed25519) {
                return Err(MALFORMED);
            }
            let public = bytes(jwk.public.as_deref())?;
            pair(algorithm, &public, jwk.private.as_deref())
        }
        "EC" => {
            let (algorithm, length) = match jwk.crv.as_deref() {
                Some("P-256") => (Algorithm::EcdsaP256, 32),
                Some("P-384") => (Algorithm::EcdsaP384, 48),
                _ => return Err(MALFORMED),
            };
            let (x, y) = (bytes(jwk.x.as_deref())?, bytes(jwk.y.as_deref())?);
            if x.len() != length || y.len() != length || jwk.alg.is_some() && named != Some(algorithm) {
                return Err(MALFORMED);
            }
            pair(algorithm, &[&[4], x.as_slice(), y.as_slice()].concat(), jwk.d.as_deref())
        }
        "OKP" => {
            let fits =
                jwk.crv.as_deref() == Some("Ed25519") && (jwk.alg.is_none() || named == Some(Algorithm::Ed25519));
            if !fits {
                return Err(MALFORMED);
            }
            pair(Algorithm::Ed25519, &bytes(jwk.x.as_deref())?, jwk.d.as_deref())
        }
        "oct" => {
            if expected.is_asymmetric() || jwk.alg.is_some() && named != Some(expected) {
                return Err(Error::OtherAlgorithm);
            }
            let mut key = bytes(jwk.k.as_deref())?;
            PrivateKey::from_seed(expected, SecretBytes::new(std::mem::take(&mut key))).map(Imported::Private)
        }
        _ => Err(MALFORMED),
    }
}

/// The public JWK, with members in the order of RFC 7638.
pub(crate) fn encode_public(key: &PublicKey, kid: Option<&str>) -> Value {
    let mut jwk = required(key);
    if let Some(members) = jwk.as_object_mut() {
        members.entry("alg").or_insert_with(|| jose_name(key.algorithm()).into());
        members.insert("use".into(), if key.algorithm().is_kem() { "enc" } else { "sig" }.into());
        if let Some(kid) = kid {
            members.insert("kid".into(), kid.into());
        }
    }
    jwk
}

/// The private JWK as text. A key without a seed has none.
pub(crate) fn encode_private(key: &PrivateKey) -> Result<SecretBytes, Error> {
    if !key.is_seed() {
        return Err(Error::WrongOperation("a JWK without a seed"));
    }
    let algorithm = key.algorithm();
    let mut secret = Zeroizing::new(String::with_capacity(key.material().len() * 4 / 3 + 4));
    URL_SAFE_NO_PAD.encode_string(key.material().expose(), &mut secret);
    let (head, member) = match key.public_key() {
        Some(public) => {
            let mut jwk = required(&public);
            if let Some(members) = jwk.as_object_mut() {
                members.entry("alg").or_insert_with(|| jose_name(algorithm).into());
            }
            let member = if jwk.get("kty") == Some(&json!("AKP")) { "priv" } else { "d" };
            (jwk.to_string(), member)
        }
        None => (json!({"alg": jose_name(algorithm), "kty": "oct"}).to_string(), "k"),
    };
    // The text is put together by hand, so that no JSON value keeps a copy of the secret.
    let open = head.strip_suffix('}').ok_or(Error::Provider)?;
    let mut text = String::with_capacity(open.len() + secret.len() + 12);
    for part in [open, ",\"", member, "\":\"", &secret, "\"}"] {
        text.push_str(part);
    }
    Ok(SecretBytes::new(text.into_bytes()))
}

/// RFC 7638: SHA-256 over the required members, sorted, without blanks.
pub(crate) fn thumbprint(key: &PublicKey) -> String {
    URL_SAFE_NO_PAD.encode(sha256(&[required(key).to_string().as_bytes()]))
}

fn required(key: &PublicKey) -> Value {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match key.algorithm() {
        Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => {
            let crv = if key.algorithm() == Algorithm::EcdsaP256 { "P-256" } else { "P-384" };
            let point = key.raw().get(1..).unwrap_or_default();
            let (x, y) = point.split_at(point.len() / 2);
            json!({"crv": crv, "kty": "EC", "x": text(x), "y": text(y)})
        }
        Algorithm::Ed25519 => json!({"crv": "Ed25519", "kty": "OKP", "x": text(key.raw())}),
        algorithm => json!({"alg": jose_name(algorithm), "kty": "AKP", "pub": text(key.raw())}),
    }
}

fn pair(algorithm: Algorithm, public: &[u8], private: Option<&str>) -> Result<Imported, Error> {
    let public = PublicKey::from_raw(algorithm, public)?;
    let Some(private) = private else { return Ok(Imported::Public(public)) };
    let mut seed = bytes(Some(private))?;
    let key = PrivateKey::from_seed(algorithm, SecretBytes::new(std::mem::take(&mut seed)))?;
    if key.public_key().as_ref() != Some(&public) {
        return Err(Error::MalformedKey("the public half is another key's"));
    }
    Ok(Imported::Private(key))
}

fn bytes(member: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(member.ok_or(MALFORMED)?).map_err(|_| MALFORMED)?;
    Ok(Zeroizing::new(bytes))
}

/// Names in JOSE are exact, unlike those on our own wire.
fn named(name: &str) -> Option<Algorithm> {
    if name == "EdDSA" {
        return Some(Algorithm::Ed25519);
    }
    Algorithm::ALL.iter().find(|algorithm| jose_name(**algorithm) == name).copied()
}

fn jose_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::EcdsaP256 => "ES256",
        Algorithm::EcdsaP384 => "ES384",
        Algorithm::HmacSha256 => "HS256",
        Algorithm::HmacSha384 => "HS384",
        Algorithm::HmacSha512 => "HS512",
        Algorithm::Aes256Gcm => "A256GCM",
        other => other.as_str(),
    }
}

const MALFORMED: Error = Error::MalformedKey("not the expected JWK");
