//! `qapi image attest`.

use std::path::PathBuf;

use artifact::cyclonedx;
use artifact::json;
use artifact::reference::Reference;
use artifact::signing::Plan;
use clap::{ArgAction, Args};
use serde_json::Value;

use super::place::RegistryInputs;
use super::sign::skipped;
use super::writing::{CarriersWord, carry_out, family, set_id};
use crate::failure::{Exit, Failure};
use crate::input;
use crate::key_ring::PurposeWord;
use crate::print::{Printer, warn};
use crate::session::Session;
use crate::signing_keys::{AtHand, SigningKeyInputs};

#[derive(Args)]
pub struct AttestInputs {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: Reference,
    /// What kind of thing is attested: cyclonedx, spdxjson, slsaprovenance1, vuln, openvex, or an address
    #[arg(long = "type", value_name = "TYPE", value_parser = predicate_type)]
    predicate_type: String,
    /// The file with what is attested, in JSON
    #[arg(long, value_name = "FILE")]
    predicate: PathBuf,
    /// Warn and end with 0 when that file is not there: a bill of materials could not be made
    #[arg(long)]
    if_present: bool,
    #[command(flatten)]
    keys: SigningKeyInputs,
    /// Whether it is attested of the images that an index lists as well
    #[arg(long, default_value_t = false, action = ArgAction::Set, value_name = "BOOL")]
    recursive: bool,
    /// Where a classical attestation lies
    #[arg(long, value_enum, default_value = "both", value_name = "WHICH")]
    carriers: CarriersWord,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// Attests.
pub async fn attest(inputs: AttestInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    if inputs.if_present && !inputs.predicate.exists() {
        warn(&format!("{} is not there: nothing is attested of {}", inputs.predicate.display(), inputs.image));
        return Ok(Exit::Done);
    }
    let keys = match inputs.keys.at_hand(PurposeWord::Attestation, session).await? {
        AtHand::Keys(keys) => keys,
        AtHand::None { why } => return skipped(&[inputs.image], &why, "attested", printer),
    };
    let predicate = inputs.read()?;
    let carriers = inputs.carriers.carriers(&keys)?;
    let client = inputs.registry.client([inputs.image.repository()])?;
    let image = inputs.registry.resolve(&client, &inputs.image).await?;
    let images = family(&client, &image, inputs.recursive).await?;
    let plan = Plan::attestations(keys.signers()?, &images, &inputs.predicate_type, &predicate, set_id(), carriers);
    let name = inputs.image.repository().to_string();
    let report = carry_out(plan, &keys, &client, &images, &name).await?;
    printer.body(&report, |report| report.text("attested"))
}

impl AttestInputs {
    /// What is attested. A bill of materials has to be one.
    fn read(&self) -> Result<Value, Failure> {
        let bytes = input::bytes(Some(&self.predicate))?;
        let unusable =
            |why: String| Failure::unusable(format!("{}: {why}", self.predicate.display()), "`qapi sbom validate`");
        if self.predicate_type == cyclonedx::PREDICATE {
            return match cyclonedx::validate(&bytes) {
                Ok(bom) => Ok(bom.value),
                Err(error) => Err(unusable(sdk::report(&error))),
            };
        }
        json::value(&bytes, cyclonedx::LONGEST_BYTES).map_err(|error| unusable(sdk::report(&error)))
    }
}

/// A kind of predicate by the word that cosign has for it, or by its address.
pub fn predicate_type(text: &str) -> Result<String, String> {
    let known = KINDS.iter().find(|(word, _)| *word == text).map(|(_, address)| (*address).to_owned());
    match known {
        Some(address) => Ok(address),
        None if text.contains("://") || text.contains('/') => Ok(text.to_owned()),
        None => {
            let words: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
            Err(format!("{} or an address", words.join(", ")))
        }
    }
}

const KINDS: [(&str, &str); 8] = [
    ("cyclonedx", cyclonedx::PREDICATE),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("vsa", "https://slsa.dev/verification_summary/v1"),
];
