//! Requests to a registry: proved, repeated, bounded in time and in length.
//!
//! Every request is judged by its address first: without encryption only this machine is spoken to, or whom the caller named.
//! A redirect is followed for reading alone, and takes no proof of who we are to another origin.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, DATE, LOCATION, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use tokio::time::{Instant, timeout, timeout_at};

use super::Options;
use super::authorization::{self, Access, Authorizer, Challenge, TokenRequest};
use super::credentials::Credential;
use super::error::{Cause, Error};
use crate::json;
use crate::reference::Repository;

pub(super) type Body = UnsyncBoxBody<Bytes, Cause>;

/// Sends requests.
pub(super) struct Transport {
    http: legacy::Client<tls::Connector, Body>,
    authorizer: Authorizer,
    options: Options,
}

/// One request.
pub(super) struct Call<'c> {
    /// What it does, as in `read the manifest a/b:c`.
    pub what: String,
    pub method: Method,
    pub repository: &'c Repository,
    pub access: Access<'c>,
    /// The path with its query, or a whole address.
    pub target: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

/// An answer that is neither a refusal nor something to repeat.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Incoming,
    /// Whom it came from.
    pub host: String,
}

const MOST_REDIRECTS: usize = 5;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Whoever is slower than this with a body has broken off.
const SLOWEST_BYTES_PER_SECOND: u64 = 64 << 10;
const LONGEST_ERROR_BYTES: u64 = 64 << 10;

impl<'c> Call<'c> {
    pub(super) fn new(what: String, method: Method, repository: &'c Repository, target: String) -> Self {
        let access = if [Method::GET, Method::HEAD].contains(&method) { Access::Pull } else { Access::Push };
        Self { what, method, repository, access, target, headers: Vec::new(), body: Bytes::new() }
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        // What is not a header value is left out; all of ours are.
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }
}

