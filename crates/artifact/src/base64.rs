//! Base64 as DSSE and protobuf's JSON write it: readers take the standard and the URL-safe alphabet, with padding or without
//! it, but never two of the alphabets in one text.

use ::base64::Engine as _;
use ::base64::alphabet::{self, Alphabet};
use ::base64::engine::general_purpose::STANDARD as WRITER;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserializer, Serializer, de};

/// The bytes of a text.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

/// The text of some bytes: standard alphabet, padded.
pub fn encode(bytes: &[u8]) -> String {
    WRITER.encode(bytes)
}

/// For `#[serde(with)]`: bytes that stand in JSON as text.
pub mod text {
    use serde::Deserialize as _;

    use super::{Deserializer, Serializer, de, decode, encode};

    /// Writes the text.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(bytes))
    }

    /// Reads the bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        decode(&String::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("not base64"))
    }
}

const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_and_never_mixed() {
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(decode(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        for text in ["+_8=", "%%%", "+/9", "+/8==", "+ /8", "+/8=\n"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
        assert_eq!(encode(&[0xfb, 0xff]), "+/8=");
    }
}
