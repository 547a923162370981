//! What every trust has, whichever system it is in.

use std::path::PathBuf;

use api::trusts::TrustRule;
use clap::Args;
use serde_json::Value;

use crate::failure::Failure;
use crate::input::{self, given};

/// The options that `create` and `update` share.
#[derive(Args)]
pub struct Terms {
    /// A claim and what it may be; `*` at the end stands for anything; may be repeated, values of one claim are alternatives
    #[arg(long = "rule", value_name = "CLAIM=VALUE")]
    rules: Vec<String>,
    /// A resource it is confined to: secrets:users-api/*; may be repeated; an empty text clears
    #[arg(long = "resource", value_name = "KIND:PATTERN")]
    resources: Vec<String>,
    /// Whom the tokens must be meant for; the tenant's own issuer unless told, and Microsoft's audience for azure-devops
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// File of the issuer's keys (a JWK set), for a platform that does not reach the issuer
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// Where the issuer's keys are, if not where its metadata says
    #[arg(long, value_name = "URI", conflicts_with = "jwks_file")]
    jwks_uri: Option<String>,
    /// How long what it gives lives: 60 to 600, 300 unless told
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,
    /// Whether each token of the issuer is taken once; by the kind unless told
    #[arg(long, value_name = "true|false")]
    single_use: Option<bool>,
}

/// The same, read.
pub struct Read {
    pub rules: Vec<TrustRule>,
    /// What was given; an empty list lifts the confinement.
    pub resources: Option<Vec<String>>,
    pub audience: Option<String>,
    pub jwks: Option<Value>,
    pub jwks_uri: Option<String>,
    pub lifetime_seconds: Option<u32>,
    pub single_use: Option<bool>,
}

impl Terms {
    /// Reads files and rules.
    pub fn read(self) -> Result<Read, Failure> {
        let mut rules = Vec::new();
        for rule in &self.rules {
            let (claim, value) = rule.split_once('=').ok_or_else(|| {
                Failure::unusable(format!("{rule} is no rule"), "--rule CLAIM=VALUE, as in --rule ref=refs/heads/main")
            })?;
            add(&mut rules, claim, value);
        }
        Ok(Read {
            rules,
            resources: given(self.resources),
            audience: self.audience,
            jwks: self.jwks_file.as_deref().map(input::json).transpose()?,
            jwks_uri: self.jwks_uri,
            lifetime_seconds: self.lifetime,
            single_use: self.single_use,
        })
    }
}

/// Adds what a claim may be: one more alternative where there is a rule for it.
pub fn add(rules: &mut Vec<TrustRule>, claim: &str, value: &str) {
    match rules.iter_mut().find(|rule| rule.claim == claim) {
        Some(rule) => rule.any_of.push(value.to_owned()),
        None => rules.push(TrustRule { claim: claim.to_owned(), any_of: vec![value.to_owned()] }),
    }
}

/// A list that was not given stays as it is.
pub fn one_of<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_claim_are_alternatives() {
        let mut rules = Vec::new();
        for (claim, value) in [("ref", "refs/heads/main"), ("repository", "acme/shop"), ("ref", "refs/tags/*")] {
            add(&mut rules, claim, value);
        }
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0].any_of, ["refs/heads/main", "refs/tags/*"]);
    }
}
