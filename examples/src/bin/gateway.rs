//! The gateway: plain HTTP from outside, where a proxy ends the users' TLS; mTLS to the users API, with `reqwest`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use examples::{identity, listen, required, run, services, start_log};
use sdk::mesh::MeshReqwest;

/// The users API: its address, and clients that take nobody else for it.
struct Users {
    base: String,
    clients: MeshReqwest,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    start_log()?;
    let variables = &|name: &str| std::env::var(name).ok();
    let identity = identity(variables).await?;
    let clients = MeshReqwest::to(identity.clone(), services(variables, "EXPECT")?).with_settings(settings);
    let users = Arc::new(Users { base: required(variables, "UPSTREAM")?, clients });
    let router = Router::new()
        .route("/users", post(create_user).get(list_users))
        .route("/users/{name}", get(read_user))
        .with_state(users);
    let listener = listen(variables).await?;
    let address = listener.local_addr()?;
    run(variables, address, identity, |mut stop| async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _stopped = stop.wait_for(|stop| *stop).await;
        });
        if let Err(error) = served.await {
            tracing::error!(%error, "not serving");
        }
    })
    .await
}

async fn create_user(State(users): State<Arc<Users>>, body: Bytes) -> Response {
    forward(&users, Method::POST, "/users", body).await
}

async fn list_users(State(users): State<Arc<Users>>) -> Response {
    forward(&users, Method::GET, "/users", Bytes::new()).await
}

async fn read_user(State(users): State<Arc<Users>>, Path(name): Path<String>) -> Response {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    forward(&users, Method::GET, &format!("/users/{name}"), Bytes::new()).await
}

/// The rest of what these clients are like: an answer that does not come in time is none.
fn settings(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    builder.default_headers(json).timeout(Duration::from_secs(30))
}

async fn forward(users: &Users, method: Method, path: &str, body: Bytes) -> Response {
    match users.call(method, path, body).await {
        Ok(answer) => answer.into_response(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "users API not reached");
            (StatusCode::BAD_GATEWAY, "the users API is not to be had\n").into_response()
        }
    }
}

impl Users {
    /// The client is asked for at every request: it changes with the certificate and with whom it believes.
    async fn call(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let client = self.clients.client()?;
        let answer = client.request(method, format!("{}{path}", self.base)).body(body).send().await?;
        Ok((answer.status(), answer.bytes().await?))
    }
}
