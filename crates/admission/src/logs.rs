//! Logs: one line an event, for people or for machines, on standard error.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::prelude::*;

use crate::config::{LogFormat, LogSection};

/// Starts logging.
pub fn start(section: &LogSection) -> anyhow::Result<()> {
    let wanted: Targets = section.level.parse()?;
    let lines = layer().with_writer(std::io::stderr).with_ansi(false);
    let started = match section.format {
        LogFormat::Text => tracing_subscriber::registry().with(wanted).with(lines).try_init(),
        LogFormat::Json => {
            tracing_subscriber::registry().with(wanted).with(lines.json().flatten_event(true)).try_init()
        }
    };
    started.map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}
