//! `qapi version` and `qapi health`.

use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::print::{Printer, record};
use crate::session::Session;

/// Prints this program's version.
pub fn version(printer: &mut Printer) -> Result<Exit, Failure> {
    let version = json!({ "name": "qapi", "version": env!("CARGO_PKG_VERSION") });
    printer.body(&version, |_| concat!("qapi ", env!("CARGO_PKG_VERSION")).to_owned())
}

/// Asks the server whether it works; the exit status is the answer.
pub async fn health(session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = session.anonymous_client()?;
    let health = client.health().await?;
    printer.body(&health, |health| {
        record(&[
            ("server", client.base_url().to_owned()),
            ("status", health.status.clone()),
            ("version", health.version.clone()),
        ])
    })?;
    Ok(if health.status.eq_ignore_ascii_case("unhealthy") { Exit::Failed } else { Exit::Done })
}
