//! `qapi image`: images in registries, signed, verified, copied, and what belongs to them shown.
//!
//! A tag is resolved to a digest first, and everything after that is said of the digest.

mod attest;
mod copy;
mod download;
mod place;
mod progress;
mod resign;
mod show;
mod sign;
mod verify;
mod writing;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::print::Printer;
use crate::session::Session;

/// What `qapi image` takes.
#[derive(Args)]
pub struct ImageInputs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Subcommand)]
enum ImageCommand {
    /// Sign images and all their platforms; without a key at hand it warns and ends with 0
    Sign(sign::SignInputs),
    /// Attest something of an image: a bill of materials, a scan; without a key at hand it warns and ends with 0
    Attest(attest::AttestInputs),
    /// Verify signatures: 0 verified, 2 not, 3 registry or vault out of reach, 4 unusable input
    Verify(verify::VerifyInputs),
    /// Verify what is attested, with the same statuses
    VerifyAttestation(verify::VerifyAttestationInputs),
    /// Print signatures, attestations or predicates as they lie in the registry; nothing of them is verified
    Download(download::DownloadInputs),
    /// Show what belongs to an image
    Tree(show::TreeInputs),
    /// Print the name under which a kind of legacy evidence lies, or the digest
    Triangulate(show::TriangulateInputs),
    /// Copy an image with all platforms, signatures, attestations and referrers, and read the copy again
    Copy(copy::CopyInputs),
    /// Verify an image of somebody else, copy it, and sign the copy
    Mirror(copy::MirrorInputs),
    /// Sign again with new keys what old keys have signed, over a list of repositories and images
    Resign(resign::ResignInputs),
    /// Show an image: its digest, its platforms, and what is signed beside it, unverified
    Inspect(show::InspectInputs),
}

/// Does what was typed.
pub async fn run(inputs: ImageInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        ImageCommand::Sign(inputs) => sign::sign(inputs, session, printer).await,
        ImageCommand::Attest(inputs) => attest::attest(inputs, session, printer).await,
        ImageCommand::Verify(inputs) => {
            verify::verify(inputs, session, printer).await.map_err(Failure::of_verification)
        }
        ImageCommand::VerifyAttestation(inputs) => {
            verify::verify_attestation(inputs, session, printer).await.map_err(Failure::of_verification)
        }
        ImageCommand::Download(inputs) => download::download(inputs, printer).await,
        ImageCommand::Tree(inputs) => show::tree(inputs, printer).await,
        ImageCommand::Triangulate(inputs) => show::triangulate(inputs, printer).await,
        ImageCommand::Copy(inputs) => copy::copy(inputs, session, printer).await,
        ImageCommand::Mirror(inputs) => copy::mirror(inputs, session, printer).await,
        ImageCommand::Resign(inputs) => resign::resign(inputs, session, printer).await,
        ImageCommand::Inspect(inputs) => show::inspect(inputs, printer).await,
    }
}
