//! How a client proves who it is at the endpoints that are not for browsers.
//!
//! One way a request, and the one that its application is set to: a client that shows more than it must, or something else, is refused.

use std::sync::Arc;

use crypto::hash::ct_eq;
use crypto::jose::{Claims, KeySet, Refusal};
use domain::identity::application::ClientAuth;
use domain::identity::parameters::Parameters;
use domain::time::{SECOND_MS, Timestamp};
use store::consents::spend_assertion;

use super::clients::Client;
use super::refusal::{Answered, Refused};
use super::site::Site;
use super::{Kind, Oidc, bearer_hash, jws, on_behalf};
use crate::app::applications::secrets::secret_hash;
use crate::app::fetched_keys::Want;
use crate::credentials::Credentials;
use crate::ctx::Service;

/// The type of a client's own assertion (RFC 7523).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion may live.
const ASSERTION_MS: i64 = 600 * SECOND_MS;
/// How far clocks may differ.
const SKEW_MS: i64 = 30 * SECOND_MS;
/// The longest name of an assertion.
const JTI_MAX: usize = 256;

/// What a client shows.
pub struct Shown<'a> {
    /// From `Authorization: Basic`, decoded.
    pub basic: Option<(String, String)>,
    /// The form.
    pub form: &'a Parameters,
}

/// A client that proved who it is, or that has nothing to prove it with.
pub struct Proved {
    /// The client.
    pub client: Arc<Client>,
    /// What its tokens are bound to.
    pub thumbprint: Option<String>,
}

impl Oidc {
    /// Finds out who asks. A failure counts against the address, so does a client that proves nothing.
    pub async fn prove(&self, site: &Site, shown: &Shown<'_>, credentials: &Credentials) -> Answered<Proved> {
        match self.try_prove(site, shown).await {
            Ok(proved) if proved.client.row.settings.client_auth == ClientAuth::None => {
                credentials.admit_anonymous(&site.ctx.origin)?;
                Ok(proved)
            }
            Ok(proved) => {
                self.count_client(&proved.client, site.ctx.now())?;
                Ok(proved)
            }
            Err(refused) => {
                credentials.admit_anonymous(&site.ctx.origin)?;
                Err(refused)
            }
        }
    }

