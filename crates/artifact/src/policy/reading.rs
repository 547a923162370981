//! From the text of a policy to a policy that makes sense.

use std::collections::BTreeSet;
use std::path::Path;

use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};

use super::file::{EnvironmentEntry, KeyEntry, PemKey, PolicyFile, RegistryEntry, RuleEntry, StateWord, Version};
use super::keys::{Key, Life};
use super::{Attestation, Endpoint, Environment, Exemption, Identity, NotAPolicy, Policy, Registry, Rule};
use crate::digest::Digest;
use crate::reference::Repository;
use crate::trusted_key::Purpose;

type KeyFile<'f> = dyn Fn(&Path) -> Result<Vec<u8>, NotAPolicy> + 'f;

/// How deep a policy nests, how many values it has, and how long all its texts are together.
const MOST_NESTED: usize = 16;
const MOST_NODES: usize = 50_000;
/// A public key of SLH-DSA or ML-DSA-87 has less than 4 KiB in PEM.
const LONGEST_KEY_FILE: usize = 16 << 10;

pub(super) fn policy(bytes: &[u8], key_file: &KeyFile<'_>) -> Result<Policy, NotAPolicy> {
    if bytes.len() > super::LONGEST_BYTES {
        return Err(NotAPolicy::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| NotAPolicy::Written {
        line: 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64,
        column: 1,
        what: "it is not UTF-8 text".to_owned(),
    })?;
    let file: PolicyFile = parsed(text)?;
    let PolicyFile { _version: Version, keys, registries, images, environments, denied, exempted, verdicts, tickets } =
        file;

    distinct("key", keys.iter().map(|key| &key.name))?;
    distinct("environment", environments.iter().map(|environment| &environment.name))?;
    distinct("rule", images.iter().map(|rule| &rule.name))?;
    let keys = keys.into_iter().map(|entry| key(entry, key_file)).collect::<Result<Vec<_>, _>>()?;
    let environments: Vec<_> = environments.into_iter().map(environment).collect();
    let rules = images.into_iter().map(|entry| rule(entry, &keys, &environments)).collect::<Result<Vec<_>, _>>()?;
    let exemptions =
        exempted.into_iter().map(|entry| (entry.digest, Exemption { reason: entry.reason, until: entry.until }));
    Ok(Policy {
        hash: hash(bytes, &keys),
        keys,
        registries: registries.into_iter().map(registry).collect::<Result<_, _>>()?,
        rules,
        environments,
        denied: denied.into_iter().map(|entry| (entry.digest, entry.reason)).collect(),
        exempted: exemptions.collect(),
        ticket_tenant: tickets.map(|tickets| tickets.tenant),
        accept_verdicts_s: verdicts.map(|verdicts| verdicts.accept_for_s),
    })
}

fn parsed(text: &str) -> Result<PolicyFile, NotAPolicy> {
    let budget = serde_saphyr::budget! {
        max_aliases: 0,
        max_anchors: 0,
        max_merge_keys: 0,
        max_documents: 1,
        max_depth: MOST_NESTED,
        flow_nesting_limit: MOST_NESTED,
        max_nodes: MOST_NODES,
        max_events: 4 * MOST_NODES,
    };
    let options = serde_saphyr::options! {
        budget: budget,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let location = error.location();
        // The error ends in its place, which is told once.
        let text = error.to_string();
        let what = location.and_then(|at| {
            let tail = format!(" at line {}, column {}", at.line(), at.column());
            let head = format!("error: line {} column {}: ", at.line(), at.column());
            text.strip_suffix(&tail).or_else(|| text.strip_prefix(&head)).map(str::to_owned)
        });
        let what = what.unwrap_or(text);
        let (line, column) = location.map_or((1, 1), |at| (at.line(), at.column()));
        NotAPolicy::Written { line, column, what }
    })
}

fn wrong(at: Location, what: impl Into<String>) -> NotAPolicy {
    NotAPolicy::Written { line: at.line(), column: at.column(), what: what.into() }
}

