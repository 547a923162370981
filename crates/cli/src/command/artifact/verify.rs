//! `qapi artifact verify`: without the server, unless a key is to be fetched from it.

use std::path::PathBuf;

use artifact::bundle::{Bundle, LONGEST_BYTES};
use artifact::file_signature::{self, Verdict};
use clap::Args;
use serde_json::json;

use super::bundle_beside;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::key_ring::PurposeWord;
use crate::print::Printer;
use crate::session::Session;
use crate::trusted_keys::TrustedKeyInputs;

#[derive(Args)]
pub struct VerifyInputs {
    /// The file that was signed
    file: PathBuf,
    #[command(flatten)]
    trusted: TrustedKeyInputs,
    /// A bundle; those that lie beside the file unless given; repeat for several
    #[arg(long = "bundle", value_name = "FILE")]
    bundles: Vec<PathBuf>,
    /// The status for a file that is not signed
    #[arg(long, default_value_t = 2, value_name = "N")]
    exit_code: u8,
}

/// Verifies a file.
pub async fn verify(inputs: VerifyInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let trust = inputs.trusted.trust(PurposeWord::Signature, session).await?;
    let file = input::bytes(Some(&inputs.file))?;
    let paths = match inputs.bundles.as_slice() {
        [] => [false, true].map(|kind| bundle_beside(&inputs.file, kind)).into_iter().filter(|p| p.exists()).collect(),
        named => named.to_vec(),
    };
    let bundles: Vec<Bundle> = paths.iter().map(read).collect::<Result<_, _>>()?;
    let verdict = file_signature::judge(&file, &bundles, &trust.keys, clock::now().seconds(), trust.requirement);
    let is_signed = verdict.outcome.is_ok();
    let said = json!({
        "file": inputs.file,
        "verified": is_signed,
        "why": verdict.outcome.as_ref().err().map(ToString::to_string),
        "signatures": verdict.believed.iter().map(|one| json!({ "key": one.key, "bundle": paths.get(one.bundle),
            "postQuantum": one.is_post_quantum })).collect::<Vec<_>>(),
        "refused": verdict.disbelieved.iter().map(|(place, why)| json!({ "bundle": paths.get(*place),
            "why": why.to_string() })).collect::<Vec<_>>(),
    });
    printer.body(&said, |_| described(&inputs, &verdict, &paths))?;
    Ok(if is_signed { Exit::Done } else { Exit::Of(inputs.exit_code) })
}

fn described(inputs: &VerifyInputs, verdict: &Verdict, paths: &[PathBuf]) -> String {
    let bundle = |place: usize| paths.get(place).map(|path| path.display().to_string()).unwrap_or_default();
    let believed = verdict.believed.iter().map(|one| format!("signed by {} ({})", one.key, bundle(one.bundle)));
    let refused = verdict.disbelieved.iter().map(|(place, why)| format!("not believed: {} ({why})", bundle(*place)));
    let outcome = match &verdict.outcome {
        Ok(()) => format!("verified: {}", inputs.file.display()),
        Err(why) => format!("not verified: {}: {why}", inputs.file.display()),
    };
    believed.chain(refused).chain([outcome]).collect::<Vec<_>>().join("\n")
}

fn read(path: &PathBuf) -> Result<Bundle, Failure> {
    let unusable = |why: String| Failure::unusable(format!("{}: {why}", path.display()), "a bundle of version 0.3");
    let length = std::fs::metadata(path).map_err(|error| Failure::file("reading", path, &error))?.len();
    if usize::try_from(length).is_ok_and(|length| length > LONGEST_BYTES) {
        return Err(unusable("too long to be a bundle".to_owned()));
    }
    Bundle::parse(&input::bytes(Some(path))?).map_err(|error| unusable(sdk::report(&error)))
}
