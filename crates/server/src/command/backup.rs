//! `qapid backup-key`, `backup`, `verify-backup` and `restore`: the platform's data, encrypted, on its way out and back.
//!
//! None of them needs the platform unsealed. Progress goes to standard error, the result to standard output.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use crypto::algorithm::Algorithm;
use crypto::import::{Format, Imported, import};
use crypto::key::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::init::write_private;
use crate::app::backup;
use crate::app::operator::recipient;
use crate::config::Config;
use crate::platform::open_store;
use crate::{clock, entropy};

/// See [`super::Command::BackupKey`].
#[derive(clap::Args)]
pub struct KeyArguments {
    /// Where the private half goes; the public one goes beside it, as FILE.pub.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// See [`super::Command::Backup`].
#[derive(clap::Args)]
pub struct BackupArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The recipient's public key, as `qapid backup-key` wrote it.
    #[arg(long, value_name = "FILE")]
    pub recipient: PathBuf,
    /// Where the backup goes. It must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// See [`super::Command::VerifyBackup`].
#[derive(clap::Args)]
pub struct VerifyArguments {
    /// The recipient's private key.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The backup.
    pub backup: PathBuf,
}

/// See [`super::Command::Restore`].
#[derive(clap::Args)]
pub struct RestoreArguments {
    /// The configuration file, naming an empty database of either engine.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The recipient's private key.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The backup.
    pub backup: PathBuf,
}

/// Makes a key pair for backups.
#[expect(clippy::print_stdout, reason = "this is the command's answer")]
pub fn make_key(arguments: &KeyArguments) -> anyhow::Result<()> {
    let key = PrivateKey::generate(Algorithm::MlKem1024, &entropy::pool(&[]))?;
    let public = key.public_key().context("a key pair has a public half")?;
    write_private(&arguments.out, key.to_pem()?.expose())?;
    let beside = beside(&arguments.out);
    write_private(&beside, public.to_pem().as_bytes())?;
    println!("private key: {} (keep it away from the platform)", arguments.out.display());
    println!("public key: {}", beside.display());
    Ok(())
}

/// Writes a backup.
#[expect(clippy::print_stdout, reason = "this is the command's answer")]
pub async fn backup(arguments: &BackupArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    let recipient = public_key(&arguments.recipient)?;
    let store = open_store(&config).await?;
    store::migrate::check(&store).await?;
    write_private(&arguments.out, b"")?;
    let file = File::options().write(true).open(&arguments.out)?;
    let mut out = BufWriter::new(file);
    let written = backup::write(&store, &recipient, &entropy::pool(&config.entropy), &mut out).await;
    store.close().await;
    let finished = written.and_then(|summary| {
        out.into_inner()?.sync_all()?;
        Ok(summary)
    });
    match finished {
        Ok(summary) => {
            println!("{}: {} rows of {} tables", arguments.out.display(), summary.values().sum::<u64>(), summary.len())
        }
        Err(error) => {
            // A half backup must not lie there looking like a whole one.
            std::fs::remove_file(&arguments.out).with_context(|| format!("removing {}", arguments.out.display()))?;
            return Err(error.context("writing the backup"));
        }
    }
    Ok(())
}

/// Reads a backup through and says what is in it.
#[expect(clippy::print_stdout, reason = "this is the command's answer")]
pub fn verify(arguments: &VerifyArguments) -> anyhow::Result<()> {
    let key = private_key(&arguments.key)?;
    let found = backup::verify(&key, open(&arguments.backup)?)?;
    println!(
        "{}: whole, {} rows, {} audit events in unbroken chains",
        arguments.backup.display(),
        found.rows,
        found.events
    );
    Ok(())
}

/// Fills an empty database.
#[expect(clippy::print_stdout, reason = "this is the command's answer")]
pub async fn restore(arguments: &RestoreArguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    let key = private_key(&arguments.key)?;
    // First without a database: a backup that is not whole must leave none half filled.
    backup::verify(&key, open(&arguments.backup)?)?;
    let store = open_store(&config).await?;
    store::migrate::migrate(&store, clock::now()).await?;
    let restored = backup::restore(&store, &key, open(&arguments.backup)?).await;
    store.close().await;
    let summary = restored.context("restoring")?;
    println!(
        "restored {} rows of {} tables; the platform is sealed as it was when it was backed up",
        summary.values().sum::<u64>(),
        summary.len()
    );
    Ok(())
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::new(File::open(path).with_context(|| format!("reading {}", path.display()))?))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// A recipient's public key of any KEM of ours.
fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    recipient(&text).with_context(|| format!("{} is not the public key of a KEM", path.display()))
}

fn private_key(path: &Path) -> anyhow::Result<PrivateKey> {
    let text = Zeroizing::new(std::fs::read(path).with_context(|| format!("reading {}", path.display()))?);
    for algorithm in [Algorithm::MlKem1024, Algorithm::MlKem768, Algorithm::XWing] {
        if let Ok(Imported::Private(key)) = import(algorithm, Format::Pem, &text, false) {
            return Ok(key);
        }
    }
    bail!("{} is not the private key of a KEM in PEM", path.display())
}
