//! `qapi encrypt`, `decrypt`, `sign` and `verify`: filters between standard input and output, or files.

use std::path::PathBuf;

use api::encryption::{DecryptRequest, Encoding, EncryptRequest, Mode, SignRequest, VerifyRequest};
use api::keys::{KeyFormat, KeyType, ListKeys, ReadPublicKey};
use api::secret::SecretText;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use crypto::algorithm::Algorithm;
use crypto::hash::Hash;
use crypto::key::PublicKey;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup;
use crate::print::Printer;
use crate::session::Session;

#[derive(Args)]
pub struct EncryptInputs {
    /// The text to encrypt; standard input unless given
    #[arg(conflicts_with = "input", allow_hyphen_values = true)]
    text: Option<String>,
    /// Read from a file
    #[arg(long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write to a file
    #[arg(long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// The key, by id or name; the tenant's default unless given
    #[arg(long, value_name = "ID|NAME")]
    key: Option<String>,
    /// Text that decryption has to repeat
    #[arg(long, value_name = "TEXT")]
    aad: Option<String>,
    /// How to protect it
    #[arg(long, value_enum)]
    mode: Option<ModeWord>,
}

/// How a message is protected.
#[derive(Clone, Copy, ValueEnum)]
enum ModeWord {
    /// One encapsulation a message
    Sealed,
    /// Under an epoch key: smaller and faster
    Fast,
}

/// Encrypts.
pub async fn encrypt(inputs: EncryptInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = session.client()?;
    let (plaintext, encoding) = match inputs.text.filter(|text| text != "-") {
        Some(text) => (SecretText::new(text), Encoding::Utf8),
        None => encoded(&input::bytes(inputs.input.as_deref())?),
    };
    let body = EncryptRequest {
        plaintext,
        encoding: Some(encoding),
        key_id: key_id(&client, inputs.key.as_deref()).await?,
        algorithm: None,
        additional_data: inputs.aad.map(SecretText::new),
        mode: inputs.mode.map(|mode| match mode {
            ModeWord::Sealed => Mode::Sealed,
            ModeWord::Fast => Mode::Fast,
        }),
    };
    let encrypted = client.encrypt(&body).await?;
    match inputs.out {
        Some(path) => input::write_private(&path, format!("{}\n", encrypted.encrypted_payload).as_bytes()),
        None => printer.body(&encrypted, |encrypted| encrypted.encrypted_payload.clone()),
    }
}

#[derive(Args)]
pub struct DecryptInputs {
    /// What `encrypt` printed; standard input unless given
    #[arg(conflicts_with = "input")]
    payload: Option<String>,
    /// Read from a file
    #[arg(long = "in", value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write to a file, readable by its owner alone
    #[arg(long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// The text given at encryption
    #[arg(long, value_name = "TEXT")]
    aad: Option<String>,
}

/// Decrypts, and writes the very bytes that were encrypted.
pub async fn decrypt(inputs: DecryptInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let payload = match inputs.payload.filter(|payload| payload != "-") {
        Some(payload) => payload,
        None => input::text(inputs.input.as_deref())?.expose().to_owned(),
    };
    let payload = payload.trim().to_owned();
    let encoding = encoding_of(&payload);
    let body = DecryptRequest {
        encrypted_payload: Some(payload),
        ciphertext: None,
        encapsulated_key: None,
        nonce: None,
        tag: None,
        key_id: None,
        key_version: None,
        additional_data: inputs.aad.map(SecretText::new),
    };
    let decrypted = session.client()?.decrypt(&body).await?;
    if printer.is_json() && inputs.out.is_none() {
        return printer.body(&decrypted, |_| String::new());
    }
    let plaintext = match encoding {
        Encoding::Utf8 => Zeroizing::new(decrypted.plaintext.expose().as_bytes().to_vec()),
        Encoding::Base64 => Zeroizing::new(STANDARD.decode(decrypted.plaintext.expose()).map_err(|_| {
            Failure::failed("the plaintext is not the base64 that its payload says", "--output json to see it")
        })?),
    };
    match inputs.out {
        Some(path) => input::write_private(&path, &plaintext),
        None => printer.bare(&plaintext),
    }
}

