//! `qapi-admission` as an API server meets it: reviews over HTTPS, images in a registry of others, policies that change.

mod attacks;
mod certificates;
mod cost;
mod hooks;
mod manifests;
mod outages;
mod private;
pub mod scene;
mod tickets;
mod vectors;
