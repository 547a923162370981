//! A secret's past and its quality.

use api::limits::{HISTORY_VERSIONS_DEFAULT, HISTORY_VERSIONS_MAX};
use api::secrets as wire;
use domain::authz::{Authorized, ReadSecrets};
use domain::ids::SecretId;
use domain::insights::{Circumstances, Insights, Strength, judge};
use domain::time::{DAY_MS, Timestamp};
use futures_util::future::try_join_all;
use store::secrets::{StoredSecret, StoredVersion};

use super::sealed::{VersionMeta, open_value};
use super::{Secrets, read_entry, standing};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Days after which an unchanged value is a risk of its own.
const OLD_DAYS: i64 = 90;

impl Secrets {
    /// The versions, newest first. With values every one of them is a reading of its own in the audit trail.
    pub async fn history(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
        query: &wire::ReadHistory,
    ) -> Outcome<wire::SecretHistory> {
        if query.values == Some(false) {
            return self.outline(ctx, auth, id, query.max_versions).await;
        }
        let mut entry = read_entry();
        entry.resource_id(id);
        match self.reveal_history(ctx, auth, id, query.max_versions, &mut entry).await {
            Ok((secret, history)) => {
                let readings = history.versions.iter().map(|version| self.note_reading(ctx, &secret, version.version));
                try_join_all(readings).await?;
                Ok(history)
            }
            Err(problem) => self.core.trail.conclude(ctx, entry, Err(problem)).await,
        }
    }

    async fn reveal_history(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
        most: Option<u32>,
        entry: &mut Entry,
    ) -> Outcome<(StoredSecret, wire::SecretHistory)> {
        let (secret, versions) = self.versions_of(auth, id, most, entry).await?;
        standing(&secret).readable(ctx.now())?;
        let versions = versions.iter().map(|version| revealed(ctx, id, version)).collect::<Outcome<_>>()?;
        Ok((secret, wire::SecretHistory { secret_id: id.uuid(), versions }))
    }

    async fn note_reading(&self, ctx: &Ctx, secret: &StoredSecret, version: u32) -> Outcome<()> {
        let mut entry = read_entry();
        entry.resource(secret.id, &secret.name).version(version).note("revealed history");
        self.core.trail.conclude(ctx, entry, Ok(())).await
    }

    /// The versions without what they hold.
    async fn outline(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
        most: Option<u32>,
    ) -> Outcome<wire::SecretHistory> {
        let mut entry = Entry::new("SecretHistoryRead", "secrets", "Secret");
        entry.resource_id(id);
        let result = async {
            let (_, versions) = self.versions_of(auth, id, most, &mut entry).await?;
            let versions = versions.iter().map(|version| outlined(ctx, id, version)).collect::<Outcome<_>>()?;
            Ok(wire::SecretHistory { secret_id: id.uuid(), versions })
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// The versions as older clients ask for them.
    pub async fn versions(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
    ) -> Outcome<wire::SecretVersions> {
        let history = self.outline(ctx, auth, id, Some(HISTORY_VERSIONS_MAX)).await?;
        let row = |version: wire::SecretVersion| wire::SecretVersionRow {
            version: version.version,
            created_at: version.created_at,
            created_by: version.changed_by,
        };
        Ok(wire::SecretVersions { versions: history.versions.into_iter().map(row).collect() })
    }

    async fn versions_of(
        &self,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
        most: Option<u32>,
        entry: &mut Entry,
    ) -> Outcome<(StoredSecret, Vec<StoredVersion>)> {
        let most = most.unwrap_or(HISTORY_VERSIONS_DEFAULT);
        if !(1..=HISTORY_VERSIONS_MAX).contains(&most) {
            return Err(Problem::invalid(format!("maxVersions is 1 to {HISTORY_VERSIONS_MAX}.")));
        }
        let secret = self.core.store.secret(auth, id).await?.ok_or_else(|| Problem::not_found("secret"))?;
        entry.resource(id, &secret.name);
        let versions = self.core.store.secret_versions(auth, &secret, most).await?;
        Ok((secret, versions))
    }

    /// Judges the value here; nothing of it leaves.
    pub async fn insights(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
    ) -> Outcome<wire::SecretInsights> {
        let mut entry = Entry::new("SecretInsightsRead", "secrets", "Secret");
        entry.resource_id(id);
        let result = self.judged(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn judged(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        id: SecretId,
        entry: &mut Entry,
    ) -> Outcome<wire::SecretInsights> {
        let found = self.core.store.secret_with_value(auth, id).await?;
        let (secret, version) = found.ok_or_else(|| Problem::not_found("secret"))?;
        entry.resource(id, &secret.name).version(version.version);
        standing(&secret).readable(ctx.now())?;
        let value = open_value(&ctx.keys, id, &version)?;
        let age_days = age_days(version.created_at, ctx.now());
        let insights = judge(value.expose(), Circumstances { age_days, expires: secret.expires_at.is_some() });
        Ok(wire::SecretInsights {
            secret_name: secret.name,
            strength: strength(insights.strength).to_owned(),
            risk_level: risk(&insights, age_days).to_owned(),
            recommendations: insights.recommendations.into_iter().map(str::to_owned).collect(),
            analyzed_at: ctx.now().into(),
        })
    }
}

fn revealed(ctx: &Ctx, id: SecretId, version: &StoredVersion) -> Outcome<wire::SecretVersion> {
    let meta = VersionMeta::open(&ctx.keys, id, version)?;
    Ok(wire::SecretVersion {
        version: version.version,
        value: Some(open_value(&ctx.keys, id, version)?),
        created_at: version.created_at.into(),
        username: meta.username,
        changed_by: Some(meta.changed_by),
    })
}

fn outlined(ctx: &Ctx, id: SecretId, version: &StoredVersion) -> Outcome<wire::SecretVersion> {
    let changed_by = VersionMeta::open(&ctx.keys, id, version)?.changed_by;
    Ok(wire::SecretVersion {
        version: version.version,
        value: None,
        created_at: version.created_at.into(),
        username: None,
        changed_by: Some(changed_by),
    })
}

fn age_days(since: Timestamp, now: Timestamp) -> i64 {
    (now.millis() - since.millis()).div_euclid(DAY_MS)
}

fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::Weak => "weak",
        Strength::Medium => "medium",
        Strength::Strong => "strong",
    }
}

/// A value that is easy to guess is the greatest risk; one that has stood for long is a lesser one.
fn risk(insights: &Insights, age_days: i64) -> &'static str {
    match insights.strength {
        Strength::Weak => "high",
        Strength::Medium => "medium",
        Strength::Strong if age_days > OLD_DAYS => "medium",
        Strength::Strong => "low",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risk_comes_from_strength_and_age() {
        for (strength, age_days, level) in [
            (Strength::Weak, 0, "high"),
            (Strength::Medium, 0, "medium"),
            (Strength::Strong, 0, "low"),
            (Strength::Strong, 91, "medium"),
        ] {
            assert_eq!(risk(&Insights { strength, recommendations: Vec::new() }, age_days), level);
        }
        assert_eq!(age_days(Timestamp::from_millis(0), Timestamp::from_millis(DAY_MS - 1)), 0);
    }
}
