use anyhow::{Result, ensure};
use chrono::DateTime;

use crate::tally::Tally;
use crate::{Sdk, ensure_eq};

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    tally.check("health.check", check(sdk)).await;
    tally.check("health.get_status", get_status(sdk)).await;
    tally.check("health.ping", ping(sdk)).await;
    tally.check("health.version", version(sdk)).await;
    tally.check("health.get_version", get_version(sdk)).await;
    tally.check("health.rate_limit", rate_limit(sdk)).await;
}

async fn check(sdk: &Sdk) -> Result<()> {
    let health = sdk.client.health.check().await?;
    ensure_eq!(health.status, "Healthy");
    ensure!(!health.version.is_empty(), "the version is empty");
    DateTime::parse_from_rfc3339(&health.timestamp)?;
    Ok(())
}

async fn get_status(sdk: &Sdk) -> Result<()> {
    ensure_eq!(sdk.client.health.get_status().await?.status, "Healthy");
    Ok(())
}

async fn ping(sdk: &Sdk) -> Result<()> {
    ensure_eq!(sdk.client.health.ping().await?, "Healthy");
    Ok(())
}

async fn version(sdk: &Sdk) -> Result<()> {
    let version = sdk.client.health.version().await?;
    ensure_eq!(version.version, sdk.client.health.check().await?.version);
    Ok(())
}

async fn get_version(sdk: &Sdk) -> Result<()> {
    let version = sdk.client.health.get_version().await?;
    ensure!(version.version.starts_with(|c: char| c.is_ascii_digit()), "version {:?}", version.version);
    Ok(())
}

async fn rate_limit(sdk: &Sdk) -> Result<()> {
    let limit = sdk.client.health.rate_limit().await?;
    ensure!(limit.remaining <= limit.limit, "{} left of {}", limit.remaining, limit.limit);
    ensure!(["1m", "1h", "1d"].contains(&limit.period.as_str()), "period {:?}", limit.period);
    ensure!(limit.reset > 0, "the window never ends");
    Ok(())
}
