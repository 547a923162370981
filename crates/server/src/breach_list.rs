//! Passwords that leaked: an operator's own file, looked at offline beside the estimate of how soon a password is guessed.
//!
//! Two forms, told apart by the first line:
//! - SHA-1 hashes in hexadecimal, in order, with or without `:count` behind them, as Have I Been Pwned gives its list. It is searched where
//!   it lies, in about thirty reads of the disk, however large it is.
//! - Passwords, one a line. They are remembered as eight bytes each, so one in many millions of good ones is refused by chance.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use crypto::hash::{sha1_of_a_leaked_password, sha256};
use domain::identity::password_policy::normal;

/// The longest line that is read; hashes are shorter, and no password that could be chosen is longer.
const LINE_MAX: usize = 2_048;
/// Passwords of a plain list at most: 256 MiB of memory.
const WORDS_MAX: usize = 32 << 20;
const HASH_CHARS: usize = 40;

/// The passwords of a file.
pub struct BreachList(Form);

enum Form {
    Hashes { file: File, length: u64 },
    Words(Vec<u64>),
}

impl BreachList {
    /// Opens a list. Hashes that are not in order are refused where that shows.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::read(path).with_context(|| format!("reading the list of leaked passwords {}", path.display()))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut first = Vec::new();
        BufReader::new(&file).take(LINE_MAX as u64).read_until(b'\n', &mut first)?;
        let list = if is_hash(first.trim_ascii_end()) {
            Self(Form::Hashes { file, length })
        } else {
            Self(Form::Words(words(File::open(path)?)?))
        };
        list.check_order()?;
        Ok(list)
    }

    /// Whether a password in normal form is in the list. It reads the disk.
    pub fn has(&self, password: &str) -> io::Result<bool> {
        match &self.0 {
            Form::Words(words) => Ok(words.binary_search(&short(password)).is_ok()),
            Form::Hashes { file, length } => {
                is_in(file, *length, &hex_of(&sha1_of_a_leaked_password(password.as_bytes())))
            }
        }
    }

    /// Looks at hashes across the file: a list that was not sorted would find nothing, and nobody would notice.
    fn check_order(&self) -> anyhow::Result<()> {
        let Form::Hashes { file, length } = &self.0 else { return Ok(()) };
        let mut last = [0; HASH_CHARS];
        for step in 0..64 {
            let Some((_, hash)) = line_from(file, *length, length / 64 * step)? else { break };
            ensure!(hash >= last, "its hashes are not in order: take the list that is ordered by hash");
            last = hash;
        }
        Ok(())
    }
}

fn words(file: File) -> anyhow::Result<Vec<u64>> {
    let mut words = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        // What is no text, or too long, nobody can choose.
        let text = std::str::from_utf8(line).ok().and_then(normal).filter(|text| !text.is_empty());
        words.extend(text.map(|text| short(&text)));
        ensure!(words.len() <= WORDS_MAX, "it has more than {WORDS_MAX} passwords: give it as sorted SHA-1 hashes");
    }
    words.sort_unstable();
    words.dedup();
    Ok(words)
}

fn short(text: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[text.as_bytes()]);
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Narrows the place of a hash down between two offsets, by the line that begins behind the middle.
fn is_in(file: &File, length: u64, wanted: &[u8; HASH_CHARS]) -> io::Result<bool> {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        match line_from(file, length, middle)? {
            Some((_, hash)) if hash == *wanted => return Ok(true),
            Some((next, hash)) if hash < *wanted => low = next,
            // The line found may begin behind `high`, so only the middle is known to be too far.
            _ => high = middle,
        }
    }
    Ok(false)
}

