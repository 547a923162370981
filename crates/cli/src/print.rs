//! Results on standard output: text for people, JSON for programs.

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::failure::{Exit, Failure};

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How freely values are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Masked unless asked for.
    Careful,
    /// The bare value, for `$(...)`.
    Bare,
}

/// What stands for a value that is not shown.
pub const MASK: &str = "********";

/// Where results go.
pub struct Printer {
    form: Output,
    terminal: bool,
    out: Box<dyn Write>,
}

impl Printer {
    /// A printer to standard output.
    pub fn to_stdout(form: Output) -> Self {
        let stdout = io::stdout();
        Self { form, terminal: stdout.is_terminal(), out: Box::new(BufWriter::new(stdout)) }
    }

    /// Whether programs read along.
    pub fn is_json(&self) -> bool {
        self.form == Output::Json
    }

    /// A result: the body as it is for programs, or the text of it for people.
    pub fn body<T: Serialize>(&mut self, body: &T, text: impl FnOnce(&T) -> String) -> Result<Exit, Failure> {
        match self.form {
            Output::Json => self.json(body)?,
            Output::Text => writeln!(self.out, "{}", text(body).trim_end())?,
        }
        Ok(Exit::Done)
    }

    /// A list: an object with its members and their number for programs, a table for people.
    pub fn list<T: Serialize>(
        &mut self,
        name: &str,
        items: &[T],
        headings: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<Exit, Failure> {
        if self.is_json() {
            self.json(&serde_json::json!({ name: items, "total": items.len() }))?;
            return Ok(Exit::Done);
        }
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        self.bare(table(headings, &rows).as_bytes())
    }

    /// That something was done, in one word: it answers nothing itself.
    pub fn done(&mut self, id: impl ToString, word: &str) -> Result<Exit, Failure> {
        let id = id.to_string();
        self.body(&serde_json::json!({ "id": id, word: true }), |_| format!("{word} {id}"))
    }

    /// A result that is JSON in any form of output.
    pub fn json<T: Serialize>(&mut self, body: &T) -> Result<(), Failure> {
        serde_json::to_writer_pretty(&mut self.out, body).map_err(io::Error::from)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Bytes as they are; a terminal gets a line end after them, so that the prompt does not stand beside the value.
    pub fn bare(&mut self, bytes: &[u8]) -> Result<Exit, Failure> {
        self.out.write_all(bytes)?;
        if self.terminal && !bytes.ends_with(b"\n") {
            self.out.write_all(b"\n")?;
        }
        Ok(Exit::Done)
    }

    /// A piece of something longer, as it is.
    pub fn stream(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.write_all(bytes)?)
    }

    /// A text that ends in exactly one line end, as PEM wants it.
    pub fn line(&mut self, text: &str) -> Result<Exit, Failure> {
        self.out.write_all(text.trim_end_matches(['\n', '\r']).as_bytes())?;
        self.out.write_all(b"\n")?;
        Ok(Exit::Done)
    }

    /// Everything is written; what a full disk or a gone reader kept back shows here.
    pub fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// A warning on standard error, in one line: the command goes on.
pub fn warn(text: &str) {
    // Who cannot be warned is told by the result.
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// Names and values, aligned.
pub fn record(fields: &[(&str, String)]) -> String {
    let shown: Vec<_> = fields.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 1;
    shown.iter().map(|(name, value)| format!("{:width$} {value}\n", format!("{name}:"))).collect()
}

/// Rows under headings, aligned. Nothing at all when there are no rows.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(headings.get(column).map(|heading| heading.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let lines = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(headings.to_vec())).chain(lines).collect()
}

/// A text, or nothing when there is none.
pub fn or_empty<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map(T::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_an_empty_one_is_nothing() {
        let rows = [vec!["1".to_owned(), "größe".to_owned(), "x".to_owned()], vec!["22".to_owned(), "b".to_owned()]];
        assert_eq!(table(&["ID", "NAME", "KIND"], &rows), "ID  NAME   KIND\n1   größe  x\n22  b\n");
        assert_eq!(table(&["ID"], &[]), "");
    }

    #[test]
    fn a_record_leaves_out_what_is_empty() {
        let fields = [("id", "1".to_owned()), ("description", String::new()), ("version", "2".to_owned())];
        assert_eq!(record(&fields), "id:      1\nversion: 2\n");
    }
}
