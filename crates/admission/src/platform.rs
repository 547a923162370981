//! How the webhook speaks to the platform: the configuration in the words of the SDK.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use zeroize::Zeroizing;

use crate::config::Platform;

/// Less than the time for which what the platform said last counts.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the platform.
pub fn client(platform: &Platform) -> anyhow::Result<sdk::Client> {
    Ok(sdk::Client::new(access(platform)?.with_timeout(TIMEOUT).with_retries(0))?)
}

/// The platform's address and the credential for it.
pub fn access(platform: &Platform) -> anyhow::Result<sdk::Config> {
    ensure!(
        platform.authorities_file.is_none() || platform.authority_fingerprint.is_none(),
        "platform: authorities_file and authority_fingerprint exclude each other"
    );
    let path = &platform.key_file;
    let key = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let key = Zeroizing::new(key);
    let agent = concat!("qapi-admission/", env!("CARGO_PKG_VERSION"));
    let mut access = sdk::Config::new(platform.url.clone()).with_user_agent(agent).with_key(key.trim());
    if let Some(path) = &platform.authorities_file {
        access = access.with_authorities(path.clone());
    }
    if let Some(fingerprint) = &platform.authority_fingerprint {
        access = access.with_pinned_authority(fingerprint.clone());
    }
    Ok(if platform.danger_plain_http { access.with_danger_plain_http() } else { access })
}
