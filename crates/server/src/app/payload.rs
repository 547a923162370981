//! How a message is spelled: the contract's payload with its parts, and transit's one-line text.

use std::borrow::Cow;

use api::encryption::{DecryptRequest, Encoding as WireEncoding, EncryptResponse};
use api::secret::SecretText;
use crypto::message::{Encoding, Message};
use crypto::secret::SecretBytes;
use crypto::{Refused, base64};
use domain::ids::KeyId;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::problem::{Outcome, Problem};

/// The payload's members in the order of the contract (4.2), and `v`, without which a payload is not ours.
#[derive(Deserialize)]
struct Payload<'a> {
    c: Cow<'a, str>,
    ek: Cow<'a, str>,
    n: Cow<'a, str>,
    t: Cow<'a, str>,
    k: KeyId,
    kv: u32,
    e: Cow<'a, str>,
    v: u8,
}

const FORMAT: u8 = 1;

/// The answer to an encryption: the payload, and the same message in parts.
pub fn encrypted(message: &Message, algorithm: &str) -> EncryptResponse {
    let header = message.header();
    let spelled = base64::encode;
    EncryptResponse {
        encrypted_payload: to_payload(message),
        ciphertext: spelled(&message.c()),
        encapsulated_key: spelled(message.encapsulation()),
        nonce: spelled(message.nonce()),
        tag: spelled(message.tag()),
        algorithm: algorithm.to_owned(),
        key_id: KeyId::from_bytes(header.key).uuid(),
        key_version: header.version,
    }
}

