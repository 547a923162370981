//! `qapid init`: makes a new platform in an empty database and prints, once, what its operator must keep.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use crypto::secret::SecretBytes;
use store::Store;

use super::{InitArguments, SealArgument};
use crate::config::Config;
use crate::entropy;
use crate::platform::{Draft, Made, exists, open_store};
use crate::problem::Problem;
use crate::seal::{Given, Kind};

/// Makes the platform.
pub async fn run(arguments: InitArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    let kind = kind(&arguments)?;
    let store = open_store(&config).await?;
    store::migrate::migrate(&store, crate::clock::now()).await?;
    let made = make(&store, kind, &config).await;
    store.close().await;
    print(&made?);
    Ok(())
}

async fn make(store: &Store, kind: Kind, config: &Config) -> anyhow::Result<Made> {
    if exists(store).await.map_err(Problem::for_operator)? {
        bail!("this database holds a platform already");
    }
    let draft = Draft::new(kind, &entropy::pool(&config.entropy)).map_err(Problem::for_operator)?;
    if let Given::UnsealKey(key) = &draft.given {
        let path = config.unseal_file.as_ref().context(
            "--seal file needs seal.unseal_file in the configuration: the file that is written now and opens the \
             platform at every start",
        )?;
        write_private(path, key.expose())?;
    }
    draft.write(store).await.map_err(Problem::for_operator)
}

fn kind(arguments: &InitArguments) -> anyhow::Result<Kind> {
    Ok(match arguments.seal {
        SealArgument::Passphrase => Kind::Passphrase(passphrase(arguments.passphrase_file.as_deref())?),
        SealArgument::Shamir => Kind::Shamir { shares: arguments.shares, threshold: arguments.threshold },
        SealArgument::File => Kind::File,
    })
}

/// A passphrase is never an argument: arguments are visible to every process.
fn passphrase(file: Option<&Path>) -> anyhow::Result<SecretBytes> {
    let mut text = Vec::new();
    match file {
        Some(path) => text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?,
        None => {
            std::io::stdin().lock().read_to_end(&mut text)?;
        }
    }
    while text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        text.pop();
    }
    let passphrase = SecretBytes::new(text);
    if passphrase.len() < 12 {
        bail!("the passphrase must have at least 12 bytes; give it on standard input or with --passphrase-file");
    }
    Ok(passphrase)
}

/// Writes a file that only its owner can read, and refuses to overwrite one.
pub fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("creating {}", path.display()))?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is the command's answer, shown once")]
fn print(made: &Made) {
    let text = |secret: &SecretBytes| String::from_utf8_lossy(secret.expose()).into_owned();
    match &made.given {
        Given::Nothing => println!("seal: passphrase"),
        Given::UnsealKey(_) => println!("seal: file"),
        Given::Shares(shares) => {
            for (n, share) in shares.iter().enumerate() {
                println!("share {}: {}", n + 1, text(share));
            }
        }
    }
    println!("administrator key: {}", text(&made.admin_key));
    println!("audit key: {}", made.audit_thumbprint);
    println!("Keep these now: they are not shown again.");
}
