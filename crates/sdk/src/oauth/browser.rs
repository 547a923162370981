//! Signing in with the browser of the machine the program runs on (RFC 8252): it comes back to a port on 127.0.0.1 with a code.
//!
//! Whoever else speaks to that port is told nothing and ends nothing: an answer counts when it has the state that only the provider
//! was told, and names the issuer that was asked (RFC 9207).

use std::convert::Infallible;
use std::time::Duration;

use api::routes::encode_query_value;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use crypto::hash::sha256;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, REFERRER_POLICY};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{Granted, Provider};
use crate::client::is_loopback;
use crate::error::{Error, OAuthRefusal};
use crate::random;

/// A sign-in that waits for its browser.
pub struct BrowserSignIn<'p> {
    provider: &'p Provider,
    listener: TcpListener,
    asked: Asked,
    url: String,
    verifier: Zeroizing<String>,
}

/// What was asked, to be met by the answer.
#[derive(Clone)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    host: String,
    issuer: String,
    state: String,
}

/// What a request to the port was.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// Nothing of ours.
    Astray,
    /// The code.
    Code(String),
    /// The provider said no.
    Refused(OAuthRefusal),
}

/// Nobody is asked for a password longer than this.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long one request to the port may take.
const REQUEST: Duration = Duration::from_secs(10);
const PATH: &str = "/callback";

impl Provider {
    /// Opens a port, and says where the browser has to go.
    pub async fn begin_browser(
        &self,
        client_id: &str,
        scope: &str,
        resource: &str,
    ) -> Result<BrowserSignIn<'_>, Error> {
        let metadata = self.metadata().await?;
        let begin = checked_page(&metadata.authorization_endpoint)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| no_port(&error))?;
        let address = listener.local_addr().map_err(|error| no_port(&error))?;
        let (state, verifier) = (secret_text(), Zeroizing::new(secret_text()));
        let asked = Asked {
            client_id: client_id.to_owned(),
            redirect_uri: format!("http://{address}{PATH}"),
            host: address.to_string(),
            issuer: metadata.issuer,
            state,
        };
        let challenge = URL_SAFE_NO_PAD.encode(sha256(&[verifier.as_bytes()]));
        let fields = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", &asked.redirect_uri),
            ("scope", scope),
            ("resource", resource),
            ("state", &asked.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = fields.map(|(name, value)| format!("{name}={}", encode_query_value(value))).join("&");
        Ok(BrowserSignIn { provider: self, listener, asked, url: format!("{begin}?{query}"), verifier })
    }
}

impl BrowserSignIn<'_> {
    /// Where the browser has to go.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the browser is back, and redeems its code.
    pub async fn wait(self) -> Result<Granted, Error> {
        let came = tokio::time::timeout(PATIENCE, answered(&self.listener, &self.asked)).await;
        let too_long = || Error::Credential(format!("nobody signed in within {} minutes", PATIENCE.as_secs() / 60));
        let code = came.map_err(|_| too_long())??;
        let asked = &self.asked;
        self.provider.redeem(&asked.client_id, &code, &asked.redirect_uri, &self.verifier).await
    }
}

/// The code of the first request that answers what was asked.
async fn answered(listener: &TcpListener, asked: &Asked) -> Result<String, Error> {
    let (tell, mut told) = mpsc::channel(1);
    loop {
        tokio::select! {
            stream = listener.accept() => {
                let Ok((stream, _)) = stream else { continue };
                tokio::spawn(served(stream, asked.clone(), tell.clone()));
            }
            Some(came) = told.recv() => match came {
                Came::Code(code) => return Ok(code),
                Came::Refused(refusal) => return Err(Error::OAuth(Box::new(refusal))),
                Came::Astray => {}
            },
        }
    }
}

