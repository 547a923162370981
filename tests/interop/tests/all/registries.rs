//! Container registries of others, and the programs that sign images, as our library meets them.

mod attaching;
mod attesting;
mod copying;
mod matrix;
pub mod place;
mod signers;
