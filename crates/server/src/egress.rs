//! The one client by which the server calls others: it fetches keys and metadata, and tells applications that somebody signed out.
//!
//! Names are looked up first and connected to afterwards, and an address that is neither public nor allowed by the configuration is
//! none. Nothing is followed: an answer that is not 200 is no answer. At most 64 KiB, in at most three seconds.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use ipnet::IpNet;
use tower::Service;

use crate::config::egress::EgressSection;

/// The longest answer.
const LARGEST_BYTES: usize = 64 * 1024;
/// How long everything may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why nothing was fetched. It may be told to whoever named the address.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address of HTTPS, or of HTTP to where that is allowed.
    #[error("the address cannot be called")]
    Address,
    /// It is neither public nor allowed.
    #[error("the address is neither public nor allowed by the configuration")]
    Forbidden,
    /// Nobody answered, or not in time.
    #[error("nobody answered there within three seconds")]
    Unreachable,
    /// An answer that says no, or that leads elsewhere.
    #[error("the answer was {0}")]
    Status(u16),
    /// A longer answer.
    #[error("the answer has more than 64 KiB or ended early")]
    Body,
}

/// Calls others.
pub struct Egress {
    http: legacy::Client<tls::OverResolver<Guarded>, Full<Bytes>>,
    allowed: Arc<[IpNet]>,
}

impl Egress {
    /// A client within the bounds of the configuration.
    pub fn new(section: &EgressSection) -> anyhow::Result<Self> {
        let allowed: Arc<[IpNet]> = section.allow.clone().into();
        let guarded = Guarded { inner: GaiResolver::new(), allowed: Arc::clone(&allowed) };
        let connector = tls::connector_over(section.authorities_file.as_deref(), guarded)?;
        // Connections are not kept: what is fetched is fetched rarely, and looked up anew.
        let http = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { http, allowed })
    }

    /// What is at an address.
    pub async fn fetch(&self, address: &str) -> Result<Vec<u8>, Error> {
        let request = Request::get(self.checked(address)?).header("accept", "application/json");
        self.in_time(self.fetch_now(request.body(Full::default()).map_err(|_| Error::Address)?)).await
    }

    /// Sends a form somewhere. What comes back is not read; anything but 200 and 204 is an error.
    pub async fn post_form(&self, address: &str, form: String) -> Result<(), Error> {
        let request = Request::post(self.checked(address)?).header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Full::from(form)).map_err(|_| Error::Address)?;
        self.in_time(async { self.answer(request, &[StatusCode::OK, StatusCode::NO_CONTENT]).await.map(drop) }).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::Unreachable),
        }
    }

    async fn fetch_now(&self, request: Request<Full<Bytes>>) -> Result<Vec<u8>, Error> {
        let answer = self.answer(request, &[StatusCode::OK]).await?;
        let body = Limited::new(answer.into_body(), LARGEST_BYTES).collect().await.map_err(|_| Error::Body)?;
        Ok(body.to_bytes().to_vec())
    }

    async fn answer(&self, request: Request<Full<Bytes>>, good: &[StatusCode]) -> Result<Response<Incoming>, Error> {
        let answer = self.http.request(request).await.map_err(|error| reason(&error))?;
        if good.contains(&answer.status()) { Ok(answer) } else { Err(Error::Status(answer.status().as_u16())) }
    }

    fn checked(&self, address: &str) -> Result<Uri, Error> {
        let uri: Uri = address.parse().map_err(|_| Error::Address)?;
        self.check(&uri)?;
        Ok(uri)
    }

    /// Addresses that are numbers are looked at here: they are not looked up. Plain HTTP reaches what is allowed and nothing else.
    fn check(&self, uri: &Uri) -> Result<(), Error> {
        let host = uri.host().ok_or(Error::Address)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let literal = bare.parse::<IpAddr>().ok();
        if literal.is_some_and(|address| !may_reach(address, &self.allowed)) {
            return Err(Error::Forbidden);
        }
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if literal.is_some_and(|address| is_allowed(address, &self.allowed)) => Ok(()),
            _ => Err(Error::Address),
        }
    }
}

/// A refusal of our own resolver is told apart from a peer that does not answer.
fn reason(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            return Error::Forbidden;
        }
        cause = error.source();
    }
    Error::Unreachable
}

/// Looks names up, and leaves out the addresses that must not be reached.
#[derive(Clone)]
pub struct Guarded {
    inner: GaiResolver,
    allowed: Arc<[IpNet]>,
}

impl Service<Name> for Guarded {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.inner.call(name);
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let reachable: Vec<SocketAddr> = found.await?.filter(|address| may_reach(address.ip(), &allowed)).collect();
            if reachable.is_empty() {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Ok(reachable.into_iter())
        })
    }
}

fn is_allowed(address: IpAddr, allowed: &[IpNet]) -> bool {
    allowed.iter().any(|network| network.contains(&address.to_canonical()))
}

fn may_reach(address: IpAddr, allowed: &[IpNet]) -> bool {
    is_public(address.to_canonical()) || is_allowed(address, allowed)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The special-purpose registry of IANA (RFC 6890) turned round.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_local = matches!((a, b), (0 | 10 | 127, _) | (100, 64..=127) | (169, 254) | (172, 16..=31) | (192, 168));
    let is_reserved =
        matches!((a, b, c), (198, 18..=19, _) | (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113));
    !is_local && !is_reserved && a < 224
}

/// Global unicast, without what carries an IPv4 address inside and without documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<IpNet> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        may_reach(address.parse().unwrap(), &allowed)
    }

    #[test]
    fn only_public_addresses_are_reached_unless_allowed() {
        for public in ["1.1.1.1", "140.82.112.3", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(reach(public, &[]), "{public}");
        }
        for special in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!reach(special, &[]), "{special}");
        }
        assert!(reach("10.1.2.3", &["10.1.0.0/16"]));
        assert!(reach("::ffff:10.1.2.3", &["10.1.0.0/16"]));
        assert!(!reach("10.2.2.3", &["10.1.0.0/16"]));
    }

    #[tokio::test]
    async fn names_and_numbers_of_this_machine_are_refused_before_anything_is_sent() {
        let egress = Egress::new(&EgressSection::default()).unwrap();
        for address in [
            "https://127.0.0.1:1/",
            "https://[::1]:1/",
            "https://[::ffff:127.0.0.1]:1/",
            "https://localhost:1/",
            "https://169.254.169.254/",
        ] {
            let refused = egress.fetch(address).await;
            assert!(matches!(refused, Err(Error::Forbidden)), "{address}: {refused:?}");
        }
        for address in ["http://1.1.1.1/", "ftp://1.1.1.1/", "file:///etc/passwd", "nonsense", ""] {
            assert!(matches!(egress.fetch(address).await, Err(Error::Address)), "{address}");
        }
    }
}
