//! Foreign programs: how they are found, made ready and run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use crate::binaries::root;

/// Runs a command to its end and wants it to succeed.
#[track_caller]
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{command:?} ended with {}\n{}", output.status, both(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command to its end, whichever it is.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"))
}

/// Runs a command to its end with this on its standard input.
#[track_caller]
pub fn run_with(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    let mut to = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // Both at once: neither pipe is endless. Who does not want to read all of it says so by its status.
        scope.spawn(move || drop(to.write_all(input)));
        child.wait_with_output().expect("the process can be waited for")
    })
}

/// What a command wrote, for messages.
pub fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Says what was counted, also when the test that counts passes: written past the capture of the test runner.
pub fn say(text: &str) {
    writeln!(std::io::stdout(), "{}", text.trim_end()).expect("standard output can be written");
}

/// A Python with the packages of `tests/interop/peers/<requirements>`, made once a list of requirements and then kept.
pub fn python(requirements: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let list = root().join("tests/interop/peers").join(requirements);
    let text = std::fs::read(&list).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let folder = cache().join(format!("venv-{:016x}", hasher.finish()));
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if !ready.is_file() {
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        succeed(Command::new(&python).args(pip).arg(&list));
        std::fs::write(&ready, []).expect("the cache can be written");
    }
    python
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    base.expect("XDG_CACHE_HOME or HOME is set").join("qapi-tools")
}
