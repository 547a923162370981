//! Content digests (OCI image specification, `descriptor.md`): an algorithm and the lower-case hexadecimal hash of the content.

use std::fmt;
use std::str::FromStr;

use crypto::hash::{Hash, Running, ct_eq};
use serde::{Deserialize, Serialize};

/// What a content hashes to. Only algorithms that we can compute have a digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// How contents are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, of nearly everything there is.
    Sha256,
    /// SHA-384, which in-toto knows and registries do not.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The text is not a digest.
#[derive(Debug, thiserror::Error)]
pub enum NotADigest {
    /// There is no `:`, or nothing that we know before it.
    #[error("it does not begin with sha256:, sha384: or sha512:")]
    Algorithm,
    /// The hash is not lower-case hexadecimal of the algorithm's length.
    #[error("its hash is not lower-case hexadecimal of the length of {0}")]
    Hash(&'static str),
}

impl Algorithm {
    /// As in-toto and OCI spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512].into_iter().find(|known| known.as_str() == name)
    }

    /// The start of a hash over a content that comes in pieces.
    pub fn hashing(self) -> Hashing {
        Hashing { algorithm: self, state: self.hash().start() }
    }

    fn hash(self) -> Hash {
        match self {
            Self::Sha256 => Hash::Sha256,
            Self::Sha384 => Hash::Sha384,
            Self::Sha512 => Hash::Sha512,
        }
    }
}

/// A hash over a content that comes in pieces.
pub struct Hashing {
    algorithm: Algorithm,
    state: Running,
}

impl Hashing {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.state.update(piece);
    }

    /// The digest of what has come so far.
    pub fn digest(&self) -> Digest {
        Digest { algorithm: self.algorithm, hex: hex::encode(self.state.digest()) }
    }
}

impl Digest {
    /// The SHA-256 of a content.
    pub fn of(content: &[u8]) -> Self {
        Self::with(Algorithm::Sha256, content)
    }

    /// The hash of a content.
    pub fn with(algorithm: Algorithm, content: &[u8]) -> Self {
        Self { algorithm, hex: hex::encode(algorithm.hash().digest(content)) }
    }

    /// A digest of two parts, as in-toto spells it.
    pub fn from_parts(algorithm: Algorithm, hex: &str) -> Result<Self, NotADigest> {
        let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || hex.len() != 2 * algorithm.hash().output_len() {
            return Err(NotADigest::Hash(algorithm.as_str()));
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }

    /// How the content was hashed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash in hexadecimal.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Whether this is the digest of `content`: what a registry says of itself is not believed without it.
    pub fn is_of(&self, content: &[u8]) -> bool {
        ct_eq(self.hex.as_bytes(), hex::encode(self.algorithm.hash().digest(content)).as_bytes())
    }

    /// As tags spell it that stand for what belongs to an image: with `-`, because a tag has no `:`.
    pub fn as_tag(&self) -> String {
        format!("{}-{}", self.algorithm.as_str(), self.hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let (name, hex) = text.split_once(':').ok_or(NotADigest::Algorithm)?;
        Self::from_parts(Algorithm::named(name).ok_or(NotADigest::Algorithm)?, hex)
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written_and_in_no_other_form() {
        let digest = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        assert!(digest.is_of(b"") && !digest.is_of(b" "));
        assert_eq!(digest.as_tag(), text.replace(':', "-"));
        for wrong in [
            "sha256:e3b0",
            "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "",
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
