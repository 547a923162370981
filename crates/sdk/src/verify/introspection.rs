//! What the issuer itself says of a token (RFC 7662).

use api::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::jose::Claims;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::PATIENCE;
use super::rejected::Rejected;
use crate::config::Config;
use crate::error::{Error, report};
use crate::oauth::{Form, Http};

/// A client that may ask.
pub(super) struct Introspection {
    http: Http,
    authorization: Zeroizing<String>,
}

impl Introspection {
    pub(super) fn new(config: &Config, client_id: String, secret: SecretText) -> Result<Self, Error> {
        let encode = api::routes::encode_query_value;
        let pair = Zeroizing::new(format!("{}:{}", encode(&client_id), encode(secret.expose())));
        let authorization = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        Ok(Self { http: Http::new(config)?, authorization })
    }

    /// The claims of a token that is alive. Anything but a clear yes is a no.
    pub(super) async fn ask(&self, endpoint: &str, token: &str) -> Result<Claims, Rejected> {
        let form = Form::of(&[("token", token), ("token_type_hint", "access_token")]);
        let asked = self.http.post::<Map<String, Value>>(endpoint, &form, Some(self.authorization.as_str()));
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let answer = answer.map_err(|_| Rejected::Unavailable("the issuer does not answer".to_owned()))?;
        let answer = answer.map_err(|error| {
            tracing::warn!(error = %report(&error), "a token could not be introspected");
            Rejected::Unavailable(report(&error))
        })?;
        if answer.get("active") != Some(&Value::Bool(true)) {
            return Err(Rejected::Inactive);
        }
        Ok(Claims::read(Value::Object(answer).to_string().as_bytes())?)
    }
}
