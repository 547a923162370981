//! `qapi image verify` and `verify-attestation`: without the platform's server, unless a key is to be fetched from it.

use std::collections::BTreeMap;

use artifact::image::{Evidence, Image, Origin, Wanted, find_until};
use artifact::reference::{Reference, Repository};
use artifact::registry::{self, Client};
use artifact::verification::{self, Carrier, NO_ANNOTATIONS, Question, Refusal, Verdict};
use clap::{ArgAction, Args};
use serde::Serialize;
use serde_json::Value;

use super::attest::predicate_type;
use super::place::RegistryInputs;
use super::progress::Counter;
use super::sign::annotation;
use super::writing::family;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::key_ring::PurposeWord;
use crate::print::Printer;
use crate::session::Session;
use crate::trusted_keys::{Trust, TrustedKeyInputs};

#[derive(Args)]
pub struct VerifyInputs {
    /// The images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<Reference>,
    /// Only what was signed with this fact counts; repeat for several
    #[arg(long = "annotation", short = 'a', value_name = "NAME=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    #[command(flatten)]
    trusted: TrustedKeyInputs,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct VerifyAttestationInputs {
    /// The images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<Reference>,
    /// What has to be attested: cyclonedx, spdxjson, slsaprovenance1, vuln, openvex, or an address
    #[arg(long = "type", value_name = "TYPE", value_parser = predicate_type)]
    predicate_type: String,
    /// What the keys are trusted for: attestations, or verdicts of gates
    #[arg(long, value_enum, default_value = "attestation", value_name = "PURPOSE")]
    purpose: PurposeWord,
    #[command(flatten)]
    trusted: TrustedKeyInputs,
    #[command(flatten)]
    common: Common,
}

/// What both take.
#[derive(Args)]
struct Common {
    /// Only what was signed for this repository counts; a bundle of other tools names none
    #[arg(long, value_name = "REPOSITORY")]
    signed_for: Option<Repository>,
    /// Whether the images that an index lists have to pass as well
    #[arg(long, default_value_t = false, action = ArgAction::Set, value_name = "BOOL")]
    recursive: bool,
    /// The status for an image that is not verified
    #[arg(long, default_value_t = 2, value_name = "N")]
    exit_code: u8,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// Verifies signatures.
pub async fn verify(inputs: VerifyInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let trust = inputs.trusted.trust(PurposeWord::Signature, session).await?;
    let asked = Asked::Signature { trust: &trust, annotations: &inputs.annotations.into_iter().collect() };
    inputs.common.run(&inputs.images, &asked, printer).await
}

/// Verifies attestations of one predicate.
pub async fn verify_attestation(
    inputs: VerifyAttestationInputs,
    session: &Session,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    if inputs.purpose == PurposeWord::Signature {
        return Err(Failure::unusable(
            "an attestation is not verified with keys for signatures",
            "`qapi image verify`",
        ));
    }
    let trust = inputs.trusted.trust(inputs.purpose, session).await?;
    let asked = Asked::Attestation { trust: &trust, predicate: &inputs.predicate_type, purpose: inputs.purpose };
    inputs.common.run(&inputs.images, &asked, printer).await
}

/// What is asked of an image.
pub enum Asked<'a> {
    Signature { trust: &'a Trust, annotations: &'a BTreeMap<String, String> },
    Attestation { trust: &'a Trust, predicate: &'a str, purpose: PurposeWord },
}

/// What was found of an image.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    pub image: String,
    pub digest: String,
    pub verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub believed: Vec<BelievedLine>,
    pub refused: Vec<RefusedLine>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BelievedLine {
    pub key: String,
    pub post_quantum: bool,
    pub at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicate: Option<Value>,
}

#[derive(Serialize)]
pub struct RefusedLine {
    pub at: String,
    pub why: String,
}

impl Common {
    async fn run(&self, images: &[Reference], asked: &Asked<'_>, printer: &mut Printer) -> Result<Exit, Failure> {
        let client = self.registry.client(images.iter().map(Reference::repository))?;
        let counter = Counter::new(images.len());
        let mut all = Vec::new();
        for reference in images {
            counter.next(&reference.to_string());
            all.extend(self.verify_one(&client, reference, asked).await?);
        }
        counter.end();
        let is_verified = all.iter().all(|found| found.verified);
        printer.body(&all, |all| all.iter().map(Found::text).collect::<Vec<_>>().join("\n"))?;
        Ok(if is_verified { Exit::Done } else { Exit::Of(self.exit_code) })
    }