    async fn try_prove(&self, site: &Site, shown: &Shown<'_>) -> Answered<Proved> {
        let form = shown.form;
        let assertion = form.get("client_assertion");
        let ways = [shown.basic.is_some(), form.has("client_secret"), form.has("client_assertion")];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(Refused::invalid("The client proves who it is in more than one way."));
        }
        if assertion.is_some() != (form.get("client_assertion_type") == Some(JWT_BEARER)) {
            return Err(Refused::invalid("client_assertion and client_assertion_type belong together."));
        }
        let named = form.get("client_id");
        let basic_id = shown.basic.as_ref().map(|(id, _)| id.as_str());
        if let (Some(named), Some(basic)) = (named, basic_id)
            && named != basic
        {
            return Err(Refused::invalid("client_id is another than the one of the Authorization header."));
        }
        // Whose assertion it is only chooses the keys that it is verified with.
        let asserted = assertion.and_then(jws::unverified_subject);
        let client_id =
            named.or(basic_id).or(asserted.as_deref()).ok_or_else(|| Refused::client().because("no client_id"))?;
        let client = self.client(site, client_id).await?;
        let client = client.ok_or_else(|| Refused::client().because("there is no such client"))?;
        site.is_asked_by(client.id());
        let secret = shown.basic.as_ref().map(|(_, secret)| secret.as_str()).or(form.get("client_secret"));
        let thumbprint = match (client.row.settings.client_auth, secret, assertion) {
            (ClientAuth::None, None, None) => None,
            (ClientAuth::Secret, Some(secret), None) => {
                secret_of(site, &client, secret)?;
                None
            }
            (ClientAuth::PrivateKeyJwt, None, Some(assertion)) => {
                Box::pin(self.assertion_of(site, &client, assertion)).await?;
                None
            }
            (ClientAuth::TlsClientAuth, None, None) => Some(certificate_of(site, &client)?),
            (ClientAuth::Federated, None, Some(assertion)) => {
                Box::pin(self.federated_client(site, &client, assertion)).await?;
                None
            }
            _ => return Err(Refused::client().because("not the way that the application is set to")),
        };
        Ok(Proved { client, thumbprint })
    }

    async fn assertion_of(&self, site: &Site, client: &Client, assertion: &str) -> Answered<()> {
        let wrong = |cause: &str| Refused::client().because(format!("client assertion: {cause}"));
        let settings = &client.row.settings;
        let verified = match (&settings.jwks, &settings.jwks_uri) {
            (Some(jwks), _) => jws::read_set(&jwks.to_string()).and_then(|keys| jws::claims_by(&keys, assertion)),
            (None, Some(uri)) => {
                self.claims_by_fetched(uri, assertion, site.ctx.now()).await.map_err(|why| wrong(&why))?
            }
            (None, None) => return Err(wrong("the application has no keys")),
        };
        let claims = verified.map_err(|refusal| wrong(&refusal.to_string()))?;
        let text = |name| claims.required(name).map_err(|refusal| wrong(&refusal.to_string()));
        let time = |name| match claims.time_s(name) {
            Ok(seconds) => Ok(seconds.map(instant)),
            Err(refusal) => Err(wrong(&refusal.to_string())),
        };
        let now = site.ctx.now();
        if text("iss")? != client.id() || text("sub")? != client.id() {
            return Err(wrong("it is somebody else's"));
        }
        // Several audiences could be several servers: then one of them could show it to another.
        let places = ["", "/oauth2/token", "/connect/token", "/oauth2/par"];
        let is_here = |aud: &str| places.iter().any(|place| aud == site.url(place));
        if !text("aud").is_ok_and(is_here) {
            return Err(wrong("it is for somebody else, or for several"));
        }
        let expires_at = time("exp")?.ok_or_else(|| wrong("it has no end"))?;
        let is_early = [time("nbf")?, time("iat")?].into_iter().flatten().any(|from| from > now.plus_millis(SKEW_MS));
        if expires_at <= now || expires_at > now.plus_millis(ASSERTION_MS + SKEW_MS) || is_early {
            return Err(wrong("it does not live now, or for too long"));
        }
        let name = text("jti")?;
        if name.is_empty() || name.len() > JTI_MAX {
            return Err(wrong("it has no name"));
        }
        self.spend(site, client.id(), name, expires_at).await?.then_some(()).ok_or_else(|| wrong("shown twice"))
    }

    /// What an assertion says by the keys that its application publishes. One that is not known yet is looked for once.
    async fn claims_by_fetched(
        &self,
        uri: &str,
        assertion: &str,
        now: Timestamp,
    ) -> Result<Result<Claims, Refusal>, String> {
        let keys = |want| self.client_keys.keys(uri.to_owned(), want, now, self.fetch_keys(uri));
        let claims = jws::claims_by(&*keys(Want::Any).await?, assertion);
        match claims {
            Err(Refusal::UnknownKey) => Ok(jws::claims_by(&*keys(Want::Newer).await?, assertion)),
            claims => Ok(claims),
        }
    }

    async fn fetch_keys(&self, uri: &str) -> Result<KeySet, String> {
        let body = self.egress.fetch(uri).await.map_err(|error| format!("fetching the application's keys: {error}"))?;
        let text = String::from_utf8(body).map_err(|_| "the application's keys are no text".to_owned())?;
        jws::read_set(&text).map_err(|refusal| refusal.to_string())
    }

    /// Spends an assertion of somebody. False when it was spent before.
    pub(super) async fn spend(&self, site: &Site, issuer: &str, name: &str, expires_at: Timestamp) -> Answered<bool> {
        let text = format!("{}\n{issuer}\n{name}", issuer.len());
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Assertion, &text);
        let statement = spend_assertion(&on_behalf(site.tenant()), &hash, expires_at.plus_millis(SKEW_MS));
        let touched = self.core.store.write("spend an assertion", move |tx| {
            let statement = statement.clone();
            Box::pin(async move { tx.exec(statement).await })
        });
        Ok(touched.await? == 1)
    }
}

fn instant(seconds: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND_MS))
}

fn secret_of(site: &Site, client: &Client, secret: &str) -> Answered<()> {
    let hash = secret_hash(&site.ctx.keyring.root, secret.as_bytes());
    let now = site.ctx.now();
    let works = |until: Option<Timestamp>| until.is_none_or(|until| until > now);
    // All of them are compared, so that the time says nothing about which one it was.
    let fits = client.secrets.iter().filter(|known| ct_eq(&known.hash, &hash) & works(known.expires_at)).count();
    if fits > 0 { Ok(()) } else { Err(Refused::client().because("the secret is wrong")) }
}

fn certificate_of(site: &Site, client: &Client) -> Answered<String> {
    let Some(service) = &site.service else {
        return Err(Refused::client().because("no certificate of this tenant's authority was shown"));
    };
    let wanted = client.row.settings.tls_san.as_deref();
    let has = |name: &str| service.spiffe_id == name || service.dns_names.iter().any(|dns| dns == name);
    if !wanted.is_some_and(has) {
        return Err(Refused::client().because("the certificate is another service's"));
    }
    Ok(thumbprint_of(service))
}

/// What tokens call a certificate (RFC 8705, 3.1).
pub fn thumbprint_of(service: &Service) -> String {
    jws::base64url(&service.fingerprint)
}
