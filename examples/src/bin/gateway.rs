//! The gateway: plain HTTP from outside, where a proxy ends the users' TLS; mTLS to the users API.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use examples::{Upstream, identity, listen, run, start_log};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    start_log()?;
    let variables = &|name: &str| std::env::var(name).ok();
    let identity = identity(variables).await?;
    let users = Arc::new(Upstream::new(variables, &identity)?);
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

async fn create_user(State(users): State<Arc<Upstream>>, body: Bytes) -> Response {
    forward(&users, Method::POST, "/users", body).await
}

async fn list_users(State(users): State<Arc<Upstream>>) -> Response {
    forward(&users, Method::GET, "/users", Bytes::new()).await
}

async fn read_user(State(users): State<Arc<Upstream>>, Path(name): Path<String>) -> Response {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    forward(&users, Method::GET, &format!("/users/{name}"), Bytes::new()).await
}

async fn forward(users: &Upstream, method: Method, path: &str, body: Bytes) -> Response {
    match users.call(method, path, body).await {
        Ok(answer) => answer.into_response(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "users API not reached");
            (StatusCode::BAD_GATEWAY, "the users API is not to be had\n").into_response()
        }
    }
}