/// The payload alone. Its JSON is put together here: no member has a character that JSON escapes, and looking for one in every
/// character of every field was a tenth of a batch.
pub fn to_payload(message: &Message) -> String {
    let (header, c, ek) = (message.header(), message.c(), message.encapsulation());
    let mut json = String::with_capacity((c.len() + ek.len()) * 4 / 3 + 192);
    let parts = [
        (r#"{"c":""#, c.as_slice()),
        (r#"","ek":""#, ek),
        (r#"","n":""#, message.nonce()),
        (r#"","t":""#, message.tag()),
    ];
    for (name, part) in parts {
        json.push_str(name);
        base64::encode_into(part, &mut json);
    }
    let key = KeyId::from_bytes(header.key).uuid();
    json.push_str(r#"","k":""#);
    json.push_str(key.as_hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
    json.push_str(r#"","kv":"#);
    json.push_str(&header.version.to_string());
    json.push_str(r#","e":""#);
    json.push_str(encoding_text(header.encoding));
    json.push_str(r#"","v":"#);
    json.push(char::from(b'0' + FORMAT));
    json.push('}');
    base64::encode(json.as_bytes())
}

/// Reads a payload. What the members say beside the message must be what the message says.
pub fn from_payload(text: &str) -> Outcome<Message> {
    let json = base64::decode(text.as_bytes()).ok_or(Refused)?;
    let payload: Payload<'_> = serde_json::from_slice(&json).map_err(|_| foreign(&json))?;
    let message = from_parts(&payload.c, &payload.ek, &payload.n, &payload.t)?;
    let header = message.header();
    let same = payload.v == FORMAT
        && payload.k == KeyId::from_bytes(header.key)
        && payload.kv == header.version
        && payload.e == encoding_text(header.encoding);
    if same { Ok(message) } else { Err(Refused.into()) }
}

/// The vendor's own payloads look alike and have no `v`: how their key is derived is not known, so they are refused
/// with a reason instead of a riddle.
fn foreign(json: &[u8]) -> Problem {
    let value: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(json).ok();
    if value.is_some_and(|value| value.contains_key("ek") && !value.contains_key("v")) {
        let message =
            "This payload was made by another server: it has no format version (v) and cannot be opened here.";
        return Problem::new(api::error::ErrorCode::DecryptionFailed, message);
    }
    Refused.into()
}

/// Reads whichever form a decryption was asked in.
pub fn from_request(request: &DecryptRequest) -> Outcome<Message> {
    if let Some(payload) = &request.encrypted_payload {
        return from_payload(payload);
    }
    let missing = || Problem::invalid("Give encryptedPayload, or ciphertext with encapsulatedKey, nonce and tag.");
    let (Some(c), Some(n), Some(t)) = (&request.ciphertext, &request.nonce, &request.tag) else {
        return Err(missing());
    };
    let message = from_parts(c, request.encapsulated_key.as_deref().unwrap_or_default(), n, t)?;
    let header = message.header();
    let key_differs = request.key_id.is_some_and(|key| key != KeyId::from_bytes(header.key).uuid());
    if key_differs || request.key_version.is_some_and(|version| version != header.version) {
        return Err(Refused.into());
    }
    Ok(message)
}

fn from_parts(c: &str, ek: &str, n: &str, t: &str) -> Outcome<Message> {
    let decode = |text: &str| base64::decode(text.as_bytes()).ok_or(Refused);
    Ok(Message::from_parts(&decode(c)?, &decode(ek)?, &decode(n)?, &decode(t)?)?)
}

/// `vault:v{version}:{base64}`.
pub fn to_transit(message: &Message) -> String {
    transit_text(message.header().version, &message.to_bytes())
}

/// The text that carries a version and bytes.
pub fn transit_text(version: u32, bytes: &[u8]) -> String {
    format!("vault:v{version}:{}", base64::encode(bytes))
}

/// Reads a transit ciphertext; the version outside must be the one inside.
pub fn from_transit(text: &str) -> Outcome<Message> {
    let (version, bytes) = split_transit(text).ok_or(Refused)?;
    let message = Message::parse(&bytes)?;
    if message.header().version == version { Ok(message) } else { Err(Refused.into()) }
}

/// The version and the bytes of a transit text.
pub fn split_transit(text: &str) -> Option<(u32, Vec<u8>)> {
    let (version, bytes) = text.strip_prefix("vault:v")?.split_once(':')?;
    // One spelling for one number: no sign, no leading zero.
    let parsed: u32 = version.parse().ok()?;
    (parsed.to_string() == version).then_some(())?;
    Some((parsed, base64::decode(bytes.as_bytes())?))
}

/// The bytes of a plaintext in its encoding.
pub fn plaintext(text: &SecretText, encoding: Encoding) -> Outcome<SecretBytes> {
    match encoding {
        Encoding::Utf8 => Ok(SecretBytes::copy_from(text.expose().as_bytes())),
        Encoding::Base64 => base64_secret(text, "plaintext"),
    }
}

/// The bytes of a base64 field.
pub fn base64_secret(text: &SecretText, field: &str) -> Outcome<SecretBytes> {
    let bytes = base64::decode(text.expose().as_bytes());
    bytes.map(SecretBytes::new).ok_or_else(|| Problem::invalid(format!("{field} is not base64 (RFC 4648, section 4).")))
}

/// The plaintext in an encoding.
pub fn spelled(plaintext: &SecretBytes, encoding: Encoding) -> Outcome<SecretText> {
    match encoding {
        Encoding::Base64 => Ok(SecretText::new(base64::encode(plaintext.expose()))),
        Encoding::Utf8 => {
            let text = std::str::from_utf8(plaintext.expose()).map_err(|_| Refused)?;
            Ok(SecretText::copy_from(text))
        }
    }
}

/// Bytes as base64 text that is wiped.
pub fn base64_text(bytes: &[u8]) -> SecretText {
    SecretText::new(base64::encode(bytes))
}

/// The wire's word as the format's.
pub fn encoding(wire: Option<WireEncoding>, default: Encoding) -> Encoding {
    match wire {
        None => default,
        Some(WireEncoding::Utf8) => Encoding::Utf8,
        Some(WireEncoding::Base64) => Encoding::Base64,
    }
}

fn encoding_text(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "utf8",
        Encoding::Base64 => "base64",
    }
}

/// The bytes of optional associated data; absent and empty are the same.
pub fn associated(data: Option<&SecretText>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(data.map(|text| text.expose().as_bytes().to_vec()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transit_text_has_one_spelling() {
        assert_eq!(split_transit("vault:v12:AAE="), Some((12, vec![0, 1])));
        for text in [
            "",
            "vault:1:AAE=",
            "vault:v:AAE=",
            "vault:v01:AAE=",
            "vault:v+1:AAE=",
            "vault:v1:AAE",
            "vault:v1",
            "VAULT:v1:AAE=",
        ] {
            assert_eq!(split_transit(text), None, "{text}");
        }
    }

    #[test]
    fn a_payload_of_the_vendor_is_refused_with_a_reason() {
        let foreign = base64::encode(br#"{"c":"AA==","ek":"AA==","n":"AA==","t":"AA==","k":"k","kv":1,"e":"utf8"}"#);
        let Err(problem) = from_payload(&foreign) else { panic!("accepted") };
        assert!(problem.message.contains("format version"));
    }
}
