//! The compact form: three parts with dots between. What a header may say is decided here, for every kind of key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Refusal, json};

/// Which `typ` the caller asks of a token. Media types compare without regard to case, with or without `application/`.
#[derive(Clone, Copy, Debug)]
pub enum Typ<'a> {
    /// This one and nothing else.
    Exactly(&'a str),
    /// This one, or none said: what other issuers and clients sign.
    IfSaid(&'a str),
    /// Whatever it is; the claims decide.
    Any,
}

/// What a checked signature covers.
#[derive(Debug)]
pub struct Verified {
    /// The payload, byte for byte.
    pub payload: Vec<u8>,
    /// The name of the key, if the token named one.
    pub kid: Option<String>,
    /// The algorithm, by its own name.
    pub algorithm: &'static str,
}

/// A token taken apart and not believed yet.
pub(super) struct Parts<'a> {
    /// Header and payload as signed.
    pub(super) signed: &'a str,
    pub(super) payload: &'a str,
    pub(super) signature: Vec<u8>,
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_LIMIT {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(PARTS)?;
        let (header, payload) = signed.split_once('.').ok_or(PARTS)?;
        if payload.contains('.') {
            return Err(PARTS);
        }
        let members = json::object(&decode(header)?)?;
        if let Some(name) = FORBIDDEN.iter().find(|name| members.contains_key(**name)) {
            return Err(Refusal::Header(name));
        }
        let text = |name| json::text(&members, name).map(|text| text.map(str::to_owned));
        let alg = text("alg").map_err(|_| Refusal::Algorithm)?.ok_or(Refusal::Algorithm)?;
        let (kid, typ) = (text("kid")?, text("typ")?);
        if kid.as_ref().is_some_and(|kid| kid.len() > KID_LIMIT) {
            return Err(Refusal::TooLong);
        }
        Ok(Self { signed, payload, signature: decode(signature)?, alg, kid, typ })
    }

    /// The payload, once the signature was found valid.
    pub(super) fn open(self, typ: Typ<'_>, algorithm: &'static str) -> Result<Verified, Refusal> {
        let is_right = match (typ, self.typ.as_deref()) {
            (Typ::Any, _) | (Typ::IfSaid(_), None) => true,
            (Typ::Exactly(asked) | Typ::IfSaid(asked), Some(said)) => media_type(said).eq_ignore_ascii_case(asked),
            (Typ::Exactly(_), None) => false,
        };
        if !is_right {
            return Err(Refusal::Typ);
        }
        Ok(Verified { payload: decode(self.payload)?, kid: self.kid, algorithm })
    }
}

/// The signing input of a header and a payload.
pub(super) fn signing_input(header: &str, payload: &[u8]) -> String {
    let mut text = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 8);
    URL_SAFE_NO_PAD.encode_string(header, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    text
}

/// Adds the signature to its input.
pub(super) fn seal(mut input: String, signature: &[u8]) -> String {
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut input);
    input
}

fn media_type(typ: &str) -> &str {
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
        _ => typ,
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed("not base64url without padding"))
}

const PARTS: Refusal = Refusal::Malformed("not three parts");
const PREFIX: &str = "application/";
/// Twice what an ML-DSA-87 token with a page of claims needs.
const TOKEN_LIMIT: usize = 16 * 1024;
const KID_LIMIT: usize = 256;
/// Keys and addresses of keys, extensions we would have to understand, other forms of payload, and encryption.
const FORBIDDEN: &[&str] = &["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"];
