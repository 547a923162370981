use super::*;

const PREFIX: Option<&str> = Some("registry.example/team");

fn read(text: &str) -> Vec<(String, String)> {
    let versions = Versions::parse(text.as_bytes(), PREFIX).unwrap();
    versions.entries().iter().map(|entry| (entry.name.clone(), entry.reference.to_string())).collect()
}

const HASH: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn every_shape_names_its_images() {
    let pinned = format!("a: 1.0@{HASH}\nb: '@{HASH}'\nc: {{image: r.example/c, tag: 2, digest: \"{HASH}\"}}");
    for (text, expected) in [
        ("users-api: 1.10\n", vec![("users-api", "registry.example/team/users-api:1.10")]),
        ("users-api: '1.10' # kept\n", vec![("users-api", "registry.example/team/users-api:1.10")]),
        ("gateway: r.example:5000/x/gateway:2.0.1", vec![("gateway", "r.example:5000/x/gateway:2.0.1")]),
        (
            "api:\n  image: r.example/team/api\n  tag: 1\nweb: {repository: web, version: 2}\n",
            vec![("api", "r.example/team/api:1"), ("web", "registry.example/team/web:2")],
        ),
        (
            "api:\n  registry: r.example\n  repository: team/api\n  tag: 1\nweb: {registry: r.example, tag: 2}\n",
            vec![("api", "r.example/team/api:1"), ("web", "r.example/web:2")],
        ),
        ("api: {image: {repository: r.example/api, tag: 1}}", vec![("api", "r.example/api:1")]),
        (
            "releases:\n  core:\n    api: 1.0\n  extra: {web: {tag: 2}}\n",
            vec![
                ("releases.core.api", "registry.example/team/api:1.0"),
                ("releases.extra.web", "registry.example/team/web:2"),
            ],
        ),
        (
            "images:\n- r.example/a:1\n- name: web\n  tag: 2\n- image: r.example/b\n",
            vec![("images", "r.example/a:1"), ("images.web", "registry.example/team/web:2"), ("images", "r.example/b")],
        ),
        ("- r.example/team/a:1", vec![("team/a", "r.example/team/a:1")]),
        ("x-notes: {any: [thing]}\napi: 1", vec![("api", "registry.example/team/api:1")]),
        (
            &pinned,
            vec![
                ("a", &*format!("registry.example/team/a:1.0@{HASH}")),
                ("b", &*format!("registry.example/team/b@{HASH}")),
                ("c", &*format!("r.example/c:2@{HASH}")),
            ],
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_an_error_with_its_place() {
    for (text, place, what) in [
        ("", (1, 1), "names no image"),
        ("# nothing\n", (2, 1), "names no image"),
        ("{}", (1, 1), "names no image"),
        ("just text", (1, 1), "not names with versions"),
        ("api: 1\napi: 2\n", (2, 1), "stands twice"),
        ("api: &a 1\nweb: *a\n", (1, 9), "aliases"),
        ("a: &x {tag: 1}\nb:\n  <<: *x\n", (1, 7), "aliases"),
        ("api: !!str 1\n", (1, 12), "tags"),
        ("api: 1\n---\nweb: 2\n", (2, 1), "one document"),
        ("api:\nweb: 2\n", (1, 4), "missing"),
        ("api: ~\n", (1, 6), "missing"),
        ("api: |\n  1\n", (2, 3), "one line"),
        ("api: 1 2\n", (1, 6), "tag"),
        ("api:\n  image: r.example/a\n  tag: 1\n  chart: 2\n", (4, 3), "no part of an image"),
        ("api:\n  tag: 1\n  digest: sha256:00\n", (2, 3), "digest"),
        ("images: [api]\nlist: [[a]]\n", (2, 8), "list of lists"),
        ("api: {image: {repository: r.example/a}, tag: 1}\n", (1, 14), "single values"),
        ("? [a]\n: b\n", (1, 3), "single value"),
        ("api: [\n", (1, 6), "["),
    ] {
        match Versions::parse(text.as_bytes(), PREFIX) {
            Err(NotVersions::Written { line, column, what: found }) => {
                assert_eq!((line, column), place, "{text:?}: {found}");
                assert!(found.contains(what), "{text:?}: {found}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
    let without_prefix = Versions::parse(b"api: 1", None).unwrap_err().to_string();
    assert_eq!(without_prefix, "line 1, column 6: api has no registry, and no prefix is given for such names");
    let deep = "{a: ".repeat(40) + "1" + &"}".repeat(40);
    assert!(Versions::parse(deep.as_bytes(), PREFIX).is_err());
    assert!(matches!(Versions::parse(&vec![b' '; LONGEST_BYTES + 1], PREFIX), Err(NotVersions::TooLong(_))));
    assert!(Versions::parse(b"api: \xff", PREFIX).is_err());
}

#[test]
fn locking_adds_digests_and_keeps_the_rest() {
    let digest = Digest::of(b"");
    let text = "# Versions of staging.\nusers-api: 1.4.2   # released on Monday\nquoted: \"1.10\"\nsingle: '2'\n\
        gateway: r.example/team/gateway:2.0.1\n\nnotifications:\n  image: r.example/team/notifications # ours\n  \
        tag: 3.1.0 # soon 4\nflow: {image: r.example/a, tag: 1}\nlist:\n  - name: b\n    tag: 2\n  - r.example/c:3\n\
        kept: {image: r.example/k, tag: 9, digest: \"DIGEST2\"}\n";
    let other = Digest::of(b"other").to_string();
    let text = text.replace("DIGEST2", &other);
    let expected = text
        .replace("1.4.2 ", &format!("1.4.2@{HASH} "))
        .replace("\"1.10\"", &format!("\"1.10@{HASH}\""))
        .replace("'2'", &format!("'2@{HASH}'"))
        .replace("gateway:2.0.1", &format!("gateway:2.0.1@{HASH}"))
        .replace("soon 4\n", &format!("soon 4\n  digest: {HASH}\n"))
        .replace("a, tag: 1}", &format!("a, tag: 1, digest: {HASH}}}"))
        .replace("    tag: 2\n", &format!("    tag: 2\n    digest: {HASH}\n"))
        .replace("r.example/c:3", &format!("r.example/c:3@{HASH}"));
    let versions = Versions::parse(text.as_bytes(), PREFIX).unwrap();
    assert_eq!(versions.locked(PREFIX, |_| Some(digest.clone())).unwrap(), expected);
    assert_eq!(versions.locked(PREFIX, |_| None).unwrap(), text);

    let windows = "api:\r\n  image: r.example/a\r\n  tag: 1\r\nweb: 2\r\n";
    let versions = Versions::parse(windows.as_bytes(), PREFIX).unwrap();
    let locked = versions.locked(PREFIX, |entry| (entry.name == "api").then(|| digest.clone())).unwrap();
    assert_eq!(locked, windows.replace("tag: 1\r\n", &format!("tag: 1\r\n  digest: {HASH}\r\n")));

    let at_the_end = Versions::parse(b"api:\n  tag: 1", PREFIX).unwrap();
    assert_eq!(
        at_the_end.locked(PREFIX, |_| Some(digest.clone())).unwrap(),
        format!("api:\n  tag: 1\n  digest: {HASH}")
    );
}
