//! Mounting: a handler goes where the route table of `api` says, so that the server and the published document cannot
//! differ.

use std::future::ready;

use api::routes::{Method, Route};
use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};

use super::idempotency::Once;
use crate::ctx::Origin;
use crate::platform::Platform;

/// Adds one route of the table.
pub trait Mount {
    /// Serves `route` with `handler`.
    #[must_use]
    fn mount<H, T>(self, route: &'static Route, handler: H) -> Self
    where
        H: Handler<T, Platform>,
        T: 'static;
}

impl Mount for Router<Platform> {
    fn mount<H, T>(self, route: &'static Route, handler: H) -> Self
    where
        H: Handler<T, Platform>,
        T: 'static,
    {
        self.route(route.path, on(filter(route.method), AtRoute { route, handler }))
    }
}

/// A handler that knows its route. Not layers around it: each would put every request's future into one more box.
#[derive(Clone)]
struct AtRoute<H> {
    route: &'static Route,
    handler: H,
}

impl<H, T> Handler<T, Platform> for AtRoute<H>
where
    H: Handler<T, Platform>,
    T: 'static,
{
    type Future = Either<H::Future, BoxFuture<'static, Response>>;

    fn call(self, mut request: Request, platform: Platform) -> Self::Future {
        if let Some(origin) = request.extensions_mut().get_mut::<Origin>() {
            origin.operation = self.route.operation_id;
        }
        let once = match Once::of(self.route, &request) {
            Ok(None) => return Either::Left(self.handler.call(request, platform)),
            Ok(Some(once)) => once,
            Err(problem) => return Either::Right(ready(problem.into_response()).boxed()),
        };
        let state = platform.clone();
        let served = once.serve(platform, request, move |request| self.handler.call(request, state));
        Either::Right(served.map(|served| served.unwrap_or_else(|problem| problem.into_response())).boxed())
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
