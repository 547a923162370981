//! The one policy of the deploy gate and of admission: whose signatures an image needs, which attestations, from which
//! registries it may come, and what follows where it has none.
//!
//! A policy is a YAML file that is read strictly: a field that is not known, a field that stands twice, an alias or a file that
//! is too long is an error with its line and column. What a policy does not mention is refused: a registry that is not listed,
//! an image without a rule, a signature for another repository. Whatever weakens this has `danger` in its name or an end date.
//!
//! Deciding is pure: [`Policy::judge`] takes what was found beside an image and the time, and gives reasons. Nothing here talks
//! to a registry. `docs/guides/policy.md` describes the file.

mod decision;
mod file;
mod keys;
mod moment;
mod pattern;
mod reading;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use decision::{Asked, Code, Effect, Finding, Judgement, Note};
pub use file::{ImagePrefix, Level, Mode};
pub use keys::Key;
pub use moment::Moment;
pub use pattern::{NamePattern, RepositoryPattern};

use crate::digest::Digest;
use crate::reference::{Reference, Repository};

/// Policies longer than this are not read.
pub const LONGEST_BYTES: usize = 1 << 20;

/// A policy that was read and makes sense.
#[derive(Clone, Debug)]
pub struct Policy {
    hash: Digest,
    keys: Vec<Key>,
    registries: Vec<Registry>,
    rules: Vec<Rule>,
    environments: Vec<Environment>,
    denied: BTreeMap<Digest, String>,
    exempted: BTreeMap<Digest, Exemption>,
    accept_verdicts_s: Option<u32>,
    ticket_tenant: Option<String>,
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotAPolicy {
    /// The file, or a key file that it names, cannot be read.
    #[error("reading {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// It is longer than any policy.
    #[error("it has {0} bytes, and more than 1 MiB are not read")]
    TooLong(usize),
    /// It is not written as a policy is, or contradicts itself.
    #[error("line {line}, column {column}: {what}")]
    Written {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What is wrong there.
        what: String,
    },
}

/// A registry from which images may come.
#[derive(Clone, Debug)]
struct Registry {
    name: String,
    repositories: Vec<RepositoryPattern>,
    endpoint: Endpoint,
}

/// Where the API of a registry answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host, and port if there is one.
    pub host: String,
    /// Whether it is spoken to without TLS.
    pub danger_plain_http: bool,
}

/// What is asked of some images.
#[derive(Clone, Debug)]
struct Rule {
    name: String,
    images: Vec<RepositoryPattern>,
    environments: Option<Vec<String>>,
    level: Level,
    classical_until: Option<Moment>,
    danger_classical_alone_until: Option<Moment>,
    keys: Option<Vec<String>>,
    attestations: Vec<Attestation>,
    identity: Identity,
}

/// For which repository a signature has to have been made.
#[derive(Clone, Debug)]
enum Identity {
    /// The one that the image lies in.
    Own,
    /// For what begins with one prefix: what begins with the other, as of a mirror and its origin.
    Remapped { prefix: String, signed_prefix: String },
    /// Any.
    DangerAny,
}

#[derive(Clone, Debug)]
struct Attestation {
    predicate_type: String,
    level: Level,
    keys: Option<Vec<String>>,
}

/// A place that images are deployed to.
#[derive(Clone, Debug)]
pub struct Environment {
    name: String,
    namespaces: Vec<NamePattern>,
    mode: Mode,
    soft_fail_until: Option<Moment>,
    image_prefix: Option<ImagePrefix>,
}

#[derive(Clone, Debug)]
struct Exemption {
    reason: String,
    until: Option<Moment>,
}

/// The policy has no environment of this name.
#[derive(Debug, thiserror::Error)]
#[error("the policy has no environment {name:?}; it has {known}")]
pub struct NoSuchEnvironment {
    name: String,
    known: String,
}

