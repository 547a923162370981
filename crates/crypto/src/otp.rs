//! One-time passwords of a counter (HOTP, RFC 4226) with six digits.
//!
//! SHA-1 is what authenticators compute; what it is broken for, collisions, an HMAC does not rest on. It is used for nothing else.

use aws_lc_rs::hmac;

const MODULUS: u32 = 1_000_000;

/// The password of a counter: six digits, leading zeros included.
pub fn hotp(key: &[u8], counter: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let mac = hmac::sign(&key, &counter.to_be_bytes());
    let mac = mac.as_ref();
    // The last four bits say where the four bytes begin; the longest of them end with the MAC.
    let start = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
    let word = mac.get(start..start + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    format!("{:06}", (word & 0x7fff_ffff) % MODULUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"12345678901234567890";

    #[test]
    fn hotp_gives_the_values_of_rfc_4226_appendix_d() {
        let expected =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, value) in (0..).zip(expected) {
            assert_eq!(hotp(KEY, counter), value, "{counter}");
        }
    }

    #[test]
    fn hotp_gives_the_last_six_digits_of_rfc_6238_appendix_b() {
        for (seconds, eight) in [
            (59_u64, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(hotp(KEY, seconds / 30), eight[2..], "{seconds}");
        }
    }
}
