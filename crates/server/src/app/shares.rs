//! Share links: whoever holds a link's token reads one secret, for so long and so often.
//!
//! A token has 256 random bits and is kept as a keyed hash only. Making a link shows a value to others, so it takes the right
//! to read the secret beside the right to write.

mod opening;
mod terms;

use std::sync::Arc;

use api::error::ErrorCode;
use api::secret::SecretText;
use api::shares as wire;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::random::Random;
use domain::authz::{Authorized, ReadSecrets, WriteSecrets, authorize};
use domain::ids::{SecretId, ShareLinkId};
use domain::share::Standing;
use store::secrets::StoredSecret;
use store::shares::{LinkState, StoredLink, insert_link, newest_link_at, revoke_link};
use zeroize::Zeroizing;

use super::Core;
use super::secrets::{actor, standing};
use super::tenants::bytes;
use crate::app::password_pool::Passwords;
use crate::ctx::Ctx;
use crate::keyring::cells::Cell;
use crate::keyring::{Keyring, TenantKeys};
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

pub use terms::Terms;

/// The tenant's share links.
pub struct Shares {
    core: Core,
    /// Where recipients open links; never guessed, because a token goes there.
    portal_origin: String,
    passwords: Arc<Passwords>,
}

/// A link with its token, which is shown this once.
pub struct Made {
    link: StoredLink,
    token: SecretText,
    url: SecretText,
}

impl Shares {
    /// Over the core.
    pub fn new(core: Core, portal_origin: &str, passwords: Arc<Passwords>) -> Self {
        Self { core, portal_origin: portal_origin.to_owned(), passwords }
    }

    /// Makes a link.
    pub async fn create(&self, ctx: &Ctx, auth: &Authorized<WriteSecrets>, terms: Outcome<Terms>) -> Outcome<Made> {
        let mut entry = Entry::new("ShareLinkCreated", "secrets", "Secret");
        let result = match terms {
            Ok(terms) => self.create_now(ctx, auth, terms, &mut entry).await,
            Err(problem) => Err(problem),
        };
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        terms: Terms,
        entry: &mut Entry,
    ) -> Outcome<Made> {
        entry.resource_id(terms.secret);
        let may_read = authorize::<ReadSecrets>(&ctx.principal)?;
        let secret =
            self.core.store.secret(&may_read, terms.secret).await?.ok_or_else(|| Problem::not_found("secret"))?;
        entry.resource(secret.id, &secret.name);
        standing(&secret).readable(ctx.now())?;
        let token = new_token(&*self.core.entropy);
        let link = self.draft(ctx, &terms, &token).await?;
        entry.note(format!("link={}", link.id));
        let link = self.insert(auth, link, terms.lifetime_ms, self.core.trail.event(ctx, entry)?).await?;
        entry.committed();
        let url = SecretText::new(format!("{}/share/{}", self.portal_origin, token.expose()));
        Ok(Made { link, token, url })
    }

    async fn draft(&self, ctx: &Ctx, terms: &Terms, token: &SecretText) -> Outcome<StoredLink> {
        let id = ShareLinkId::from_random(bytes(&*self.core.entropy));
        let seal = |column, plain: &[u8]| ctx.keys.cells.seal(cell(&id, column), plain, &*self.core.entropy);
        let password = match &terms.password {
            Some(password) => Some(self.passwords.hash(password, &*self.core.entropy).await?),
            None => None,
        };
        Ok(StoredLink {
            tenant: ctx.tenant(),
            id,
            secret: terms.secret,
            token_hash: token_hash(&ctx.keyring, token.expose()),
            state: LinkState::Active,
            expires_at: ctx.now().plus_millis(terms.lifetime_ms),
            max_access: terms.max_access,
            access_count: 0,
            password: password.map(|record| seal("password", record.expose())).transpose()?,
            created_at: ctx.now(),
            created_by: Some(seal("created_by", actor(ctx).as_bytes())?),
        })
    }

    /// Stores it, later than every other link of its secret: their order is told by their times.
    async fn insert(
        &self,
        auth: &Authorized<WriteSecrets>,
        link: StoredLink,
        lifetime_ms: i64,
        event: store::Stmt,
    ) -> Outcome<StoredLink> {
        let auth = auth.duplicate();
        let written = self.core.store.write("create share link", move |tx| {
            let (auth, mut link, event) = (auth.duplicate(), link.clone(), event.clone());
            Box::pin(async move {
                if let Some(newest) = newest_link_at(tx, &auth, link.secret).await? {
                    link.created_at = link.created_at.max(newest.plus_millis(1));
                    link.expires_at = link.created_at.plus_millis(lifetime_ms);
                }
                tx.exec(insert_link(&auth, &link)).await?;
                tx.exec_last(event);
                Ok(link)
            })
        });
        Ok(written.await?)
    }

