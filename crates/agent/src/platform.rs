//! How the agent speaks to the platform, and what it asks for: the configuration in the words of the SDK.

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use crate::config::{Config, Identity, Platform};

/// The platform's address and the credential for it.
pub fn access(platform: &Platform) -> anyhow::Result<sdk::Config> {
    let agent = concat!("qapi-agent/", env!("CARGO_PKG_VERSION"));
    let mut access = sdk::Config::new(platform.url.clone()).with_user_agent(agent);
    if let Some(key) = key(platform)? {
        access = access.with_key(key.trim());
    }
    if let Some(url) = &platform.mtls_url {
        access = access.with_mtls_url(url.clone());
    }
    if let Some(path) = &platform.authorities_file {
        access = access.with_authorities(path.clone());
    }
    if let Some(fingerprint) = &platform.authority_fingerprint {
        access = access.with_pinned_authority(fingerprint.clone());
    }
    Ok(if platform.danger_plain_http { access.with_danger_plain_http() } else { access })
}

fn key(platform: &Platform) -> anyhow::Result<Option<Zeroizing<String>>> {
    match (&platform.key_file, &platform.key_env) {
        (Some(path), _) => {
            let key = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            Ok(Some(Zeroizing::new(key)))
        }
        (None, Some(name)) => {
            let key = std::env::var(name).with_context(|| format!("platform: the variable {name}"))?;
            Ok(Some(Zeroizing::new(key)))
        }
        (None, None) => Ok(None),
    }
}

/// The certificate to ask for.
pub fn wanted(config: &Config) -> anyhow::Result<sdk::identity::Wanted> {
    let Identity { service_name, namespace, dns_names, spiffe_id, validity_hours } = &config.identity;
    let name = match service_name.clone().or_else(|| std::env::var("SERVICE_NAME").ok()) {
        Some(name) => name,
        None => bail!("no name for the service: set identity.service_name or the variable SERVICE_NAME"),
    };
    let mut wanted = sdk::identity::Wanted::new(&name)?;
    if let Some(namespace) = namespace.clone().or_else(|| std::env::var("SERVICE_NAMESPACE").ok()) {
        wanted = wanted.in_namespace(&namespace)?;
    }
    if let Some(slug) = &config.platform.tenant {
        wanted = wanted.of_tenant(slug);
    }
    for name in dns_names {
        wanted = wanted.with_dns_name(name)?;
    }
    if let Some(id) = spiffe_id {
        wanted = wanted.with_spiffe_id(id.parse().context("identity: spiffe_id")?);
    }
    if let Some(hours) = validity_hours {
        wanted = wanted.with_validity_hours(*hours);
    }
    Ok(if config.files.is_some() { wanted.with_danger_exportable_key() } else { wanted })
}
