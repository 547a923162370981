//! Profiles: the kinds of certificate there are. They are data, and a set that contradicts itself, a standard or its own
//! label does not load.

use crypto::algorithm::Algorithm;
use crypto::x509::{KeyUsage, Purpose};
use serde::Deserialize;

use super::lifetime;

/// A kind of certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    name: String,
    description: String,
    algorithms: Vec<Algorithm>,
    usage: KeyUsage,
    purposes: Vec<Purpose>,
    default_lifetime_s: i64,
    max_lifetime_s: i64,
    identity: Identity,
    path_length: Option<u8>,
    is_quantum_safe: bool,
}

/// Whether a certificate carries a SPIFFE id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// It must.
    Required,
    /// It does where one can be made of its names.
    Derived,
    /// It does not.
    #[default]
    None,
}

/// All profiles by name.
#[derive(Clone, Debug)]
pub struct Profiles(Vec<Profile>);

/// Why a set of profiles does not load.
#[derive(Debug, thiserror::Error)]
pub enum BadProfiles {
    /// Not of their form.
    #[error("not a list of profiles")]
    Unreadable(#[from] serde_json::Error),
    /// One of them cannot be right.
    #[error("profile {name}: {why}")]
    Wrong {
        /// Which.
        name: String,
        /// Why.
        why: &'static str,
    },
}

/// What somebody wrote, before it is believed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    name: String,
    description: String,
    key_algorithms: Vec<String>,
    key_usage: Vec<String>,
    #[serde(default)]
    purposes: Vec<String>,
    default_lifetime: String,
    max_lifetime: String,
    #[serde(default)]
    identity: Identity,
    path_length: Option<u8>,
    quantum_safe: bool,
}

/// The profile of a request that names none.
pub const DEFAULT: &str = "service-mtls-24h";
/// The profile whose certificates a quantum computer could forge.
pub const CLASSICAL: &str = "mesh-compat";

impl Profiles {
    /// The profiles that the product has.
    pub fn built_in() -> Result<Self, BadProfiles> {
        Self::parse(include_str!("profiles.json"))
    }

    /// Reads and checks a set.
    pub fn parse(text: &str) -> Result<Self, BadProfiles> {
        let written: Vec<Written> = serde_json::from_str(text)?;
        let mut profiles: Vec<Profile> = Vec::new();
        for written in written {
            let name = written.name.clone();
            let wrong = |why| BadProfiles::Wrong { name: name.clone(), why };
            if profiles.iter().any(|known| known.name == name) {
                return Err(wrong("its name stands twice"));
            }
            profiles.push(written.checked().map_err(wrong)?);
        }
        Ok(Self(profiles))
    }

    /// The profile of a name.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.0.iter().find(|profile| profile.name.eq_ignore_ascii_case(name))
    }

    /// Those by which end entities are issued.
    pub fn of_end_entities(&self) -> impl Iterator<Item = &Profile> {
        self.0.iter().filter(|profile| !profile.is_authority())
    }
}

impl Profile {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Algorithms of certified keys; the first is the default.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The most that keyUsage says.
    pub fn usage(&self) -> KeyUsage {
        self.usage
    }

    /// The most that extKeyUsage says.
    pub fn purposes(&self) -> &[Purpose] {
        &self.purposes
    }

    /// Seconds that a certificate lives unless told.
    pub fn default_lifetime_s(&self) -> i64 {
        self.default_lifetime_s
    }

    /// Seconds that it lives at most.
    pub fn max_lifetime_s(&self) -> i64 {
        self.max_lifetime_s
    }

    /// Whether it carries a SPIFFE id.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// pathLenConstraint of an authority.
    pub fn path_length(&self) -> Option<u8> {
        self.path_length
    }

    /// Whether it is an authority's.
    pub fn is_authority(&self) -> bool {
        self.path_length.is_some()
    }

    /// Whether a quantum computer leaves it standing.
    pub fn is_quantum_safe(&self) -> bool {
        self.is_quantum_safe
    }
}

