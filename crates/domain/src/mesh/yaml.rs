//! YAML out of JSON values: block style, for people to read. Text that YAML could take for something else is quoted as
//! JSON quotes it, which YAML 1.2 section 7.3.1 reads the same.

use serde_json::Value;

/// One document.
pub fn document(value: &Value) -> String {
    let mut text = String::from("---\n");
    write_value(&mut text, value, 0);
    text
}

fn write_value(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                indent(text, depth);
                write_field(text, name, field, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(text, depth);
                write_item(text, item, depth);
            }
        }
        flat => {
            indent(text, depth);
            text.push_str(&scalar(flat));
            text.push('\n');
        }
    }
}

fn write_field(text: &mut String, name: &str, field: &Value, depth: usize) {
    text.push_str(&plain_or_quoted(name));
    text.push(':');
    match field {
        Value::String(block) if is_block(block) => {
            text.push_str(" |\n");
            for line in block.lines() {
                indent(text, depth + 1);
                text.push_str(line);
                text.push('\n');
            }
        }
        field if is_nested(field) => {
            text.push('\n');
            write_value(text, field, depth + 1);
        }
        flat => {
            text.push(' ');
            text.push_str(&scalar(flat));
            text.push('\n');
        }
    }
}

/// The first field of an object stands on the line of the dash.
fn write_item(text: &mut String, item: &Value, depth: usize) {
    text.push('-');
    if is_nested(item) && item.is_array() {
        text.push('\n');
        return write_value(text, item, depth + 1);
    }
    text.push(' ');
    match item {
        Value::Object(fields) if !fields.is_empty() => {
            for (at, (name, field)) in fields.iter().enumerate() {
                if at > 0 {
                    indent(text, depth + 1);
                }
                write_field(text, name, field, depth + 1);
            }
        }
        flat => {
            text.push_str(&scalar(flat));
            text.push('\n');
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// Lines as they are, such as PEM: ended by one line end, none starting with white space or holding control characters.
fn is_block(text: &str) -> bool {
    let line_is_plain = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.chars().any(char::is_control);
    text.ends_with('\n') && text.strip_suffix('\n').is_some_and(|text| text.split('\n').all(line_is_plain))
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => plain_or_quoted(text),
        other => other.to_string(),
    }
}

/// Words of letters, digits and a few marks in between stand bare, unless YAML 1.1 or 1.2 reads them as something else.
fn plain_or_quoted(text: &str) -> String {
    let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/' | '_'))
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let means_another = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    if is_word && !means_another { text.to_owned() } else { Value::from(text).to_string() }
}