async fn served(stream: TcpStream, asked: Asked, tell: mpsc::Sender<Came>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let came = asked.read(&request);
        let answer = page(&came);
        let tell = tell.clone();
        async move {
            if came != Came::Astray {
                // Whoever waited may have had its answer already.
                let _ = tell.try_send(came);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = hyper::server::conn::http1::Builder::new();
    connection.keep_alive(false).max_buf_size(16 * 1024);
    // What goes wrong with one connection is that connection's.
    let _ = tokio::time::timeout(REQUEST, connection.serve_connection(TokioIo::new(stream), service)).await;
}

impl Asked {
    fn read(&self, request: &Request<Incoming>) -> Came {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let is_ours = request.method() == http::Method::GET && request.uri().path() == PATH;
        if !is_ours || host != Some(&self.host) {
            return Came::Astray;
        }
        self.read_query(request.uri().query().unwrap_or_default())
    }

    fn read_query(&self, query: &str) -> Came {
        let only = |name: &str| {
            let mut values = query.split('&').filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            let value = values.next().filter(|_| values.next().is_none())?;
            decoded(value)
        };
        let is_it = |name: &str, expected: &str| {
            only(name).is_some_and(|said| sha256(&[said.as_bytes()]) == sha256(&[expected.as_bytes()]))
        };
        if !is_it("state", &self.state) || !is_it("iss", &self.issuer) {
            return Came::Astray;
        }
        match (only("code"), only("error")) {
            (Some(code), None) => Came::Code(code),
            (None, Some(code)) => {
                let description = only("error_description").unwrap_or_default();
                Came::Refused(OAuthRefusal { code, description, status: 400 })
            }
            _ => Came::Astray,
        }
    }
}

fn page(came: &Came) -> Response<Full<Bytes>> {
    let (status, text) = match came {
        Came::Astray => (StatusCode::NOT_FOUND, "Nothing is here."),
        Came::Code(_) => (StatusCode::OK, "You are signed in. You can close this page and go back to the terminal."),
        Came::Refused(_) => (StatusCode::OK, "You are not signed in. You can close this page; the terminal says why."),
    };
    let body =
        format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>qapi</title><p>{text}</p></html>");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = "default-src 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// The provider's page, if nobody on the way can read what is typed there.
fn checked_page(address: &str) -> Result<&str, Error> {
    let wrong = || Error::Config(format!("the provider's page {address} is neither https nor on this machine"));
    let uri: http::Uri = address.parse().map_err(|_| wrong())?;
    let is_safe = match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    };
    if is_safe && uri.query().is_none() { Ok(address) } else { Err(wrong()) }
}

fn no_port(error: &std::io::Error) -> Error {
    Error::Credential(format!("no port on 127.0.0.1 for the browser to come back to: {error}"))
}

/// 256 random bits.
fn secret_text() -> String {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    crypto::random::Random::fill(&random::pool(), bytes.as_mut());
    URL_SAFE_NO_PAD.encode(bytes.as_slice())
}

/// A value of a query; none when it is not UTF-8, or has half an escape.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked {
            client_id: "c".into(),
            redirect_uri: "http://127.0.0.1:1/callback".into(),
            host: "127.0.0.1:1".into(),
            issuer: "https://id.example".into(),
            state: "st".into(),
        }
    }

    #[test]
    fn an_answer_counts_with_its_state_and_its_issuer_alone() {
        let iss = "iss=https%3A%2F%2Fid.example";
        let code = |code: &str| Came::Code(code.to_owned());
        for (query, came) in [
            (format!("code=a%2Bb&state=st&{iss}"), code("a+b")),
            (format!("code=a&state=other&{iss}"), Came::Astray),
            ("code=a&state=st&iss=https%3A%2F%2Fevil.example".to_owned(), Came::Astray),
            ("code=a&state=st".to_owned(), Came::Astray),
            (format!("code=a&{iss}"), Came::Astray),
            (format!("code=a&code=b&state=st&{iss}"), Came::Astray),
            (format!("code=a&state=st&state=st&{iss}"), Came::Astray),
            (format!("code=a&error=b&state=st&{iss}"), Came::Astray),
            (format!("code=%f&state=st&{iss}"), Came::Astray),
            (format!("code=%ff&state=st&{iss}"), Came::Astray),
            (String::new(), Came::Astray),
        ] {
            assert_eq!(asked().read_query(&query), came, "{query}");
        }
        let refused = asked().read_query(&format!("error=access_denied&error_description=no+way&state=st&{iss}"));
        assert!(matches!(refused, Came::Refused(refusal) if refusal.description == "no way"));
    }

    #[test]
    fn passwords_are_typed_into_safe_pages_alone() {
        for (page, safe) in [
            ("https://id.example/oauth2/authorize", true),
            ("http://127.0.0.1:8640/oauth2/authorize", true),
            ("http://id.example/oauth2/authorize", false),
            ("https://id.example/authorize?x=1", false),
            ("javascript:alert(1)", false),
        ] {
            assert_eq!(checked_page(page).is_ok(), safe, "{page}");
        }
    }
}
