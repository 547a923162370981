use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A home with one file of docker's.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(docker: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".docker")).unwrap();
        std::fs::write(folder.path().join(".docker/config.json"), docker).unwrap();
        Self { folder }
    }

    fn keychain(&self) -> Keychain {
        Keychain::from_variables(|name| (name == "HOME").then(|| self.folder.path().into()))
    }
}

/// `user:password`, or which token it is.
async fn found(keychain: &Keychain, name: &str) -> Option<String> {
    match keychain.find(&name.parse().unwrap()).await.unwrap()? {
        Credential::Password { user, password } => Some(format!("{user}:{}", *password)),
        Credential::Identity(token) => Some(format!("identity {}", *token)),
        Credential::Bearer(token) => Some(format!("bearer {}", *token)),
    }
}

#[tokio::test]
async fn dockers_file_is_read_as_docker_writes_it() {
    let auth = |pair: &str| crate::base64::encode(pair.as_bytes());
    let home = Home::new(&format!(
        r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{}"}},"r.example:5000":{{"auth":"{}"}},
            "i.example":{{"auth":"{}","identitytoken":"t"}},"b.example":{{"registrytoken":"r"}},"empty.example":{{}}}}}}"#,
        auth("hub:a:b"),
        auth("ada:pw\0\0"),
        auth("00000000:")
    ));
    let keychain = home.keychain();
    for (name, expected) in [
        ("alpine", Some("hub:a:b")),
        ("r.example:5000/team/api", Some("ada:pw")),
        ("r.example/team/api", None),
        ("i.example/a", Some("identity t")),
        ("b.example/a", Some("bearer r")),
        ("empty.example/a", None),
    ] {
        assert_eq!(found(&keychain, name).await.as_deref(), expected, "{name}");
    }
    let given = keychain.with("r.example:5000", Credential::Bearer(Zeroizing::new("given".to_owned())));
    assert_eq!(found(&given, "r.example:5000/team/api").await.as_deref(), Some("bearer given"));
}

#[tokio::test]
async fn podmans_file_goes_first_and_may_name_a_repository() {
    let home = Home::new(r#"{"auths":{"r.example":{"username":"docker","password":"d"}}}"#);
    let folder = home.folder.path().join(".config/containers");
    std::fs::create_dir_all(&folder).unwrap();
    let podman = r#"{"auths":{"r.example/team":{"username":"team","password":"t"},
        "r.example/team/api":{"username":"api","password":"a"}}}"#;
    std::fs::write(folder.join("auth.json"), podman).unwrap();
    let keychain = home.keychain();
    for (name, expected) in [
        ("r.example/team/api", "api:a"),
        ("r.example/team/web", "team:t"),
        ("r.example/teams/api", "docker:d"),
        ("r.example/other", "docker:d"),
    ] {
        assert_eq!(found(&keychain, name).await.as_deref(), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn a_helper_is_asked_and_its_refusals_are_told_apart() {
    let programs = tempfile::tempdir().unwrap();
    let helper = |body: &str| {
        let path = programs.path().join("helper");
        std::fs::write(&path, format!("#!/bin/sh\nread -r registry\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let said = run(&helper(r#"printf '{"Username":"%s","Secret":"%s"}' "$1" "$registry""#), "r.example").await.unwrap();
    assert_eq!(said.stdout, br#"{"Username":"get","Secret":"r.example"}"#);
    for name in ["../evil", "a b", "a/b", "$(x)"] {
        assert!(ask_helper(name, "r.example").await.is_err(), "{name}");
    }
    assert!(ask_helper("that-does-not-exist-anywhere", "r.example").await.is_err());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_and_shows_nothing() {
    for text in ["{", r#"{"auths":{"r.example":{"auth":"%%secret"}}}"#, r#"{"auths":{},"auths":{}}"#] {
        let error = Home::new(text).keychain().find(&"r.example/a".parse().unwrap()).await.err().unwrap();
        assert_eq!(error.code(), "registry_credentials");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
