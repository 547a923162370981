//! What the command line says, word by word: each file of `tests/interop/transcripts` is a session against a fresh server.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use regex_lite::Regex;
use serde::Deserialize;

use crate::binaries::{binary, root};
use crate::program::{both, say};
use crate::server::Server;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transcript {
    step: Vec<Step>,
}

/// One command and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// A line for the shell.
    cmd: String,
    stdin: Option<String>,
    #[serde(default)]
    status: i32,
    /// The whole of what is written, or an expression that must be found in it.
    stdout: Option<String>,
    stdout_matches: Option<String>,
    stderr: Option<String>,
    stderr_matches: Option<String>,
    /// Texts to keep for later steps, where `${NAME}` stands for them: the group of an expression on the output.
    #[serde(default)]
    capture: BTreeMap<String, String>,
}

#[test]
fn every_command_does_and_says_what_its_transcript_has() {
    let folder = root().join("tests/interop/transcripts");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no transcripts in {}", folder.display());
    let failed: Vec<_> = files.iter().filter_map(|file| play(file).err()).collect();
    say(&format!("transcripts: {} of {}", files.len() - failed.len(), files.len()));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn play(file: &Path) -> Result<(), String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let text = std::fs::read_to_string(file).expect("a transcript can be read");
    let transcript: Transcript = toml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    let server = Server::start_dev();
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut known = BTreeMap::from([
        ("BASE_URL".to_owned(), server.base_url().to_owned()),
        ("KEY".to_owned(), server.admin_key().to_owned()),
        ("HOME".to_owned(), home.path().display().to_string()),
    ]);
    for (n, step) in transcript.step.iter().enumerate() {
        step.run(&server, home.path(), &mut known)
            .map_err(|why| format!("{name} step {}: {}\n{why}", n + 1, step.cmd))?;
    }
    Ok(())
}

impl Step {
    fn run(&self, server: &Server, home: &Path, known: &mut BTreeMap<String, String>) -> Result<(), String> {
        let bin = binary("qapi");
        let path =
            format!("{}:{}", bin.parent().expect("a folder").display(), std::env::var("PATH").unwrap_or_default());
        let mut child = Command::new("sh")
            .args(["-c", &filled(&self.cmd, known)])
            .current_dir(home)
            .env_clear()
            .env("PATH", path)
            .env("HOME", home)
            .env("LANG", "C.UTF-8")
            .env("QUANTUMAPI_BASE_URL", server.base_url())
            .env("QUANTUMAPI_KEY", server.admin_key())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = filled(self.stdin.as_deref().unwrap_or_default(), known);
        // A command that does not read its input may be gone before it is written.
        let _gone = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("a command ends");
        if output.status.code() != Some(self.status) {
            return Err(format!("{} instead of {}\n{}", output.status, self.status, both(&output)));
        }
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        compare("stdout", &stdout, self.stdout.as_deref(), self.stdout_matches.as_deref(), known)?;
        compare("stderr", &stderr, self.stderr.as_deref(), self.stderr_matches.as_deref(), known)?;
        for (name, expression) in &self.capture {
            let expression = Regex::new(expression).map_err(|error| error.to_string())?;
            let group = expression.captures(&stdout).and_then(|captures| captures.get(1));
            let group = group.ok_or_else(|| format!("nothing to keep as {name} in\n{stdout}"))?;
            known.insert(name.clone(), group.as_str().to_owned());
        }
        Ok(())
    }
}

fn compare(
    stream: &str,
    text: &str,
    whole: Option<&str>,
    expression: Option<&str>,
    known: &BTreeMap<String, String>,
) -> Result<(), String> {
    if let Some(whole) = whole {
        let whole = filled(whole, known);
        if text != whole {
            return Err(format!("{stream} is\n{text}instead of\n{whole}"));
        }
    }
    if let Some(expression) = expression {
        let escaped = known.iter().map(|(name, value)| (name.clone(), literally(value))).collect();
        let compiled = Regex::new(&filled(expression, &escaped)).map_err(|error| error.to_string())?;
        if !compiled.is_match(text) {
            return Err(format!("{stream} is\n{text}which does not match\n{expression}"));
        }
    }
    Ok(())
}

fn filled(text: &str, known: &BTreeMap<String, String>) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

/// A text as an expression that matches it alone.
fn literally(text: &str) -> String {
    let special = |letter: &char| letter.is_ascii_punctuation();
    text.chars().flat_map(|letter| special(&letter).then_some('\\').into_iter().chain([letter])).collect()
}
