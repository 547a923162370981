//! An installation as an operator makes it: a configuration, a seal, what `qapid init` prints.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::binaries::binary;
use crate::program::{both, run};
use crate::server::Server;

/// Where installations say that their pages are.
pub const PORTAL: &str = "https://vault.example.com";

/// Where the data of an installation is.
pub enum Engine {
    Sqlite,
    /// The URL of a database.
    Postgres(String),
}

/// A folder with a configuration, and what was printed once when it was made.
pub struct Installation {
    folder: tempfile::TempDir,
    pub admin_key: String,
    pub printed: String,
}

impl Installation {
    /// One that unseals itself from a file.
    pub fn unattended(engine: &Engine) -> Self {
        Self::new(engine, true, &["--seal", "file"])
    }

    /// One whose operators have to unseal it.
    pub fn sealed(engine: &Engine, arguments: &[&str]) -> Self {
        Self::new(engine, false, arguments)
    }

    fn new(engine: &Engine, unseal_file: bool, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_config(folder.path(), "qapid.toml", engine, unseal_file);
        let installation = Self { folder, admin_key: String::new(), printed: String::new() };
        let output = installation.init(arguments);
        assert!(output.status.success(), "{}", both(&output));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = printed.lines().find_map(|line| line.strip_prefix("administrator key: "));
        let admin_key = line.expect("the administrator's key is printed").to_owned();
        Self { admin_key, printed, ..installation }
    }

    pub fn init(&self, arguments: &[&str]) -> Output {
        run(Command::new(binary("qapid")).arg("init").arg("--config").arg(self.config()).args(arguments))
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("qapid.toml")
    }

    /// A second configuration of the same installation, for another server or another way to the database.
    pub fn also_at(&self, name: &str, engine: &Engine) -> PathBuf {
        write_config(self.folder.path(), name, engine, true)
    }

    pub fn serve(&self) -> Server {
        Server::serve(&self.config(), &self.admin_key)
    }
}

fn write_config(folder: &Path, name: &str, engine: &Engine, unseal_file: bool) -> PathBuf {
    let store = match engine {
        Engine::Sqlite => format!("engine = \"sqlite\"\ndata_dir = \"{}\"\n", folder.join("data").display()),
        Engine::Postgres(url) => {
            let url_file = folder.join(format!("{name}.url"));
            std::fs::write(&url_file, url).expect("the folder can be written");
            format!("engine = \"postgres\"\nurl_file = \"{}\"\n", url_file.display())
        }
    };
    let seal = if unseal_file {
        format!("[seal]\nunseal_file = \"{}\"\n", folder.join("unseal.key").display())
    } else {
        String::new()
    };
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"127.0.0.1:0\"\nportal_origin = \"{PORTAL}\"\n\
         [store]\n{store}{seal}[log]\nformat = \"json\"\nlevel = \"info\"\n[limits]\nrequests_per_minute = 1000000\n"
    );
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    path
}
