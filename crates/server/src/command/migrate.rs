//! `qapid migrate`: brings the schema up to this version.

use std::path::Path;

use crate::config::Config;
use crate::platform::open_store;

/// Migrates and says what was done.
#[expect(clippy::print_stdout, reason = "this is the command's answer")]
pub async fn run(config: &Path) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let store = open_store(&config).await?;
    let applied = store::migrate::migrate(&store, crate::clock::now()).await?;
    store.close().await;
    println!("schema is current, {} migration(s) applied", applied.len());
    Ok(())
}