impl Written {
    fn checked(self) -> Result<Profile, &'static str> {
        let algorithms: Vec<Algorithm> = self.key_algorithms.iter().filter_map(|name| name.parse().ok()).collect();
        let usage = self.key_usage.iter().map(|name| name.parse()).collect::<Result<KeyUsage, _>>();
        let purposes = self.purposes.iter().map(|name| name.parse()).collect::<Result<Vec<Purpose>, _>>();
        let profile = Profile {
            algorithms,
            usage: usage.map_err(|_| "it names a usage that does not exist")?,
            purposes: purposes.map_err(|_| "it names a purpose that does not exist")?,
            default_lifetime_s: lifetime::parse(&self.default_lifetime).map_err(|_| "its lifetime is none")?,
            max_lifetime_s: lifetime::parse(&self.max_lifetime).map_err(|_| "its longest lifetime is none")?,
            identity: self.identity,
            path_length: self.path_length,
            is_quantum_safe: self.quantum_safe,
            name: self.name,
            description: self.description,
        };
        if profile.algorithms.len() != self.key_algorithms.len() || profile.algorithms.is_empty() {
            return Err("it names no algorithm, or one that does not exist");
        }
        profile.lint().map(|()| profile)
    }
}

impl Profile {
    fn lint(&self) -> Result<(), &'static str> {
        let certifies = self.usage.contains(KeyUsage::KEY_CERT_SIGN);
        let labelled = self.algorithms.iter().all(|algorithm| algorithm.is_post_quantum() == self.is_quantum_safe);
        let rules = [
            (self.usage.intersection(KeyUsage::SIGNING).is_empty(), "its key may sign nothing (RFC 9881 section 5)"),
            (!self.usage.forbidden_for_ml_dsa().is_empty(), "a usage that its keys cannot have (RFC 9881 section 5)"),
            (certifies != self.is_authority(), "keyCertSign and pathLength contradict each other (RFC 5280 4.2.1.9)"),
            (!self.is_authority() && self.purposes.is_empty(), "an end entity without a purpose"),
            (!self.is_authority() && self.default_lifetime_s < 1, "it lives for no time"),
            (self.default_lifetime_s > self.max_lifetime_s, "it lives longer than it may"),
            (self.algorithms.iter().any(|algorithm| !is_certified(*algorithm)), "an algorithm that is not certified"),
            (!labelled, "its label quantumSafe is not true of its algorithms"),
            (self.is_authority() && self.identity != Identity::None, "an authority with a workload's identity"),
        ];
        rules.into_iter().find(|(broken, _)| *broken).map_or(Ok(()), |(_, why)| Err(why))
    }
}

fn is_certified(algorithm: Algorithm) -> bool {
    algorithm.is_ml_dsa() || matches!(algorithm, Algorithm::EcdsaP256 | Algorithm::EcdsaP384)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_products_own_profiles_load() {
        let profiles = Profiles::built_in().unwrap();
        for name in [DEFAULT, "server", "client", CLASSICAL, "ca", "root", "ca-compat"] {
            assert_eq!(profiles.get(name).unwrap().name(), name);
        }
        assert!(!profiles.get(CLASSICAL).unwrap().is_quantum_safe());
        assert_eq!(profiles.of_end_entities().count(), 4);
    }

    #[test]
    fn a_profile_that_cannot_be_right_does_not_load() {
        let good = r#"[{"name":"x","description":"d","keyAlgorithms":["ML-DSA-65"],"keyUsage":["digitalSignature"],
            "purposes":["serverAuth"],"defaultLifetime":"1h","maxLifetime":"1h","quantumSafe":true}]"#;
        Profiles::parse(good).unwrap();
        for (from, to, why) in [
            ("ML-DSA-65", "ECDSA-P256", "quantumSafe"),
            ("ML-DSA-65", "Ed25519", "not certified"),
            ("ML-DSA-65", "RSA-2048", "algorithm"),
            ("[\"digitalSignature\"]", "[\"digitalSignature\",\"keyEncipherment\"]", "RFC 9881"),
            ("digitalSignature", "keyEncipherment", "RFC 9881"),
            ("digitalSignature", "keyCertSign", "RFC 5280"),
            ("digitalSignature", "signing", "usage"),
            ("serverAuth", "everything", "purpose"),
            ("\"maxLifetime\":\"1h\"", "\"maxLifetime\":\"59m\"", "longer"),
            ("\"quantumSafe\":true", "\"quantumSafe\":true,\"colour\":1", "not a list"),
        ] {
            let error = Profiles::parse(&good.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(why), "{from} -> {to}: {error}");
        }
    }
}
