//! `qapi image copy` and `mirror`.

use artifact::image::{self, Copied, Image};
use artifact::reference::Reference;
use artifact::registry::Client;
use clap::Args;
use serde_json::json;

use super::place::RegistryInputs;
use super::progress::Progress;
use super::sign::SignHow;
use super::verify::Asked;
use crate::failure::{Exit, Failure};
use crate::key_ring::PurposeWord;
use crate::key_source::KeySource;
use crate::print::{Printer, warn};
use crate::session::Session;
use crate::signing_keys::{AtHand, SigningKeyInputs};
use crate::trusted_keys::{TrustedKeyInputs, trusted};

#[derive(Args)]
pub struct CopyInputs {
    /// The image
    #[arg(value_name = "FROM")]
    from: Reference,
    /// Its name at the destination
    #[arg(value_name = "TO")]
    to: Reference,
    #[command(flatten)]
    trusted: TrustedKeyInputs,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// Copies an image. With keys, it has to be signed where it comes from, and is found signed where it went.
pub async fn copy(inputs: CopyInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = inputs.registry.client([inputs.from.repository(), inputs.to.repository()])?;
    let from = inputs.registry.resolve(&client, &inputs.from).await?;
    let trust = match inputs.trusted.is_given() {
        true => Some(inputs.trusted.trust(PurposeWord::Signature, session).await?),
        false => None,
    };
    let asked = trust.as_ref().map(Asked::signature);
    if let Some(asked) = &asked {
        has_to_pass(asked, &client, &from, &inputs.from).await?;
    }
    let copied = carried(&client, &from, &inputs.to).await?;
    if let Some(asked) = &asked {
        has_to_pass(asked, &client, &copied.image, &inputs.to).await?;
    }
    printer.body(&said(&copied, &inputs.to), |_| text(&copied, &inputs.to))
}

#[derive(Args)]
pub struct MirrorInputs {
    /// The image of somebody else; by its digest it needs no key
    #[arg(value_name = "UPSTREAM")]
    from: Reference,
    /// Its name with us
    #[arg(value_name = "TO")]
    to: Reference,
    /// A public key that the image has to be signed with where it comes from; repeat for several
    #[arg(long, value_name = "KEY")]
    upstream_key: Vec<KeySource>,
    #[command(flatten)]
    keys: SigningKeyInputs,
    #[command(flatten)]
    how: SignHow,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// Copies the image of somebody else after it was verified, and signs the copy.
pub async fn mirror(inputs: MirrorInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    if inputs.upstream_key.is_empty() && inputs.from.digest().is_none() {
        let what = format!("nothing says that {} is the image that is meant", inputs.from);
        return Err(Failure::unusable(what, "--upstream-key, or its name with @sha256:..."));
    }
    let client = inputs.registry.client([inputs.from.repository(), inputs.to.repository()])?;
    let from = Image::resolve(&client, &inputs.from).await?;
    if !inputs.upstream_key.is_empty() {
        let trust = trusted(&inputs.upstream_key, PurposeWord::Signature, session).await?;
        has_to_pass(&Asked::signature(&trust), &client, &from, &inputs.from).await?;
    }
    let keys = inputs.keys.at_hand(PurposeWord::Signature, session).await?;
    let copied = carried(&client, &from, &inputs.to).await?;
    let mut said = said(&copied, &inputs.to);
    let report = match &keys {
        AtHand::Keys(keys) => {
            let image = inputs.registry.with_evidence(copied.image.clone())?;
            Some(inputs.how.sign(&image, keys, &client, &inputs.to.repository().to_string()).await?)
        }
        AtHand::None { why } => {
            warn(&format!("no signing key at hand ({why}): the copy {} is not signed", inputs.to));
            None
        }
    };
    said["signed"] = report.is_some().into();
    printer.body(&said, |_| {
        let signed = report.as_ref().map(|report| report.text("signed")).unwrap_or_default();
        format!("{}\n{signed}", text(&copied, &inputs.to))
    })
}

async fn has_to_pass(asked: &Asked<'_>, client: &Client, image: &Image, name: &Reference) -> Result<(), Failure> {
    let found = asked.judge(client, image, None, &name.repository().to_string()).await?;
    match found.why {
        None => Ok(()),
        Some(why) => Err(Failure::failed(
            format!("{name} is not verified: {why}"),
            "`qapi image verify` for what was found; another key, or another image",
        )),
    }
}

async fn carried(client: &Client, from: &Image, to: &Reference) -> Result<Copied, Failure> {
    let progress = Progress::new();
    let copied = image::copy(client, from, to, |step| progress.step(&step)).await;
    progress.end();
    Ok(copied?)
}

fn said(copied: &Copied, to: &Reference) -> serde_json::Value {
    let digests = |digests: &[artifact::digest::Digest]| digests.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "image": to.to_string(),
        "digest": copied.image.digest(),
        "images": digests(&copied.images),
        "referrers": digests(&copied.referrers),
        "tags": copied.tags,
    })
}

fn text(copied: &Copied, to: &Reference) -> String {
    format!(
        "copied: {to}, {} ({} in all, {} that refer to them, {} tags)",
        copied.image.digest(),
        copied.images.len(),
        copied.referrers.len(),
        copied.tags.len()
    )
}
