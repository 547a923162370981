//! Versions files: which images an environment runs.
//!
//! Four shapes are read, and mixed ones:
//!
//! ```yaml
//! users-api: 1.4.2                                  # a name and a tag; the registry comes from a prefix
//! gateway: registry.example/team/gateway:2.0.1      # a whole reference
//! notifications:                                    # image or repository, registry, tag or version, digest
//!   image: registry.example/team/notifications
//!   tag: 3.1.0
//! releases:                                         # anything nested
//!   core: {audit: 1.0.0}
//! ```
//!
//! and lists of references or of such mappings with a `name`. What has none of these shapes is an error with its line and
//! column: an image that is passed over is one that nobody has verified. Only names that begin with `x-` are passed over.
//!
//! A file can be locked: the digests of its images are written into it, and everything else stays as it is.

mod lock;
mod tree;

use crate::digest::Digest;
use crate::reference::Reference;
pub use lock::NotLocked;
use tree::{Mapping, Node, Scalar, Value};

/// Files longer than this are not read.
pub const LONGEST_BYTES: usize = 4 << 20;
/// More images than this are not read.
pub const MOST_IMAGES: usize = 10_000;

/// A versions file that was read.
#[derive(Clone, Debug)]
pub struct Versions {
    text: String,
    entries: Vec<Entry>,
}

