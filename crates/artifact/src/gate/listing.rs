//! What may run, for the program that deploys: one line per image, by the digest that was looked at.

use super::report::{ImageReport, Outcome, Report};
use crate::policy::Effect;
use crate::reference::Reference;

/// `REFERENCE NAME` per line, in the order of the file. Nothing at all if anything of the file is refused: half a release is none.
///
/// A reference is `REPOSITORY@DIGEST`. Where an environment lets pass what could not even be resolved, it is as the file has it.
pub fn report(report: &Report) -> String {
    match report.outcome {
        Outcome::Passed => report.images.iter().filter(|image| image.effect != Effect::Deny).map(line).collect(),
        Outcome::Refused | Outcome::Unreachable => String::new(),
    }
}

fn line(image: &ImageReport) -> String {
    let repository = image.reference.parse::<Reference>().ok().map(|reference| reference.repository().clone());
    match repository.zip(image.digest.as_ref()) {
        Some((repository, digest)) => format!("{repository}@{digest} {}\n", image.name),
        None => format!("{} {}\n", image.reference, image.name),
    }
}