#[derive(Args)]
pub struct SignInputs {
    /// The file to sign; standard input unless given
    file: Option<PathBuf>,
    /// The key, by id or name; the tenant's default signing key unless given
    #[arg(long, value_name = "ID|NAME")]
    key: Option<String>,
    /// Write the signature to a file
    #[arg(long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Signs and prints the signature in base64.
pub async fn sign(inputs: SignInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = session.client()?;
    let data = input::bytes(inputs.file.as_deref())?;
    let key_id = signing_key(&client, inputs.key.as_deref()).await?;
    let Message { data, mu, digest } = message(&client, key_id, &data).await?;
    let body = SignRequest { data, mu, digest, key_id, algorithm: None };
    let signed = client.sign(&body).await?;
    match inputs.out {
        Some(path) => input::write_private(&path, format!("{}\n", signed.signature).as_bytes()),
        None => printer.body(&signed, |signed| signed.signature.clone()),
    }
}

#[derive(Args)]
pub struct VerifyInputs {
    /// The file that was signed; standard input unless given
    file: Option<PathBuf>,
    /// The key, by id or name; the tenant's default signing key unless given
    #[arg(long, value_name = "ID|NAME")]
    key: Option<String>,
    /// The signature in base64
    #[arg(long, value_name = "BASE64", required_unless_present = "signature_file", conflicts_with = "signature_file")]
    signature: Option<String>,
    /// The file that the signature is in
    #[arg(long, value_name = "FILE")]
    signature_file: Option<PathBuf>,
}

/// Verifies: the exit status is 0 for valid and 1 for invalid.
pub async fn verify(inputs: VerifyInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = session.client()?;
    let signature = match inputs.signature_file {
        Some(path) => input::text(Some(&path))?.expose().trim().to_owned(),
        None => inputs.signature.unwrap_or_default(),
    };
    // What cannot be a signature is no invalid one: somebody gave a file's name, or half a line.
    if STANDARD.decode(signature.trim()).is_err() {
        return Err(Failure::unusable("the signature is not base64", "--signature-file, or what `qapi sign` printed"));
    }
    let data = input::bytes(inputs.file.as_deref())?;
    let key_id = signing_key(&client, inputs.key.as_deref()).await?;
    let Message { data, mu, digest } = message(&client, key_id, &data).await?;
    let body = VerifyRequest { data, mu, digest, signature, key_id };
    let verified = client.verify(&body).await?;
    printer.body(&verified, |verified| if verified.is_valid { "valid" } else { "invalid" }.to_owned())?;
    Ok(if verified.is_valid { Exit::Done } else { Exit::Failed })
}

/// A message as it travels: whole, or as what of it is signed.
#[derive(Default)]
struct Message {
    data: Option<SecretText>,
    mu: Option<String>,
    digest: Option<String>,
}

/// Messages beyond this stay here: only their representative or digest travels. The signature is the same.
const LARGEST_SENT_BYTES: usize = 4 << 20;

async fn message(client: &sdk::Client, key: Uuid, bytes: &[u8]) -> Result<Message, Failure> {
    if bytes.len() <= LARGEST_SENT_BYTES {
        return Ok(Message { data: Some(SecretText::new(STANDARD.encode(bytes))), ..Message::default() });
    }
    let too_large = || Failure::unusable("the file is too large for this key", "an ML-DSA or ECDSA key");
    let query = ReadPublicKey { format: Some(KeyFormat::Der), ..ReadPublicKey::default() };
    let public = client.public_key(key, &query).await?;
    let public = STANDARD.decode(public.public_key).ok().and_then(|der| PublicKey::from_spki_der(&der).ok());
    let public = public.ok_or_else(too_large)?;
    match public.algorithm() {
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
            let mu = public.mu(b"", bytes).map_err(|_| too_large())?;
            Ok(Message { mu: Some(STANDARD.encode(mu)), ..Message::default() })
        }
        Algorithm::EcdsaP256 => Ok(digest(Hash::Sha256, bytes)),
        Algorithm::EcdsaP384 => Ok(digest(Hash::Sha384, bytes)),
        _ => Err(too_large()),
    }
}

fn digest(hash: Hash, bytes: &[u8]) -> Message {
    Message { digest: Some(STANDARD.encode(hash.digest(bytes))), ..Message::default() }
}

/// Text as it is, anything else as base64.
fn encoded(bytes: &[u8]) -> (SecretText, Encoding) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (SecretText::copy_from(text), Encoding::Utf8),
        Err(_) => (SecretText::new(STANDARD.encode(bytes)), Encoding::Base64),
    }
}

/// How the plaintext was written at encryption: the payload's own `e`. It only decides how the answer is printed; what
/// is not a payload is refused by the server.
fn encoding_of(payload: &str) -> Encoding {
    let json = STANDARD.decode(payload).ok().and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok());
    let word = json.as_ref().and_then(|json| json.get("e")).and_then(serde_json::Value::as_str);
    word.and_then(|word| word.parse().ok()).unwrap_or(Encoding::Utf8)
}

async fn key_id(client: &sdk::Client, reference: Option<&str>) -> Result<Option<Uuid>, Failure> {
    match reference {
        Some(reference) => lookup::key_id(client, reference).await.map(Some),
        None => Ok(None),
    }
}

/// The key that was named, or the tenant's default signing key.
async fn signing_key(client: &sdk::Client, reference: Option<&str>) -> Result<Uuid, Failure> {
    if let Some(reference) = reference {
        return lookup::key_id(client, reference).await;
    }
    let query = ListKeys { key_type: Some(KeyType::Signing), ..ListKeys::default() };
    let default = lookup::all_keys(client, query).await?.into_iter().find(|key| key.is_default);
    default.map(|key| key.id).ok_or_else(|| Failure::failed("no default signing key", "--key with an id or a name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_travels_as_text_and_bytes_as_base64() {
        let (text, encoding) = encoded("größe\n".as_bytes());
        assert_eq!((text.expose(), encoding), ("größe\n", Encoding::Utf8));
        let (text, encoding) = encoded(&[0xff, 0x00]);
        assert_eq!((text.expose(), encoding), ("/wA=", Encoding::Base64));
    }

    #[test]
    fn a_payload_says_how_its_plaintext_was_written() {
        let payload = |json: &str| STANDARD.encode(json);
        assert_eq!(encoding_of(&payload(r#"{"c":"","e":"base64"}"#)), Encoding::Base64);
        assert_eq!(encoding_of(&payload(r#"{"c":"","e":"utf8"}"#)), Encoding::Utf8);
        assert_eq!(encoding_of("nonsense"), Encoding::Utf8);
    }
}
