//! Every route of the table in `api` is served: its constant is mounted somewhere in the server, and only once.
//!
//! The published document is generated from the same table, so what is served, what is published and what the client
//! calls cannot differ.

use super::Finding;
use crate::source::{Source, words};

/// Counts the routes and finds those that nobody, or more than one, mounts. Before the server mounts anything there is
/// nothing to compare.
pub fn check(sources: &[Source]) -> (usize, Vec<Finding>) {
    let routes: Vec<(&Source, &str)> = sources.iter().filter(|source| is_table(source)).flat_map(declared).collect();
    let mounted: Vec<&str> =
        sources.iter().filter(|source| source.path.starts_with("crates/server/src/http")).flat_map(mounted).collect();
    if mounted.is_empty() {
        return (routes.len(), Vec::new());
    }
    let findings = routes.iter().filter_map(|(source, name)| {
        let times = mounted.iter().filter(|mounted| *mounted == name).count();
        (times != 1).then(|| Finding::new(&source.path, format!("{name} is mounted {times} times")))
    });
    (routes.len(), findings.collect())
}

fn is_table(source: &Source) -> bool {
    source.path.starts_with("crates/api/src/routes/")
}

/// The names of `NAME = Route::...`.
fn declared(source: &Source) -> Vec<(&Source, &str)> {
    let declarations = source.production().match_indices("= Route::").filter_map(|(at, _)| {
        let (_, name) = words(source.production()[..at].lines().next_back()?).last()?;
        Some((source, name))
    });
    declarations.collect()
}

/// The last name of the path in `.mount(&path::NAME, ...)`.
fn mounted(source: &Source) -> Vec<&str> {
    let code = source.production();
    let calls = code.match_indices(".mount(").filter_map(|(at, call)| code[at + call.len()..].split(',').next());
    calls.filter_map(|path| words(path).last()).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_accepted_and_refused_mounts() {
        let table = "routes! {\n    /// A.\n    SIGN = Route::post(\"sign\")\n        .scope(\"x\");\n    VERIFY = Route::post(\"verify\");\n}";
        let rows = [
            ("router.mount(&route::SIGN, sign).mount(&route::VERIFY, verify)", 0),
            ("router.mount(\n    &SIGN,\n    sign,\n).mount(&VERIFY, verify)", 0),
            ("router.mount(&route::SIGN, sign)", 1),
            ("router.mount(&SIGN, a).mount(&SIGN, b).mount(&VERIFY, c)", 1),
            ("router // .mount(&SIGN, a)", 0),
        ];
        for (text, expected) in rows {
            let sources =
                [Source::new("crates/api/src/routes/a.rs", table), Source::new("crates/server/src/http/a.rs", text)];
            let (routes, findings) = check(&sources);
            assert_eq!((routes, findings.len()), (2, expected), "{text}: {findings:?}");
        }
    }
}
