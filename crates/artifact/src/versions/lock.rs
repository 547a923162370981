//! Writing digests into a versions file: small edits at known places, and then the result is read again, because a file that
//! says something else than was verified would be worse than one without digests.

use std::ops::Range;

use super::tree::{Mapping, Value};
use super::{Entry, NotVersions, Versions};
use crate::digest::Digest;

/// Where the digest of an image belongs.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Behind a tag or a reference.
    Reference(Range<usize>),
    /// It stands there.
    Written,
    /// On a line of its own, after the value that ends there, so far in.
    Line { after: usize, indent: usize },
    /// Behind the last value of a flow mapping.
    Flow { after: usize },
    /// Nowhere that we can write.
    Nowhere,
}

/// Why a file is not locked.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// The digest of an image has no place in it.
    #[error("line {line}: the digest of {name} has no place there; write it as image, tag and digest")]
    NoPlace {
        /// The image.
        name: String,
        /// Its line.
        line: usize,
    },
    /// With digests in it, it could not be read as the same images any more.
    #[error("the file with digests would not say the same")]
    Changed,
    /// With digests in it, it could not be read at all.
    #[error("the file with digests could not be read")]
    Unreadable(#[source] NotVersions),
}

impl Place {
    pub fn of_mapping(mapping: &Mapping, is_pinned: bool) -> Self {
        if is_pinned {
            return Self::Written;
        }
        let Some((name, last)) = mapping.members.last() else { return Self::Nowhere };
        let Value::Scalar(value) = &last.value else { return Self::Nowhere };
        match mapping.is_flow {
            true => Self::Flow { after: value.place.end },
            false => Self::Line { after: value.place.end, indent: name.column - 1 },
        }
    }
}

pub(super) fn locked(
    versions: &Versions,
    prefix: Option<&str>,
    digest_of: impl Fn(&Entry) -> Option<Digest>,
) -> Result<String, NotLocked> {
    let mut text = versions.text.clone();
    let mut edits = Vec::new();
    for entry in versions.entries.iter().filter(|entry| entry.reference.digest().is_none()) {
        if let Some(digest) = digest_of(entry) {
            edits.push(edit(&text, entry, &digest)?);
        }
    }
    // From the end, so that the places before an edit stay where they are.
    edits.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (at, added) in edits {
        text.insert_str(at, &added);
    }
    let again = Versions::parse(text.as_bytes(), prefix).map_err(NotLocked::Unreadable)?;
    let is_same = |(old, new): (&Entry, &Entry)| {
        let wanted = old.reference.digest().cloned().or_else(|| digest_of(old));
        old.name == new.name
            && old.reference.repository() == new.reference.repository()
            && new.reference.digest() == wanted.as_ref()
    };
    let is_whole = again.entries.len() == versions.entries.len();
    match is_whole && versions.entries.iter().zip(&again.entries).all(is_same) {
        true => Ok(text),
        false => Err(NotLocked::Changed),
    }
}

/// What to insert, and before which byte.
fn edit(text: &str, entry: &Entry, digest: &Digest) -> Result<(usize, String), NotLocked> {
    let no_place = || NotLocked::NoPlace { name: entry.name.clone(), line: entry.line };
    match &entry.place {
        Place::Reference(place) => {
            let written = text.get(place.clone()).ok_or_else(no_place)?;
            // A quote closes after the digest.
            let is_quoted = written.ends_with(['"', '\'']);
            Ok((place.end - usize::from(is_quoted), format!("@{digest}")))
        }
        Place::Line { after, indent } => {
            // A comment behind the value stays behind it.
            let rest = text.get(*after..).ok_or_else(no_place)?;
            let end = rest.find('\n').map_or(text.len(), |at| after + at);
            let end = if text[..end].ends_with('\r') { end - 1 } else { end };
            let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            Ok((end, format!("{line_end}{:indent$}digest: {digest}", "")))
        }
        Place::Flow { after } => Ok((*after, format!(", digest: {digest}"))),
        Place::Written | Place::Nowhere => Err(no_place()),
    }
}
