//! The client: sends calls, waits, and reads answers.

use std::sync::Arc;
use std::time::Duration;

use api::error::ErrorBody;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::de::DeserializeOwned;
use tls::pin::Fingerprint;
use zeroize::Zeroizing;

use crate::call::Call;
use crate::config::Config;
use crate::error::{Error, Refusal, report};
use crate::random;
use crate::retry::{Failure, wait};
use crate::tokens::{AccessToken, Tokens};

/// A client of one server, with one credential. Cheap to share behind a reference; connections are kept and reused.
pub struct Client {
    http: legacy::Client<tls::Connector, Full<Bytes>>,
    /// Scheme, host, and the path before every route, without a slash at its end.
    base: String,
    headers: HeaderMap,
    tokens: Option<Arc<Tokens>>,
    timeout: Duration,
    retries: u32,
}

/// Answers larger than this are not read into memory; backups and exports are streamed.
const LARGEST_ANSWER_BYTES: usize = 64 << 20;
/// The server closes a connection that brings no request for 15 seconds, and a request that meets the closing is lost. So
/// none is sent on a connection that is near it.
const POOL_IDLE: Duration = Duration::from_secs(10);

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(config: Config) -> Result<Self, Error> {
        let base = checked_base(&config)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*"));
        let agent = HeaderValue::from_str(&config.user_agent);
        headers
            .insert(USER_AGENT, agent.map_err(|_| Error::Config("the user agent is not a header value".to_owned()))?);
        if let Some(key) = &config.key {
            let mut value = HeaderValue::from_str(key.expose().trim())
                .map_err(|_| Error::Config("the API key holds characters that no key has".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-api-key"), value);
        }
        if config.key.is_some() && config.tokens.is_some() {
            return Err(Error::Config("an API key and access tokens: which of them is meant?".to_owned()));
        }
        let connector = connector(&config)?;
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        Ok(Self { http, base, headers, tokens: config.tokens, timeout: config.timeout, retries: config.retries })
    }

    /// The address calls go to.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// Sends a call and reads its JSON answer. No body counts as `null`.
    pub(crate) async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let response = self.answered(&call).await?;
        let status = response.status().as_u16();
        let body = tokio::time::timeout(self.timeout, read_whole(response)).await;
        let body = body.map_err(|_| self.timed_out())?.map_err(|source| self.unreachable(source))?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).map_err(|_| Error::Foreign { status })
    }

    /// Sends a call and hands its answer on as it comes.
    pub(crate) async fn download(&self, call: Call) -> Result<Download, Error> {
        let response = self.answered(&call).await?;
        Ok(Download { body: response.into_body(), address: self.base.clone() })
    }

    /// Sends a call until it is answered with success, or for good with something else.
    async fn answered(&self, call: &Call) -> Result<Response<Incoming>, Error> {
        let mut attempt = 0;
        let mut token = self.token().await?;
        let mut is_believed = true;
        loop {
            let (failure, error) = match self.attempt(call, token.as_deref()).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => self.refused(response).await,
                Err(failed) => failed,
            };
            // Nothing was done for a token that was not believed; another one is tried once.
            if let (true, true, Some(tokens), Some(stale)) = (is_believed, is_unknown(&error), &self.tokens, &token) {
                is_believed = false;
                token = Some(tokens.in_place_of(stale).await?);
                continue;
            }
            let pause = failure.filter(|_| attempt < self.retries);
            let pause = pause.and_then(|failure| wait(failure, call.repetition, attempt, random::fraction()));
            let Some(pause) = pause else { return Err(error) };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn token(&self) -> Result<Option<Arc<AccessToken>>, Error> {
        match &self.tokens {
            Some(tokens) => tokens.current().await.map(Some),
            None => Ok(None),
        }
    }

    async fn attempt(
        &self,
        call: &Call,
        token: Option<&AccessToken>,
    ) -> Result<Response<Incoming>, (Option<Failure>, Error)> {
        let request = self.request(call, token).map_err(|error| (None, error))?;
        match tokio::time::timeout(self.timeout, self.http.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let failure = if error.is_connect() { Failure::NotSent } else { Failure::Unknown };
                Err((Some(failure), self.unreachable(error.into())))
            }
            Err(_) => Err((Some(Failure::Unknown), self.timed_out())),
        }
    }

    fn request(&self, call: &Call, token: Option<&AccessToken>) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(call.method.as_str())
            .uri(format!("{}{}", self.base, call.target))
            .body(Full::new(Bytes::copy_from_slice(&call.body)))
            .map_err(|_| Error::Config(format!("{}{} is not an address", self.base, call.target)))?;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| Error::Credential("a token that is no header value".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if !call.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = call.idempotency_key.as_deref().and_then(|key| HeaderValue::from_str(key).ok()) {
            headers.insert(HeaderName::from_static("idempotency-key"), key);
        }
        for (name, value) in &call.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Ok(request)
    }

    /// Reads the reason out of an answer that is not a success.
    async fn refused(&self, response: Response<Incoming>) -> (Option<Failure>, Error) {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let busy = [429, 503].contains(&status).then_some(Failure::Busy { retry_after });
        let body = tokio::time::timeout(self.timeout, read_whole(response)).await;
        let error = said_no(status, retry_after, &body.ok().and_then(Result::ok).unwrap_or_default());
        // A sealed server does not unseal itself while we wait.
        let busy = busy.filter(|_| error.code() != Some(api::error::ErrorCode::Sealed));
        (busy, error)
    }

    fn unreachable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Unreachable { address: self.base.clone(), source }
    }

    fn timed_out(&self) -> Error {
        Error::TimedOut { address: self.base.clone(), after: self.timeout }
    }
}

