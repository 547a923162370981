//! Tokens of a service for itself.

use api::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::jose::SigningKey;
use serde_json::json;
use zeroize::Zeroizing;

use super::{Fetching, TokenSource};
use crate::error::Error;
use crate::identity::clock::{Clock as _, WallClock};
use crate::oauth::{Form, Provider};
use crate::random;

/// How a service proves who it is.
pub enum ClientProof {
    /// Its secret.
    Secret(SecretText),
    /// A key of its own, of which the provider knows the public half (`private_key_jwt`, RFC 7523).
    Key(Box<SigningKey>),
}

impl ClientProof {
    /// A secret.
    pub fn secret(text: &str) -> Self {
        Self::Secret(SecretText::copy_from(text))
    }
}

/// The client credentials grant: a service, as itself.
pub struct ClientCredentials {
    provider: Provider,
    client_id: String,
    proof: ClientProof,
    scope: Option<String>,
    resource: Option<String>,
}

/// Seconds that an assertion is good for.
const ASSERTION_S: i64 = 60;

impl ClientCredentials {
    /// The service of this client id.
    pub fn new(provider: Provider, client_id: impl Into<String>, proof: ClientProof) -> Self {
        Self { provider, client_id: client_id.into(), proof, scope: None, resource: None }
    }

    /// What the tokens are to allow, with spaces between; everything that the service may have unless told.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The API that the tokens are for (RFC 8707). The platform's own API is named by its issuer.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    fn assertion(&self, key: &SigningKey) -> Result<Zeroizing<String>, Error> {
        let now = WallClock.now_s();
        let claims = json!({
            "iss": self.client_id, "sub": self.client_id, "aud": self.provider.token_endpoint(),
            "iat": now, "exp": now + ASSERTION_S, "jti": random::request_name().to_string(),
        });
        let signed = key.sign("JWT", claims.to_string().as_bytes(), &random::pool());
        signed.map(Zeroizing::new).map_err(|error| Error::Credential(format!("signing an assertion: {error}")))
    }

    /// The name and the secret of a client in a header: both are form-encoded in it (RFC 6749, 2.3.1).
    fn basic(&self, secret: &SecretText) -> Zeroizing<String> {
        let encode = api::routes::encode_query_value;
        let pair = Zeroizing::new(format!("{}:{}", encode(&self.client_id), encode(secret.expose())));
        Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
    }
}

impl TokenSource for ClientCredentials {
    fn fetch<'a>(&'a self, _: Option<&'a str>) -> Fetching<'a> {
        Box::pin(async move {
            let mut form = Form::of(&[("grant_type", "client_credentials")]);
            let optional = [("scope", &self.scope), ("resource", &self.resource)];
            optional.iter().for_each(|(name, value)| value.iter().for_each(|value| form.add(name, value)));
            let authorization = match &self.proof {
                ClientProof::Secret(secret) => Some(self.basic(secret)),
                ClientProof::Key(key) => {
                    form.add("client_id", &self.client_id);
                    form.add("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                    form.add("client_assertion", &self.assertion(key)?);
                    None
                }
            };
            let authorization = authorization.as_deref().map(String::as_str);
            self.provider.token(&form, authorization).await.map(Into::into)
        })
    }
}
