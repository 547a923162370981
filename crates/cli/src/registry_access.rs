//! Who we are at registries, whom of them we believe, and where the evidence lies: the options of every command that talks with one.

use std::path::PathBuf;

use artifact::reference::Repository;
use artifact::registry::{Client, Credential, Keychain, Options};
use clap::Args;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::input;
use crate::session::variable;

/// How we sign on to registries.
#[derive(Args, Clone)]
pub struct AccessInputs {
    /// The name at the registry; otherwise the files of podman and docker and their helpers are asked
    #[arg(long, value_name = "NAME", requires = "registry_password_stdin")]
    registry_username: Option<String>,
    /// Read the password of --registry-username from standard input
    #[arg(long, requires = "registry_username")]
    registry_password_stdin: bool,
    /// PEM file of authorities to trust for registries beside the public ones
    #[arg(long, value_name = "FILE")]
    registry_ca_file: Option<PathBuf>,
    /// Where the signatures and attestations lie when it is not the images' own repositories; otherwise COSIGN_REPOSITORY
    #[arg(long, value_name = "REPOSITORY")]
    evidence_repository: Option<Repository>,
}

impl AccessInputs {
    /// A client. The credentials that were typed are for these registries and the one where the evidence lies, and for no other.
    pub fn client<'r>(
        &self,
        mut options: Options,
        registries: impl IntoIterator<Item = &'r str>,
    ) -> Result<Client, Failure> {
        if let Some(file) = &self.registry_ca_file {
            options = options.with_authorities(file);
        }
        let mut keychain = Keychain::from_variables(|name| std::env::var_os(name));
        if let Some(user) = &self.registry_username {
            let typed = input::value(Some("-".to_owned()), "Password")?;
            let evidence = self.evidence()?;
            let mut registries: Vec<&str> = registries.into_iter().collect();
            registries.extend(evidence.as_ref().map(Repository::registry));
            registries.sort_unstable();
            registries.dedup();
            for registry in registries {
                let password = Zeroizing::new(typed.expose().to_owned());
                keychain = keychain.with(registry, Credential::Password { user: user.clone(), password });
            }
        }
        Ok(Client::new(options, keychain)?)
    }

    /// Where signatures and attestations lie, when it is not beside the images: as it was typed, or as the environment says.
    pub fn evidence(&self) -> Result<Option<Repository>, Failure> {
        if let Some(repository) = &self.evidence_repository {
            return Ok(Some(repository.clone()));
        }
        let parsed = variable(EVIDENCE_VARIABLE).map(|text| text.parse::<Repository>()).transpose();
        parsed.map_err(|error| Failure::unusable(format!("{EVIDENCE_VARIABLE}: {error}"), "the name of a repository"))
    }
}

/// The variable by which cosign is told of another repository for what is signed.
const EVIDENCE_VARIABLE: &str = "COSIGN_REPOSITORY";