    /// The links of a secret, newest first.
    pub async fn list(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        secret: SecretId,
    ) -> Outcome<wire::ShareLinkList> {
        let mut entry = Entry::new("ShareLinksListed", "secrets", "Secret");
        entry.resource_id(secret);
        let result = self.list_now(ctx, auth, secret, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn list_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        secret: SecretId,
        entry: &mut Entry,
    ) -> Outcome<wire::ShareLinkList> {
        let secret = self.core.store.secret(auth, secret).await?.ok_or_else(|| Problem::not_found("secret"))?;
        entry.resource(secret.id, &secret.name);
        let links = self.core.store.share_links(auth, secret.id).await?;
        let links = links.iter().map(|link| shown(ctx, &secret, link)).collect::<Outcome<Vec<_>>>()?;
        Ok(wire::ShareLinkList { total_count: links.len() as u64, links })
    }

    /// Revokes a link; again is the same as once.
    pub async fn revoke(&self, ctx: &Ctx, auth: &Authorized<WriteSecrets>, id: ShareLinkId) -> Outcome<()> {
        let mut entry = Entry::new("ShareLinkRevoked", "secrets", "Secret");
        entry.note(format!("link={id}"));
        let result = self.revoke_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn revoke_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: ShareLinkId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let link = self.core.store.share_link(auth, id).await?.ok_or_else(link_not_found)?;
        // The secret decides who may know of its links.
        let secret = self.core.store.secret(auth, link.secret).await?.ok_or_else(link_not_found)?;
        entry.resource(secret.id, &secret.name);
        let (revoke, event) = (revoke_link(auth, id), self.core.trail.event(ctx, entry)?);
        let written = self.core.store.write("revoke share link", move |tx| {
            let (revoke, event) = (revoke.clone(), event.clone());
            Box::pin(async move {
                tx.exec_last(event);
                tx.exec(revoke).await
            })
        });
        if written.await? != 1 {
            return Err(link_not_found());
        }
        entry.committed();
        Ok(())
    }
}

impl Made {
    /// As the contract shows it.
    pub fn into_link(self) -> wire::CreatedShareLink {
        wire::CreatedShareLink {
            id: self.link.id.uuid(),
            token: self.token,
            secret_id: self.link.secret.uuid(),
            expires_at: self.link.expires_at.into(),
            max_access_count: self.link.max_access,
            has_password: self.link.password.is_some(),
            created_at: self.link.created_at.into(),
            url: Some(self.url),
        }
    }

    /// As older clients read it.
    pub fn into_shared(self) -> wire::SharedSecret {
        wire::SharedSecret {
            id: self.link.id.uuid(),
            url: Some(self.url),
            token: self.token,
            max_views: self.link.max_access.unwrap_or_default(),
            view_count: 0,
            expires_at: self.link.expires_at.into(),
            created_at: self.link.created_at.into(),
        }
    }
}

fn shown(ctx: &Ctx, secret: &StoredSecret, link: &StoredLink) -> Outcome<wire::ShareLink> {
    let retired = standing(secret).readable(ctx.now()).is_err();
    let created_by = link.created_by.as_ref().map(|sealed| created_by(&ctx.keys, link.id, sealed)).transpose()?;
    Ok(wire::ShareLink {
        id: link.id.uuid(),
        token: String::new(),
        status: link_standing(link, retired).status(ctx.now()).as_str().to_owned(),
        expires_at: link.expires_at.into(),
        max_access_count: link.max_access,
        access_count: link.access_count,
        has_password: link.password.is_some(),
        created_at: link.created_at.into(),
        created_by,
    })
}

fn created_by(keys: &TenantKeys, id: ShareLinkId, sealed: &[u8]) -> Outcome<String> {
    let opened = keys.cells.open(cell(&id, "created_by"), sealed)?;
    let text = std::str::from_utf8(opened.expose());
    text.map(str::to_owned).map_err(|error| Problem::internal("reading a share link", error))
}

fn link_standing(link: &StoredLink, secret_unreadable: bool) -> Standing {
    Standing {
        revoked: link.state == LinkState::Revoked,
        retired: link.state == LinkState::Retired || secret_unreadable,
        expires_at: link.expires_at,
        max_accesses: link.max_access,
        accesses: link.access_count,
    }
}

fn cell<'a>(id: &'a ShareLinkId, column: &'static str) -> Cell<'a> {
    Cell { table: "share_link", row: id.as_bytes(), column, version: 0 }
}

fn new_token(random: &dyn Random) -> SecretText {
    let mut raw = Zeroizing::new([0; 32]);
    random.fill(&mut *raw);
    SecretText::new(URL_SAFE_NO_PAD.encode(*raw))
}

fn token_hash(keyring: &Keyring, token: &str) -> [u8; 32] {
    keyring.root.token_hash("share", token.as_bytes())
}

fn link_not_found() -> Problem {
    Problem::new(ErrorCode::LinkNotFound, "There is no such share link, or it has expired.")
}
