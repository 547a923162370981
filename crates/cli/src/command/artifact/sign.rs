//! `qapi artifact sign`.

use std::path::PathBuf;

use artifact::bundle::Bundle;
use clap::Args;
use crypto::key::PublicKey;
use serde_json::json;

use super::bundle_beside;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::key_ring::PurposeWord;
use crate::print::{Printer, warn};
use crate::session::Session;
use crate::signing_keys::{AtHand, SigningKeyInputs};

#[derive(Args)]
pub struct SignInputs {
    /// The file to sign
    file: PathBuf,
    #[command(flatten)]
    keys: SigningKeyInputs,
    /// Where the bundle goes; FILE.sigstore.json unless given, and FILE.pq.sigstore.json for a post-quantum key
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Where the bundle of the post-quantum key goes when two keys sign
    #[arg(long, value_name = "FILE")]
    pq_bundle: Option<PathBuf>,
}

/// Signs a file, and writes one bundle a key.
pub async fn sign(inputs: SignInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let keys = match inputs.keys.at_hand(PurposeWord::Signature, session).await? {
        AtHand::Keys(keys) => keys,
        AtHand::None { why } => {
            warn(&format!("no signing key at hand ({why}): {} is not signed", inputs.file.display()));
            let said = json!({ "file": inputs.file, "signed": false, "why": why });
            return if printer.is_json() { printer.body(&said, |_| String::new()) } else { Ok(Exit::Done) };
        }
    };
    let signers = keys.signers()?;
    let file = input::bytes(Some(&inputs.file))?;
    let mut written = Vec::new();
    for (key, signature) in keys.sign_message(&file).await? {
        let path = inputs.place(&key, signers.is_hybrid());
        let bundle = Bundle::of_message(&file, signature, &key).to_json();
        let bundle = bundle.map_err(|error| Failure::failed(format!("writing a bundle: {error}"), "again"))?;
        std::fs::write(&path, bundle).map_err(|error| Failure::file("writing", &path, &error))?;
        written.push((key.algorithm().as_str(), path));
    }
    let bundles: Vec<_> =
        written.iter().map(|(algorithm, path)| json!({ "algorithm": algorithm, "bundle": path })).collect();
    let said = json!({ "file": inputs.file, "signed": true, "bundles": bundles });
    printer.body(&said, |_| {
        let lines = written.iter().map(|(algorithm, path)| format!("signed with {algorithm}: {}\n", path.display()));
        lines.collect()
    })
}

impl SignInputs {
    fn place(&self, key: &PublicKey, is_hybrid: bool) -> PathBuf {
        let is_post_quantum = key.algorithm().is_post_quantum();
        let typed = if is_hybrid && is_post_quantum { &self.pq_bundle } else { &self.bundle };
        typed.clone().unwrap_or_else(|| bundle_beside(&self.file, is_post_quantum))
    }
}
