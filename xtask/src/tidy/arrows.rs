//! Which crate may depend on which: the diagram of ARCHITECTURE.md as a table.

use serde_json::Value;

use super::Finding;

/// Our crates, and which of ours each may name in its `[dependencies]`. A crate that is not here fails the check, so
/// that a new one has to be placed in the diagram first.
const ARROWS: &[(&str, &[&str])] = &[
    ("crypto", &[]),
    ("domain", &["crypto"]),
    ("tls", &["crypto"]),
    ("api", &["domain"]),
    ("store", &["domain", "crypto"]),
    ("artifact", &["crypto", "tls"]),
    ("sdk", &["api", "tls", "crypto"]),
    ("server", &["api", "store", "tls", "domain", "crypto"]),
    ("cli", &["sdk", "api", "artifact", "tls", "domain", "crypto"]),
    ("agent", &["sdk", "tls", "domain", "crypto"]),
    ("admission", &["artifact", "sdk", "tls", "domain"]),
    ("examples", &["sdk", "tls"]),
    ("interop", &["sdk", "api", "tls", "domain", "crypto"]),
    ("xtask", &["api", "store", "tls", "domain", "crypto"]),
];

/// Foreign crates with an owner: nobody else may name them.
const OWNED: &[(&str, &[&str])] = &[
    ("aws-lc-rs", &["crypto"]),
    ("ml-kem", &["crypto"]),
    ("ml-dsa", &["crypto"]),
    ("poly1305", &["crypto"]),
    ("salsa20", &["crypto"]),
    ("scrypt", &["crypto"]),
    ("rusqlite", &["store"]),
    ("tokio-postgres", &["store"]),
    ("rustls", &["tls"]),
    ("tokio-rustls", &["tls"]),
    ("hyper-rustls", &["tls"]),
    ("axum", &["server", "admission", "sdk", "examples"]),
    ("reqwest", &["sdk", "examples"]),
    ("kube", &["admission"]),
    ("k8s-openapi", &["admission"]),
];

/// Crates without input, output, clock or runtime.
const PURE: &[&str] = &["crypto", "domain"];

/// What a pure crate may not name, beside what already has an owner.
const IMPURE: &[&str] = &[
    "tokio",
    "futures-util",
    "async-trait",
    "hyper",
    "hyper-util",
    "tower",
    "reqwest",
    "getrandom",
    "rand",
    "tracing-subscriber",
];

/// Crates for binaries; a library has an error enum.
const BINARIES: &[&str] = &["server", "cli", "agent", "admission", "examples", "interop", "xtask"];

/// A member of the workspace and what its `[dependencies]` and `[build-dependencies]` name.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    pub names: Vec<String>,
}

/// The members of the workspace out of `cargo metadata --no-deps`. Development dependencies do not reach a user and
/// are left out.
pub fn packages(metadata: &Value) -> Vec<Package> {
    let listed = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    listed.iter().map(package).collect()
}

fn package(value: &Value) -> Package {
    let dependencies = value["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shipped = dependencies.iter().filter(|dependency| dependency["kind"] != "dev");
    Package { name: text(&value["name"]), names: shipped.map(|dependency| text(&dependency["name"])).collect() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let name = package.name.as_str();
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        return vec![Finding::new(name, "a crate without a place in the dependency table")];
    };
    let refuse = |what: String| Finding::new(format!("crate {name}"), what);
    let mut findings = Vec::new();
    for dependency in package.names.iter().map(String::as_str) {
        if ARROWS.iter().any(|(ours, _)| *ours == dependency) && !allowed.contains(&dependency) {
            findings.push(refuse(format!("may not depend on {dependency}")));
        }
        if let Some((_, owners)) = OWNED.iter().find(|(owned, _)| *owned == dependency)
            && !owners.contains(&name)
        {
            findings.push(refuse(format!("{dependency} belongs to {}", owners.join(", "))));
        }
        if PURE.contains(&name) && IMPURE.contains(&dependency) {
            findings.push(refuse(format!("is pure and may not name {dependency}")));
        }
        if dependency == "anyhow" && !BINARIES.contains(&name) {
            findings.push(refuse("is a library: errors are enums, not anyhow".to_owned()));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_accepted_and_refused_dependencies() {
        let rows = [
            ("crypto", vec!["aws-lc-rs", "zeroize"], 0),
            ("crypto", vec!["domain"], 1),
            ("crypto", vec!["tokio"], 1),
            ("domain", vec!["crypto", "time"], 0),
            ("domain", vec!["rusqlite"], 1),
            ("domain", vec!["anyhow"], 1),
            ("store", vec!["domain", "crypto", "rusqlite", "tokio"], 0),
            ("store", vec!["api"], 1),
            ("server", vec!["api", "store", "axum", "anyhow"], 0),
            ("server", vec!["sdk"], 1),
            ("server", vec!["rustls", "tokio-postgres"], 2),
            ("sdk", vec!["api", "tokio"], 0),
            ("sdk", vec!["server", "store"], 2),
            ("cli", vec!["axum"], 1),
            ("newcomer", vec![], 1),
        ];
        for (name, names, expected) in rows {
            let package = Package { name: name.to_owned(), names: names.iter().map(|&name| name.to_owned()).collect() };
            assert_eq!(check(&[package]).len(), expected, "{name} -> {names:?}");
        }
    }

    #[test]
    fn server_and_sdk_never_reach_each_other() {
        assert!(!reach("server").contains(&"sdk"));
        assert!(!reach("sdk").iter().any(|name| ["server", "store"].contains(name)));
        assert!(!reach("agent").contains(&"store"));
        assert!(!reach("admission").contains(&"store"));
    }

    fn reach(from: &str) -> Vec<&'static str> {
        let direct = ARROWS.iter().find(|(name, _)| *name == from).map(|(_, to)| *to).unwrap_or_default();
        direct.iter().flat_map(|to| std::iter::once(*to).chain(reach(to))).collect()
    }

    #[test]
    fn development_dependencies_are_left_out() {
        let metadata = serde_json::json!({"packages": [{"name": "store", "dependencies": [
            {"name": "tempfile", "kind": "dev"}, {"name": "rusqlite", "kind": null}, {"name": "cc", "kind": "build"}]}]});
        assert_eq!(packages(&metadata)[0].names, ["rusqlite", "cc"]);
    }
}