    async fn verify_one(
        &self,
        client: &Client,
        reference: &Reference,
        asked: &Asked<'_>,
    ) -> Result<Vec<Found>, Failure> {
        let image = match Image::resolve(client, reference).await {
            Ok(image) => self.registry.with_evidence(image)?,
            Err(error) => return refuted(reference, error).map(|found| vec![found]),
        };
        let images = family(client, &image, self.recursive).await?;
        let mut found = Vec::new();
        for image in &images {
            let name = reference.repository().to_string();
            found.push(match asked.judge(client, image, self.signed_for.as_ref(), &name).await {
                Ok(one) => one,
                Err(error) => refuted(reference, error)?,
            });
        }
        Ok(found)
    }
}

/// A registry that hands out something else than was asked for, or has no such image, has not failed to answer: what it says is
/// not believed, and what is not there is not signed.
fn refuted(reference: &Reference, error: registry::Error) -> Result<Found, Failure> {
    match error {
        registry::Error::Absent(_)
        | registry::Error::OtherContent { .. }
        | registry::Error::Manifest { .. }
        | registry::Error::TooLarge { .. } => Ok(Found {
            image: reference.to_string(),
            digest: reference.digest().map(ToString::to_string).unwrap_or_default(),
            verified: false,
            why: Some(sdk::report(&error)),
            believed: Vec::new(),
            refused: Vec::new(),
        }),
        other => Err(other.into()),
    }
}

impl<'a> Asked<'a> {
    /// Whether it is signed, whatever else is signed with it.
    pub fn signature(trust: &'a Trust) -> Self {
        Self::Signature { trust, annotations: &NO_ANNOTATIONS }
    }

    /// Looks at an image's evidence until it suffices, and tells what was found.
    pub async fn judge(
        &self,
        client: &Client,
        image: &Image,
        signed_for: Option<&Repository>,
        name: &str,
    ) -> Result<Found, registry::Error> {
        let (trusted, annotations) = match self {
            Self::Signature { trust, annotations } => (&trust.keys, *annotations),
            Self::Attestation { trust, .. } => (&trust.keys, &NO_ANNOTATIONS),
        };
        let (image_digest, now) = (image.digest(), clock::now().seconds());
        let question = Question { image: image_digest, repository: signed_for, trusted, annotations, now };
        let verdict = |carriers: &[Carrier]| match self {
            Self::Signature { trust, .. } => verification::signature(&question, carriers, trust.requirement),
            Self::Attestation { trust, predicate, purpose } => {
                verification::attestation_meeting(&question, carriers, predicate, purpose.purpose(), trust.requirement)
            }
        };
        let wanted = match self {
            Self::Signature { .. } => Wanted::Signatures,
            Self::Attestation { predicate, .. } => Wanted::Attestations(Some(predicate)),
        };
        let evidence = find_until(client, image, wanted, |carriers| verdict(carriers).outcome.is_ok()).await?;
        Ok(Found::of(name, image, &evidence, verdict(&evidence.carriers)))
    }
}

impl Found {
    fn of(name: &str, image: &Image, evidence: &Evidence, verdict: Verdict) -> Self {
        let place = |place: usize| evidence.origins.get(place).map(described).unwrap_or_default();
        let mut refused: Vec<RefusedLine> = verdict
            .disbelieved
            .iter()
            .map(|(carrier, why)| RefusedLine { at: place(*carrier), why: why.to_string() })
            .collect();
        refused.extend(
            evidence.skipped.iter().map(|one| RefusedLine { at: described(&one.origin), why: one.why.clone() }),
        );
        Self {
            image: name.to_owned(),
            digest: image.digest().to_string(),
            verified: verdict.outcome.is_ok(),
            why: verdict.outcome.as_ref().err().map(Refusal::to_string),
            believed: verdict
                .believed
                .into_iter()
                .map(|one| BelievedLine {
                    at: place(one.carrier),
                    key: one.key,
                    post_quantum: one.is_post_quantum,
                    set: one.set.map(|set| set.id),
                    predicate: one.predicate.filter(|predicate| predicate.as_object().is_none_or(|p| !p.is_empty())),
                })
                .collect(),
            refused,
        }
    }

    /// For people: why, and then the outcome.
    pub fn text(&self) -> String {
        let believed = self.believed.iter().map(|one| {
            format!("  {} by {} ({})", if one.post_quantum { "post-quantum" } else { "classical" }, one.key, one.at)
        });
        let refused = self.refused.iter().map(|one| format!("  not believed: {} ({})", one.at, one.why));
        let outcome = match &self.why {
            None => format!("verified: {}@{}", self.image, self.digest),
            Some(why) => format!("not verified: {}@{}: {why}", self.image, self.digest),
        };
        std::iter::once(outcome).chain(believed).chain(refused).collect::<Vec<_>>().join("\n")
    }
}

/// Where something lies.
pub fn described(origin: &Origin) -> String {
    match origin {
        Origin::Layer { tag, layer } => format!("layer {layer} of {tag}"),
        Origin::Referrer { manifest } => format!("bundle {manifest}"),
    }
}
