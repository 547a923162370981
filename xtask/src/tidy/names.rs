//! File names: a module is called after the thing it holds.

use super::Finding;

/// Names that say nothing; what lives there belongs to the type it works on.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "types", "manager"];

pub fn check(files: &[String]) -> Vec<Finding> {
    files.iter().filter(|path| path.ends_with(".rs")).filter_map(|path| check_path(path)).collect()
}

fn check_path(path: &str) -> Option<Finding> {
    let stem = path.strip_suffix(".rs")?;
    if stem == "mod" || stem.ends_with("/mod") {
        return Some(Finding::new(path, "write foo.rs and foo/bar.rs, not foo/mod.rs"));
    }
    let part = stem.split('/').find(|part| EMPTY_NAMES.contains(part))?;
    Some(Finding::new(path, format!("\"{part}\" names nothing: a function belongs to the type of its argument")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_accepted_and_refused_names() {
        let rows = [
            ("crates/store/src/secrets.rs", true),
            ("crates/server/src/http/vault.rs", true),
            ("crates/server/src/http/mod.rs", false),
            ("crates/domain/src/types.rs", false),
            ("crates/domain/src/utils/text.rs", false),
            ("crates/crypto/src/common.rs", false),
            ("crates/crypto/src/uncommon.rs", true),
            ("docs/common.md", true),
        ];
        for (path, accepted) in rows {
            assert_eq!(check(&[path.to_owned()]).is_empty(), accepted, "{path}");
        }
    }
}
