//! Time that passes when a test says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries::{binary, root};
use crate::program::succeed;

/// A clock that a test moves, for processes that are started by it.
pub struct MovedClock {
    library: PathBuf,
    file: PathBuf,
}

impl MovedClock {
    pub fn new(folder: &Path) -> Self {
        let (library, file) = (folder.join("clock.so"), folder.join("clock"));
        let source = root().join("tests/interop/peers/clock.c");
        succeed(Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source));
        std::fs::write(&file, 0_i64.to_ne_bytes()).unwrap();
        Self { library, file }
    }

    /// The server by this clock.
    pub fn qapid(&self) -> Command {
        let mut command = Command::new(binary("qapid"));
        self.is_of(&mut command);
        command
    }

    /// Another program, and what it starts, by this clock.
    pub fn is_of(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("TEST_CLOCK", &self.file);
    }

    /// Moves it to so many seconds from now. In place: a new file would be one that the process does not look at.
    pub fn set_ahead_s(&self, seconds: i64) {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::File::options().write(true).open(&self.file).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}