/// Names that people use are short, printable and used once.
fn distinct<'n>(of: &str, names: impl Iterator<Item = &'n Spanned<String>>) -> Result<(), NotAPolicy> {
    let mut seen = BTreeSet::new();
    for name in names {
        let is_name = !name.value.is_empty() && name.value.len() <= 100 && !name.value.chars().any(char::is_control);
        if !is_name {
            return Err(wrong(name.referenced, format!("the name of a {of} has 1 to 100 printable characters")));
        }
        if !seen.insert(&name.value) {
            return Err(wrong(name.referenced, format!("there are two of the {of} {:?}", name.value)));
        }
    }
    Ok(())
}

fn key(entry: KeyEntry, key_file: &KeyFile<'_>) -> Result<Key, NotAPolicy> {
    let at = entry.name.referenced;
    let name = entry.name.value;
    let key = match (entry.public_key, entry.public_key_file) {
        (Some(PemKey(key)), None) => key,
        (None, Some(path)) => read_key(&path, key_file)?,
        _ => return Err(wrong(at, format!("key {name} has either publicKey or publicKeyFile"))),
    };
    let life = match (entry.state, entry.revoked_from) {
        (StateWord::Revoked, from) => Life::Revoked(from),
        (_, Some(_)) => return Err(wrong(at, format!("key {name} has revokedFrom and is not of the state revoked"))),
        (StateWord::Active, None) => Life::Active,
        (StateWord::VerifyOnly, None) => Life::VerifyOnly,
    };
    if life == Life::VerifyOnly && entry.valid_until.is_none() {
        return Err(wrong(at, format!("key {name} is verify-only and has no validUntil: a rotation ends")));
    }
    if entry.valid_from.zip(entry.valid_until).is_some_and(|(from, until)| from >= until) {
        return Err(wrong(at, format!("key {name} is valid until a time before it begins to be")));
    }
    let (valid_from, valid_until) = (entry.valid_from, entry.valid_until);
    Ok(Key { name, key, purpose: entry.purpose.purpose(), valid_from, valid_until, life })
}

fn read_key(path: &Spanned<String>, key_file: &KeyFile<'_>) -> Result<crypto::key::PublicKey, NotAPolicy> {
    let bytes = key_file(Path::new(&path.value))?;
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() <= LONGEST_KEY_FILE);
    let text = text.ok_or_else(|| wrong(path.referenced, format!("{} holds no public key", path.value)))?;
    let PemKey(key) = PemKey::parse(text).map_err(|what| wrong(path.referenced, format!("{}: {what}", path.value)))?;
    Ok(key)
}

fn registry(entry: RegistryEntry) -> Result<Registry, NotAPolicy> {
    let name = host(&entry.name)?;
    let endpoint = entry.endpoint.as_ref().map(host).transpose()?;
    // The name of the default registry is not where it answers.
    let default = || format!("{name}/x").parse::<Repository>().map(|repository| repository.api_host().to_owned());
    let host = match endpoint {
        Some(endpoint) => endpoint,
        None => default().map_err(|error| wrong(entry.name.referenced, error.to_string()))?,
    };
    let endpoint = Endpoint { host, danger_plain_http: entry.danger_plain_http };
    Ok(Registry { name, repositories: entry.repositories, endpoint })
}

fn host(text: &Spanned<String>) -> Result<String, NotAPolicy> {
    let named = format!("{}/x/x", text.value).parse::<Repository>().ok();
    let named = named.filter(|repository| repository.registry() == text.value && repository.path() == "x/x");
    let what = || format!("{:?} is no registry: write host or host:port, in lower case", text.value);
    named.map(|_| text.value.clone()).ok_or_else(|| wrong(text.referenced, what()))
}

fn environment(entry: EnvironmentEntry) -> Environment {
    Environment {
        name: entry.name.value,
        namespaces: entry.namespaces,
        mode: entry.mode,
        soft_fail_until: entry.soft_fail_until,
        image_prefix: entry.image_prefix,
    }
}

