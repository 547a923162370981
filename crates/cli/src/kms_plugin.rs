//! `sigstore-kms-qapi`: the vault's signing keys for tools that know Sigstore's plug-ins, protocol `v1`
//! (sigstore/sigstore, `pkg/signature/kms/cliplugin`).
//!
//! The tool runs this program once a question: the question is JSON in the second argument, a message comes on standard input,
//! and one JSON object goes to standard output. Which server and which credential is read from the environment and the profile,
//! as `qapi` does. Private halves do not leave the vault: what travels is a digest.

mod protocol;

use std::io::{Read as _, Write as _};
use std::time::Duration;

use api::encryption::{SignRequest, VerifyRequest};
use api::error::ErrorCode;
use api::keys::{CreateKey, KeyFormat, KeyType, ReadPublicKey};
use api::secret::SecretText;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::algorithm::Algorithm;
use crypto::hash::Hash;
use crypto::key::PublicKey;
use uuid::Uuid;

use self::protocol::{Answer, InitOptions, MessageOptions, Method, Question, RpcOptions};
use crate::arguments::Globals;
use crate::clock;
use crate::failure::Failure;
use crate::lookup;
use crate::session::Session;

/// Messages beyond this are not read. Tools send digests of what is large.
const LONGEST_MESSAGE_BYTES: u64 = 256 << 20;
/// What keys can be made of, as the tools may name it, and the algorithm. The first is the default.
const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("ecdsa-p256", Algorithm::EcdsaP256),
    ("ecdsa-p384", Algorithm::EcdsaP384),
    ("ed25519", Algorithm::Ed25519),
    ("ml-dsa-65", Algorithm::MlDsa65),
];

/// Answers the question of the command line. What goes wrong is an answer too.
pub async fn answer(arguments: &[String], globals: Globals) -> (Answer, bool) {
    let answered = match Question::of(arguments) {
        Ok(question) => within_deadline(question, globals).await,
        Err(failure) => Err(failure),
    };
    match answered {
        Ok(answer) => (answer, true),
        Err(failure) => (Answer::failed(failure.to_string()), false),
    }
}

/// Writes an answer.
pub fn write(answer: &Answer) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

async fn within_deadline(question: Question, globals: Globals) -> Result<Answer, Failure> {
    let Some(deadline) = question.deadline() else {
        return Plugin::new(question.init, globals)?.ask(question.method).await;
    };
    let left = u64::try_from(deadline.timestamp().millis().saturating_sub(clock::now().millis())).unwrap_or_default();
    let answered = async { Plugin::new(question.init, globals)?.ask(question.method).await };
    match tokio::time::timeout(Duration::from_millis(left), answered).await {
        Ok(answered) => answered,
        Err(_) => Err(Failure::failed("the time that the tool gave is over", "a longer --timeout of the tool")),
    }
}

struct Plugin {
    client: sdk::Client,
    init: InitOptions,
}

impl Plugin {
    fn new(init: InitOptions, globals: Globals) -> Result<Self, Failure> {
        Ok(Self { client: Session::new(globals).client()?, init })
    }

    async fn ask(&self, method: Method) -> Result<Answer, Failure> {
        match method {
            Method::DefaultAlgorithm => Ok(Answer::default_algorithm(ALGORITHMS[0].0)),
            Method::SupportedAlgorithms => Ok(Answer::supported_algorithms(ALGORITHMS.map(|(name, _)| name).into())),
            Method::CreateKey { algorithm } => Ok(Answer::created(&self.create(&algorithm).await?)),
            Method::PublicKey { rpc } => Ok(Answer::public(&self.public(&rpc).await?.1)),
            Method::SignMessage { rpc, message } => Ok(Answer::signed(&self.sign(&rpc, &message).await?)),
            Method::VerifySignature { signature, rpc, message } => {
                self.verify(&signature, &rpc, &message).await?;
                Ok(Answer::verified())
            }
        }
    }

