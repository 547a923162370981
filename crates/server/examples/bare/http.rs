//! The HTTP peers.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::algorithm::Algorithm;
use crypto::key::{PrivateKey, PublicKey};
use crypto::message::{self, Encoding, Place, Purpose, Seal};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::OperatingSystem;

#[derive(Deserialize)]
struct Plain {
    plaintext: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    encrypted_payload: String,
}

pub async fn serve(address: &str) -> anyhow::Result<()> {
    let private = PrivateKey::generate(Algorithm::MlKem768, &OperatingSystem)?;
    let public = private.public_key().ok_or_else(|| anyhow::anyhow!("a KEM key has a public half"))?;
    let routes = Router::new()
        .route("/echo", post(|Json(body): Json<Value>| async { Json(body) }))
        .route("/sealed", post(sealed))
        .with_state(Arc::new(public));
    let listener = TcpListener::bind(address).await?;
    println!("ready http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let routes = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), routes).await });
    }
}

async fn sealed(State(public): State<Arc<PublicKey>>, Json(body): Json<Plain>) -> Result<Json<Sealed>, String> {
    let place = Place { tenant: [1; 16], key: [2; 16], version: 1 };
    let seal = Seal { place: &place, purpose: Purpose::Message, encoding: Encoding::Utf8, aad: b"" };
    let message = message::seal(&public, &seal, body.plaintext.as_bytes(), &OperatingSystem);
    let message = message.map_err(|error| error.to_string())?;
    Ok(Json(Sealed { encrypted_payload: STANDARD.encode(message.to_bytes()) }))
}
