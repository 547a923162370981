//! Files of environment variables, as `.env` files are written by people and tools.
//!
//! A line is `NAME=VALUE`, perhaps after `export`. Single quotes keep everything, over several lines too; double quotes
//! do as well and know `\n`, `\r`, `\t`, `\"`, `\\` and `\$`; bare values end at ` #` and lose white space at their
//! ends. Nothing is substituted: `$` stands for itself.

use api::secret::SecretText;

/// Why a file is not one of environment variables. Names the line, never its content.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The names and values of a file, in their order.
pub fn parse(text: &str) -> Result<Vec<(String, SecretText)>, BadLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let line = 1 + text.len().checked_sub(rest.len()).map_or(0, |read| text[..read].matches('\n').count());
        let bad = |why| BadLine { line, why };
        let (this, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = this.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after;
            continue;
        }
        let (name, value) = rest.split_once('=').filter(|(name, _)| !name.contains('\n')).ok_or(bad("no `=`"))?;
        let name = name.trim();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if !is_name(name) {
            return Err(bad("not a name of letters, digits and `_`"));
        }
        let (value, after) = read_value(value).map_err(bad)?;
        found.push((name.to_owned(), value));
        rest = after;
    }
    Ok(found)
}

/// Names that shells can hold; dots, slashes and hyphens are let through, because secrets have them.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "_-./".contains(letter))
}

/// The value at the start of `text`, and what follows its line.
fn read_value(text: &str) -> Result<(SecretText, &str), &'static str> {
    let start = text.trim_start_matches([' ', '\t']);
    match start.chars().next() {
        Some('\'') => quoted(&start[1..], '\'', false),
        Some('"') => quoted(&start[1..], '"', true),
        _ => {
            let (line, after) = start.split_once('\n').unwrap_or((start, ""));
            let value = if line.starts_with('#') { "" } else { line.split_once(" #").map_or(line, |(value, _)| value) };
            Ok((SecretText::copy_from(value.trim()), after))
        }
    }
}

fn quoted(text: &str, quote: char, escapes: bool) -> Result<(SecretText, &str), &'static str> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            let rest = &text[at + letter.len_utf8()..];
            let (trailing, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let trailing = trailing.trim();
            if !trailing.is_empty() && !trailing.starts_with('#') {
                return Err("something follows the closing quote");
            }
            return Ok((SecretText::new(value), after));
        }
        if letter == '\\' && escapes {
            match letters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(same @ ('"' | '\\' | '$' | '`')) => value.push(same),
                Some(other) => value.extend(['\\', other]),
                None => break,
            }
        } else {
            value.push(letter);
        }
    }
    Err("a quote that is not closed")
}

/// The environment variable that a secret's name stands for: `users-api/db` is `USERS_API_DB`.
pub fn variable_name(name: &str) -> String {
    let letters =
        name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' });
    let variable: String = letters.collect();
    if variable.starts_with(|first: char| first.is_ascii_digit()) { format!("_{variable}") } else { variable }
}

/// A value as one word of a POSIX shell.
pub fn shell_quoted(value: &str) -> SecretText {
    SecretText::new(format!("'{}'", value.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Result<Vec<(String, String)>, BadLine> {
        let found = parse(text)?;
        Ok(found.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect())
    }

    #[test]
    fn every_way_of_writing_a_value_is_read() {
        for (text, expected) in [
            ("A=1", vec![("A", "1")]),
            ("\u{feff}A=1\r\nB=2\r\n", vec![("A", "1"), ("B", "2")]),
            ("# note\n\n  A = two words # note\n", vec![("A", "two words")]),
            ("export A=x=y==", vec![("A", "x=y==")]),
            ("A=#note", vec![("A", "")]),
            ("A=a#b", vec![("A", "a#b")]),
            ("A=", vec![("A", "")]),
            ("A='$X \\n \"q\"' # note\nB=1", vec![("A", "$X \\n \"q\""), ("B", "1")]),
            (r#"A="a\nb\"c\\d\q$E""#, vec![("A", "a\nb\"c\\d\\q$E")]),
            ("A=\"-----BEGIN\nline=2\n-----END\"\nB=1", vec![("A", "-----BEGIN\nline=2\n-----END"), ("B", "1")]),
            ("users-api/db.x=1", vec![("users-api/db.x", "1")]),
            ("", vec![]),
        ] {
            let expected: Vec<(String, String)> =
                expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(pairs(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_alone() {
        for (text, line, why) in [
            ("A=1\nhunter2\n", 2, "no `=`"),
            ("hunter2\nA=1\n", 1, "no `=`"),
            ("\n\nA B=1", 3, "not a name of letters, digits and `_`"),
            ("A=1\nB='hunter2\n\n", 2, "a quote that is not closed"),
            ("A='x' y", 1, "something follows the closing quote"),
            ("=1", 1, "not a name of letters, digits and `_`"),
        ] {
            assert_eq!(pairs(text).unwrap_err(), BadLine { line, why }, "{text:?}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic() {
        let pieces = ["A", "=", "'", "\"", "\\", "\n", "\r", " ", "#", "export ", "ß", "\u{feff}", "$", "\t"];
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[usize::try_from(state >> 33).unwrap() % pieces.len()]);
            }
            if let Ok(found) = parse(&text) {
                assert!(found.iter().all(|(name, _)| is_name(name)), "{text:?}");
            }
        }
    }

    #[test]
    fn names_and_values_are_fit_for_a_shell() {
        assert_eq!(variable_name("users-api/db connection"), "USERS_API_DB_CONNECTION");
        assert_eq!(variable_name("2fa"), "_2FA");
        assert_eq!(shell_quoted("it's $HOME").expose(), r"'it'\''s $HOME'");
    }
}