    /// A key of the name; the one that is there already if it is of the algorithm.
    async fn create(&self, algorithm: &str) -> Result<PublicKey, Failure> {
        let known = ALGORITHMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(algorithm));
        let (_, wanted) = known.ok_or_else(|| {
            let names = ALGORITHMS.map(|(name, _)| name).join(", ");
            Failure::unusable(format!("no algorithm {algorithm}"), names)
        })?;
        let body = CreateKey {
            name: self.init.key_resource_id.clone(),
            key_type: KeyType::Signing,
            algorithm: wanted.as_str().to_owned(),
            purpose: None,
            description: None,
            expires_at: None,
            set_as_default: false,
            exportable: false,
            labels: None,
        };
        match self.client.create_key(&body).await {
            Ok(_) => {}
            Err(error) if error.code() == Some(ErrorCode::KeyNameConflict) => {}
            Err(error) => return Err(error.into()),
        }
        let (_, public) = self.public(&RpcOptions::default()).await?;
        if public.algorithm() != *wanted {
            let what = format!("{} is there, of {}", self.init.key_resource_id, public.algorithm());
            return Err(Failure::unusable(what, "another name"));
        }
        Ok(public)
    }

    async fn public(&self, rpc: &RpcOptions) -> Result<(Uuid, PublicKey), Failure> {
        let reference = &self.init.key_resource_id;
        let id = lookup::key_id(&self.client, reference).await?;
        let query = ReadPublicKey { format: Some(KeyFormat::Der), include: None, version: rpc.version()? };
        let read = self.client.public_key(id, &query).await?;
        let der = STANDARD.decode(&read.public_key).ok();
        let public = der.and_then(|der| PublicKey::from_spki_der(&der).ok());
        let public = public.ok_or_else(|| {
            Failure::unusable(format!("{reference} is an {} key", read.algorithm), "a key that signs")
        })?;
        Ok((id, public))
    }

    async fn sign(&self, rpc: &RpcOptions, options: &MessageOptions) -> Result<Vec<u8>, Failure> {
        if rpc.version()?.is_some() {
            return Err(Failure::unusable("the newest version of a key signs", "no version of the key"));
        }
        let (id, public) = self.public(rpc).await?;
        let wire = to_sign(&public, &self.input(&public, options)?)?;
        let body = SignRequest { data: wire.data, mu: wire.mu, digest: wire.digest, key_id: id, algorithm: None };
        let signed = self.client.sign(&body).await?;
        STANDARD.decode(signed.signature).map_err(|_| Failure::failed("the answer is no signature", "`qapi health`"))
    }

    async fn verify(&self, signature: &[u8], rpc: &RpcOptions, options: &MessageOptions) -> Result<(), Failure> {
        let (id, public) = self.public(rpc).await?;
        let input = self.input(&public, options)?;
        let is_valid = if rpc.remote_verification.unwrap_or_default() {
            let wire = to_sign(&public, &input)?;
            let signature = STANDARD.encode(signature);
            let body = VerifyRequest { data: wire.data, mu: wire.mu, digest: wire.digest, signature, key_id: id };
            self.client.verify(&body).await?.is_valid
        } else {
            match &input {
                Input::Message(message) => public.verify(message, signature),
                Input::Digest(digest) => public.verify_digest(digest, signature),
            }
        };
        if is_valid { Ok(()) } else { Err(Failure::failed("the signature is not valid", "another signature or key")) }
    }

    /// What is signed: a digest for curves, the message for what hashes by itself.
    fn input(&self, public: &PublicKey, options: &MessageOptions) -> Result<Input, Failure> {
        let width = match public.algorithm() {
            Algorithm::EcdsaP256 => 32,
            Algorithm::EcdsaP384 => 48,
            other => {
                return match options.digest()? {
                    None => Ok(Input::Message(message()?)),
                    Some(_) => {
                        Err(Failure::unusable(format!("{other} keys sign messages, not digests"), "an ECDSA key"))
                    }
                };
            }
        };
        let hash = hash(options.hash_func.unwrap_or(self.init.hash_func))?;
        let digest = match options.digest()? {
            Some(digest) if digest.len() == hash.output_len() => digest,
            Some(digest) => {
                let what = format!("the digest has {} bytes, and the hash gives {}", digest.len(), hash.output_len());
                return Err(Failure::unusable(what, "a digest of the hash that was named"));
            }
            None => hash.digest(&message()?),
        };
        Ok(Input::Digest(fitted(digest, width)))
    }
}

enum Input {
    Message(Vec<u8>),
    Digest(Vec<u8>),
}

#[derive(Default)]
struct Wire {
    data: Option<SecretText>,
    mu: Option<String>,
    digest: Option<String>,
}

fn to_sign(public: &PublicKey, input: &Input) -> Result<Wire, Failure> {
    match input {
        Input::Digest(digest) => Ok(Wire { digest: Some(STANDARD.encode(digest)), ..Wire::default() }),
        Input::Message(message) if public.algorithm().is_ml_dsa() => {
            let mu = public.mu(b"", message);
            let mu = mu.map_err(|error| Failure::unusable(error.to_string(), "an ECDSA key"))?;
            Ok(Wire { mu: Some(STANDARD.encode(mu)), ..Wire::default() })
        }
        Input::Message(message) => {
            Ok(Wire { data: Some(SecretText::new(STANDARD.encode(message))), ..Wire::default() })
        }
    }
}

/// A digest as wide as the curve: ECDSA takes the leftmost bits of a longer one (FIPS 186-5, section 6.4.1), and a shorter one
/// as the number that it is.
fn fitted(mut digest: Vec<u8>, width: usize) -> Vec<u8> {
    digest.truncate(width);
    let mut fitted = vec![0; width.saturating_sub(digest.len())];
    fitted.append(&mut digest);
    fitted
}

/// Hashes by the numbers of Go's `crypto.Hash`.
fn hash(number: u32) -> Result<Hash, Failure> {
    match number {
        5 => Ok(Hash::Sha256),
        6 => Ok(Hash::Sha384),
        7 => Ok(Hash::Sha512),
        other => Err(Failure::unusable(format!("no hash {other}"), "SHA-256, SHA-384 or SHA-512 (5, 6 or 7)")),
    }
}

fn message() -> Result<Vec<u8>, Failure> {
    let mut message = Vec::new();
    let read = std::io::stdin().lock().take(LONGEST_MESSAGE_BYTES + 1).read_to_end(&mut message);
    let read = read.map_err(|error| Failure::failed(format!("reading the message: {error}"), "again"))?;
    if u64::try_from(read).is_ok_and(|read| read > LONGEST_MESSAGE_BYTES) {
        return Err(Failure::unusable("the message is too long", "a digest of it"));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use crypto::key::PrivateKey;

    use super::*;

    #[test]
    fn a_digest_of_any_width_is_signed_as_the_standard_says() {
        assert_eq!(fitted(vec![1, 2, 3], 2), [1, 2]);
        assert_eq!(fitted(vec![1, 2], 4), [0, 0, 1, 2]);
        let random = sdk::random::pool();
        let key = PrivateKey::generate(Algorithm::EcdsaP256, &random).unwrap();
        let digest = fitted(Hash::Sha512.digest(b"message"), 32);
        let signature = key.sign_digest(&digest, &random).unwrap();
        assert!(key.public_key().unwrap().verify_digest(&digest, &signature));
    }
}
