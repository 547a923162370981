//! Ports that carry bytes: plain on loopback on the one side, mTLS on the other. Nothing above TCP is understood, with one
//! exception: an HTTP client whose peer cannot be had is told so (`local`).

mod inbound;
mod local;
mod outbound;
mod port;
mod traffic;

pub use inbound::serve as serve_inbound;
pub use outbound::serve as serve_outbound;
pub use port::{Limits, bind, serve as serve_port};
