//! The keys of other issuers: pinned in the trust, or fetched and remembered.

use std::sync::Arc;

use crypto::jose::Refusal;
use crypto::jose::federated::OutsideKeys;
use domain::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use store::trusts::StoredTrust;

use crate::app::fetched_keys::{FetchedKeys, Want};
use crate::egress::Egress;

/// The issuers whose keys were fetched.
pub struct Issuers {
    egress: Arc<Egress>,
    known: FetchedKeys<OutsideKeys>,
}

/// What is read of an issuer's metadata.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Issuers {
    /// Nobody is known yet.
    pub fn new(egress: Arc<Egress>) -> Self {
        Self { egress, known: FetchedKeys::default() }
    }

    /// The keys of a trust's issuer. Why there are none is for whoever made the trust.
    pub async fn keys(&self, trust: &StoredTrust, want: Want, now: Timestamp) -> Result<Arc<OutsideKeys>, String> {
        if let Some(jwks) = &trust.settings.jwks {
            return pinned(jwks).map(Arc::new).map_err(|refusal| refusal.to_string());
        }
        // Two tenants that name one issuer mean one issuer; one that names other keys for it means others.
        let place = format!("{}\n{}", trust.issuer, trust.settings.jwks_uri.as_deref().unwrap_or_default());
        self.known.keys(place, want, now, self.fetch(trust)).await
    }

    async fn fetch(&self, trust: &StoredTrust) -> Result<OutsideKeys, String> {
        let address = match &trust.settings.jwks_uri {
            Some(uri) => uri.clone(),
            None => self.discover(&trust.issuer).await?,
        };
        let body = self.egress.fetch(&address).await.map_err(|error| format!("fetching the issuer's keys: {error}"))?;
        let text = String::from_utf8(body).map_err(|_| "the issuer's keys are no text".to_owned())?;
        let keys = OutsideKeys::read(&text).map_err(|refusal| refusal.to_string())?;
        if keys.is_empty() { Err("the issuer has no key that is usable here".to_owned()) } else { Ok(keys) }
    }

    async fn discover(&self, issuer: &str) -> Result<String, String> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let body = self.egress.fetch(&address).await;
        let body = body.map_err(|error| format!("fetching the issuer's metadata: {error}"))?;
        let metadata: Metadata =
            serde_json::from_slice(&body).map_err(|_| "the issuer's metadata name no keys".to_owned())?;
        if metadata.issuer == issuer {
            Ok(metadata.jwks_uri)
        } else {
            Err("the issuer's metadata are another issuer's".to_owned())
        }
    }
}

/// Keys that stand in the trust itself.
pub fn pinned(jwks: &Value) -> Result<OutsideKeys, Refusal> {
    let keys = OutsideKeys::read(&jwks.to_string())?;
    if keys.is_empty() { Err(Refusal::KeySet("no key of it is usable here")) } else { Ok(keys) }
}