/// The first line that begins at an offset or behind it: where the next begins, and its hash in upper case.
fn line_from(file: &File, length: u64, offset: u64) -> io::Result<Option<(u64, [u8; HASH_CHARS])>> {
    let begin = match offset.checked_sub(1) {
        // A line begins here if the one before ends just here.
        Some(before) => match end_of_line(file, length, before)? {
            Some(end) => end,
            None => return Ok(None),
        },
        None => 0,
    };
    let mut text = [0; HASH_CHARS];
    if begin + HASH_CHARS as u64 > length {
        return Ok(None);
    }
    file.read_exact_at(&mut text, begin)?;
    text.make_ascii_uppercase();
    let next = end_of_line(file, length, begin)?.unwrap_or(length);
    Ok(Some((next, text)))
}

/// Where the line that holds an offset has ended, if another could begin there.
fn end_of_line(file: &File, length: u64, offset: u64) -> io::Result<Option<u64>> {
    let mut buffer = [0; 128];
    let mut at = offset;
    while at < length && at - offset <= LINE_MAX as u64 {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            break;
        }
        if let Some(place) = buffer.iter().take(read).position(|byte| *byte == b'\n') {
            return Ok(Some(at + place as u64 + 1));
        }
        at += read as u64;
    }
    Ok(None)
}

fn is_hash(line: &[u8]) -> bool {
    let hash = line.split(|byte| *byte == b':').next().unwrap_or_default();
    hash.len() == HASH_CHARS && hash.iter().all(u8::is_ascii_hexdigit)
}

fn hex_of(hash: &[u8; 20]) -> [u8; HASH_CHARS] {
    let mut text = [0; HASH_CHARS];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
        let digit = |value: u8| b"0123456789ABCDEF"[usize::from(value & 0xf)];
        pair.copy_from_slice(&[digit(byte >> 4), digit(*byte)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> anyhow::Result<BreachList> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, text).unwrap();
        BreachList::open(&path)
    }

    fn sorted(passwords: &[String], end: &str) -> String {
        let mut lines: Vec<String> = passwords
            .iter()
            .enumerate()
            .map(|(n, text)| {
                let hash = hex_of(&sha1_of_a_leaked_password(text.as_bytes()));
                // Counts of other lengths move where lines begin.
                format!("{}:{}", String::from_utf8_lossy(&hash), 7_usize.pow(u32::try_from(n % 9).unwrap()))
            })
            .collect();
        lines.sort();
        lines.join(end) + end
    }

    #[test]
    fn hashes_are_found_where_they_lie_and_others_are_not() {
        let passwords: Vec<String> = (0..1_000).map(|n| format!("leaked password {n}")).collect();
        for end in ["\n", "\r\n"] {
            let list = list(&sorted(&passwords, end)).unwrap();
            assert!(passwords.iter().all(|password| list.has(password).unwrap()));
            assert!((0..1_000).all(|n| !list.has(&format!("another password {n}")).unwrap()));
        }
        let one = list(&sorted(&passwords[..1], "")).unwrap();
        assert!(one.has(&passwords[0]).unwrap() && !one.has(&passwords[1]).unwrap());
        // The hash of "password", as the list spells it.
        let known = list("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8:9545824\n").unwrap();
        assert!(known.has("password").unwrap());
    }

    #[test]
    fn plain_lists_are_read_whole_and_in_any_order() {
        let list = list("zebra crossing at night\r\n\nanother one\ncafe\u{301} au lait\n\u{1f511}\n").unwrap();
        for known in ["zebra crossing at night", "another one", "caf\u{e9} au lait"] {
            assert!(list.has(known).unwrap(), "{known}");
        }
        assert!(!list.has("").unwrap() && !list.has("another").unwrap());
    }

    #[test]
    fn hashes_out_of_order_and_files_that_are_not_there_are_said() {
        let passwords: Vec<String> = (0..500).map(|n| format!("leaked password {n}")).collect();
        let mut lines: Vec<String> = sorted(&passwords, "\n").lines().map(str::to_owned).collect();
        lines.reverse();
        let refused = format!("{:#}", list(&lines.join("\n")).err().unwrap());
        assert!(refused.contains("not in order"), "{refused}");
        assert!(BreachList::open(Path::new("/nowhere/at/all")).is_err());
    }
}
