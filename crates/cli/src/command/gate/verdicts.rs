//! Signed verdicts: what the gate found, under a key of its own, beside the images.

use std::collections::BTreeSet;

use artifact::bundle::Bundle;
use artifact::dsse::{Envelope, IN_TOTO, Signature, pae};
use artifact::gate::source::Source;
use artifact::gate::{Checked, verdict};
use artifact::image::attach;
use artifact::policy::Key;
use artifact::trusted_key::Purpose;
use artifact::verification::Carrier;

use crate::failure::Failure;
use crate::key_ring::PurposeWord;
use crate::key_source::KeySource;
use crate::session::Session;
use crate::signing_keys::{AtHand, SigningKeys, at_hand};

/// The key that signs verdicts. Here nothing is skipped for want of one: whoever asks for verdicts relies on them.
pub async fn keys(source: &KeySource, policy: &[Key], session: &Session) -> Result<SigningKeys, Failure> {
    let keys = match at_hand(std::slice::from_ref(source), PurposeWord::Verdict, session).await? {
        AtHand::Keys(keys) => *keys,
        AtHand::None { why } => return Err(Failure::unusable(format!("no key for verdicts: {why}"), "another key")),
    };
    for public in keys.signers()?.keys() {
        if !policy.iter().any(|known| known.purpose == Purpose::Verdict && known.key == *public) {
            let what = format!("{source} is not among the policy's keys with the purpose verdict");
            return Err(Failure::unusable(what, "adding it to the policy, or another --sign-verdict"));
        }
    }
    Ok(keys)
}

/// Signs a verdict of every image that passes, and stores it beside the image. What a ticket lets pass has no verdict.
pub async fn sign(keys: &SigningKeys, source: &Source<'_>, checked: &[Checked]) -> Result<(), Failure> {
    let mut signed = BTreeSet::new();
    for one in checked.iter().filter(|one| one.judgement.passes()) {
        let Some(image) = &one.image else { continue };
        let repository = one.entry.reference.repository();
        // What passes because its digest is exempted may lie in a registry that the policy does not know.
        let Ok(place) = source.image(repository, image) else { continue };
        if !signed.insert((place.repository().clone(), image.clone())) {
            continue;
        }
        let (environment, now) = (source.environment, source.now);
        let about = verdict::About { repository, image, policy: source.policy, environment, now };
        let payload = verdict::statement(&about, &one.judgement).to_payload();
        let carriers: Vec<_> = keys
            .sign_message(&pae(IN_TOTO, &payload))
            .await?
            .into_iter()
            .map(|(key, sig)| {
                let envelope = Envelope::new(IN_TOTO, payload.clone(), Signature { key_id: None, sig });
                Carrier::Bundle(Bundle::of_envelope(envelope, &key))
            })
            .collect();
        attach(source.client, &place, &carriers, now).await?;
    }
    Ok(())
}
