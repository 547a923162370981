//! What a client needs to know.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::secret::SecretText;
use http::Uri;

use crate::error::Error;
use crate::tokens::Tokens;

/// Where the server is and how to speak to it.
pub struct Config {
    pub(crate) base_url: String,
    pub(crate) key: Option<SecretText>,
    pub(crate) tokens: Option<Arc<Tokens>>,
    pub(crate) mtls_url: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) pinned: Option<String>,
    pub(crate) user_agent: String,
    pub(crate) danger_plain_http: bool,
}

impl Config {
    /// The same with a copy of the credential, for a second client.
    pub(crate) fn duplicate(&self) -> Self {
        Self {
            base_url: self.base_url.clone(),
            mtls_url: self.mtls_url.clone(),
            key: self.key.as_ref().map(|key| SecretText::copy_from(key.expose())),
            tokens: self.tokens.clone(),
            timeout: self.timeout,
            retries: self.retries,
            authorities: self.authorities.clone(),
            pinned: self.pinned.clone(),
            user_agent: self.user_agent.clone(),
            danger_plain_http: self.danger_plain_http,
        }
    }

    /// A server and no credential.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            key: None,
            tokens: None,
            mtls_url: None,
            timeout: Duration::from_secs(30),
            retries: 3,
            authorities: None,
            pinned: None,
            user_agent: concat!("qapi-sdk/", env!("CARGO_PKG_VERSION")).to_owned(),
            danger_plain_http: false,
        }
    }

    /// Scheme, host and port of the address, in one spelling (RFC 6454, 4): addresses of one origin are one server.
    pub fn origin(&self) -> Result<String, Error> {
        let wrong = || Error::Config(format!("{}: not an address", self.base_url));
        let uri: Uri = self.base_url.trim().parse().map_err(|_| wrong())?;
        let scheme = uri.scheme_str().ok_or_else(wrong)?.to_ascii_lowercase();
        let host = uri.host().ok_or_else(wrong)?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
        Ok(format!("{scheme}://{host}:{port}"))
    }

    /// The API key to show with every request.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(SecretText::copy_from(key));
        self
    }

    /// The access tokens to show with every request, in place of an API key.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<Tokens>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Where the server lets services in by their certificates: `https://host:port`. An identity is renewed there, and its
    /// API key is only needed for the first certificate.
    #[must_use]
    pub fn with_mtls_url(mut self, url: impl Into<String>) -> Self {
        self.mtls_url = Some(url.into());
        self
    }

    /// How long one attempt may take; 30 seconds unless told.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a request is sent again; 3 times unless told.
    #[must_use]
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// A PEM file of authorities to trust beside the public ones.
    #[must_use]
    pub fn with_authorities(mut self, path: PathBuf) -> Self {
        self.authorities = Some(path);
        self
    }

    /// Trusts the one authority of this fingerprint (`sha256:` and 64 hexadecimal digits) and nobody else. The server has
    /// to send that authority's certificate, as `qapid` does with the ones it issues for itself.
    #[must_use]
    pub fn with_pinned_authority(mut self, fingerprint: impl Into<String>) -> Self {
        self.pinned = Some(fingerprint.into());
        self
    }

    /// How the client names itself in the server's log.
    #[must_use]
    pub fn with_user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Lets the credential travel unencrypted to other machines than this one. Without this, an `http` address that
    /// is not loopback is refused.
    #[must_use]
    pub fn with_danger_plain_http(mut self) -> Self {
        self.danger_plain_http = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_origin_has_one_spelling() {
        let origin = |text: &str| Config::new(text).origin().ok();
        let vault = Some("https://vault.example:443".to_owned());
        for same in ["https://vault.example", "HTTPS://Vault.Example/", " https://vault.example:443/t/acme "] {
            assert_eq!(origin(same), vault, "{same}");
        }
        for other in ["http://vault.example", "https://vault.example:8443", "https://vault.example@evil.example"] {
            assert!(origin(other).is_some() && origin(other) != vault, "{other}");
        }
        assert_eq!((origin("vault.example"), origin("")), (None, None));
    }
}
