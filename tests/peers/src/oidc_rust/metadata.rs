//! `openidconnect`, whose list of algorithms ends before ML-DSA: it reads metadata and keys that name more than it knows.

use anyhow::{Result, ensure};
use openidconnect::core::{CoreJsonWebKeyType, CoreProviderMetadata};
use openidconnect::reqwest::{Client, redirect::Policy};
use openidconnect::{IssuerUrl, JsonWebKey as _};

use crate::place::{Checks, Place};

pub async fn run(place: &Place) -> Result<Checks> {
    let mut checks = Checks::of("openidconnect");
    checks.note("metadata and keys are read past what is unknown", read(place).await);
    Ok(checks)
}

async fn read(place: &Place) -> Result<()> {
    // A client that follows redirects can be sent anywhere.
    let http = Client::builder().redirect(Policy::none()).build()?;
    let metadata = CoreProviderMetadata::discover_async(IssuerUrl::new(place.issuer.clone())?, &http).await?;
    ensure!(metadata.token_endpoint().is_some() && metadata.userinfo_endpoint().is_some(), "endpoints are missing");
    let classical = metadata.jwks().keys().iter().filter(|key| *key.key_type() == CoreJsonWebKeyType::EllipticCurve);
    ensure!(classical.count() == 1, "the EC key is not found");
    Ok(())
}
