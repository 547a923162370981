//! Making carriers and writing them beside an image: shared by what signs, attests, mirrors and signs again.

use artifact::image::{Image, attach};
use artifact::registry::Client;
use artifact::signing::{Carriers, Plan};
use clap::ValueEnum;
use crypto::random::Random as _;
use serde::Serialize;

use crate::clock;
use crate::failure::Failure;
use crate::signing_keys::SigningKeys;

/// Which carriers a classical signature has, as it is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CarriersWord {
    /// The legacy tag, and the bundle that newer tools read
    #[default]
    Both,
    /// The legacy tag alone
    Legacy,
    /// The bundle alone
    Bundle,
}

impl CarriersWord {
    /// The same for a plan of these keys.
    pub fn carriers(self, keys: &SigningKeys) -> Result<Carriers, Failure> {
        match self {
            Self::Both => Ok(Carriers::Both),
            Self::Bundle => Ok(Carriers::BundleAlone),
            Self::Legacy if keys.signers()?.is_post_quantum() => {
                let what = "a post-quantum signature lies in a bundle, and a bundle hides a legacy signature";
                Err(Failure::unusable(what, "--carriers both"))
            }
            Self::Legacy => Ok(Carriers::LayerAlone),
        }
    }
}

/// What was written beside an image.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub image: String,
    pub digest: String,
    pub signed: bool,
    /// Every digest that was signed: the image, and those that it lists.
    pub signed_digests: Vec<String>,
    pub tags: Vec<String>,
    pub manifests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Report {
    /// An image that was left as it is.
    pub fn unsigned(image: &str, digest: Option<&Image>, why: String) -> Self {
        Self {
            image: image.to_owned(),
            digest: digest.map(|image| image.digest().to_string()).unwrap_or_default(),
            signed: false,
            signed_digests: Vec::new(),
            tags: Vec::new(),
            manifests: Vec::new(),
            why: Some(why),
        }
    }

    /// For people.
    pub fn text(&self, what: &str) -> String {
        match &self.why {
            Some(why) => format!("not {what}: {} ({why})", self.image),
            None => format!("{what}: {}@{} ({} in all)", self.image, self.digest, self.signed_digests.len()),
        }
    }
}

/// The image, and with `recursive` all that it lists.
pub async fn family(client: &Client, image: &Image, recursive: bool) -> Result<Vec<Image>, Failure> {
    if !recursive {
        return Ok(vec![image.clone()]);
    }
    Ok(image.family(client).await?.into_iter().map(|(image, _)| image).collect())
}

/// The name of what is signed together.
pub fn set_id() -> [u8; 16] {
    let mut id = [0; 16];
    sdk::random::pool().fill(&mut id);
    id
}

/// Signs a plan and writes what comes of it. The platforms are written before the image that lists them: whoever finds the image
/// signed finds its platforms so.
pub async fn carry_out(
    plan: Plan,
    keys: &SigningKeys,
    client: &Client,
    images: &[Image],
    name: &str,
) -> Result<Report, Failure> {
    let signatures = keys.sign(&plan).await?;
    let written = plan
        .finish(signatures)
        .map_err(|error| Failure::failed(error.to_string(), "again, or a ring that knows the key's new version"))?;
    let (mut tags, mut manifests) = (Vec::new(), Vec::new());
    for (place, image) in images.iter().enumerate().rev() {
        let carriers: Vec<_> = written.iter().filter(|one| one.image == place).map(|one| one.carrier.clone()).collect();
        let attached = attach(client, image, &carriers, clock::now().seconds()).await?;
        tags.extend(attached.tags);
        manifests.extend(attached.manifests.iter().map(ToString::to_string));
    }
    Ok(Report {
        image: name.to_owned(),
        digest: images.first().map(|image| image.digest().to_string()).unwrap_or_default(),
        signed: true,
        signed_digests: images.iter().map(|image| image.digest().to_string()).collect(),
        tags,
        manifests,
        why: None,
    })
}
