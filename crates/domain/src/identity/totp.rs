//! Codes of an authenticator (TOTP, RFC 6238): thirty seconds long, six digits, each taken once.

use crate::time::Timestamp;

/// How long a code lasts.
const STEP_S: i64 = 30;
/// How many steps a clock may be off, either way.
const DRIFT: i64 = 1;
/// The secret's length in bytes: that of the hash (RFC 4226, 4, R6).
pub const SECRET_LEN: usize = 20;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What somebody typed, if it can be a code: six digits, whatever spaces are between them.
pub fn read(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// The step whose code this is, if it may be taken now: none at or before the last that was taken. `is_code_of` compares in constant time.
pub fn accepted(now: Timestamp, last_step: i64, is_code_of: impl Fn(u64) -> bool) -> Option<i64> {
    let step = now.seconds().div_euclid(STEP_S);
    (step - DRIFT..=step + DRIFT)
        .filter(|step| *step > last_step)
        .find(|step| u64::try_from(*step).is_ok_and(&is_code_of))
}

/// The secret as people type it: base 32 without padding.
pub fn spelled(secret: &[u8]) -> String {
    let mut text = String::with_capacity(secret.len().div_ceil(5) * 8);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in secret {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(letter(bits >> count));
        }
    }
    if count > 0 {
        text.push(letter(bits << (5 - count)));
    }
    text
}

fn letter(bits: u32) -> char {
    BASE32.get((bits & 31) as usize).copied().map_or('A', char::from)
}

/// The address that an authenticator reads (the key URI that every one of them knows). Names arrive percent-encoded.
pub fn uri(issuer: &str, account: &str, secret: &[u8]) -> String {
    let (issuer, account) = (encoded(issuer), encoded(account));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
        spelled(secret)
    )
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_once_and_a_minute_around_its_time() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        for (seconds, last, code_of, expected) in [
            (300, 0, 10, Some(10)),
            (329, 0, 10, Some(10)),
            (330, 0, 10, Some(10)),
            (360, 0, 10, None),
            (270, 0, 10, Some(10)),
            (269, 0, 10, None),
            (300, 10, 10, None),
            (300, 10, 9, None),
            (300, 9, 10, Some(10)),
            (300, 10, 11, Some(11)),
        ] {
            assert_eq!(accepted(at(seconds), last, |step| step == code_of), expected, "{seconds} {last} {code_of}");
        }
    }

    #[test]
    fn codes_are_six_digits_with_spaces_anywhere() {
        assert_eq!(read(" 123 456 "), Some("123456".to_owned()));
        for wrong in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_spelled_as_rfc_4648_does() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "MY"),
            (b"fo", "MZXQ"),
            (b"foo", "MZXW6"),
            (b"foob", "MZXW6YQ"),
            (b"fooba", "MZXW6YTB"),
            (b"foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(spelled(bytes), text);
        }
        assert_eq!(
            uri("My app", "ada&co@b.example", b"foobar"),
            "otpauth://totp/My%20app:ada%26co@b.example?secret=MZXW6YTBOI&issuer=My%20app&algorithm=SHA1&digits=6&period=30"
        );
    }
}
