//! `qapi image sign`.

use std::collections::BTreeMap;

use artifact::image::Image;
use artifact::reference::Reference;
use artifact::registry::Client;
use artifact::signing::Plan;
use clap::{ArgAction, Args};
use serde_json::Value;

use super::place::RegistryInputs;
use super::progress::Counter;
use super::writing::{CarriersWord, Report, carry_out, family, set_id};
use crate::failure::{Exit, Failure};
use crate::key_ring::PurposeWord;
use crate::print::{Printer, warn};
use crate::session::Session;
use crate::signing_keys::{AtHand, SigningKeyInputs, SigningKeys};

#[derive(Args)]
pub struct SignInputs {
    /// The images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<Reference>,
    #[command(flatten)]
    keys: SigningKeyInputs,
    #[command(flatten)]
    how: SignHow,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// How an image is signed.
#[derive(Args, Clone)]
pub struct SignHow {
    /// A fact to sign with the image; repeat for several
    #[arg(long = "annotation", short = 'a', value_name = "NAME=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// Whether the images that an index lists are signed as well
    #[arg(long, default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    recursive: bool,
    /// Where a classical signature lies
    #[arg(long, value_enum, default_value = "both", value_name = "WHICH")]
    carriers: CarriersWord,
}

/// Signs images, each with one batch a key.
pub async fn sign(inputs: SignInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let keys = match inputs.keys.at_hand(PurposeWord::Signature, session).await? {
        AtHand::Keys(keys) => keys,
        AtHand::None { why } => return skipped(&inputs.images, &why, "signed", printer),
    };
    let client = inputs.registry.client(inputs.images.iter().map(Reference::repository))?;
    let counter = Counter::new(inputs.images.len());
    let mut reports = Vec::new();
    for reference in &inputs.images {
        let name = reference.repository().to_string();
        counter.next(&name);
        let image = inputs.registry.resolve(&client, reference).await?;
        reports.push(inputs.how.sign(&image, &keys, &client, &name).await?);
    }
    counter.end();
    printer.body(&reports, |reports| reports.iter().map(|one| one.text("signed")).collect::<Vec<_>>().join("\n"))
}

impl SignHow {
    /// Signs one image.
    pub async fn sign(
        &self,
        image: &Image,
        keys: &SigningKeys,
        client: &Client,
        name: &str,
    ) -> Result<Report, Failure> {
        let images = family(client, image, self.recursive).await?;
        let annotations: BTreeMap<String, Value> =
            self.annotations.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        let carriers = self.carriers.carriers(keys)?;
        let plan = Plan::signatures(keys.signers()?, &images, &annotations, set_id(), carriers)
            .map_err(|error| Failure::failed(format!("writing a payload: {error}"), "again"))?;
        carry_out(plan, keys, client, &images, name).await
    }
}

/// Builds without the signing secrets stay green; the gate refuses their images later.
pub fn skipped(images: &[Reference], why: &str, what: &str, printer: &mut Printer) -> Result<Exit, Failure> {
    for image in images {
        warn(&format!("no signing key at hand ({why}): {image} is not {what}"));
    }
    if printer.is_json() {
        let reports: Vec<_> =
            images.iter().map(|image| Report::unsigned(&image.to_string(), None, why.to_owned())).collect();
        return printer.body(&reports, |_| String::new());
    }
    Ok(Exit::Done)
}

/// A fact as it is typed.
pub fn annotation(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("an annotation is NAME=VALUE")?;
    match name.is_empty() || name.starts_with(OURS) {
        true => Err(format!("{name:?} is no name for an annotation: those of {OURS}* say what is signed together")),
        false => Ok((name.to_owned(), value.to_owned())),
    }
}

const OURS: &str = "dev.qapi.";