impl Transport {
    pub(super) fn new(options: Options, keychain: super::Keychain, connector: tls::Connector) -> Self {
        let http = legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .pool_timer(hyper_util::rt::TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Self { http, authorizer: Authorizer::new(keychain), options }
    }

    /// Sends a request until it is answered for good. The answer may still be a refusal that the caller expects.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Answer, Error> {
        let end = Instant::now() + self.options.patience;
        let mut attempt = 0;
        loop {
            let (asked_to_wait, error) = match self.attempt(call, &mut None).await {
                Ok(answer) if is_passing(answer.status) => {
                    let status = answer.status.as_u16();
                    (retry_after(&answer.headers), Error::Busy { host: answer.host, status })
                }
                // A place of tokens can be busy as well.
                Err(error @ (Error::Unreachable { .. } | Error::TimedOut { .. } | Error::Busy { .. })) => {
                    (Duration::ZERO, error)
                }
                settled => return settled,
            };
            let pause = asked_to_wait + pause(attempt);
            if attempt >= self.options.retries || Instant::now() + pause > end {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Sends a request whose body can be given once only.
    pub(super) async fn send_once(&self, call: &Call<'_>, body: Body) -> Result<Answer, Error> {
        let answer = self.attempt(call, &mut Some(body)).await?;
        match is_passing(answer.status) {
            true => Err(Error::Busy { host: answer.host, status: answer.status.as_u16() }),
            false => Ok(answer),
        }
    }

    /// One request, and another if the registry wants to know first who we are.
    async fn attempt(&self, call: &Call<'_>, body: &mut Option<Body>) -> Result<Answer, Error> {
        let proof = match self.authorizer.challenge(call.repository) {
            Some(challenge) => self.proof(call, &challenge, None).await?,
            None => None,
        };
        let is_repeatable = body.is_none();
        let answer = self.follow(call, proof.as_ref(), body).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(challenge) = Challenge::among(answer.headers.get_all(WWW_AUTHENTICATE).iter()) else {
            return Ok(answer);
        };
        self.authorizer.learn(call.repository, &challenge);
        match self.proof(call, &challenge, Some(proof.as_ref())).await? {
            // What could be given once is gone; whoever sends it has proved itself when it asked where to.
            Some(proof) if is_repeatable => self.follow(call, Some(&proof), body).await,
            _ => Ok(answer),
        }
    }

    /// The header that answers a challenge: another one than what was refused.
    async fn proof(
        &self,
        call: &Call<'_>,
        challenge: &Challenge,
        refused: Option<Option<&HeaderValue>>,
    ) -> Result<Option<HeaderValue>, Error> {
        let slot = self.authorizer.slot(call.repository, call.access);
        let mut slot = slot.lock().await;
        if let Some((header, until)) = slot.as_ref()
            && refused != Some(Some(header))
            && Instant::now() < *until
        {
            return Ok(Some(header.clone()));
        }
        let credential = self.authorizer.credential(call.repository).await?;
        let found = match (challenge, &credential) {
            (_, Some(Credential::Bearer(token))) => authorization::bearer(token).map(|header| (header, ALWAYS)),
            (Challenge::Basic, Some(credential)) => authorization::basic(credential).map(|header| (header, ALWAYS)),
            (Challenge::Basic, None) => None,
            (Challenge::Bearer { .. }, credential) => {
                match challenge.token_request(call.repository, call.access, credential.as_ref()) {
                    Some(request) => Some(self.token(call, request).await?),
                    None => None,
                }
            }
        };
        *slot = found.map(|(header, lasts)| (header, Instant::now() + lasts));
        Ok(slot.as_ref().map(|(header, _)| header.clone()))
    }

    async fn token(&self, call: &Call<'_>, request: TokenRequest) -> Result<(HeaderValue, Duration), Error> {
        let address = parsed(&request.address, call.repository.api_host())?;
        // A registry that is itself spoken to without encryption may send us to a plain place of tokens, no other.
        self.checked(&address)?;
        if address.scheme_str() == Some("http") && self.scheme(call.repository.api_host()) == "https" {
            return Err(Error::PlainHttp(host_of(&address)));
        }
        let mut builder = Request::builder().uri(&address).header(USER_AGENT, &self.options.user_agent);
        if let Some(authorization) = request.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        let built = match request.form {
            Some(form) => builder
                .method(Method::POST)
                .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(whole(Bytes::copy_from_slice(form.as_bytes()))),
            None => builder.method(Method::GET).body(whole(Bytes::new())),
        };
        let answer = self.exchange(built.map_err(|error| foreign(&host_of(&address), &error))?, 0).await?;
        if is_passing(answer.status) {
            return Err(Error::Busy { host: answer.host, status: answer.status.as_u16() });
        }
        if !answer.status.is_success() {
            return Err(self.refusal("give us a token to", call, answer).await);
        }
        let host = answer.host.clone();
        let body = self.read(answer, authorization::LONGEST_ANSWER_BYTES as u64, "a token").await?;
        authorization::token(&body).ok_or_else(|| foreign(&host, "its answer holds no token"))
    }

    /// Sends a request, and where it is redirected to, for reading.
    async fn follow(
        &self,
        call: &Call<'_>,
        proof: Option<&HeaderValue>,
        body: &mut Option<Body>,
    ) -> Result<Answer, Error> {
        let origin = self.origin(call.repository.api_host());
        let mut address = self.address(call.repository, &call.target)?;
        for _ in 0..=MOST_REDIRECTS {
            self.checked(&address)?;
            let is_home = same_origin(&address, &origin);
            let mut builder = Request::builder().method(&call.method).uri(&address);
            builder = builder.header(USER_AGENT, &self.options.user_agent);
            for (name, value) in &call.headers {
                builder = builder.header(name, value);
            }
            if let Some(proof) = proof.filter(|_| is_home) {
                builder = builder.header(AUTHORIZATION, proof);
            }
            let length = length_of(call);
            let body = body.take().unwrap_or_else(|| whole(call.body.clone()));
            let request = builder.body(body).map_err(|error| foreign(&host_of(&address), &error))?;
            let answer = self.exchange(request, length).await?;
            let reads = [Method::GET, Method::HEAD].contains(&call.method);
            if !(answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED) {
                return Ok(answer);
            }
            let target = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok()).filter(|_| reads);
            let target = target.ok_or_else(|| foreign(&answer.host, "it redirects what cannot be redirected"))?;
            let next = joined(&address, target)?;
            if address.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(Error::PlainHttp(host_of(&next)));
            }
            address = next;
        }
        Err(foreign(call.repository.api_host(), "it redirects without an end"))
    }

    async fn exchange(&self, request: Request<Body>, length: u64) -> Result<Answer, Error> {
        let host = host_of(request.uri());
        let after = self.bound(length);
        match timeout(after, self.http.request(request)).await {
            Ok(Ok(response)) => {
                let (parts, body) = response.into_parts();
                Ok(Answer { status: parts.status, headers: parts.headers, body, host })
            }
            Ok(Err(source)) => Err(Error::Unreachable { host, source: source.into() }),
            Err(_) => Err(Error::TimedOut { host, after }),
        }
    }

    /// Reads an answer of at most `limit` bytes; its announced length is judged before its first byte.
    pub(super) async fn read(&self, answer: Answer, limit: u64, what: &str) -> Result<Vec<u8>, Error> {
        let too_large = || Error::TooLarge { what: what.to_owned(), limit };
        let announced = answer.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|announced| announced > limit) {
            return Err(too_large());
        }
        let after = self.bound(announced.unwrap_or_default());
        let end = Instant::now() + after;
        let Answer { mut body, host, .. } = answer;
        let mut whole = Vec::new();
        loop {
            let frame = timeout_at(end, body.frame()).await;
            let Some(frame) = frame.map_err(|_| Error::TimedOut { host: host.clone(), after })? else { break };
            let frame = frame.map_err(|source| Error::Unreachable { host: host.clone(), source: source.into() })?;
            let Ok(data) = frame.into_data() else { continue };
            if (whole.len() + data.len()) as u64 > limit {
                return Err(too_large());
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole)
    }

    /// The error that an answer which is not a success stands for.
    pub(super) async fn refusal(&self, verb: &str, call: &Call<'_>, answer: Answer) -> Error {
        let (host, status) = (answer.host.clone(), answer.status.as_u16());
        let body = self.read(answer, LONGEST_ERROR_BYTES, "an error").await.unwrap_or_default();
        let what = format!("{verb}{}{}", if verb.is_empty() { "" } else { " " }, call.what);
        let message = message(&body);
        match status {
            401 | 403 => Error::Denied { host, what, status, message },
            404 => Error::Absent(format!("{} ({})", call.repository, call.what)),
            _ => Error::Refused { host, what, status, message },
        }
    }

    /// How long something of this length may take.
    pub(super) fn bound(&self, length: u64) -> Duration {
        self.options.timeout + Duration::from_secs(length / SLOWEST_BYTES_PER_SECOND)
    }

    fn scheme(&self, host: &str) -> &'static str {
        if self.options.is_plain(host) { "http" } else { "https" }
    }