/// One image of a file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands: the names on the way to it, separated by dots.
    pub name: String,
    /// The image.
    pub reference: Reference,
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    place: lock::Place,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotVersions {
    /// It is longer than any versions file.
    #[error("it has {0} bytes, and more than 4 MiB are not read")]
    TooLong(usize),
    /// It is not written as a versions file is.
    #[error("line {line}, column {column}: {what}")]
    Written {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
}

impl Versions {
    /// Reads a file. `prefix` stands before names that have no registry, as `registry.example/team`.
    pub fn parse(bytes: &[u8], prefix: Option<&str>) -> Result<Self, NotVersions> {
        if bytes.len() > LONGEST_BYTES {
            return Err(NotVersions::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| NotVersions::Written {
            line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count(),
            column: 1,
            what: "it is not UTF-8 text".to_owned(),
        })?;
        let root = tree::parse(text)?;
        let mut reader = Reader { prefix, entries: Vec::new() };
        reader.read(&root, &[])?;
        match reader.entries.is_empty() {
            true => Err(root.wrong("it names no image")),
            false => Ok(Self { text: text.to_owned(), entries: reader.entries }),
        }
    }

    /// The images, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file with digests in it: `digest_of` gives the one that each image was found to have. Images that have one in the
    /// file keep it. Comments, order and spelling stay.
    pub fn locked(
        &self,
        prefix: Option<&str>,
        digest_of: impl Fn(&Entry) -> Option<Digest>,
    ) -> Result<String, NotLocked> {
        lock::locked(self, prefix, digest_of)
    }
}

struct Reader<'p> {
    prefix: Option<&'p str>,
    entries: Vec<Entry>,
}

impl Reader<'_> {
    fn read(&mut self, node: &Node, path: &[&str]) -> Result<(), NotVersions> {
        match &node.value {
            Value::Mapping(mapping) if is_image(mapping) => self.read_image(node, mapping, path),
            Value::Mapping(mapping) => {
                let read = mapping.members.iter().filter(|(name, _)| !name.text.starts_with("x-"));
                for (name, value) in read {
                    self.read(value, &[path, &[&name.text]].concat())?;
                }
                Ok(())
            }
            Value::Sequence(items) => items.iter().try_for_each(|item| self.read_item(item, path)),
            Value::Scalar(scalar) => self.read_scalar(node, scalar, path),
        }
    }

    /// An item of a list has no name before it.
    fn read_item(&mut self, item: &Node, path: &[&str]) -> Result<(), NotVersions> {
        let Value::Mapping(mapping) = &item.value else {
            let Value::Scalar(scalar) = &item.value else {
                return Err(item.wrong("a list of lists names no images"));
            };
            let reference = self.whole(item, &scalar.text)?;
            return self.push(item, path, reference, lock::Place::Reference(scalar.place.clone()));
        };
        match mapping.scalar("name") {
            Some(name) if is_image(mapping) => self.read_image(item, mapping, &[path, &[&name.text]].concat()),
            None if is_image(mapping) => self.read_image(item, mapping, path),
            _ => self.read(item, path),
        }
    }

    /// `name: tag`, `name: tag@digest` or `name: reference`.
    fn read_scalar(&mut self, node: &Node, scalar: &Scalar, path: &[&str]) -> Result<(), NotVersions> {
        let Some(name) = path.last() else { return Err(node.wrong("it is one value, and not names with versions")) };
        let place = lock::Place::Reference(scalar.place.clone());
        let before_digest = scalar.text.split('@').next().unwrap_or_default();
        if before_digest.contains('/') {
            let reference = self.whole(node, &scalar.text)?;
            return self.push(node, path, reference, place);
        }
        let separator = if before_digest.is_empty() { "" } else { ":" };
        let reference = self.prefixed(node, name)? + separator + &scalar.text;
        let reference = reference.parse().map_err(|error| node.wrong(format!("{error}")))?;
        self.push(node, path, reference, place)
    }

    /// A mapping that tells of one image in parts.
    fn read_image(&mut self, node: &Node, mapping: &Mapping, path: &[&str]) -> Result<(), NotVersions> {
        let unknown = mapping.members.iter().find(|(name, _)| !is_part(&name.text) && !name.text.starts_with("x-"));
        if let Some((name, _)) = unknown {
            return Err(name.wrong(format!("{:?} is no part of an image; parts are {}", name.text, PARTS.join(", "))));
        }
        if let Some((_, value)) = mapping.members.iter().find(|(name, value)| is_part(&name.text) && !value.is_scalar())
        {
            // `image: {repository, tag}` is how charts spell it.
            return match (mapping.get("image"), mapping.members.len()) {
                (Some(inner), 1) => self.read(inner, path),
                _ => Err(value.wrong("the parts of an image are single values")),
            };
        }
        let part = |name| mapping.scalar(name);
        let name = part("image").or(part("repository"));
        let repository = match (part("registry"), name, path.last()) {
            (Some(registry), Some(name), _) => format!("{}/{}", registry.text, name.text),
            (Some(registry), None, Some(last)) => format!("{}/{last}", registry.text),
            (None, Some(name), _) if name.text.contains('/') => name.text.clone(),
            (None, Some(name), _) => self.prefixed(node, &name.text)?,
            (None, None, Some(last)) => self.prefixed(node, last)?,
            (_, None, None) => return Err(node.wrong("it names no image")),
        };
        let (tag, digest) = (part("tag").or(part("version")), part("digest"));
        let tagged = tag.map(|tag| format!(":{}", tag.text)).unwrap_or_default();
        let pinned = digest.map(|digest| format!("@{}", digest.text)).unwrap_or_default();
        let reference: Reference =
            format!("{repository}{tagged}{pinned}").parse().map_err(|error| node.wrong(format!("{error}")))?;
        let place = lock::Place::of_mapping(mapping, digest.is_some());
        self.push(node, path, reference, place)
    }

    fn whole(&self, node: &Node, text: &str) -> Result<Reference, NotVersions> {
        text.parse().map_err(|error| node.wrong(format!("{error}")))
    }

    fn prefixed(&self, node: &Node, name: &str) -> Result<String, NotVersions> {
        match self.prefix {
            Some(prefix) => Ok(format!("{}/{name}", prefix.trim_end_matches('/'))),
            None => Err(node.wrong(format!("{name} has no registry, and no prefix is given for such names"))),
        }
    }

    fn push(
        &mut self,
        node: &Node,
        path: &[&str],
        reference: Reference,
        place: lock::Place,
    ) -> Result<(), NotVersions> {
        if self.entries.len() == MOST_IMAGES {
            return Err(node.wrong("more than 10,000 images are not read"));
        }
        let name = match path.is_empty() {
            true => reference.repository().path().to_owned(),
            false => path.join("."),
        };
        self.entries.push(Entry { name, reference, line: node.line, column: node.column, place });
        Ok(())
    }
}

/// What may stand in a mapping that tells of one image.
const PARTS: [&str; 7] = ["name", "registry", "image", "repository", "tag", "version", "digest"];

fn is_part(name: &str) -> bool {
    PARTS.contains(&name)
}

/// A mapping tells of an image if it names one or says which: a service may be called `image` or `version` all the same, as
/// long as all of its siblings have values of their own.
fn is_image(mapping: &Mapping) -> bool {
    mapping.members.iter().any(|(name, value)| {
        let says_which = matches!(name.text.as_str(), "tag" | "version" | "digest" | "image" | "repository");
        says_which && (value.is_scalar() || name.text == "image")
    })
}

#[cfg(test)]
mod tests;
