//! One Rust source file as `tidy` sees it: the text, and the same text with comments and literals blanked out.
//!
//! This is a scanner, not a parser: enough to tell code from prose, to cut off test modules and to measure functions
//! by their braces. What it cannot see (macros that write code) it does not judge.

/// A Rust file with its comments and literals told apart from its code.
pub struct Source {
    /// Path relative to the root of the workspace, with `/`.
    pub path: String,
    /// The file as written.
    pub text: String,
    /// As long as `text`, with every comment and literal replaced by spaces; line breaks stay.
    pub code: String,
}

/// A function and the number of lines from its signature to its closing brace.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// Whether the file is test code as a whole: by its folder, or as a module that only tests have.
    pub fn is_test(&self) -> bool {
        let folders = ["tests", "vectors", "benches", "examples", "fuzz"];
        let modules = ["tests", "vectors", "testing"];
        let stem = self.path.trim_end_matches(".rs");
        stem.split('/').any(|part| folders.contains(&part))
            || stem.rsplit('/').next().is_some_and(|name| modules.contains(&name) || name.ends_with("_tests"))
    }

    /// The crate the file belongs to, for files below `crates/`.
    pub fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// The code before the trailing `mod tests`.
    pub fn production(&self) -> &str {
        let mut from = 0;
        while let Some(at) = self.code[from..].find("#[cfg(test)]") {
            let start = from + at;
            let rest = self.code[start + "#[cfg(test)]".len()..].trim_start();
            if rest.starts_with("mod tests") {
                return &self.code[..start];
            }
            from = start + 1;
        }
        &self.code
    }

    /// The number of lines before the trailing `mod tests`.
    pub fn production_lines(&self) -> usize {
        self.production().lines().count()
    }

    /// Whether the file opens with a module comment (inner attributes may stand before it).
    pub fn is_introduced(&self) -> bool {
        self.text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with("#!["))
            .is_some_and(|line| line.starts_with("//!"))
    }

    /// Every function of the production code.
    pub fn functions(&self) -> Vec<Function> {
        let code = self.production();
        let starts = words(code).filter(|(_, word)| *word == "fn").map(|(at, _)| at);
        starts.filter_map(|at| function_at(code, at)).collect()
    }

    /// The line (from 1) of a byte offset.
    pub fn line_of(&self, offset: usize) -> usize {
        line_of(&self.code, offset)
    }
}

/// The words (identifiers and keywords) of a piece of code with their offsets.
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_word)?;
        let length = code[start..].find(|c| !is_word(c)).unwrap_or(code.len() - start);
        at = start + length;
        Some((start, &code[start..at]))
    })
}

/// The offset of the brace that closes the one at `open`.
pub fn closing_brace(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => continue,
        }
        if depth == 0 {
            return Some(open + at);
        }
    }
    None
}

fn line_of(code: &str, offset: usize) -> usize {
    code[..offset].matches('\n').count() + 1
}

/// The function whose `fn` stands at `at`; none for a declaration without a body or a function pointer type.
fn function_at(code: &str, at: usize) -> Option<Function> {
    let (_, name) = words(&code[at + 2..]).next().filter(|(gap, _)| code[at + 2..at + 2 + gap].trim().is_empty())?;
    let mut brackets = 0_i32;
    let body = code[at..].char_indices().find_map(|(offset, c)| {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' | ';' if brackets == 0 => return Some((offset, c)),
            _ => {}
        }
        None
    });
    let (offset, '{') = body? else { return None };
    let end = closing_brace(code, at + offset)?;
    let line = line_of(code, at);
    Some(Function { name: name.to_owned(), line, lines: line_of(code, end) + 1 - line })
}

/// Replaces comments, strings and characters by spaces.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = literal_length(rest, out.chars().next_back());
        let taken = length.max(rest.chars().next().map_or(1, char::len_utf8));
        let (piece, after) = rest.split_at(taken);
        if length == 0 {
            out.push_str(piece);
        } else {
            out.extend(piece.chars().flat_map(|c| {
                let blank = if c == '\n' { '\n' } else { ' ' };
                std::iter::repeat_n(blank, c.len_utf8())
            }));
        }
        rest = after;
    }
    out
}

/// How many bytes of comment or literal stand at the beginning of `text`.
fn literal_length(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_length(text);
    }
    if text.starts_with('"') {
        return string_length(text);
    }
    if !in_word && let Some(length) = raw_string_length(text) {
        return length;
    }
    if text.starts_with('\'') { character_length(text) } else { 0 }
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string_length(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| opening + at + end.len()))
}

/// A character literal, as opposed to a lifetime.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[2..].char_indices().skip(1).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 3),
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_blanked_and_code_stays() {
        let rows = [
            ("let a = \"b // c\"; // d", "let a = "),
            ("let a = r#\"x \"y\" z\"#; f()", "f()"),
            ("let c = '\"'; g()", "g()"),
            ("let c = '\\''; h()", "h()"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("/* a /* b */ c */ k()", "k()"),
        ];
        for (text, kept) in rows {
            let code = blank(text);
            assert_eq!(code.len(), text.len(), "{text}");
            assert!(code.contains(kept), "{text} became {code}");
            assert!(!code.contains("// "), "{text} became {code}");
        }
        assert!(!blank("x(\"allow(\")").contains("allow"));
    }

    #[test]
    fn functions_are_measured_from_signature_to_brace() {
        let source = Source::new(
            "a.rs",
            "fn a() {\n  b\n}\ntrait T { fn c(&self); }\nfn d(x: [u8; 4]) -> fn(u8) {\n}\n#[cfg(test)]\nmod tests { fn e() {} }",
        );
        let expected =
            [Function { name: "a".into(), line: 1, lines: 3 }, Function { name: "d".into(), line: 5, lines: 2 }];
        assert_eq!(source.functions(), expected);
        assert_eq!(source.production_lines(), 6);
    }

    #[test]
    fn module_comment_may_follow_inner_attributes() {
        let rows = [
            ("//! Yes.\n", true),
            ("#![expect(dead_code)]\n\n//! Yes.", true),
            ("// no\n", false),
            ("use a;\n//! late\n", false),
        ];
        for (text, introduced) in rows {
            assert_eq!(Source::new("a.rs", text).is_introduced(), introduced, "{text}");
        }
    }
}
