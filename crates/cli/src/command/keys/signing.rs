//! `qapi keys create-signing`: the keys that sign software, their public halves as files, and the ring that records them and
//! their rotations.

use std::path::{Path, PathBuf};

use api::keys::{CreateKey, Key, KeyFormat, KeyType, ReadPublicKey, RotateKey};
use clap::Args;
use crypto::algorithm::Algorithm;
use crypto::key::{PrivateKey, PublicKey};
use crypto::key_file;
use crypto::secret::SecretBytes;
use domain::time::Timestamp;

use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::key_ring::{FORM, KeyRing, PurposeWord, RingKey, Standing};
use crate::key_source::PASSPHRASE_VARIABLE;
use crate::lookup;
use crate::print::Printer;
use crate::session::Session;

#[derive(Args)]
pub struct CreateSigningInputs {
    /// What the keys are called
    name: String,
    /// What they sign; a key has one purpose
    #[arg(long, value_enum, default_value = "signature", value_name = "PURPOSE")]
    purpose: PurposeWord,
    /// The post-quantum algorithm: ML-DSA-44, ML-DSA-65 or ML-DSA-87
    #[arg(long, default_value = "ML-DSA-65", value_name = "NAME")]
    algorithm: Algorithm,
    /// The classical algorithm beside it, for today's verifiers: ECDSA-P256, ECDSA-P384 or Ed25519
    #[arg(long, default_value = "ECDSA-P256", value_name = "NAME", conflicts_with = "no_classical")]
    classical: Algorithm,
    /// Make the post-quantum key alone
    #[arg(long)]
    no_classical: bool,
    /// Keep the private halves in files under a passphrase (COSIGN_PASSWORD), not in the vault
    #[arg(long)]
    local: bool,
    /// The folder for the files
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    out_dir: PathBuf,
    /// Replace the keys of the ring NAME.keys.json, whose signatures are believed for the time of --grace
    #[arg(long)]
    rotate: bool,
    /// How long what the old keys signed is believed
    #[arg(long, default_value = "30d", value_name = "WHEN", requires = "rotate")]
    grace: String,
}

/// Makes keys, or successors of them.
pub async fn create(inputs: CreateSigningInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let algorithms = inputs.algorithms()?;
    let now = clock::now();
    let path = inputs.out_dir.join(format!("{}.keys.json", inputs.name));
    let ring = match (inputs.rotate, path.exists()) {
        (true, _) => KeyRing::read(&path)?,
        (false, false) => {
            KeyRing { key_ring: FORM, name: inputs.name.clone(), purpose: inputs.purpose, keys: Vec::new() }
        }
        (false, true) => {
            return Err(Failure::unusable(format!("{} is there already", path.display()), "--rotate, or another name"));
        }
    };
    let until = input::instant(&inputs.grace, now)?.timestamp();
    let made = match inputs.local {
        true => inputs.make_here(&algorithms, &ring, now)?,
        false => inputs.make_in_vault(&algorithms, &ring, &session.client()?, now).await?,
    };
    finish(&inputs, ring, made, until, &path, printer)
}

impl CreateSigningInputs {
    fn algorithms(&self) -> Result<Vec<Algorithm>, Failure> {
        if !self.algorithm.is_ml_dsa() {
            return Err(Failure::unusable(format!("{} is not post-quantum and signing", self.algorithm), "ML-DSA-65"));
        }
        let is_classical = matches!(self.classical, Algorithm::EcdsaP256 | Algorithm::EcdsaP384 | Algorithm::Ed25519);
        match (self.no_classical, is_classical) {
            (true, _) => Ok(vec![self.algorithm]),
            (false, true) => Ok(vec![self.algorithm, self.classical]),
            (false, false) => {
                Err(Failure::unusable(format!("{} is not classical and signing", self.classical), "ECDSA-P256"))
            }
        }
    }

    /// Key files, one an algorithm. The successor of a file has the number of its generation in its name.
    fn make_here(&self, algorithms: &[Algorithm], ring: &KeyRing, now: Timestamp) -> Result<Vec<RingKey>, Failure> {
        let passphrase = new_passphrase()?;
        let random = sdk::random::pool();
        let mut made = Vec::new();
        for algorithm in algorithms {
            let earlier = ring.keys.iter().filter(|key| key.algorithm == algorithm.as_str()).count();
            let generation = if earlier == 0 { String::new() } else { format!(".{}", earlier + 1) };
            let source = format!("{}{generation}.{algorithm}.key", self.name);
            let failed = |error: crypto::Error| Failure::failed(format!("making an {algorithm} key: {error}"), "again");
            let key = PrivateKey::generate(*algorithm, &random).map_err(failed)?;
            let public = key.public_key().ok_or_else(|| failed(crypto::Error::Provider))?;
            let sealed = key_file::seal(&key, &passphrase, &random).map_err(failed)?;
            write_new(&self.out_dir.join(&source), sealed.expose())?;
            made.push(ring_key(*algorithm, source, None, &public, now));
        }
        Ok(made)
    }

