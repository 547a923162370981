//! `qapid dev`: everything on loopback, with data that survives a restart and a key in a file.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use crypto::secret::SecretBytes;
use tokio::net::TcpListener;

use super::DevArguments;
use super::init::write_private;
use crate::config::Config;
use crate::config::tls::{MtlsConfig, TlsConfig};
use crate::platform::{self, Draft, Platform, exists, open_store};
use crate::problem::Problem;
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
    config.tls = arguments.tls_listen.map(TlsConfig::dev).transpose()?;
    config.mtls = arguments.mtls_listen.map(MtlsConfig::dev).transpose()?;
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
    platform.unseal(content).await.map_err(Problem::for_operator)?;
    platform::run_on(platform, &config, listener).await
}

/// Makes the platform if the directory holds none; the administrator's key if it was made now.
async fn first_start(config: &Config, unseal_file: &Path) -> anyhow::Result<Option<SecretBytes>> {
    let store = open_store(config).await?;
    store::migrate::migrate(&store, crate::clock::now()).await?;
    let key = if exists(&store).await.map_err(Problem::for_operator)? {
        None
    } else {
        let draft = Draft::new(Kind::File, &entropy::pool(&[])).map_err(Problem::for_operator)?;
        let Given::UnsealKey(unseal_key) = &draft.given else { bail!("a file seal gave no key") };
        // Left by a first start that was cut off, it opens nothing.
        replace_private(unseal_file, unseal_key.expose())?;
        Some(draft.write(&store).await.map_err(Problem::for_operator)?.admin_key)
    };
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
    replace_private(&path, format!("QUANTUMAPI_BASE_URL=http://{address}\n{key}\n").as_bytes())
}

/// Writes a file that only its owner can read, in place of what was there; whole or not at all.
fn replace_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    write_private(fresh.as_ref(), content)?;
    std::fs::rename(&fresh, path).with_context(|| format!("writing {}", path.display()))
}
