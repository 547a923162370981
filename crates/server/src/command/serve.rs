//! `qapid serve`: the server in production.

use std::path::Path;

use anyhow::Context as _;
use crypto::secret::SecretBytes;

use crate::config::Config;
use crate::platform::Platform;
use crate::{logs, platform};

/// Runs until asked to stop.
pub async fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    logs::start(&config.log)?;
    let platform = Platform::start(&config).await?;
    if let Some(file) = &config.unseal_file {
        let content = SecretBytes::new(std::fs::read(file).with_context(|| format!("reading {}", file.display()))?);
        platform
            .unseal(content)
            .await
            .map_err(|problem| problem.for_operator().context(format!("unsealing from {}", file.display())))?;
    }
    platform::run(platform, &config).await
}