    /// Keys in the vault, or new versions of those that the ring names.
    async fn make_in_vault(
        &self,
        algorithms: &[Algorithm],
        ring: &KeyRing,
        client: &sdk::Client,
        now: Timestamp,
    ) -> Result<Vec<RingKey>, Failure> {
        let mut made = Vec::new();
        for algorithm in algorithms {
            let earlier = ring.active().find(|key| key.algorithm == algorithm.as_str());
            let key = match earlier.and_then(|key| key.source.strip_prefix("qapi://")) {
                Some(reference) => {
                    let id = lookup::key_id(client, reference).await?;
                    client.rotate_key(id, &RotateKey { name: None, set_as_default: None }).await?
                }
                None => client.create_key(&self.wanted(*algorithm)).await?,
            };
            let public = public_half(client, &key).await?;
            made.push(ring_key(*algorithm, format!("qapi://{}", key.id), Some(key.version), &public, now));
        }
        Ok(made)
    }

    fn wanted(&self, algorithm: Algorithm) -> CreateKey {
        let name = match algorithm.is_post_quantum() {
            true => self.name.clone(),
            false => format!("{}-classical", self.name),
        };
        CreateKey {
            name,
            key_type: KeyType::Signing,
            algorithm: algorithm.as_str().to_owned(),
            purpose: None,
            description: Some(format!("signs software: {}", self.purpose.as_str())),
            expires_at: None,
            set_as_default: false,
            exportable: false,
            labels: Some(vec![self.purpose.label()]),
        }
    }
}

async fn public_half(client: &sdk::Client, key: &Key) -> Result<PublicKey, Failure> {
    let query = ReadPublicKey { format: Some(KeyFormat::Pem), include: None, version: Some(key.version) };
    let read = client.public_key(key.id, &query).await?;
    PublicKey::from_pem(&read.public_key)
        .map_err(|error| Failure::failed(format!("the public half of {}: {error}", key.name), "`qapi keys get`"))
}

fn ring_key(algorithm: Algorithm, source: String, version: Option<u32>, public: &PublicKey, now: Timestamp) -> RingKey {
    RingKey {
        algorithm: algorithm.as_str().to_owned(),
        source,
        version,
        public_key: public.to_pem(),
        since: now.into(),
        standing: Standing::Active,
    }
}

/// The ring and the public halves are written last: what is in them exists.
fn finish(
    inputs: &CreateSigningInputs,
    mut ring: KeyRing,
    made: Vec<RingKey>,
    until: Timestamp,
    path: &Path,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let mut said = Vec::new();
    for key in &made {
        let public = inputs.out_dir.join(format!("{}.{}.pub", inputs.name, key.algorithm));
        write(&public, key.public_key.as_bytes())?;
        said.push(format!("{} {}, public half in {}", key.algorithm, key.source, public.display()));
    }
    ring.replace(made, until);
    let json = serde_json::to_vec_pretty(&ring)
        .map_err(|error| Failure::failed(format!("writing the ring: {error}"), "again"))?;
    write(path, &json)?;
    said.push(format!("ring {}", path.display()));
    printer.body(&ring, |_| said.join("\n"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::file("writing", path, &error))
}

/// A private key's file: never in place of another, and for its owner alone.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| Failure::file("writing", path, &error))
}

/// The passphrase of new key files. Who asks for none says so with an empty variable.
fn new_passphrase() -> Result<SecretBytes, Failure> {
    use std::io::IsTerminal as _;
    if let Ok(text) = std::env::var(PASSPHRASE_VARIABLE) {
        return Ok(SecretBytes::new(text.into_bytes()));
    }
    if !std::io::stdin().is_terminal() {
        let advice = format!("{PASSPHRASE_VARIABLE}, empty for none");
        return Err(Failure::unusable("key files need a passphrase", advice));
    }
    let (first, second) = (input::hidden("Passphrase")?, input::hidden("Again")?);
    if first.expose() != second.expose() {
        return Err(Failure::unusable("the passphrases differ", "again"));
    }
    Ok(SecretBytes::copy_from(first.expose().as_bytes()))
}
