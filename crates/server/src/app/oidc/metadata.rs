//! What an issuer says about itself: computed from what is there, never from a request.

use api::oauth::ProviderMetadata;
use domain::identity::application::{ClientAuth, GrantType};
use domain::identity::authorization_request::{Acr, Prompt, ResponseMode};
use domain::identity::oauth_scope::ABOUT_PEOPLE;
use serde_json::json;

use super::Oidc;
use super::refusal::Answered;
use super::site::Site;

impl Oidc {
    /// The issuer's metadata.
    pub async fn metadata(&self, site: &Site) -> Answered<ProviderMetadata> {
        let algorithms = self.published_keys(site).await?.algorithms.clone();
        let url = |path: &str| site.url(path);
        let aliases = self.mtls_origin.as_ref().map(|origin| self.aliases(site, origin));
        let confidential = self.ways(&[ClientAuth::Secret, ClientAuth::PrivateKeyJwt, ClientAuth::TlsClientAuth]);
        let every = [vec!["none".to_owned()], confidential.clone()].concat();
        Ok(ProviderMetadata {
            issuer: site.issuer.to_string(),
            authorization_endpoint: url("/oauth2/authorize"),
            token_endpoint: url("/oauth2/token"),
            jwks_uri: url("/oauth2/jwks"),
            userinfo_endpoint: url("/oauth2/userinfo"),
            introspection_endpoint: url("/oauth2/introspect"),
            revocation_endpoint: url("/oauth2/revoke"),
            pushed_authorization_request_endpoint: url("/oauth2/par"),
            device_authorization_endpoint: url("/oauth2/device_authorization"),
            end_session_endpoint: url("/oauth2/logout"),
            mtls_endpoint_aliases: aliases,
            response_types_supported: words(["code"]),
            response_modes_supported: words(ResponseMode::ALL.iter().map(|mode| mode.as_str())),
            grant_types_supported: words(GrantType::ALL.iter().map(|grant| grant.as_str())),
            subject_types_supported: words(["public"]),
            id_token_signing_alg_values_supported: algorithms,
            scopes_supported: words(ABOUT_PEOPLE),
            claims_supported: words(CLAIMS),
            token_endpoint_auth_methods_supported: every.clone(),
            token_endpoint_auth_signing_alg_values_supported: words(
                crypto::jose::SignatureAlgorithm::ALL.iter().map(|algorithm| algorithm.as_str()),
            ),
            introspection_endpoint_auth_methods_supported: confidential,
            revocation_endpoint_auth_methods_supported: every,
            code_challenge_methods_supported: words(["S256"]),
            acr_values_supported: words(Acr::ALL.iter().map(|acr| acr.as_str())),
            prompt_values_supported: words(Prompt::ALL.iter().map(|prompt| prompt.as_str())),
            ui_locales_supported: words(["en"]),
            authorization_response_iss_parameter_supported: true,
            require_pushed_authorization_requests: false,
            tls_client_certificate_bound_access_tokens: self.mtls_origin.is_some(),
            backchannel_logout_supported: true,
            backchannel_logout_session_supported: true,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            claims_parameter_supported: false,
        })
    }

    /// Where clients with certificates come to (RFC 8705, 5).
    fn aliases(&self, site: &Site, origin: &str) -> serde_json::Value {
        let path = |path: &str| format!("{origin}{}", site.path(path, &self.origin));
        json!({
            "token_endpoint": path("/oauth2/token"),
            "introspection_endpoint": path("/oauth2/introspect"),
            "revocation_endpoint": path("/oauth2/revoke"),
            "userinfo_endpoint": path("/oauth2/userinfo"),
            "pushed_authorization_request_endpoint": path("/oauth2/par"),
            "device_authorization_endpoint": path("/oauth2/device_authorization"),
        })
    }

    /// The names of ways in which clients prove who they are. A certificate needs a listener that looks at it.
    fn ways(&self, ways: &[ClientAuth]) -> Vec<String> {
        let names = ways.iter().flat_map(|way| match way {
            ClientAuth::Secret => ["client_secret_basic", "client_secret_post"].as_slice(),
            ClientAuth::PrivateKeyJwt => &["private_key_jwt"],
            ClientAuth::TlsClientAuth if self.mtls_origin.is_some() => &["tls_client_auth"],
            _ => &[],
        });
        words(names.copied())
    }
}

/// What tokens and the userinfo endpoint may say of somebody.
const CLAIMS: [&str; 20] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "sid",
    "at_hash",
    "role",
    "name",
    "given_name",
    "family_name",
    "picture",
    "email",
    "email_verified",
    "phone_number",
];

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}
