//! `qapi image resign`: after a rotation, what old keys have signed is signed by new ones. Nothing is taken away.

use std::path::PathBuf;

use artifact::image::Image;
use artifact::reference::Reference;
use artifact::registry::Client;
use clap::Args;
use serde::Serialize;

use super::place::RegistryInputs;
use super::progress::Counter;
use super::sign::SignHow;
use super::verify::Asked;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::key_ring::PurposeWord;
use crate::key_source::KeySource;
use crate::print::Printer;
use crate::session::Session;
use crate::signing_keys::{AtHand, SigningKeys, at_hand};
use crate::trusted_keys::{Trust, trusted};

#[derive(Args)]
pub struct ResignInputs {
    /// Images, and repositories of which every tag is meant
    #[arg(value_name = "IMAGE|REPOSITORY")]
    names: Vec<String>,
    /// A file with more of them, one a line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// The public key whose signatures are replaced; repeat for both of a hybrid pair
    #[arg(long, value_name = "KEY", required = true)]
    from: Vec<KeySource>,
    /// The key that signs now; repeat for both of a hybrid pair
    #[arg(long, value_name = "KEY", required = true)]
    to: Vec<KeySource>,
    #[command(flatten)]
    how: SignHow,
    #[command(flatten)]
    registry: RegistryInputs,
}

/// What became of an image.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    image: String,
    digest: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// The new keys have signed it now.
    Signed,
    /// The new keys had signed it before.
    Already,
    /// The old keys have not signed it, so the new ones do not.
    Refused,
    /// The registry or the vault did not do it.
    Failed,
}

struct Campaign<'c> {
    inputs: &'c ResignInputs,
    client: &'c Client,
    old: &'c Trust,
    new: &'c Trust,
    keys: &'c SigningKeys,
}

/// Signs again.
pub async fn resign(inputs: ResignInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let names = inputs.names()?;
    let old = trusted(&inputs.from, PurposeWord::Signature, session).await?;
    let keys = match at_hand(&inputs.to, PurposeWord::Signature, session).await? {
        AtHand::Keys(keys) => keys,
        AtHand::None { why } => return Err(Failure::unusable(format!("no key to sign with: {why}"), "--to")),
    };
    let new = Trust::of_signers(&keys.signers()?);
    let references: Vec<Reference> = names.iter().map(|name| name.1.clone()).collect();
    let client = inputs.registry.client(references.iter().map(Reference::repository))?;
    let campaign = Campaign { inputs: &inputs, client: &client, old: &old, new: &new, keys: &keys };
    let mut outcomes = Vec::new();
    let counter = Counter::new(names.len());
    for (is_repository, reference) in &names {
        counter.next(&reference.to_string());
        campaign.walk(*is_repository, reference, &mut outcomes).await;
    }
    counter.end();
    let count = |state| outcomes.iter().filter(|one| one.state == state).count();
    let summary = format!(
        "signed again: {}, already signed: {}, refused: {}, failed: {}",
        count(State::Signed),
        count(State::Already),
        count(State::Refused),
        count(State::Failed)
    );
    let is_whole = count(State::Refused) + count(State::Failed) == 0;
    printer.body(&outcomes, |outcomes| {
        outcomes.iter().map(Outcome::text).chain([summary]).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}

impl ResignInputs {
    /// Whether each is a repository, and what it names.
    fn names(&self) -> Result<Vec<(bool, Reference)>, Failure> {
        let mut lines = self.names.clone();
        if let Some(list) = &self.list {
            let text = input::text(Some(list))?;
            let named = text.expose().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            lines.extend(named.map(ToOwned::to_owned));
        }
        if lines.is_empty() {
            return Err(Failure::unusable("no images", "names of images or repositories, or --list"));
        }
        let parsed = |line: &String| {
            let reference: Reference =
                line.parse().map_err(|error| Failure::unusable(format!("{error}"), "registry/repository[:tag]"))?;
            let after_slash = line.rsplit('/').next().unwrap_or_default();
            Ok((!after_slash.contains([':', '@']), reference))
        };
        lines.iter().map(parsed).collect()
    }
}

impl Campaign<'_> {
    async fn walk(&self, is_repository: bool, reference: &Reference, outcomes: &mut Vec<Outcome>) {
        let references = match is_repository {
            false => Ok(vec![reference.clone()]),
            true => self.tags(reference).await,
        };
        match references {
            Err(failure) => outcomes.push(Outcome::failed(reference, String::new(), &failure)),
            Ok(references) => {
                for reference in references {
                    let image = match self.inputs.registry.resolve(self.client, &reference).await {
                        Ok(image) => image,
                        Err(failure) => {
                            outcomes.push(Outcome::failed(&reference, String::new(), &failure));
                            continue;
                        }
                    };
                    // Several tags can name one image.
                    let digest = image.digest().to_string();
                    if outcomes.iter().any(|one| one.digest == digest && one.is_of(&reference)) {
                        continue;
                    }
                    let outcome = self.image(&reference, &image).await;
                    outcomes.push(outcome.unwrap_or_else(|failure| Outcome::failed(&reference, digest, &failure)));
                }
            }
        }
    }

    /// The images of a repository by their tags; tags of evidence name none.
    async fn tags(&self, reference: &Reference) -> Result<Vec<Reference>, Failure> {
        let repository = reference.repository();
        let tags = self.client.tags(repository).await?;
        let images = tags.iter().filter(|tag| !is_of_evidence(tag));
        let tagged = |tag: &String| {
            repository.tagged(tag).map_err(|error| Failure::failed(error.to_string(), "another registry"))
        };
        images.map(tagged).collect()
    }

    async fn image(&self, reference: &Reference, image: &Image) -> Result<Outcome, Failure> {
        let name = reference.repository().to_string();
        let outcome =
            |state, why| Outcome { image: reference.to_string(), digest: image.digest().to_string(), state, why };
        let new = Asked::signature(self.new).judge(self.client, image, None, &name).await?;
        if new.verified {
            return Ok(outcome(State::Already, None));
        }
        let old = Asked::signature(self.old).judge(self.client, image, None, &name).await?;
        if let Some(why) = old.why {
            return Ok(outcome(State::Refused, Some(why)));
        }
        self.inputs.how.sign(image, self.keys, self.client, &name).await?;
        Ok(outcome(State::Signed, None))
    }
}

impl Outcome {
    fn failed(reference: &Reference, digest: String, failure: &Failure) -> Self {
        Self { image: reference.to_string(), digest, state: State::Failed, why: Some(failure.what().to_owned()) }
    }

    fn is_of(&self, reference: &Reference) -> bool {
        self.image.parse::<Reference>().is_ok_and(|image| image.repository() == reference.repository())
    }

    fn text(&self) -> String {
        let state = match self.state {
            State::Signed => "signed again",
            State::Already => "already signed",
            State::Refused => "refused",
            State::Failed => "failed",
        };
        let why = self.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{state}: {} {}{why}", self.image, self.digest)
    }
}

/// Whether a tag is one under which evidence of an image lies: `sha256-<hash>`, with an ending or without one.
fn is_of_evidence(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else { return false };
    let hash = rest.split('.').next().unwrap_or_default();
    hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_evidence_are_told_from_tags_of_images() {
        let hash = "a".repeat(64);
        for (tag, expected) in [
            (format!("sha256-{hash}"), true),
            (format!("sha256-{hash}.sig"), true),
            (format!("sha256-{hash}.att"), true),
            ("sha256-abc".to_owned(), false),
            ("v1".to_owned(), false),
        ] {
            assert_eq!(is_of_evidence(&tag), expected, "{tag}");
        }
    }
}
