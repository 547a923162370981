//! Base64 (RFC 4648, section 4), with padding, by the widest instructions that the processor has. Those look nothing up in
//! tables, so that what a secret is does not show in which lines of the cache were touched.

use std::sync::LazyLock;

use base64::Engine as _;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::engine::GeneralPurpose as Widest;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::Simd as Widest;
use base64::engine::general_purpose::PAD;

/// Chosen once: what the processor can does not change.
static ENGINE: LazyLock<Widest> = LazyLock::new(engine);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn engine() -> Widest {
    Widest::standard(PAD)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn engine() -> Widest {
    Widest::new(&base64::alphabet::STANDARD, PAD)
}

/// The text of some bytes.
pub fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Appends the text of some bytes.
pub fn encode_into(bytes: &[u8], out: &mut String) {
    ENGINE.encode_string(bytes, out);
}

/// The bytes of a text; none when it is not base64 to the letter: no blanks, no other alphabet, all of its padding.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn it_says_what_the_plain_engine_says() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|at| (at * 167 + at / 7) as u8).collect();
        for length in (0..200).chain([767, 768, 769, 1_000]) {
            let (part, _) = bytes.split_at(length);
            let text = STANDARD.encode(part);
            let mut appended = "x".to_owned();
            encode_into(part, &mut appended);
            assert_eq!(encode(part), text);
            assert_eq!(appended, format!("x{text}"));
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(part));
        }
    }

    #[test]
    fn it_refuses_what_the_plain_engine_refuses() {
        let long = STANDARD.encode([7; 96]);
        let texts = ["A", "AA", "AAA", "AAE", "AAF=", "AA==AA==", "AA=A", "A A=", "AA\n==", "-_-_", "=AAA"];
        let damaged = (0..long.len()).map(|at| format!("{}*{}", &long[..at], &long[at + 1..]));
        for text in
            texts.map(str::to_owned).into_iter().chain(damaged).chain([format!("{long}="), long.replace('H', "")])
        {
            assert_eq!(decode(text.as_bytes()), STANDARD.decode(&text).ok(), "{text}");
        }
        assert_eq!(decode(b"AAF="), None, "bits beyond the end");
    }
}
