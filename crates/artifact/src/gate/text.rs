//! The report for people.

use std::fmt::Write as _;

use super::report::{ImageReport, Outcome, Report};
use crate::policy::Effect;

/// The report as lines. With `explain`, also what was looked at, and what came of it.
pub fn report(report: &Report, explain: Explain) -> String {
    let mut text = String::new();
    for image in &report.images {
        image_lines(&mut text, image, explain);
    }
    let count = |effect| report.images.iter().filter(|image| image.effect == effect).count();
    let place = report.environment.as_deref().map(|name| format!(" in {name}")).unwrap_or_default();
    let outcome = match report.outcome {
        Outcome::Passed => "passed",
        Outcome::Refused => "refused",
        Outcome::Unreachable => "not verified: a registry does not answer",
    };
    let counted = [
        (count(Effect::Allow), "verified"),
        (count(Effect::Warn), "with warnings"),
        (count(Effect::DryRun), "would be refused"),
        (count(Effect::Deny), "refused"),
    ];
    let counted: Vec<String> =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let _ =
        writeln!(text, "{outcome}: {} images{place} ({}), {}", report.images.len(), report.mode, counted.join(", "));
    text
}

/// Whether what was looked at is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// Only what came of it.
    No,
    /// Every signature and attestation that was looked at.
    Yes,
}

fn image_lines(text: &mut String, image: &ImageReport, explain: Explain) {
    let word = match image.effect {
        Effect::Allow => "ok",
        Effect::Warn => "WARN",
        Effect::DryRun => "DRY-RUN",
        Effect::Deny => "REFUSED",
    };
    let digest = image.digest.as_ref().filter(|digest| !image.reference.contains(&digest.to_string()));
    let digest = digest.map(|digest| format!(" ({digest})")).unwrap_or_default();
    let _ = writeln!(text, "{word:8} {}: {}{digest}", image.name, printable(&image.reference));
    for finding in image.findings() {
        let _ = writeln!(text, "         {}: {}; {}", finding.code.as_str(), printable(&finding.text), finding.advice);
    }
    if explain == Explain::Yes {
        let rule = image.rule.as_deref().unwrap_or("none");
        let _ = writeln!(text, "         rule: {}", printable(rule));
        for note in &image.notes {
            let what = match (&note.key, &note.why_not) {
                (Some(key), _) => format!("believed, by {key}"),
                (None, why) => format!("not believed: {}", why.as_deref().unwrap_or("no reason is known")),
            };
            let _ =
                writeln!(text, "         {} in carrier {}: {}", printable(&note.asked), note.carrier, printable(&what));
        }
    }
}

/// Text of images and registries on one line, without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
