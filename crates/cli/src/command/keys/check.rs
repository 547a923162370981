//! Checking keys for state, expiry and age.

use api::keys::{Key, KeyStatus, ListKeys};
use clap::Args;
use domain::time::{DAY_MS, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use crate::clock;
use crate::failure::{Exit, Failure};
use crate::lookup;
use crate::print::Printer;

#[derive(Args)]
pub struct CheckInputs {
    /// Ids or names; all keys unless given
    #[arg(value_name = "ID|NAME")]
    references: Vec<String>,
}

/// What was found about one key.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    key_id: Uuid,
    name: String,
    algorithm: String,
    version: u32,
    healthy: bool,
    issues: Vec<String>,
    warnings: Vec<String>,
}

const SOON_DAYS: i64 = 7;
const LATER_DAYS: i64 = 30;
const AGING_DAYS: i64 = 180;
const OLD_DAYS: i64 = 365;

/// Checks keys; fails when one of them has an issue.
pub async fn check(inputs: CheckInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let mut keys = Vec::new();
    for reference in &inputs.references {
        keys.push(lookup::key(client, reference).await?);
    }
    if inputs.references.is_empty() {
        keys = lookup::all_keys(client, ListKeys::default()).await?;
    }
    let findings: Vec<Finding> = keys.iter().map(|key| judge(key, clock::now())).collect();
    printer.body(&findings, |findings| findings.iter().map(described).collect())?;
    Ok(if findings.iter().all(|finding| finding.healthy) { Exit::Done } else { Exit::Failed })
}

fn judge(key: &Key, now: Timestamp) -> Finding {
    let days_until = |at: Timestamp| (at.millis() - now.millis()).div_euclid(DAY_MS);
    let mut issues = Vec::new();
    let mut warnings = Vec::new();
    if key.status != KeyStatus::Active {
        issues.push(format!("is {}, not active", key.state.as_deref().unwrap_or(key.status.as_str())));
    }
    match key.expires_at.map(|at| days_until(at.timestamp())) {
        Some(days) if days < 0 => issues.push("has expired".to_owned()),
        Some(days) if days < SOON_DAYS => issues.push(format!("expires in {days} days")),
        Some(days) if days < LATER_DAYS => warnings.push(format!("expires in {days} days")),
        _ => {}
    }
    match -days_until(key.last_rotated_at.unwrap_or(key.created_at).timestamp()) {
        days if days > OLD_DAYS => warnings.push("not rotated for more than a year".to_owned()),
        days if days > AGING_DAYS => warnings.push("not rotated for more than half a year".to_owned()),
        _ => {}
    }
    Finding {
        key_id: key.id,
        name: key.name.clone(),
        algorithm: key.algorithm.clone(),
        version: key.version,
        healthy: issues.is_empty(),
        issues,
        warnings,
    }
}

fn described(finding: &Finding) -> String {
    let verdict = match (finding.healthy, finding.warnings.is_empty()) {
        (false, _) => "ISSUE",
        (true, false) => "warning",
        (true, true) => "ok",
    };
    let reasons: Vec<&str> = finding.issues.iter().chain(&finding.warnings).map(String::as_str).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    format!("{verdict:7}  {} ({}, version {}){reasons}\n", finding.name, finding.algorithm, finding.version)
}

#[cfg(test)]
mod tests {
    use api::keys::KeyType;

    use super::*;

    fn key(age_days: i64, expires_days: Option<i64>, status: KeyStatus) -> Key {
        let at = |days: i64| Timestamp::from_millis(days * DAY_MS).into();
        Key {
            id: Uuid::nil(),
            name: "orders".to_owned(),
            key_type: KeyType::Encryption,
            algorithm: "ML-KEM-768".to_owned(),
            purpose: "encryption".to_owned(),
            status,
            is_default: false,
            version: 1,
            created_at: at(1_000 - age_days),
            updated_at: at(1_000 - age_days),
            description: None,
            public_key: None,
            expires_at: expires_days.map(|days| at(1_000 + days)),
            labels: None,
            min_decryption_version: 1,
            version_count: 1,
            is_post_quantum: true,
            is_active: true,
            is_favorite: false,
            last_rotated_at: None,
            state: None,
            scheduled_deletion_date: None,
            key_id: None,
            new_version: None,
            previous_version: None,
            rotated_at: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn state_and_expiry_are_issues_and_age_is_a_warning() {
        let now = Timestamp::from_millis(1_000 * DAY_MS);
        for (age, expires, status, issues, warnings) in [
            (0, None, KeyStatus::Active, 0, 0),
            (0, Some(-1), KeyStatus::Active, 1, 0),
            (0, Some(6), KeyStatus::Active, 1, 0),
            (0, Some(7), KeyStatus::Active, 0, 1),
            (0, Some(30), KeyStatus::Active, 0, 0),
            (180, None, KeyStatus::Active, 0, 0),
            (181, None, KeyStatus::Active, 0, 1),
            (366, None, KeyStatus::Active, 0, 1),
            (366, Some(3), KeyStatus::Inactive, 2, 1),
        ] {
            let finding = judge(&key(age, expires, status), now);
            assert_eq!((finding.issues.len(), finding.warnings.len()), (issues, warnings), "{age} {expires:?}");
            assert_eq!(finding.healthy, issues == 0);
        }
    }
}
