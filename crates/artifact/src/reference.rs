//! Names of images: `registry/repository:tag@digest`, as the distribution specification and `docker` spell them.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// A repository of a registry, and which of its contents is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

/// The text names no image.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not the name of an image: {why}")]
pub struct NotAReference {
    text: String,
    why: &'static str,
}

/// Where a name without a registry lies, and what its API answers to.
const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_REGISTRY_HOST: &str = "registry-1.docker.io";
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

impl Reference {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag. A name with neither tag nor digest means `latest`.
    pub fn tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, Some(_)) => None,
            (None, None) => Some("latest"),
        }
    }

    /// The digest, where the name holds one: then the tag is for people.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same image by its digest alone.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { repository: self.repository.clone(), tag: None, digest: Some(digest) }
    }
}

impl Repository {
    /// The registry as names spell it.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The host, and the port if there is one, that the registry's API answers on.
    pub fn api_host(&self) -> &str {
        if self.registry == DEFAULT_REGISTRY { DEFAULT_REGISTRY_HOST } else { &self.registry }
    }

    /// The repository within its registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The content of this digest in it.
    pub fn at(&self, digest: Digest) -> Reference {
        Reference { repository: self.clone(), tag: None, digest: Some(digest) }
    }

    /// What carries this tag in it.
    pub fn tagged(&self, tag: &str) -> Result<Reference, NotAReference> {
        format!("{self}:{tag}").parse()
    }
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let wrong = |why| NotAReference { text: text.chars().take(300).collect(), why };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse().map_err(|_| wrong("its digest is none"))?)),
            None => (text, None),
        };
        // A colon after the last slash begins a tag; one before it belongs to a port.
        let slash = name.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match name.split_at(slash).1.find(':') {
            Some(colon) => (&name[..slash + colon], Some(&name[slash + colon + 1..])),
            None => (name, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("its tag is none"));
        }
        let repository = Repository::parse(name).map_err(wrong)?;
        Ok(Self { repository, tag: tag.map(str::to_owned), digest })
    }
}

impl Repository {
    fn parse(name: &str) -> Result<Self, &'static str> {
        let (registry, path) = match name.split_once('/') {
            // The first part is a registry if it could not be part of a path on the default one.
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
            Some(_) => (DEFAULT_REGISTRY, name.to_owned()),
            None => (DEFAULT_REGISTRY, format!("library/{name}")),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        if !is_authority(registry) {
            return Err("its registry is no host name");
        }
        if path.len() > LONGEST_REPOSITORY || !path.split('/').all(is_component) {
            return Err("its repository is not lower-case letters and digits, separated by single . _ - or /");
        }
        Ok(Self { registry: registry.to_ascii_lowercase(), path })
    }
}

impl FromStr for Repository {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        Self::parse(text).map_err(|why| NotAReference { text: text.chars().take(300).collect(), why })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= LONGEST_TAG
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

/// Letters and digits in lower case, separated by one `.`, one or two `_`, or any number of `-`.
fn is_component(part: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_separator =
        |text: &str| text.is_empty() || matches!(text, "." | "_" | "__") || text.bytes().all(|b| b == b'-');
    let (first, last) = (part.as_bytes().first(), part.as_bytes().last());
    first.is_some_and(is_word)
        && last.is_some_and(is_word)
        && part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(is_separator)
}

fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_address = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && host.len() <= 253
        && (is_address || host.split('.').all(is_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_read_as_registries_and_docker_read_them() {
        for (text, full, tag) in [
            ("alpine", "docker.io/library/alpine", Some("latest")),
            ("alpine:3.20", "docker.io/library/alpine:3.20", Some("3.20")),
            ("team/api", "docker.io/team/api", Some("latest")),
            ("index.docker.io/team/api", "docker.io/team/api", Some("latest")),
            ("localhost/api:a", "localhost/api:a", Some("a")),
            ("localhost:5000/team/api", "localhost:5000/team/api", Some("latest")),
            ("[::1]:5000/team/api:x", "[::1]:5000/team/api:x", Some("x")),
            ("Registry.Example/team/a__b--c.d:V_1.0-x", "registry.example/team/a__b--c.d:V_1.0-x", Some("V_1.0-x")),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!((reference.to_string().as_str(), reference.tag()), (full, tag), "{text}");
        }
        let pinned: Reference = format!("r.example:443/a:1@{HASH}").parse().unwrap();
        assert_eq!((pinned.tag(), pinned.digest().unwrap().to_string().as_str()), (Some("1"), HASH));
        let bare: Reference = format!("r.example/a@{HASH}").parse().unwrap();
        assert_eq!(bare.tag(), None);
    }

    #[test]
    fn what_names_no_image_is_refused() {
        for text in [
            "",
            ":tag",
            "a:",
            "a:b:c",
            "A/b",
            "r.example/",
            "r.example//a",
            "r.example/a/",
            "r.example/Team/api",
            "r.example/a..b",
            "r.example/a/../b",
            "r.example/-a",
            "r.example:0/a",
            "r.example:99999/a",
            "-r.example/a",
            "r.example/a:-x",
            "r.example/a@sha256:e3b0",
            "r.example/a@",
            "r.example/a b",
            "r.example/ä",
            "https://r.example/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }
}
