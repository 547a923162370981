//! What an application is set to, as options of `create` and of `update`.

use std::path::PathBuf;

use api::applications::CreateApplication;
use clap::Args;
use uuid::Uuid;

use crate::failure::Failure;
use crate::input::{self, given};
use crate::lookup::identity::trust_id;

/// The settings. What is not given stays; an empty text clears.
#[derive(Args)]
pub struct SettingsInputs {
    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Development, Staging or Production
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Where a browser may be sent with a code; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where a browser may be sent after signing out; may be repeated
    #[arg(long = "post-logout-uri", value_name = "URI")]
    post_logout_uris: Vec<String>,
    /// A scope it may ask for; may be repeated
    #[arg(long = "allow-scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    /// An API it may have tokens for (RFC 8707); may be repeated
    #[arg(long = "api", value_name = "URI")]
    apis: Vec<String>,
    /// An API it is: it may ask what the tokens for it are worth; may be repeated
    #[arg(long, value_name = "URI")]
    serves: Vec<String>,
    /// What it may ask the token endpoint for: client_credentials, ...; may be repeated
    #[arg(long = "grant", value_name = "GRANT", value_delimiter = ',')]
    grants: Vec<String>,
    /// How it proves who it is: none, secret, private_key_jwt, tls_client_auth or federated
    #[arg(long, value_name = "WAY")]
    client_auth: Option<String>,
    /// File of its public keys (a JWK set)
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// Where its public keys are
    #[arg(long, value_name = "URI", conflicts_with = "jwks_file")]
    jwks_uri: Option<String>,
    /// The name that its certificate holds
    #[arg(long, value_name = "NAME")]
    tls_san: Option<String>,
    /// A trust by which it proves who it is; may be repeated
    #[arg(long = "trust", value_name = "ID|NAME")]
    trusts: Vec<String>,
    /// Whether requests must be pushed (RFC 9126)
    #[arg(long, value_name = "true|false")]
    require_par: Option<bool>,
    /// ML-DSA-65, ML-DSA-44, ML-DSA-87, ES256 or Ed25519
    #[arg(long, value_name = "ALGORITHM")]
    id_token_alg: Option<String>,
    /// jwt or opaque
    #[arg(long, value_name = "FORM")]
    token_format: Option<String>,
    /// Second factors: off, optional, required, or default for the tenant's
    #[arg(long, value_name = "POLICY")]
    mfa: Option<String>,
    /// Whether people are asked: ask or skip
    #[arg(long, value_name = "ask|skip")]
    consent: Option<String>,
    /// Who is told that somebody signed out
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// An origin of browsers that may call the token endpoint; may be repeated
    #[arg(long = "cors-origin", value_name = "ORIGIN", value_delimiter = ',')]
    cors_origins: Vec<String>,
    /// How long a session may idle; 0 for the tenant's default
    #[arg(long, value_name = "SECONDS")]
    session_idle: Option<u32>,
    /// What its own tokens and API keys may do here: secrets:read, ...; may be repeated
    #[arg(long = "platform-scope", value_name = "SCOPE", value_delimiter = ',')]
    platform_scopes: Vec<String>,
    /// A resource they are confined to: secrets:users-api/*; may be repeated
    #[arg(long = "platform-resource", value_name = "KIND:PATTERN")]
    platform_resources: Vec<String>,
}

impl SettingsInputs {
    /// The settings as they are sent, still without a name.
    pub async fn read(self, client: &sdk::Client) -> Result<CreateApplication, Failure> {
        let mut trusts: Vec<Uuid> = Vec::new();
        for trust in self.trusts.iter().filter(|trust| !trust.is_empty()) {
            trusts.push(trust_id(client, trust).await?);
        }
        Ok(CreateApplication {
            description: self.description,
            environment: self.environment,
            redirect_uris: given(each("--redirect-uri", self.redirect_uris)?),
            post_logout_redirect_uris: given(each("--post-logout-uri", self.post_logout_uris)?),
            allowed_scopes: given(self.scopes),
            resources: given(each("--api", self.apis)?),
            serves: given(each("--serves", self.serves)?),
            grant_types: given(self.grants),
            client_auth: self.client_auth,
            jwks: self.jwks_file.as_deref().map(input::json).transpose()?,
            jwks_uri: self.jwks_uri,
            tls_san: self.tls_san,
            trust_ids: (!self.trusts.is_empty()).then_some(trusts),
            require_par: self.require_par,
            id_token_alg: self.id_token_alg,
            access_token_format: self.token_format,
            mfa_policy: self.mfa,
            consent: self.consent,
            backchannel_logout_uri: self.backchannel_logout_uri,
            cors_origins: given(self.cors_origins),
            session_idle_seconds: self.session_idle,
            platform_scopes: given(self.platform_scopes),
            platform_resources: given(self.platform_resources),
            ..CreateApplication::default()
        })
    }
}

/// One address each. An address may hold a comma, so none is taken apart; one behind which another begins is two.
fn each(option: &str, uris: Vec<String>) -> Result<Vec<String>, Failure> {
    let several = uris.iter().find(|uri| uri.split(',').skip(1).any(begins_address));
    match several {
        Some(uri) => Err(Failure::unusable(format!("{option} {uri} holds several"), format!("{option} once for each"))),
        None => Ok(uris),
    }
}

fn begins_address(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    };
    let parts = text.trim_start().split_once(':');
    parts.is_some_and(|(scheme, rest)| is_scheme(scheme) && (rest.starts_with('/') || scheme == "urn"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_addresses_behind_one_option_are_refused_and_a_comma_in_one_is_not() {
        let each = |uri: &str| each("--api", vec![uri.to_owned()]);
        for uri in ["", "https://a.example/x,y", "https://a.example/?at=1,2:30", "urn:acme:a,b"] {
            assert_eq!(each(uri).unwrap(), [uri]);
        }
        for uris in ["https://a.example,https://b.example", "urn:acme:a, urn:acme:b", "a:/b,com.example.app:/back"] {
            let said = each(uris).unwrap_err().to_string();
            assert_eq!(said, format!("error: --api {uris} holds several; try --api once for each"));
        }
    }
}
