//! Opening a link: no credential, only the token.
//!
//! Everything that can refuse comes before the count, so a wrong password or an unreadable value uses up no access; the count
//! itself is one guarded statement, so however many open at once, no more than the maximum get the value.

use api::error::ErrorCode;
use api::secret::SecretText;
use api::shares as wire;
use domain::authz::{Authorized, ReadSecrets, on_behalf_of_the_platform};
use domain::share::Status;
use store::shares::{StoredLink, count_opening};

use super::{Shares, cell, link_not_found, link_standing, token_hash};
use crate::app::secrets::{open_value, standing};
use crate::ctx::Origin;
use crate::keyring::{Keyring, TenantKeys};
use crate::problem::{Outcome, Problem};
use crate::trail::{Entry, Scene};

/// Characters of a token: 256 bits in base64url without padding.
const TOKEN_CHARS: usize = 43;

/// One try at opening a link that exists.
struct Opening<'a> {
    origin: &'a Origin,
    keys: &'a TenantKeys,
    link: StoredLink,
    /// The link's own authority: nobody's credential stands behind it.
    auth: Authorized<ReadSecrets>,
}

impl Shares {
    /// The secret behind a token. It is told apart neither in words nor in the trail whether a token never existed.
    pub async fn open(
        &self,
        origin: &Origin,
        keyring: &Keyring,
        token: &str,
        request: &wire::OpenShareLink,
    ) -> Outcome<wire::OpenedShareLink> {
        if token.len() != TOKEN_CHARS {
            return Err(link_not_found());
        }
        let found = self.core.store.share_link_by_token(&token_hash(keyring, token)).await?;
        let link = found.ok_or_else(link_not_found)?;
        let keys = keyring.tenant(&self.core.store, link.tenant).await?;
        let mut entry = Entry::new("ShareLinkOpened", "secrets", "Secret");
        entry.resource_id(link.secret);
        let opening = Opening { origin, keys: &keys, auth: on_behalf_of_the_platform(link.tenant), link };
        let result = self.open_now(&opening, request.password.as_ref(), &mut entry).await;
        self.core.trail.conclude(opening.scene(), entry, result).await
    }

    async fn open_now(
        &self,
        opening: &Opening<'_>,
        password: Option<&SecretText>,
        entry: &mut Entry,
    ) -> Outcome<wire::OpenedShareLink> {
        let (link, now) = (&opening.link, opening.origin.now);
        let found = self.core.store.secret_with_value(&opening.auth, link.secret).await?;
        let readable = found.filter(|(secret, _)| standing(secret).readable(now).is_ok());
        if let Some(problem) = refusal(link_standing(link, readable.is_none()).status(now)) {
            return Err(problem);
        }
        let (secret, version) = readable.ok_or_else(link_not_found)?;
        entry.resource(secret.id, &secret.name).version(version.version);
        self.check_password(opening, password).await?;
        let value = open_value(opening.keys, secret.id, &version)?;
        entry.note("revealed");
        let access_count = self.count(opening, entry).await?;
        Ok(wire::OpenedShareLink { value, access_count, expires_at: Some(link.expires_at.into()) })
    }

    async fn check_password(&self, opening: &Opening<'_>, given: Option<&SecretText>) -> Outcome<()> {
        let Some(sealed) = &opening.link.password else { return Ok(()) };
        let missing = || Problem::new(ErrorCode::PasswordRequired, "The link has a password.");
        let given = given.filter(|text| !text.is_empty()).ok_or_else(missing)?;
        self.passwords.take_try(opening.link.id, opening.origin.now)?;
        let record = opening.keys.cells.open(cell(&opening.link.id, "password"), sealed)?;
        if !self.passwords.matches(given, &record).await? {
            return Err(Problem::new(ErrorCode::InvalidPassword, "The link has another password."));
        }
        Ok(())
    }

    /// Counts this opening with its event in one transaction, if the link still stands by then.
    async fn count(&self, opening: &Opening<'_>, entry: &mut Entry) -> Outcome<u32> {
        let (id, now) = (opening.link.id, opening.origin.now);
        let event = self.core.trail.event(opening.scene(), entry)?;
        let auth = opening.auth.duplicate();
        let written = self.core.store.write("open share link", move |tx| {
            let (auth, event) = (auth.duplicate(), event.clone());
            Box::pin(async move {
                let counted = count_opening(tx, &auth, id, now).await?;
                if counted.is_some() {
                    tx.exec_last(event);
                }
                Ok(counted)
            })
        });
        match written.await? {
            Some(count) => {
                entry.committed();
                Ok(count)
            }
            None => Err(self.lost(opening).await?),
        }
    }

    /// Why a link that stood a moment ago no longer does.
    async fn lost(&self, opening: &Opening<'_>) -> Outcome<Problem> {
        let link = self.core.store.share_link(&opening.auth, opening.link.id).await?;
        let secret = self.core.store.secret(&opening.auth, opening.link.secret).await?;
        let unreadable = secret.is_none_or(|secret| standing(&secret).readable(opening.origin.now).is_err());
        let status = link.map(|link| link_standing(&link, unreadable).status(opening.origin.now));
        Ok(status.map_or_else(link_not_found, |status| refusal(status).unwrap_or_else(exhausted)))
    }
}

impl Opening<'_> {
    fn scene(&self) -> Scene<'_> {
        Scene::share_link(self.origin, self.keys, self.link.id)
    }
}

/// What a status says to whoever holds the token. A revoked or expired link is as good as none.
fn refusal(status: Status) -> Option<Problem> {
    match status {
        Status::Active => None,
        Status::Revoked | Status::Expired => Some(link_not_found()),
        Status::Exhausted => Some(exhausted()),
        Status::Retired => Some(Problem::new(ErrorCode::LinkRetired, "What the link showed can no longer be read.")),
    }
}

fn exhausted() -> Problem {
    Problem::new(ErrorCode::LinkExhausted, "The link was opened as often as it may be.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_refuse_with_the_codes_of_the_contract() {
        for (status, code) in [
            (Status::Active, None),
            (Status::Revoked, Some(ErrorCode::LinkNotFound)),
            (Status::Expired, Some(ErrorCode::LinkNotFound)),
            (Status::Exhausted, Some(ErrorCode::LinkExhausted)),
            (Status::Retired, Some(ErrorCode::LinkRetired)),
        ] {
            assert_eq!(refusal(status).map(|problem| problem.code), code, "{status:?}");
        }
    }
}
