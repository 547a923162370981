//! Services kept apart by policies of one graph.

mod network;
mod plan;
mod tools;
