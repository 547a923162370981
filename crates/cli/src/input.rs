//! Values that come in: from standard input, a file, a prompt or the command line.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use api::secret::SecretText;
use api::time::WireTime;
use domain::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};

/// All of a file, or of standard input when the path is `-` or not given.
pub fn bytes(path: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    match path.filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let file = std::fs::File::open(path);
            let read = file.and_then(|mut file| file.read_to_end(&mut bytes));
            read.map_err(|error| Failure::file("reading", path, &error))?;
        }
        None => {
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| Failure::unusable(format!("reading standard input: {error}"), "a file"))?;
        }
    }
    Ok(bytes)
}

/// All of a file or of standard input as text.
pub fn text(path: Option<&Path>) -> Result<SecretText, Failure> {
    let bytes = bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::unusable("the input is not text", "other input"))?;
    Ok(SecretText::copy_from(text))
}

/// A file of JSON, or standard input when the path is `-`.
pub fn json(path: &Path) -> Result<serde_json::Value, Failure> {
    let bytes = bytes(Some(path))?;
    // The parser's message quotes nothing, and says where it stopped.
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::unusable(format!("{} is no JSON: {error}", path.display()), "another file"))
}

/// A value as it was typed; `-`, or nothing at all, asks for it: at the terminal without echo, else on standard input,
/// from which one line end is taken off.
pub fn value(typed: Option<String>, prompt: &str) -> Result<SecretText, Failure> {
    match typed {
        Some(typed) if typed != "-" => Ok(SecretText::new(typed)),
        typed if typed.is_none() && io::stdin().is_terminal() => hidden(prompt),
        _ => {
            let text = text(None)?;
            Ok(SecretText::copy_from(without_line_end(text.expose())))
        }
    }
}

/// A value typed at the terminal without echo.
pub fn hidden(prompt: &str) -> Result<SecretText, Failure> {
    let typed = rpassword::prompt_password(format!("{prompt}: "));
    typed.map(SecretText::new).map_err(|error| Failure::unusable(format!("reading the terminal: {error}"), "a pipe"))
}

/// A line typed at the terminal.
pub fn visible(prompt: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::unusable(format!("reading the terminal: {error}"), "a pipe");
    let mut stderr = io::stderr();
    write!(stderr, "{prompt}: ").and_then(|()| stderr.flush()).map_err(failed)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line.trim().to_owned())
}

/// Tells a person what to do while the program waits for it.
pub fn tell(text: &str) -> Result<(), Failure> {
    let mut stderr = io::stderr();
    let told = writeln!(stderr, "{text}").and_then(|()| stderr.flush());
    told.map_err(|error| Failure::failed(format!("writing to the terminal: {error}"), "with a terminal"))
}

/// Asks a person whether to go on; a script has decided already.
pub fn confirmed(question: &str, decided: bool) -> Result<(), Failure> {
    if decided || !io::stdin().is_terminal() || visible(&format!("{question} [y/N]"))?.eq_ignore_ascii_case("y") {
        return Ok(());
    }
    Err(Failure::failed("nothing was done", "answering y, or --yes"))
}

/// A list that was not given stays as it is; one empty text clears it.
pub fn given(texts: Vec<String>) -> Option<Vec<String>> {
    if texts.is_empty() {
        return None;
    }
    Some(texts.into_iter().filter(|text| !text.is_empty()).collect())
}

/// An instant: RFC 3339, or so long from now as `30d`, `12h` or `90m`.
pub fn instant(text: &str, now: Timestamp) -> Result<WireTime, Failure> {
    if let Ok(at) = text.parse::<WireTime>() {
        return Ok(at);
    }
    let units = [("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS)];
    let found = units.iter().find_map(|(unit, length_ms)| {
        let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| *count > 0)?;
        count.checked_mul(*length_ms)
    });
    let length_ms =
        found.ok_or_else(|| Failure::unusable(format!("{text} is not a time"), "30d, 12h or 2027-01-31T00:00:00Z"))?;
    Ok(now.plus_millis(length_ms).into())
}

/// An instant in the past: RFC 3339, or so long ago as `30d`, `12h` or `90m`.
pub fn past_instant(text: &str, now: Timestamp) -> Result<WireTime, Failure> {
    let ahead = instant(text, now)?;
    if text.parse::<WireTime>().is_ok() {
        return Ok(ahead);
    }
    Ok(now.plus_millis(now.millis().saturating_sub(ahead.timestamp().millis())).into())
}

/// A fresh file that only its owner can read, in place of whatever was there.
pub fn create_private(path: &Path) -> Result<std::fs::File, Failure> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    // A file that was there keeps its mode, unless it is told.
    let narrowed = |file: std::fs::File| file.set_permissions(PermissionsExt::from_mode(0o600)).map(|()| file);
    file.and_then(narrowed).map_err(|error| Failure::file("writing", path, &error))
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<Exit, Failure> {
    let written = create_private(path)?.write_all(bytes);
    written.map_err(|error| Failure::file("writing", path, &error))?;
    Ok(Exit::Done)
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_taken_off_and_no_more() {
        for (text, kept) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("", "")] {
            assert_eq!(without_line_end(text), kept);
        }
    }

    #[test]
    fn nothing_given_leaves_and_an_empty_text_clears() {
        let given = |texts: &[&str]| given(texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(given(&[]), None);
        assert_eq!(given(&[""]), Some(Vec::new()));
        assert_eq!(given(&["a", "b"]), Some(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn instants_are_given_absolutely_or_from_now() {
        let now = Timestamp::from_millis(0);
        for (text, expected) in [
            ("30d", Some("1970-01-31T00:00:00Z")),
            ("12h", Some("1970-01-01T12:00:00Z")),
            ("90m", Some("1970-01-01T01:30:00Z")),
            ("2027-01-31T01:00:00+01:00", Some("2027-01-31T00:00:00Z")),
            ("-1d", None),
            ("99999999999999999d", None),
            ("tomorrow", None),
        ] {
            assert_eq!(instant(text, now).ok().map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
    }
}
