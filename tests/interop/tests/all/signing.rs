//! The command line signs, verifies and copies images; cosign, Python and registries of others meet what it does.

mod attacks;
mod bench;
mod guide;
mod install;
mod moving;
mod pipelines;
mod plugin;
mod statuses;
mod templates;
mod together;
