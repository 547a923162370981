//! The report as JUnit XML, which pipelines show among their tests: an image is a test case, a refusal a failure, a registry that
//! does not answer an error.

use std::fmt::Write as _;

use super::report::{ImageReport, Report};
use crate::policy::{Code, Effect};

/// The document.
pub fn report(report: &Report) -> String {
    let count = |what: fn(&ImageReport) -> bool| report.images.iter().filter(|image| what(image)).count();
    let (failures, errors) = (count(is_failure), count(is_error));
    let place = report.environment.as_deref().unwrap_or("no environment");
    let counts = format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"", report.images.len());
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"qapi gate\" {counts}>");
    let name = escaped(&format!("{} in {place}", report.versions));
    let at = report.verified_at.trim_end_matches('Z');
    let _ = writeln!(xml, "  <testsuite name=\"{name}\" {counts} skipped=\"0\" timestamp=\"{}\">", escaped(at));
    let properties = [("policy", report.policy.to_string()), ("mode", report.mode.to_owned())];
    let ticket = report.ticket.iter().map(|ticket| ("ticket", ticket.id.clone()));
    xml.push_str("    <properties>\n");
    for (name, value) in properties.into_iter().chain(ticket) {
        let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{}\"/>", escaped(&value));
    }
    xml.push_str("    </properties>\n");
    report.images.iter().for_each(|image| case(&mut xml, report, image));
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn is_error(image: &ImageReport) -> bool {
    image.effect == Effect::Deny && image.refusals.iter().all(|refusal| refusal.code == Code::Unreachable)
}

fn is_failure(image: &ImageReport) -> bool {
    image.effect == Effect::Deny && !is_error(image)
}

fn case(xml: &mut String, report: &Report, image: &ImageReport) {
    let (name, class) = (escaped(&image.name), escaped(&report.versions));
    let _ = writeln!(xml, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"0\">");
    let told: Vec<String> =
        image.findings().map(|one| format!("{}: {}; {}", one.code.as_str(), one.text, one.advice)).collect();
    let told = escaped(&format!("{}\n{}", image.reference, told.join("\n")));
    let kind = image.refusals.first().map_or("", |refusal| refusal.code.as_str());
    let message = image.refusals.first().map(|refusal| escaped(&refusal.text)).unwrap_or_default();
    if is_error(image) {
        let _ = writeln!(xml, "      <error type=\"{kind}\" message=\"{message}\">{told}</error>");
    } else if is_failure(image) {
        let _ = writeln!(xml, "      <failure type=\"{kind}\" message=\"{message}\">{told}</failure>");
    } else {
        let _ = writeln!(xml, "      <system-out>{told}</system-out>");
    }
    xml.push_str("    </testcase>\n");
}

/// Text as XML 1.0 takes it: what no XML may contain is left out.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\n' | '\t' => xml.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => xml.push(c),
        }
    }
    xml
}
