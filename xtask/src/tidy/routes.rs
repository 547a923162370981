//! The routes of the published document and the routes the server serves are the same.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;
use crate::source::Source;

/// Compares `openapi/qapi-v1.json` with the literals of `.route("...")` in the server, and counts the operations.
pub fn check(document: &str, sources: &[Source]) -> (usize, Vec<Finding>) {
    let (published, operations) = published(document);
    let served: BTreeSet<String> = sources
        .iter()
        .filter(|source| source.crate_name() == Some("server") && !source.is_test())
        .flat_map(served)
        .collect();
    if published.is_empty() || served.is_empty() {
        return (operations, Vec::new());
    }
    let missing = published
        .difference(&served)
        .map(|path| Finding::new("openapi/qapi-v1.json", format!("{path} is published and not served")));
    let silent = served
        .difference(&published)
        .map(|path| Finding::new("crates/server", format!("{path} is served and not published")));
    (operations, missing.chain(silent).collect())
}

fn published(document: &str) -> (BTreeSet<String>, usize) {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let Some(paths) = document["paths"].as_object() else {
        return Default::default();
    };
    let verbs = ["get", "put", "post", "patch", "delete"];
    let operations = paths.values().map(|item| verbs.iter().filter(|verb| item.get(**verb).is_some()).count()).sum();
    (paths.keys().cloned().collect(), operations)
}

/// The path literals of the `.route(` calls of one file.
fn served(source: &Source) -> Vec<String> {
    let calls = source.production().match_indices(".route(").map(|(at, call)| at + call.len());
    calls.filter_map(|at| literal(&source.text[at..])).filter(|path| path.starts_with('/')).collect()
}

fn literal(text: &str) -> Option<String> {
    let (path, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(path.replace("{*", "{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"paths": {"/a/{id}": {"get": {}, "delete": {}, "summary": ""}, "/b": {"post": {}}}}"#;

    #[test]
    fn table_of_accepted_and_refused_routes() {
        let rows = [
            (r#".route("/a/{id}", get(x)).route("/b", post(y))"#, 0),
            (r#".route("/a/{*id}", get(x)).route( "/b", post(y))"#, 0),
            (r#".route("/a/{id}", get(x))"#, 1),
            (r#".route("/a/{id}", get(x)).route("/b", post(y)).route("/c", get(z))"#, 1),
            ("fn nothing_yet() {}", 0),
        ];
        for (text, expected) in rows {
            let (operations, findings) = check(DOCUMENT, &[Source::new("crates/server/src/http.rs", text)]);
            assert_eq!((operations, findings.len()), (3, expected), "{text}: {findings:?}");
        }
    }
}
