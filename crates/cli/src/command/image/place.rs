//! Which registry, who we are there, and where the evidence of an image lies.

use artifact::image::Image;
use artifact::reference::{Reference, Repository};
use artifact::registry::{Client, Options};
use clap::Args;

use crate::failure::Failure;
use crate::registry_access::AccessInputs;

/// How registries are spoken to.
#[derive(Args, Clone)]
pub struct RegistryInputs {
    #[command(flatten)]
    access: AccessInputs,
    /// Speak without encryption to this registry (host:port); this machine is always spoken to so
    #[arg(long, value_name = "HOST")]
    danger_plain_registry: Vec<String>,
}

impl RegistryInputs {
    /// A client. The credentials that were typed are for the registries of `references` and of the evidence.
    pub fn client<'r>(&self, references: impl IntoIterator<Item = &'r Repository>) -> Result<Client, Failure> {
        let plain = self.danger_plain_registry.iter();
        let options = plain.fold(Options::default(), |options, host| options.with_danger_plain_http(host));
        self.access.client(options, references.into_iter().map(Repository::registry))
    }

    /// The image that a name stands for now, and where its evidence lies.
    pub async fn resolve(&self, client: &Client, reference: &Reference) -> Result<Image, Failure> {
        let image = Image::resolve(client, reference).await?;
        self.with_evidence(image)
    }

    /// The same image with its evidence where it was said to lie.
    pub fn with_evidence(&self, image: Image) -> Result<Image, Failure> {
        Ok(match self.access.evidence()? {
            Some(repository) => image.with_evidence_in(repository),
            None => image,
        })
    }
}
