//! `qapi-admission` as an API server meets it: reviews over HTTPS, images in a registry of others, policies that change.

mod attacks;
mod cost;
mod hooks;
mod manifests;
mod outages;
pub mod scene;
mod tickets;
mod vectors;
