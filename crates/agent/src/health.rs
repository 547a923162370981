//! The status listener, on loopback: whether the agent lives, whether it can be used, and its metrics.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sdk::identity::ServiceIdentity;
use sdk::secrets::SecretCache;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::files::Written;
use crate::numbers::Numbers;
use crate::proxy::{Limits, serve_port};

/// What the answers are made of.
#[derive(Clone)]
pub struct Health {
    /// The certificate.
    pub identity: ServiceIdentity,
    /// The secrets of files mode.
    pub secrets: SecretCache,
    /// Whether the files of files mode are current.
    pub written: watch::Receiver<Written>,
    /// What is counted.
    pub numbers: Arc<Numbers>,
}

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, health: Health, limits: Limits, stop: watch::Receiver<bool>) {
    serve_port(listener, limits, stop, move |stream, _| {
        let health = health.clone();
        async move { connection(stream, health).await }
    })
    .await;
}

async fn connection(stream: TcpStream, health: Health) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = health.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(std::time::Duration::from_secs(5))
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "status connection ended");
    }
}

impl Health {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
        }
        match path {
            "/health/live" => text(StatusCode::OK, "live"),
            "/health/ready" => match self.obstacle() {
                None => text(StatusCode::OK, "ready"),
                Some(obstacle) => text(StatusCode::SERVICE_UNAVAILABLE, obstacle),
            },
            "/metrics" => match self.numbers.render(&self.identity) {
                Ok(numbers) => text(StatusCode::OK, numbers),
                Err(error) => {
                    tracing::error!(%error, "metrics not written");
                    text(StatusCode::INTERNAL_SERVER_ERROR, "metrics not written")
                }
            },
            _ => text(StatusCode::NOT_FOUND, "not found"),
        }
    }

    /// What stands between the agent and its use.
    fn obstacle(&self) -> Option<&'static str> {
        if !self.identity.is_ready() {
            Some("the certificate is not valid")
        } else if !self.secrets.is_ready() {
            Some("a secret is missing or too old")
        } else if *self.written.borrow() == Written::Behind {
            Some("the files are not current")
        } else {
            None
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    answer
}
