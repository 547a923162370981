//! Forms to OAuth's endpoints, and JSON from them, within limits.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::client::{connector, is_loopback, read_at_most};
use crate::config::Config;
use crate::error::{Error, OAuthRefusal};
use crate::random;
use crate::retry::{Failure, Repetition, wait};

/// Sends requests to addresses that their answers, or somebody's environment, named.
pub(crate) struct Http {
    client: legacy::Client<tls::Connector, Full<Bytes>>,
    agent: HeaderValue,
    timeout: Duration,
    retries: u32,
    danger_plain_http: bool,
}

/// A form, wiped when dropped: most of what is in one is secret.
pub(crate) struct Form(Zeroizing<String>);

/// No answer of a provider is larger.
const LARGEST_ANSWER_BYTES: usize = 1 << 20;

/// An answer that is a success.
struct Answer {
    status: u16,
    body: Zeroizing<Vec<u8>>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Form {
    /// These fields, in their order.
    pub(crate) fn of(fields: &[(&str, &str)]) -> Self {
        let mut form = Self(Zeroizing::new(String::new()));
        fields.iter().for_each(|(name, value)| form.add(name, value));
        form
    }

    /// One more.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        let mark = if self.0.is_empty() { "" } else { "&" };
        let encoded = Zeroizing::new(api::routes::encode_query_value(value));
        // Writing to a string does not fail.
        let _ = write!(self.0, "{mark}{name}={}", encoded.as_str());
    }
}

impl Http {
    /// As a configuration says, without its credential.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let agent = HeaderValue::from_str(&config.user_agent);
        Ok(Self {
            client: legacy::Client::builder(TokioExecutor::new()).build(connector(config)?),
            agent: agent.map_err(|_| Error::Config("the user agent is not a header value".to_owned()))?,
            timeout: config.timeout,
            retries: config.retries,
            danger_plain_http: config.danger_plain_http,
        })
    }

    /// JSON from an address.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &str, authorization: Option<&str>) -> Result<T, Error> {
        self.sent(Method::GET, url, None, authorization).await?.read()
    }

    /// The very bytes at an address, for those who read more strictly.
    pub(crate) async fn get_bytes(&self, url: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(self.sent(Method::GET, url, None, None).await?.body)
    }

    /// JSON for a form.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        form: &Form,
        authorization: Option<&str>,
    ) -> Result<T, Error> {
        self.sent(Method::POST, url, Some(form), authorization).await?.read()
    }

    /// JSON for a request that says everything in its address.
    pub(crate) async fn post_nothing<T: DeserializeOwned>(&self, url: &str, authorization: &str) -> Result<T, Error> {
        self.sent(Method::POST, url, None, Some(authorization)).await?.read()
    }

    async fn sent(
        &self,
        method: Method,
        url: &str,
        form: Option<&Form>,
        authorization: Option<&str>,
    ) -> Result<Answer, Error> {
        let uri = self.checked(url)?;
        // What asks changes nothing; what posts may have been done when no answer came, and most of it works once.
        let repetition = if method == Method::GET { Repetition::Harmless } else { Repetition::Harmful };
        let mut attempt = 0;
        loop {
            let request = self.request(&method, &uri, form, authorization)?;
            let (failure, error) = match self.attempt(request, url).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let pause = failure.filter(|_| attempt < self.retries);
            let pause = pause.and_then(|failure| wait(failure, repetition, attempt, random::fraction()));
            let Some(pause) = pause else { return Err(error) };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Tokens and secrets travel encrypted, or stay on this machine.
    fn checked(&self, url: &str) -> Result<Uri, Error> {
        let wrong = |why: &str| Error::Config(format!("{url}: {why}"));
        let uri: Uri = url.parse().map_err(|_| wrong("not an address"))?;
        let host = uri.host().ok_or_else(|| wrong("no host"))?;
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if is_loopback(host) || self.danger_plain_http => Ok(uri),
            _ => Err(wrong("a token would be shown to the network; use https")),
        }
    }

    fn request(
        &self,
        method: &Method,
        uri: &Uri,
        form: Option<&Form>,
        authorization: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let body = form.map(|form| Bytes::copy_from_slice(form.0.as_bytes())).unwrap_or_default();
        let (is_empty, unusable) = (body.is_empty(), |_| Error::Config(format!("{uri} cannot be asked")));
        let mut request = Request::builder().method(method).uri(uri.clone()).body(Full::new(body)).map_err(unusable)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, self.agent.clone());
        if form.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        } else if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if is_empty && method == Method::POST {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if let Some(text) = authorization {
            let value = HeaderValue::from_str(text);
            let mut value = value.map_err(|_| Error::Config("a credential that is no header value".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn attempt(&self, request: Request<Full<Bytes>>, url: &str) -> Result<Answer, (Option<Failure>, Error)> {
        let address = address_of(url);
        let timed_out = || (Some(Failure::Unknown), Error::TimedOut { address: address.clone(), after: self.timeout });
        let unreachable = |source| Error::Unreachable { address: address.clone(), source };
        let response = match tokio::time::timeout(self.timeout, self.client.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let failure = if error.is_connect() { Failure::NotSent } else { Failure::Unknown };
                return Err((Some(failure), unreachable(error.into())));
            }
            Err(_) => return Err(timed_out()),
        };
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        let body = tokio::time::timeout(self.timeout, read_at_most(response, LARGEST_ANSWER_BYTES)).await;
        let body = body.map_err(|_| timed_out())?;
        let body = body.map_err(|source| (Some(Failure::Unknown), unreachable(source)))?;
        if (200..300).contains(&status) {
            return Ok(Answer { status, body });
        }
        let busy = [429, 503].contains(&status).then_some(Failure::Busy { retry_after });
        Err((busy, refused(status, &body)))
    }
}

impl Answer {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let body: &[u8] = if self.body.is_empty() { b"null" } else { &self.body };
        serde_json::from_slice(body).map_err(|_| Error::Foreign { status: self.status })
    }
}

fn refused(status: u16, body: &[u8]) -> Error {
    match serde_json::from_slice::<Refused>(body) {
        Ok(said) => {
            Error::OAuth(Box::new(OAuthRefusal { code: said.error, description: said.error_description, status }))
        }
        Err(_) => Error::Foreign { status },
    }
}

fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

/// An address without what may be secret in it.
fn address_of(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}