impl Policy {
    /// Reads a policy file. Key files that it names lie beside it, unless their path is absolute.
    pub fn load(path: &Path) -> Result<Self, NotAPolicy> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| NotAPolicy::Read { path: path.to_owned(), error });
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&read(path)?, &|name| read(&folder.join(name)))
    }

    /// Reads a policy. `key_file` gives the content of a key file that the policy names.
    pub fn parse(bytes: &[u8], key_file: &dyn Fn(&Path) -> Result<Vec<u8>, NotAPolicy>) -> Result<Self, NotAPolicy> {
        reading::policy(bytes, key_file)
    }

    /// What the policy and the keys that it names hash to: two decisions by policies of one hash agree. A comment that changes,
    /// changes the hash.
    pub fn hash(&self) -> &Digest {
        &self.hash
    }

    /// The keys, of all purposes and in every state.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// For how many seconds a signed verdict of the gate spares another look, if it does at all.
    pub fn accept_verdicts_s(&self) -> Option<u32> {
        self.accept_verdicts_s
    }

    /// The tenant whose tickets are believed by their signature, where there is one: all tenants of a platform share its key.
    pub fn ticket_tenant(&self) -> Option<&str> {
        self.ticket_tenant.as_deref()
    }

    /// Where to ask for the contents of a repository; nothing if images may not come from there. A registry that is not allowed
    /// must not be asked: its answers cost time, and its name may come from whoever wants in.
    pub fn endpoint(&self, repository: &Repository) -> Option<&Endpoint> {
        self.registry(repository).map(|registry| &registry.endpoint)
    }

    /// Where all allowed registries answer.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.registries.iter().map(|registry| &registry.endpoint)
    }

    /// The types of the predicates that have to be attested of an image.
    pub fn attestations_of(&self, reference: &Reference, environment: Option<&Environment>) -> Vec<&str> {
        let wanted = self.rule(reference, environment).map(|rule| rule.attestations.as_slice()).unwrap_or_default();
        wanted.iter().map(|wanted| wanted.predicate_type.as_str()).collect()
    }

    /// The environment of this name.
    pub fn environment(&self, name: &str) -> Result<&Environment, NoSuchEnvironment> {
        self.environments.iter().find(|environment| environment.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.environments.iter().map(Environment::name).collect();
            NoSuchEnvironment {
                name: name.to_owned(),
                known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            }
        })
    }

    /// The first environment that the namespace belongs to. In a namespace of none, everything is enforced.
    pub fn environment_of_namespace(&self, namespace: &str) -> Option<&Environment> {
        let holds = |environment: &&Environment| environment.namespaces.iter().any(|one| one.matches(namespace));
        self.environments.iter().find(holds)
    }

    fn registry(&self, repository: &Repository) -> Option<&Registry> {
        self.registries.iter().find(|registry| {
            registry.name == repository.registry()
                && (registry.repositories.is_empty()
                    || registry.repositories.iter().any(|pattern| pattern.matches(repository)))
        })
    }

    fn rule(&self, reference: &Reference, environment: Option<&Environment>) -> Option<&Rule> {
        self.rules.iter().find(|rule| {
            let is_here = match (&rule.environments, environment) {
                (None, _) => true,
                (Some(names), Some(environment)) => names.contains(&environment.name),
                (Some(_), None) => false,
            };
            is_here && rule.images.iter().any(|pattern| pattern.matches(reference.repository()))
        })
    }
}

impl Environment {
    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What follows from a refusal here at this time. Until the end of a soft start, one that would be enforced warns.
    pub fn mode(&self, now: i64) -> Mode {
        match (self.mode, self.soft_fail_until) {
            (Mode::Enforce, Some(until)) if now < until.unix() => Mode::Warn,
            (mode, _) => mode,
        }
    }

    /// Until when refusals only warn, where it is so.
    pub fn soft_fail_until(&self) -> Option<Moment> {
        self.soft_fail_until
    }

    /// What stands before names of images that have no registry.
    pub fn image_prefix(&self) -> Option<&str> {
        self.image_prefix.as_ref().map(ImagePrefix::as_str)
    }
}

#[cfg(test)]
mod tests;
