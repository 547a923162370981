//! Importing files of secrets.

use std::path::PathBuf;

use api::limits::IMPORT_ITEMS;
use api::secret::SecretText;
use api::secrets::{ImportSecret, ImportSecrets, ImportedSecrets};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::env_file;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::{Printer, record};

#[derive(Args)]
pub struct ImportInputs {
    /// The file, or `-` for standard input
    file: PathBuf,
    /// How it is written; found out from its content unless told
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Put this before every name
    #[arg(long, default_value = "")]
    prefix: String,
    /// A label for every secret; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines of NAME=VALUE
    Env,
    /// An object of texts by name, or an array of objects with name and value
    Json,
}

/// Imports a file; a name that exists gets a new version.
pub async fn import(inputs: ImportInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let text = input::text(Some(&inputs.file))?;
    let looks_like_json = text.expose().trim_start().starts_with(['{', '[']);
    let format = inputs.format.unwrap_or(if looks_like_json { Format::Json } else { Format::Env });
    let pairs = match format {
        Format::Env => from_env(text.expose())?,
        Format::Json => from_json(text.expose())?,
    };
    if pairs.is_empty() {
        return Err(Failure::unusable("the file holds no secrets", "lines of NAME=VALUE, or a JSON object"));
    }
    let mut items = pairs.into_iter().map(|(name, value)| ImportSecret {
        name: format!("{}{name}", inputs.prefix),
        value,
        description: None,
        content_type: None,
        labels: (!inputs.labels.is_empty()).then(|| inputs.labels.clone()),
    });
    let mut sum = ImportedSecrets { created: 0, updated: 0, failed: 0, ids: Vec::new(), errors: Vec::new() };
    loop {
        let batch: Vec<ImportSecret> = items.by_ref().take(IMPORT_ITEMS).collect();
        if batch.is_empty() {
            break;
        }
        let before = u32::try_from(sum.ids.len()).unwrap_or(u32::MAX);
        let done = client.import_secrets(&ImportSecrets { items: batch }).await?;
        sum.created += done.created;
        sum.updated += done.updated;
        sum.failed += done.failed;
        sum.ids.extend(done.ids);
        sum.errors.extend(done.errors.into_iter().map(|mut error| {
            error.index += before;
            error
        }));
    }
    printer.body(&sum, described)?;
    Ok(if sum.failed == 0 { Exit::Done } else { Exit::Failed })
}

fn described(sum: &ImportedSecrets) -> String {
    let counts = record(&[
        ("created", sum.created.to_string()),
        ("updated", sum.updated.to_string()),
        ("failed", sum.failed.to_string()),
    ]);
    let errors =
        sum.errors.iter().map(|error| format!("- item {}: {} ({})\n", error.index + 1, error.message, error.code));
    std::iter::once(counts).chain(errors).collect()
}

fn from_env(text: &str) -> Result<Vec<(String, SecretText)>, Failure> {
    env_file::parse(text)
        .map_err(|bad| Failure::unusable(format!("line {}: {}", bad.line, bad.why), "NAME=VALUE on every line"))
}

fn from_json(text: &str) -> Result<Vec<(String, SecretText)>, Failure> {
    // The parser's message may quote what it read.
    let wrong =
        || Failure::unusable("not a JSON file of secrets", r#"{"NAME": "value"} or [{"name": "...", "value": "..."}]"#);
    let pair = |name: &Value, value: &Value| Some((name.as_str()?.to_owned(), plain(value)?));
    match serde_json::from_str(text).map_err(|_| wrong())? {
        Value::Object(members) => {
            members.iter().map(|(name, value)| Some((name.clone(), plain(value)?))).collect::<Option<_>>()
        }
        Value::Array(items) => items.iter().map(|item| pair(item.get("name")?, item.get("value")?)).collect(),
        _ => None,
    }
    .ok_or_else(wrong)
}

/// A value as text; numbers and booleans as JSON spells them.
fn plain(value: &Value) -> Option<SecretText> {
    match value {
        Value::String(text) => Some(SecretText::copy_from(text)),
        Value::Number(_) | Value::Bool(_) => Some(SecretText::new(value.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_json_are_read_and_others_refused() {
        for (text, expected) in [
            (r#"{"A":"1","B":2}"#, Some(vec![("A", "1"), ("B", "2")])),
            (r#"[{"name":"A","value":"1"},{"name":"B","value":true}]"#, Some(vec![("A", "1"), ("B", "true")])),
            (r#"{"A":{"B":1}}"#, None),
            (r#"[{"name":"A"}]"#, None),
            (r#""x""#, None),
            ("{", None),
        ] {
            let found = from_json(text).ok();
            let found: Option<Vec<(&str, &str)>> =
                found.as_ref().map(|pairs| pairs.iter().map(|(name, value)| (name.as_str(), value.expose())).collect());
            assert_eq!(found, expected, "{text}");
        }
    }
}