fn rule(entry: RuleEntry, keys: &[Key], environments: &[Environment]) -> Result<Rule, NotAPolicy> {
    let at = entry.name.referenced;
    if entry.r#match.value.is_empty() {
        return Err(wrong(entry.r#match.referenced, "a rule without a pattern matches nothing"));
    }
    for name in entry.environments.iter().flatten() {
        if !environments.iter().any(|environment| environment.name == name.value) {
            return Err(wrong(name.referenced, format!("there is no environment {:?}", name.value)));
        }
    }
    let signing = named(entry.keys, keys, Purpose::Signature, at)?;
    let attestation = |wanted: super::file::AttestationEntry| {
        let at = wanted.predicate_type.referenced;
        if !wanted.predicate_type.value.contains(':') {
            return Err(wrong(at, "a predicate type is a URI, as https://cyclonedx.org/bom"));
        }
        let keys = named(wanted.keys, keys, Purpose::Attestation, at)?;
        Ok(Attestation { predicate_type: wanted.predicate_type.value, level: wanted.require, keys })
    };
    let attestations = entry.attestations.into_iter().map(attestation).collect::<Result<_, _>>()?;
    let identity = match (entry.remap_identity, entry.danger_any_repository) {
        (None, false) => Identity::Own,
        (None, true) => Identity::DangerAny,
        (Some(remap), false) => {
            let [prefix, signed_prefix] = [prefix(remap.prefix)?, prefix(remap.signed_prefix)?];
            Identity::Remapped { prefix, signed_prefix }
        }
        (Some(_), true) => return Err(wrong(at, "remapIdentity and dangerAnyRepository contradict each other")),
    };
    Ok(Rule {
        name: entry.name.value,
        images: entry.r#match.value,
        environments: entry.environments.map(|names| names.into_iter().map(|name| name.value).collect()),
        level: entry.require,
        classical_until: entry.classical_until,
        danger_classical_alone_until: entry.danger_classical_alone_until,
        keys: signing,
        attestations,
        identity,
    })
}

/// The names of keys that a rule lists. It has to have at least one that can ever count for the purpose.
fn named(
    names: Option<Vec<Spanned<String>>>,
    keys: &[Key],
    purpose: Purpose,
    at: Location,
) -> Result<Option<Vec<String>>, NotAPolicy> {
    for name in names.iter().flatten() {
        match keys.iter().find(|key| key.name == name.value) {
            None => return Err(wrong(name.referenced, format!("there is no key {:?}", name.value))),
            Some(key) if key.purpose != purpose => {
                return Err(wrong(name.referenced, format!("the key {:?} signs something else", name.value)));
            }
            Some(_) => {}
        }
    }
    let is_empty = match &names {
        Some(names) => names.is_empty(),
        None => !keys.iter().any(|key| key.purpose == purpose),
    };
    if is_empty {
        return Err(wrong(at, "no key of the policy can meet it, so it would refuse everything"));
    }
    Ok(names.map(|names| names.into_iter().map(|name| name.value).collect()))
}

/// The beginning of a repository's name, whole parts of it.
fn prefix(text: Spanned<String>) -> Result<String, NotAPolicy> {
    let prefix = text.value.trim_end_matches('/');
    let named =
        format!("{prefix}/x").parse::<Repository>().ok().filter(|named| named.to_string() == format!("{prefix}/x"));
    named.map(|_| prefix.to_owned()).ok_or_else(|| {
        wrong(text.referenced, format!("{:?} does not begin with a registry, as registry.example/team", text.value))
    })
}

/// Over the text and every key in its place, each with its length, so that a key file that changes changes the hash.
fn hash(bytes: &[u8], keys: &[Key]) -> Digest {
    let mut hashed = b"qapi gate policy v1".to_vec();
    let keys = keys.iter().map(|key| key.key.to_spki_der());
    for part in std::iter::once(bytes.to_vec()).chain(keys) {
        hashed.extend_from_slice(&(part.len() as u64).to_be_bytes());
        hashed.extend_from_slice(&part);
    }
    Digest::of(&hashed)
}
