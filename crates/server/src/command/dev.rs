//! `qapid dev`: everything on loopback, with data that survives a restart and a key in a file.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use crypto::secret::SecretBytes;
use tokio::net::TcpListener;

use super::DevArguments;
use super::init::write_private;
use crate::config::Config;
use crate::platform::{self, Platform, make, open_store};
use crate::seal::{Given, Kind};
use crate::{entropy, logs};

/// Makes the platform on the first start, then runs it.
pub async fn run(arguments: DevArguments) -> anyhow::Result<()> {
    let dir = &arguments.data_dir;
    std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("listening on {}", arguments.listen))?;
    let mut config = Config::dev(dir, listener.local_addr()?)?;
    config.log.level = arguments.log;
    logs::start(&config.log)?;
    let unseal_file = dir.join("unseal.key");
    tracing::warn!(
        "DEVELOPMENT MODE: the key that unseals everything lies in {}. Never use this for real secrets.",
        unseal_file.display()
    );
    let key = first_start(&config, &unseal_file).await?;
    write_env(dir, listener.local_addr()?, key)?;
    let platform = Platform::start(&config).await?;
    let content =
        SecretBytes::new(std::fs::read(&unseal_file).with_context(|| format!("reading {}", unseal_file.display()))?);
    platform.unseal(content).await.map_err(|problem| anyhow::anyhow!("{}", problem.message))?;
    platform::run_on(platform, &config, listener).await
}

/// Makes the platform if the directory holds none; the administrator's key if it was made now.
async fn first_start(config: &Config, unseal_file: &Path) -> anyhow::Result<Option<SecretBytes>> {
    let store = open_store(config).await?;
    store::migrate::migrate(&store, crate::clock::now()).await?;
    let exists = store.meta("seal").await?.is_some();
    let mut key = None;
    if !exists {
        let made = make(&store, Kind::File, &entropy::pool(&[]))
            .await
            .map_err(|problem| anyhow::anyhow!("{}", problem.message))?;
        let Given::UnsealKey(unseal_key) = &made.given else { bail!("a file seal gave no key") };
        write_private(unseal_file, unseal_key.expose())?;
        key = Some(made.admin_key);
    }
    store.close().await;
    Ok(key)
}

/// Writes `dev.env`; on later starts the key is kept and only the address is written anew.
fn write_env(dir: &Path, address: SocketAddr, key: Option<SecretBytes>) -> anyhow::Result<()> {
    let path = dir.join("dev.env");
    let key = match key {
        Some(key) => format!("QUANTUMAPI_KEY={}", String::from_utf8_lossy(key.expose())),
        None => {
            let before = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let line = before.lines().find(|line| line.starts_with("QUANTUMAPI_KEY="));
            line.with_context(|| format!("{} holds no QUANTUMAPI_KEY", path.display()))?.to_owned()
        }
    };
    let fresh = dir.join("dev.env.new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    write_private(&fresh, format!("QUANTUMAPI_BASE_URL=http://{address}\n{key}\n").as_bytes())?;
    std::fs::rename(&fresh, &path).with_context(|| format!("writing {}", path.display()))
}
