//! `qapi image download`: what lies beside an image, as it lies there. Nothing of it is verified.

use artifact::bundle::{Bundle, Content};
use artifact::dsse::Envelope;
use artifact::image::{Evidence, Wanted, find};
use artifact::reference::Reference;
use artifact::statement::Statement;
use artifact::verification::{Carrier, SIGN_PREDICATE};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::attest::predicate_type;
use super::place::RegistryInputs;
use super::verify::described;
use crate::failure::{Exit, Failure};
use crate::print::Printer;

#[derive(Args)]
pub struct DownloadInputs {
    /// What to print
    #[arg(value_enum)]
    what: What,
    /// The image
    #[arg(value_name = "IMAGE")]
    image: Reference,
    /// Only attestations of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = predicate_type)]
    predicate_type: Option<String>,
    #[command(flatten)]
    registry: RegistryInputs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Signatures, one JSON object a line
    Signature,
    /// Attestations: their envelopes, one a line
    Attestation,
    /// What is attested, one JSON document a line
    Predicate,
}

/// Prints what lies there, one JSON document a line whatever the form of the output.
pub async fn download(inputs: DownloadInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = inputs.registry.client([inputs.image.repository()])?;
    let image = inputs.registry.resolve(&client, &inputs.image).await?;
    let wanted = match inputs.what {
        What::Signature => Wanted::Signatures,
        What::Attestation | What::Predicate => Wanted::Attestations(inputs.predicate_type.as_deref()),
    };
    let evidence = find(&client, &image, wanted).await?;
    let documents = inputs.documents(&evidence)?;
    if documents.is_empty() {
        return Err(Failure::failed(format!("there is none beside {}", inputs.image), "`qapi image tree`"));
    }
    for document in documents {
        printer.stream(format!("{document}\n").as_bytes())?;
    }
    Ok(Exit::Done)
}

impl DownloadInputs {
    fn documents(&self, evidence: &Evidence) -> Result<Vec<Value>, Failure> {
        let mut documents: Vec<Value> = Vec::new();
        for (carrier, origin) in evidence.carriers.iter().zip(&evidence.origins) {
            let statement = envelope(carrier).and_then(|one| Statement::parse(one.danger_unverified_payload()).ok());
            let is_signature = statement.as_ref().is_none_or(|one| one.predicate_type == SIGN_PREDICATE);
            let document = match (self.what, carrier) {
                (What::Signature, Carrier::Layer { payload, signature }) => Some(json!({
                    "at": described(origin),
                    "payload": artifact::base64::encode(payload),
                    "signature": artifact::base64::encode(signature),
                })),
                (What::Signature, Carrier::Bundle(bundle)) if is_signature => Some(json(bundle)?),
                (What::Attestation, _) if !is_signature && self.is_wanted(statement.as_ref()) => {
                    envelope(carrier).map(|envelope| serde_json::to_value(envelope).unwrap_or_default())
                }
                (What::Predicate, _) if !is_signature && self.is_wanted(statement.as_ref()) => {
                    statement.map(|statement| statement.predicate)
                }
                _ => None,
            };
            // One payload has several carriers, and is printed once.
            if let Some(document) = document.filter(|one| !documents.contains(one)) {
                documents.push(document);
            }
        }
        Ok(documents)
    }

    fn is_wanted(&self, statement: Option<&Statement>) -> bool {
        let found = statement.map(|statement| &statement.predicate_type);
        self.predicate_type.is_none() || found == self.predicate_type.as_ref()
    }
}

fn envelope(carrier: &Carrier) -> Option<&Envelope> {
    match carrier {
        Carrier::Envelope(envelope) => Some(envelope),
        Carrier::Bundle(Bundle { content: Content::Envelope(envelope), .. }) => Some(envelope),
        Carrier::Bundle(_) | Carrier::Layer { .. } => None,
    }
}

fn json(bundle: &Bundle) -> Result<Value, Failure> {
    let bytes = bundle.to_json().map_err(|error| Failure::failed(format!("writing a bundle: {error}"), "again"))?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::failed(format!("writing a bundle: {error}"), "again"))
}
