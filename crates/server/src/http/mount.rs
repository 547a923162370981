//! Mounting: a handler goes where the route table of `api` says, so that the server and the published document cannot
//! differ.

use api::routes::{Method, Route};
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use tower::util::MapRequestLayer;

use crate::ctx::Origin;

/// Adds one route of the table.
pub trait Mount<S> {
    /// Serves `route` with `handler`.
    #[must_use]
    fn mount<H, T>(self, route: &'static Route, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static;
}

impl<S: Clone + Send + Sync + 'static> Mount<S> for Router<S> {
    fn mount<H, T>(self, route: &'static Route, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let name_operation = move |mut request: Request| {
            if let Some(origin) = request.extensions_mut().get_mut::<Origin>() {
                origin.operation = route.operation_id;
            }
            request
        };
        // Not a middleware function: that would put every request's future into one more box.
        self.route(route.path, on(filter(route.method), handler).layer(MapRequestLayer::new(name_operation)))
    }
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}
