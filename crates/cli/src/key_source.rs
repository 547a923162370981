//! Where keys come from that sign software or that are trusted to have signed it: files, standard input, the environment, the
//! vault.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use api::secret::SecretText;
use crypto::algorithm::{Algorithm, Purpose};
use crypto::import::{Format, Imported, import};
use crypto::key::{PrivateKey, PublicKey};
use crypto::key_file;
use crypto::secret::SecretBytes;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input;
use crate::session::variable;

/// A place where a key lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// An environment variable that holds what a file would: `env://NAME`.
    Variable(String),
    /// The vault: `qapi://ID` or `qapi://NAME`. The private half does not leave it.
    Vault(String),
}

/// The variable that pipelines hand a key over in.
pub const KEY_VARIABLE: &str = "COSIGN_PRIVATE_KEY";
/// The variable with the passphrase of key files.
pub const PASSPHRASE_VARIABLE: &str = "COSIGN_PASSWORD";
const VAULT: &str = "qapi://";
const VARIABLE: &str = "env://";
/// No key is as long as this.
const LONGEST_KEY_BYTES: u64 = 4 << 20;

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text.strip_prefix(VAULT), text.strip_prefix(VARIABLE)) {
            (Some(""), _) | (_, Some("")) => Err(format!("{text} names no key")),
            (Some(reference), _) => Ok(Self::Vault(reference.to_owned())),
            (_, Some(name)) => Ok(Self::Variable(name.to_owned())),
            _ if text == "-" => Ok(Self::Stdin),
            _ if text.contains("://") => {
                Err(format!("{text}: keys are read from files, env://NAME and qapi://ID, and - is standard input"))
            }
            _ => Ok(Self::File(text.into())),
        }
    }
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
            Self::Variable(name) => write!(f, "{VARIABLE}{name}"),
            Self::Vault(reference) => write!(f, "{VAULT}{reference}"),
        }
    }
}

impl KeySource {
    /// What lies there, of a place on this machine. Nothing is there when the variable is empty or not set.
    pub fn content(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match self {
            Self::File(path) => bounded(path).map(Some),
            Self::Stdin => input::bytes(None).map(Some),
            Self::Variable(name) => Ok(variable(name).map(|text| Zeroizing::new(text.into_bytes()))),
            Self::Vault(_) => Ok(None),
        }
    }
}

fn bounded(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let length = std::fs::metadata(path).map_err(|error| Failure::file("reading", path, &error))?.len();
    if length > LONGEST_KEY_BYTES {
        return Err(Failure::unusable(format!("{} is too long to be a key", path.display()), "another file"));
    }
    input::bytes(Some(path))
}

/// A private key from its text: a key file under a passphrase, as cosign writes it, or bare PEM.
pub fn private_key(content: &[u8], name: &str) -> Result<PrivateKey, Failure> {
    let unusable = |error: crypto::Error| {
        Failure::unusable(format!("{name}: {error}"), "a key file of `qapi keys create-signing` or of cosign")
    };
    if key_file::is_key_file(content) {
        let text = std::str::from_utf8(content)
            .map_err(|_| unusable(crypto::Error::MalformedKey("the key file is not text")))?;
        let passphrase = passphrase(name)?;
        return key_file::open(text, &passphrase).map_err(|error| match error {
            crypto::Error::MalformedKey(_) => Failure::unusable(
                format!("{name}: {error}"),
                format!("{PASSPHRASE_VARIABLE} with the passphrase of the key file"),
            ),
            other => unusable(other),
        });
    }
    if !content.trim_ascii_start().starts_with(b"-----BEGIN") {
        return Err(unusable(crypto::Error::MalformedKey("neither a key file nor PEM")));
    }
    let signing = Algorithm::ALL.iter().filter(|algorithm| algorithm.purpose() == Purpose::Signing);
    let mut refused = crypto::Error::MalformedKey("not a signing key");
    for algorithm in signing {
        match import(*algorithm, Format::Pem, content, false) {
            Ok(Imported::Private(key)) => return Ok(key),
            Ok(Imported::Public(_)) => {
                return Err(unusable(crypto::Error::WrongHalf("it is a public key, and a private one signs")));
            }
            Err(crypto::Error::OtherAlgorithm) => {}
            Err(error) => refused = error,
        }
    }
    Err(unusable(refused))
}

/// The public key of a text.
pub fn public_key(content: &[u8], name: &str) -> Result<PublicKey, Failure> {
    let unusable = |what: &str| Failure::unusable(format!("{name}: {what}"), "the public key in PEM, or a key ring");
    let text = std::str::from_utf8(content).map_err(|_| unusable("the key is not text"))?;
    if text.contains("PRIVATE KEY-----") {
        return Err(unusable("it is a private key, and verification takes the public one"));
    }
    PublicKey::from_pem(text).map_err(|error| unusable(&error.to_string()))
}

/// The passphrase of key files: of the environment, of the terminal, or the empty one.
fn passphrase(name: &str) -> Result<SecretBytes, Failure> {
    use std::io::IsTerminal as _;
    let typed = match std::env::var(PASSPHRASE_VARIABLE) {
        Ok(text) => SecretText::new(text),
        Err(_) if std::io::stdin().is_terminal() => input::hidden(&format!("Passphrase of {name}"))?,
        Err(_) => SecretText::new(String::new()),
    };
    Ok(SecretBytes::copy_from(typed.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_keys_are_told_apart() {
        for (text, expected) in [
            ("cosign.key", Some(KeySource::File("cosign.key".into()))),
            ("-", Some(KeySource::Stdin)),
            ("env://COSIGN_PRIVATE_KEY", Some(KeySource::Variable("COSIGN_PRIVATE_KEY".into()))),
            ("qapi://release", Some(KeySource::Vault("release".into()))),
            ("qapi://", None),
            ("env://", None),
            ("awskms://alias/x", None),
            ("https://example.org/key", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