/// An answer that is read piece by piece.
pub struct Download {
    body: Incoming,
    address: String,
}

impl Download {
    /// The next piece, or none at the end.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.body.frame().await {
            let frame =
                frame.map_err(|source| Error::Unreachable { address: self.address.clone(), source: source.into() })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// What an answer that is not a success says.
pub(crate) fn said_no(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Error {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(body) else { return Error::Foreign { status } };
    Error::Refused(Box::new(Refusal {
        code: body.error,
        message: body.message,
        status,
        request_id: body.request_id,
        retry_after,
        details: body.details,
    }))
}

/// Whether the server does not know whoever shows the credential.
fn is_unknown(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| refusal.status == 401)
}

/// Collects an answer into memory that is wiped afterwards.
pub(crate) async fn read_whole(
    response: Response<Incoming>,
) -> Result<Zeroizing<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
    read_at_most(response, LARGEST_ANSWER_BYTES).await
}

/// The same, within a limit of the caller's.
pub(crate) async fn read_at_most(
    response: Response<Incoming>,
    limit_bytes: usize,
) -> Result<Zeroizing<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
    let mut body = response.into_body();
    let mut whole = Zeroizing::new(Vec::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if whole.len() + data.len() > limit_bytes {
                return Err("the answer is too large".into());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole)
}

/// Whom to believe to be the server.
pub(crate) fn connector(config: &Config) -> Result<tls::Connector, Error> {
    let unusable = |error: &dyn std::error::Error| Error::Config(report(error));
    match (&config.pinned, &config.authorities) {
        (Some(_), Some(_)) => Err(Error::Config("a pinned authority leaves no room for a file of others".to_owned())),
        (Some(fingerprint), None) => {
            let fingerprint: Fingerprint = fingerprint.parse().map_err(|error| unusable(&error))?;
            tls::pin::connector(fingerprint).map_err(|error| unusable(&error))
        }
        (None, authorities) => tls::connector(authorities.as_deref()).map_err(|error| unusable(&error)),
    }
}

/// The base address without a slash at its end, if it is one.
pub(crate) fn checked_base(config: &Config) -> Result<String, Error> {
    let base = config.base_url.trim().trim_end_matches('/');
    let wrong = |why: &str| Error::Config(format!("{base}: {why}"));
    let uri: Uri = base.parse().map_err(|_| wrong("not an address"))?;
    let host = uri.host().ok_or_else(|| wrong("no host: it has to look like https://vault.example"))?;
    if uri.query().is_some() {
        return Err(wrong("an address with a query"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(base.to_owned()),
        Some("http") if is_loopback(host) || config.danger_plain_http => Ok(base.to_owned()),
        Some("http") => Err(wrong("plain http to another machine would show the API key to the network; use https")),
        _ => Err(wrong("neither http nor https")),
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
