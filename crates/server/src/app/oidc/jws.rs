//! The form of tokens, as the provider uses `crypto::jose`: which types of token there are, and how assertions of clients are read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jose::{Claims, KeySet, Refusal, Typ};

/// The type of an access token (RFC 9068).
pub const ACCESS: &str = "at+jwt";
/// The type of an ID token.
pub const ID: &str = "JWT";

/// Bytes in base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The keys of a client: one that is usable at least.
pub fn read_set(jwks: &str) -> Result<KeySet, Refusal> {
    let keys = KeySet::read(jwks)?;
    if keys.keys().is_empty() { Err(Refusal::KeySet("no key of it is usable here")) } else { Ok(keys) }
}

/// The claims of a token that a key of a client's set signed.
pub fn claims_by(keys: &KeySet, token: &str) -> Result<Claims, Refusal> {
    Claims::read(&keys.verify(token, Typ::Any)?.payload)
}

/// Whose issuer it says that it is of. Good for choosing whose keys to verify it with, and for nothing else.
pub fn unverified_issuer(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    Claims::read(&payload).ok()?.text("iss").ok()?.map(str::to_owned)
}

/// Whose assertion it says that it is. Good for choosing whose keys to verify it with, and for nothing else.
pub fn unverified_subject(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    Claims::read(&payload).ok()?.text("sub").ok()?.map(str::to_owned)
}
