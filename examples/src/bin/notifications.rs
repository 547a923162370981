//! The notifications: bare `hyper` behind mTLS, without a web framework. They accept messages from the services on their list.

use std::convert::Infallible;

use bytes::Bytes;
use examples::{identity, listen, run, services, start_log};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use sdk::mesh::{Doorkeeper, serve};
use tls::peer::Peer;
use tower::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    start_log()?;
    let variables = &|name: &str| std::env::var(name).ok();
    let identity = identity(variables).await?;
    let door = Doorkeeper::new(identity.clone(), services(variables, "ALLOW")?);
    let listener = listen(variables).await?;
    let address = listener.local_addr()?;
    run(variables, address, identity, |stop| serve(listener, door, service_fn(answer), stop)).await
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::POST || request.uri().path() != "/api/v1/send" {
        return Ok(status(StatusCode::NOT_FOUND));
    }
    let sender = request.extensions().get::<Peer>().and_then(|peer| peer.spiffe_id.clone());
    let body = Limited::new(request.into_body(), LARGEST_MESSAGE_BYTES).collect().await;
    let message = body.ok().and_then(|body| serde_json::from_slice::<serde_json::Value>(&body.to_bytes()).ok());
    let (Some(sender), Some(_)) = (sender, message.as_ref().and_then(|message| message["to"].as_str())) else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    tracing::info!(%sender, "message accepted");
    Ok(status(StatusCode::ACCEPTED))
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

const LARGEST_MESSAGE_BYTES: usize = 64 << 10;
