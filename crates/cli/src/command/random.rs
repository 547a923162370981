//! `qapi random`.

use api::transit::{BytesFormat, TransitRandom};
use clap::Args;

use crate::failure::{Exit, Failure};
use crate::print::Printer;
use crate::session::Session;

/// What `qapi random` takes.
#[derive(Args)]
pub struct RandomInputs {
    /// How many bytes
    #[arg(default_value_t = 32)]
    bytes: u32,
    /// Hexadecimal instead of base64
    #[arg(long)]
    hex: bool,
}

/// Prints random bytes.
pub async fn random(inputs: RandomInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let format = if inputs.hex { BytesFormat::Hex } else { BytesFormat::Base64 };
    let body = TransitRandom { bytes: Some(inputs.bytes), format: Some(format) };
    let drawn = session.client()?.transit_random(&body).await?;
    if printer.is_json() {
        return printer.body(&drawn, |_| String::new());
    }
    printer.line(drawn.data.expose())
}
