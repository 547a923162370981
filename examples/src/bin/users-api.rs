//! The users API: an `axum` router behind mTLS. The gateway may do everything, others only read; who was made is told to the
//! notifications.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use examples::{Upstream, identity, listen, run, services, start_log};
use sdk::mesh::{Caller, Doorkeeper, serve};
use serde::{Deserialize, Serialize};

#[derive(Clone, Deserialize, Serialize)]
struct User {
    name: String,
    email: String,
}

struct Users {
    known: Mutex<BTreeMap<String, User>>,
    notifications: Upstream,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    start_log()?;
    let variables = &|name: &str| std::env::var(name).ok();
    let identity = identity(variables).await?;
    let users = Arc::new(Users { known: Mutex::default(), notifications: Upstream::new(variables, &identity)? });
    let router =
        Router::new().route("/users", post(create).get(list)).route("/users/{name}", get(read)).with_state(users);
    let door = Doorkeeper::new(identity.clone(), services(variables, "ALLOW")?);
    let listener = listen(variables).await?;
    let address = listener.local_addr()?;
    run(variables, address, identity, |stop| serve(listener, door, router, stop)).await
}

async fn create(caller: Caller, State(users): State<Arc<Users>>, Json(user): Json<User>) -> Response {
    if !caller.id().is_some_and(|id| id.path().ends_with("/sa/gateway")) {
        return (StatusCode::FORBIDDEN, "only the gateway makes users\n").into_response();
    }
    let message = format!("{{\"to\":{}}}", serde_json::Value::from(user.email.as_str()));
    users.known().insert(user.name.clone(), user.clone());
    match users.notifications.call(Method::POST, "/api/v1/send", message.into()).await {
        Ok((StatusCode::ACCEPTED, _)) => (StatusCode::CREATED, Json(user)).into_response(),
        Ok((status, _)) => (StatusCode::BAD_GATEWAY, format!("notifications said {status}\n")).into_response(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "notifications not reached");
            (StatusCode::BAD_GATEWAY, "notifications are not to be had\n").into_response()
        }
    }
}

async fn list(State(users): State<Arc<Users>>) -> Json<Vec<User>> {
    Json(users.known().values().cloned().collect())
}

async fn read(State(users): State<Arc<Users>>, Path(name): Path<String>) -> Response {
    match users.known().get(&name) {
        Some(user) => Json(user.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Users {
    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, User>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
