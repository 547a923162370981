//! The samples of `deploy/gate` and of the guides are read by the programs they are for.

use std::path::Path;

use artifact::policy::{Mode, Policy};
use artifact::versions::Versions;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/gate")
}

#[test]
fn the_sample_policy_is_one() {
    let policy = Policy::load(&folder().join("policy.yaml")).unwrap();
    assert_eq!(policy.keys().len(), 5);
    let staging = policy.environment("staging").unwrap();
    let soft_until = staging.soft_fail_until().unwrap().unix();
    assert_eq!((staging.mode(soft_until - 1), staging.mode(soft_until)), (Mode::Warn, Mode::Enforce));
    for repository in ["registry.example/team/api", "docker.io/acme/api", "images.internal/api"] {
        assert!(policy.endpoint(&repository.parse().unwrap()).is_some(), "{repository}");
    }
}

#[test]
fn the_sample_versions_file_names_what_the_guide_says() {
    let policy = Policy::load(&folder().join("policy.yaml")).unwrap();
    let prefix = policy.environment("production").unwrap().image_prefix();
    let text = std::fs::read(folder().join("env-versions.yaml")).unwrap();
    let versions = Versions::parse(&text, prefix).unwrap();
    let references: Vec<_> = versions.entries().iter().map(|entry| entry.reference.to_string()).collect();
    assert_eq!(
        references,
        [
            "registry.example/team/users-api:1.4.2",
            "registry.example/team/gateway:2.0.1",
            "registry.example/team/notifications:3.1.0",
            "registry.example/team/audit:1.10",
            "registry.example/team/migrate:7",
            "registry.example/team/report:0.9.0",
        ]
    );
}

#[test]
fn every_yaml_block_of_the_guide_is_part_of_a_policy() {
    let guide = std::fs::read_to_string(folder().join("../../docs/guides/policy.md")).unwrap();
    let blocks: Vec<&str> = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "{} blocks", blocks.len());
    let sample = std::fs::read_to_string(folder().join("policy.yaml")).unwrap();
    for block in blocks {
        // Each block is a top-level part, which replaces the sample's own.
        let replaced: Vec<&str> = block
            .lines()
            .filter(|line| !line.starts_with([' ', '-', '#']))
            .filter_map(|line| line.split(':').next())
            .collect();
        let mut keeps = true;
        let mut text = String::new();
        for line in sample.lines() {
            if !line.starts_with([' ', '-', '#']) && !line.is_empty() {
                keeps = !replaced.contains(&line.split(':').next().unwrap());
            }
            if keeps {
                text += line;
                text.push('\n');
            }
        }
        let read = |name: &Path| Ok(std::fs::read(folder().join(name)).unwrap());
        let policy = Policy::parse((text + block).as_bytes(), &read);
        assert!(policy.is_ok(), "{:?}\n{block}", policy.err());
    }
}
