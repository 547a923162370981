//! The platform's listener for services: there a certificate renews itself, and no API key is shown.

use std::time::Duration;

use api::certificates::{IssuedCertificate, RenewCertificate};
use api::routes::certificates::CERTIFICATE_RENEW_OWN;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tls::mesh::ClientConnector;
use tls::snapshot::{Live, Snapshot};
use tls::whom::{Host, Whom};
use tokio::net::TcpStream;

use crate::client::{read_whole, said_no};
use crate::error::Error;
use crate::task::Task;

/// Where the listener is, and whom its certificate has to name.
pub struct Door {
    address: String,
    name: String,
    port: u16,
    host: Host,
}

impl Door {
    /// The listener at an address like `https://vault.example:8444`.
    pub fn new(address: &str) -> Result<Self, Error> {
        let address = address.trim().trim_end_matches('/').to_owned();
        let wrong =
            || Error::Config(format!("{address}: an address for services looks like https://vault.example:8444"));
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let is_plain = uri.path().trim_end_matches('/').is_empty() && uri.query().is_none();
        if uri.scheme_str() != Some("https") || !is_plain {
            return Err(wrong());
        }
        let name = uri.host().ok_or_else(wrong)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let host = name.parse().map_err(|_| wrong())?;
        Ok(Self { port: uri.port_u16().unwrap_or(443), address, name, host })
    }

    /// Renews the certificate of the snapshot. A connection lasts for one renewal: the next one shows another certificate.
    pub async fn renew(&self, showing: Snapshot, wish: &RenewCertificate) -> Result<IssuedCertificate, Error> {
        let body = serde_json::to_vec(wish).map_err(Error::Unwritable)?;
        let stream =
            TcpStream::connect((self.name.as_str(), self.port)).await.map_err(|error| self.unreachable(error))?;
        stream.set_nodelay(true).map_err(|error| self.unreachable(error))?;
        let connector = ClientConnector::new(Live::new(showing));
        let met = connector.connect(stream, &Whom::Host(self.host.clone())).await;
        let (stream, _platform) = met.map_err(|error| self.unreachable(error))?;
        let opened = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = opened.map_err(|error| self.unreachable(error))?;
        let _driven = Task::spawn(async move {
            // How it ended is known to whoever waits for the answer.
            drop(connection.await);
        });
        let answer = sender.send_request(self.request(body)?).await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let body = read_whole(answer).await.map_err(|error| self.unreachable(error))?;
        if !status.is_success() {
            return Err(said_no(status.as_u16(), None, &body));
        }
        serde_json::from_slice(&body).map_err(|_| Error::Foreign { status: status.as_u16() })
    }

    fn request(&self, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Error> {
        let authority = self.address.trim_start_matches("https://");
        Request::builder()
            .method(Method::POST)
            .uri(CERTIFICATE_RENEW_OWN.path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Error::Config(format!("{} is not an address", self.address)))
    }

    /// The error of a renewal that took longer than this.
    pub fn timed_out(&self, after: Duration) -> Error {
        Error::TimedOut { address: self.address.clone(), after }
    }

    fn unreachable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unreachable { address: self.address.clone(), source: source.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_services_is_https_and_has_no_path() {
        for (text, port) in [
            ("https://vault.example:8444", Some(8444)),
            ("https://vault.example/", Some(443)),
            ("https://[::1]:8444", Some(8444)),
            ("http://vault.example:8444", None),
            ("https://vault.example/mtls", None),
            ("https://vault.example?x=1", None),
            ("vault.example:8444", None),
            ("", None),
        ] {
            assert_eq!(Door::new(text).ok().map(|door| door.port), port, "{text}");
        }
    }
}
