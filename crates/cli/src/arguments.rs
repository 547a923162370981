//! What can be typed. What it means is each command's business.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::command;
use crate::print::Output;

/// Secrets, keys and encryption, safe against quantum computers.
#[derive(Parser)]
#[command(name = "qapi", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Default)]
pub struct Globals {
    /// API key; otherwise QUANTUMAPI_KEY, QAPI_API_KEY, QUANTUMAPI_API_KEY or the profile
    #[arg(long, global = true, value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Address of the server; otherwise QUANTUMAPI_BASE_URL or the profile
    #[arg(long, global = true, value_name = "URL")]
    pub base_url: Option<String>,
    /// Profile to use; otherwise QAPI_PROFILE or `default`
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Form of the output
    #[arg(long, short = 'o', global = true, value_enum, default_value_t, value_name = "FORM")]
    pub output: Output,
    /// PEM file of authorities to trust beside the public ones
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Fingerprint of the one authority to trust, as the server printed it: sha256:...
    #[arg(long, global = true, value_name = "FINGERPRINT", conflicts_with = "ca_file")]
    pub ca_fingerprint: Option<String>,
    /// Seconds that one attempt may take; otherwise QUANTUMAPI_TIMEOUT or 30
    #[arg(long, global = true, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Accepted for older scripts: the output has no colours
    #[arg(long, global = true, hide = true)]
    pub no_color: bool,
    /// Let the API key travel unencrypted to another machine
    #[arg(long, global = true)]
    pub danger_plain_http: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Print the version of this program
    Version,
    /// Ask the server whether it works
    Health,
    /// Sign in, or keep an API key, in a profile
    Login(command::login::LoginInputs),
    /// Sign out, and forget a profile
    Logout(command::login::LogoutInputs),
    /// Say as whom commands act, and what they may do
    Whoami,
    /// Secrets; values stay masked unless --show
    #[command(visible_alias = "secret")]
    Secrets(command::secrets::SecretsInputs),
    /// Secrets, with `get` printing the bare value for scripts
    Vault(command::secrets::SecretsInputs),
    /// Named keys
    #[command(visible_alias = "key")]
    Keys(command::keys::KeysInputs),
    /// Sign files, and verify them without the server
    Artifact(command::artifact::ArtifactInputs),
    /// Sign, verify and copy images of registries
    Image(command::image::ImageInputs),
    /// Bills of materials
    Sbom(command::sbom::SbomInputs),
    /// Encrypt standard input, a file or a text
    Encrypt(command::encryption::EncryptInputs),
    /// Decrypt what `encrypt` printed
    Decrypt(command::encryption::DecryptInputs),
    /// Sign standard input or a file
    Sign(command::encryption::SignInputs),
    /// Verify a signature: 0 valid, 1 invalid, 2 unusable
    Verify(command::encryption::VerifyInputs),
    /// Certificates: verify and inspect them without the server
    #[command(visible_aliases = ["cert", "certificates"])]
    Certs(command::certs::CertsInputs),
    /// Whether images may be deployed
    Gate(command::gate::GateInputs),
    /// Run a program with secrets in its environment
    Run(command::run::RunInputs),
    /// Draw random bytes from the platform
    Random(command::random::RandomInputs),
    /// API keys
    #[command(visible_aliases = ["api-keys", "apikey"])]
    Apikeys(command::api_keys::ApiKeysInputs),
    /// Applications (OAuth clients)
    #[command(visible_aliases = ["app", "applications"])]
    Apps(Box<command::apps::AppsInputs>),
    /// The APIs that applications get tokens for
    Apis(command::apis::ApisInputs),
    /// The tenant's own people, and the end users of applications
    #[command(visible_alias = "user")]
    Users(command::users::UsersInputs),
    /// Roles of end users, as tokens name them
    #[command(visible_alias = "role")]
    Roles(command::roles::RolesInputs),
    /// The browsers people are signed in with
    #[command(visible_alias = "session")]
    Sessions(command::sessions::SessionsInputs),
    /// What applications were allowed on somebody's behalf
    #[command(visible_alias = "grant")]
    Grants(command::grants::GrantsInputs),
    /// Whose jobs and workloads are believed, so that they need no key
    #[command(visible_alias = "trust")]
    Trusts(command::trusts::TrustsInputs),
    /// The keys that sign the tenant's tokens
    #[command(visible_alias = "token-key")]
    TokenKeys(command::token_keys::TokenKeysInputs),
    /// Tenants of the platform
    #[command(visible_alias = "tenant")]
    Tenants(command::tenants::TenantsInputs),
    /// The audit trail
    Audit(command::audit::AuditInputs),
    /// Seal, unseal and back up the platform
    Operator(command::operator::OperatorInputs),
    /// Policies for packets and identities out of one graph of services
    Mesh(command::mesh::MeshInputs),
    /// Print a completion script for a shell
    Completions(command::completions::CompletionsInputs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn no_two_arguments_of_a_command_are_in_each_others_way() {
        super::Arguments::command().debug_assert();
    }
}