    fn origin(&self, host: &str) -> (String, String) {
        (self.scheme(host).to_owned(), host.to_ascii_lowercase())
    }

    /// The address of a path at a repository's registry; a whole address stays what it is.
    fn address(&self, repository: &Repository, target: &str) -> Result<Uri, Error> {
        let host = repository.api_host();
        match target.starts_with('/') {
            true => parsed(&format!("{}://{host}{target}", self.scheme(host)), host),
            false => parsed(target, host),
        }
    }

    fn checked(&self, address: &Uri) -> Result<(), Error> {
        let host = host_of(address);
        match address.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if self.options.is_plain(&host) => Ok(()),
            Some("http") => Err(Error::PlainHttp(host)),
            _ => Err(foreign(&host, "it names an address that is neither http nor https")),
        }
    }
}

/// For as long as the client lives.
const ALWAYS: Duration = Duration::from_secs(365 * 24 * 3_600);

pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn foreign(host: &str, why: impl ToString) -> Error {
    Error::Foreign { host: host.to_owned(), why: why.to_string() }
}

/// Where `target` leads, seen from `base`: a whole address, or a path of the same origin.
pub(super) fn joined(base: &Uri, target: &str) -> Result<Uri, Error> {
    let host = host_of(base);
    match target.starts_with('/') && !target.starts_with("//") {
        true => parsed(&format!("{}://{host}{target}", base.scheme_str().unwrap_or("https")), &host),
        false => parsed(target, &host),
    }
}

