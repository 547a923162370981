//! The command line of `qapid`.

mod backup;
mod dev;
mod init;
mod migrate;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The quantum-safe platform's server.
#[derive(Parser)]
#[command(name = "qapid", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run for development: loopback, SQLite, unsealed from a file, with an administrator's key in DIR/dev.env.
    Dev(DevArguments),
    /// Make a new platform: seal, root keys, default tenant, administrator's key.
    Init(InitArguments),
    /// Run the server.
    Serve(ConfigArgument),
    /// Bring the database's schema up to this version.
    Migrate(ConfigArgument),
    /// Make a key pair for backups.
    BackupKey(backup::KeyArguments),
    /// Write an encrypted backup; while a server runs on SQLite, use `qapi operator backup`.
    Backup(backup::BackupArguments),
    /// Check a backup without restoring it.
    VerifyBackup(backup::VerifyArguments),
    /// Fill an empty database from a backup, of the same engine or the other.
    Restore(backup::RestoreArguments),
}

/// See [`Command::Dev`].
#[derive(clap::Args)]
pub struct DevArguments {
    /// Where the data is kept.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// A loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8640")]
    pub listen: SocketAddr,
    /// A loopback address for HTTPS too, with a certificate of the platform's own authority.
    #[arg(long, value_name = "ADDRESS")]
    pub tls_listen: Option<SocketAddr>,
    /// A loopback address for services, which show certificates of the platform's own authority.
    #[arg(long, value_name = "ADDRESS")]
    pub mtls_listen: Option<SocketAddr>,
    /// Log level or directives.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: String,
}

/// See [`Command::Init`].
#[derive(clap::Args)]
pub struct InitArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// How the platform is sealed.
    #[arg(long, value_enum)]
    pub seal: SealArgument,
    /// Shares to make, with `--seal shamir`.
    #[arg(long, default_value_t = 5)]
    pub shares: u8,
    /// Shares that open, with `--seal shamir`.
    #[arg(long, default_value_t = 3)]
    pub threshold: u8,
    /// Read the passphrase from this file instead of standard input.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// The kinds of seal.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SealArgument {
    /// Argon2id over a passphrase.
    Passphrase,
    /// Shares of which a threshold opens.
    Shamir,
    /// A key file named in the configuration, for unattended starts.
    File,
}

/// A command that needs the configuration alone.
#[derive(clap::Args)]
pub struct ConfigArgument {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// Runs a command to its end.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Dev(arguments) => dev::run(arguments).await,
            Command::Init(arguments) => init::run(arguments).await,
            Command::Serve(arguments) => serve::run(&arguments.config).await,
            Command::Migrate(arguments) => migrate::run(&arguments.config).await,
            Command::BackupKey(arguments) => backup::make_key(&arguments),
            Command::Backup(arguments) => backup::backup(&arguments).await,
            Command::VerifyBackup(arguments) => backup::verify(&arguments),
            Command::Restore(arguments) => backup::restore(&arguments).await,
        }
    })
}
