//! Which registry, who we are there, and where the evidence of an image lies.

use std::path::PathBuf;

use artifact::image::Image;
use artifact::reference::{Reference, Repository};
use artifact::registry::{Client, Credential, Keychain, Options};
use clap::Args;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input;
use crate::session::variable;

/// How registries are spoken to.
#[derive(Args, Clone)]
pub struct RegistryInputs {
    /// The name at the registry; otherwise the files of podman and docker and their helpers are asked
    #[arg(long, value_name = "NAME", requires = "registry_password_stdin")]
    registry_username: Option<String>,
    /// Read the password of --registry-username from standard input
    #[arg(long, requires = "registry_username")]
    registry_password_stdin: bool,
    /// PEM file of authorities to trust for registries beside the public ones
    #[arg(long, value_name = "FILE")]
    registry_ca_file: Option<PathBuf>,
    /// Speak without encryption to this registry (host:port); this machine is always spoken to so
    #[arg(long, value_name = "HOST")]
    danger_plain_registry: Vec<String>,
    /// Where the signatures and attestations lie when it is not the image's own repository; otherwise COSIGN_REPOSITORY
    #[arg(long, value_name = "REPOSITORY")]
    evidence_repository: Option<Repository>,
}

impl RegistryInputs {
    /// A client. The credentials that were typed are for the registries of `references`, and for no other.
    pub fn client<'r>(&self, references: impl IntoIterator<Item = &'r Repository>) -> Result<Client, Failure> {
        let mut options = Options::default();
        if let Some(file) = &self.registry_ca_file {
            options = options.with_authorities(file);
        }
        for host in &self.danger_plain_registry {
            options = options.with_danger_plain_http(host);
        }
        let mut keychain = Keychain::from_variables(|name| std::env::var_os(name));
        if let Some(user) = &self.registry_username {
            let typed = input::value(Some("-".to_owned()), "Password")?;
            let mut registries: Vec<&str> = references.into_iter().map(Repository::registry).collect();
            registries.sort_unstable();
            registries.dedup();
            for registry in registries {
                let password = Zeroizing::new(typed.expose().to_owned());
                keychain = keychain.with(registry, Credential::Password { user: user.clone(), password });
            }
        }
        Ok(Client::new(options, keychain)?)
    }

    /// The image that a name stands for now, and where its evidence lies.
    pub async fn resolve(&self, client: &Client, reference: &Reference) -> Result<Image, Failure> {
        let image = Image::resolve(client, reference).await?;
        self.with_evidence(image)
    }

    /// The same image with its evidence where it was said to lie.
    pub fn with_evidence(&self, image: Image) -> Result<Image, Failure> {
        if let Some(repository) = &self.evidence_repository {
            return Ok(image.with_evidence_in(repository.clone()));
        }
        let Some(text) = variable(EVIDENCE_VARIABLE) else { return Ok(image) };
        let repository = text.parse::<Repository>();
        let repository = repository
            .map_err(|error| Failure::unusable(format!("{EVIDENCE_VARIABLE}: {error}"), "the name of a repository"))?;
        Ok(image.with_evidence_in(repository))
    }
}

/// The variable by which cosign is told of another repository.
const EVIDENCE_VARIABLE: &str = "COSIGN_REPOSITORY";
