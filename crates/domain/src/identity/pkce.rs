//! PKCE (RFC 7636) with S256, which every authorization request has: what a code was asked with is what it is redeemed with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::hash::{ct_eq, sha256};

/// Whether the text can be the challenge of a verifier: SHA-256 in base64url, 43 characters.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether the verifier is the one of the challenge. One of another form than RFC 7636 gives it is none.
pub fn fits(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && ct_eq(URL_SAFE_NO_PAD.encode(sha256(&[verifier.as_bytes()])).as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_verifier_of_the_standard_fits_its_challenge_and_no_other() {
        assert!(is_challenge(CHALLENGE) && fits(CHALLENGE, VERIFIER));
        assert!(!fits(VERIFIER, VERIFIER), "plain is not a method");
        assert!(!fits(CHALLENGE, &VERIFIER[1..]) && !fits(CHALLENGE, "") && !fits(CHALLENGE, &"a".repeat(129)));
        for text in ["", "abc", &"a".repeat(44), &"!".repeat(43)] {
            assert!(!is_challenge(text), "{text}");
        }
    }
}