fn parsed(address: &str, host: &str) -> Result<Uri, Error> {
    let uri: Option<Uri> = address.parse().ok();
    let is_usable = |uri: &Uri| {
        uri.scheme().is_some() && uri.host().is_some() && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
    };
    uri.filter(is_usable).ok_or_else(|| foreign(host, "it names an address that is none"))
}

/// Host and port, as they stand in the address.
fn host_of(address: &Uri) -> String {
    address.authority().map(|authority| authority.as_str().to_ascii_lowercase()).unwrap_or_default()
}

fn same_origin(address: &Uri, (scheme, host): &(String, String)) -> bool {
    let without_port = |host: &str| match scheme.as_str() {
        "https" => host.strip_suffix(":443").unwrap_or(host).to_owned(),
        _ => host.strip_suffix(":80").unwrap_or(host).to_owned(),
    };
    address.scheme_str() == Some(scheme.as_str()) && without_port(&host_of(address)) == without_port(host)
}

fn length_of(call: &Call<'_>) -> u64 {
    let announced = call.headers.iter().find(|(name, _)| *name == CONTENT_LENGTH);
    let announced = announced.and_then(|(_, value)| value.to_str().ok()?.parse().ok());
    announced.unwrap_or(call.body.len() as u64)
}

/// Statuses that say: not now.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the registry wants us to wait: seconds, or a date, which is measured against the answer's own.
fn retry_after(headers: &HeaderMap) -> Duration {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(wanted) = text(RETRY_AFTER) else { return Duration::ZERO };
    if let Ok(seconds) = wanted.trim().parse() {
        return Duration::from_secs(seconds);
    }
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let span = date(wanted).zip(text(DATE).and_then(date)).and_then(|(until, now)| until.duration_since(now).ok());
    span.unwrap_or_default()
}

fn pause(attempt: u32) -> Duration {
    let step = FIRST_WAIT.saturating_mul(1 << attempt.min(10)).min(LONGEST_WAIT);
    step.mul_f64(0.5 + super::jitter() / 2.0)
}

/// The first message of an error body (distribution specification, "Error codes"), cut and without control characters.
fn message(body: &[u8]) -> String {
    let Ok(body) = json::value(body, LONGEST_ERROR_BYTES as usize) else { return String::new() };
    let first = &body["errors"][0];
    let text = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
    let both = [text("code"), text("message")].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    both.join(": ").chars().filter(|character| !character.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_in_seconds_and_as_a_date() {
        let headers = |pairs: &[(HeaderName, &str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
        };
        let date = "Wed, 21 Oct 2026 07:28:00 GMT";
        for (pairs, seconds) in [
            (vec![(RETRY_AFTER, "3")], 3),
            (vec![(RETRY_AFTER, "Wed, 21 Oct 2026 07:28:05 GMT"), (DATE, date)], 5),
            (vec![(RETRY_AFTER, date), (DATE, "Wed, 21 Oct 2026 07:28:05 GMT")], 0),
            (vec![(RETRY_AFTER, date)], 0),
            (vec![(RETRY_AFTER, "soon")], 0),
            (vec![], 0),
        ] {
            assert_eq!(retry_after(&headers(&pairs)).as_secs(), seconds, "{pairs:?}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = ("https".to_owned(), "r.example".to_owned());
        for (address, same) in [
            ("https://r.example/v2/", true),
            ("https://R.example:443/v2/", true),
            ("http://r.example/v2/", false),
            ("https://r.example:8443/v2/", false),
            ("https://r.example.evil/v2/", false),
        ] {
            assert_eq!(same_origin(&address.parse().unwrap(), &origin), same, "{address}");
        }
        let base = "https://r.example:1/v2/a".parse().unwrap();
        assert_eq!(joined(&base, "/x?y").unwrap(), "https://r.example:1/x?y");
        assert_eq!(joined(&base, "https://s.example/x").unwrap(), "https://s.example/x");
        for wrong in ["//evil.example/x", "https://a@evil.example/", "x", ""] {
            assert!(joined(&base, wrong).is_err(), "{wrong}");
        }
    }
}
