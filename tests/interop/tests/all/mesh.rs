//! Services that prove to each other who they are: with every foreign TLS stack, and between network namespaces.

mod agent;
mod belief;
mod cell;
mod door;
mod foreign_eyes;
mod matrix;
mod network;
mod pair;
mod peers;
mod plan;
mod reload;
pub mod tools;
