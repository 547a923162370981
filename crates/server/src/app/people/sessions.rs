//! Sessions: begun by signing in, found by their cookie, alive as `domain::identity::liveness` says.

use crypto::random::Random as _;
use domain::api_key::bearer_text;
use domain::identity::account::AccountRealm;
use domain::identity::authorization_request::Acr;
use domain::identity::liveness;
use domain::identity::session::{ABSOLUTE_MS, IDLE_MS, LiveSession, SEEN_EVERY_MS};
use domain::ids::{AccountId, SessionId};
use store::Stmt;
use store::sessions::{NewSession, prolong_session, renew_session, see_session};

use super::{People, on_behalf};
use crate::app::accounts::history::Whence;
use crate::app::oidc::Site;
use crate::app::oidc::jws::base64url;
use crate::app::tenants::bytes;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};

/// What a session's cookie begins with, and how long it is.
const PREFIX: &str = "qss_";
const COOKIE_MAX: usize = 64;
/// What a session says of a second factor.
const SECOND: [&str; 3] = ["otp", "mca", "mfa"];

/// What is to be known of a session that begins.
pub(super) struct Beginning<'a> {
    pub account: AccountId,
    pub realm: AccountRealm,
    pub acr: Acr,
    pub amr: &'a [&'a str],
    pub idle_s: Option<u32>,
}

impl People {
    /// Who is signed in with this cookie. What is no cookie of ours is nobody's.
    pub async fn session(&self, site: &Site, cookie: Option<&str>) -> Outcome<Option<LiveSession>> {
        let is_ours = |text: &&str| text.starts_with(PREFIX) && text.len() <= COOKIE_MAX;
        let Some(cookie) = cookie.filter(is_ours) else { return Ok(None) };
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let store = &self.accounts.core.store;
        let Some(found) = store.session_by_hash(&auth, &cookie_hash(site, cookie)).await? else { return Ok(None) };
        if liveness::session(found.is_tenant_active, &found.session, &found.account, now).is_err() {
            return Ok(None);
        }
        if found.session.seen_at.plus_millis(SEEN_EVERY_MS) <= now {
            let seen = see_session(&auth, found.live.id, now);
            store
                .write("see a session", move |tx| {
                    let seen = seen.clone();
                    Box::pin(async move { tx.exec(seen).await.map(|_| ()) })
                })
                .await?;
        }
        Ok(Some(found.live))
    }

    /// A session that begins now, and its cookie.
    pub(super) fn begin(&self, site: &Site, beginning: &Beginning<'_>) -> Outcome<(NewSession, String)> {
        let (now, entropy) = (site.ctx.now(), &*self.accounts.core.entropy);
        let cookie = self.cookie();
        let id = SessionId::from_random(bytes(entropy));
        let mut sid = [0; 16];
        entropy.fill(&mut sid);
        let live = LiveSession {
            id,
            sid: base64url(&sid),
            account: beginning.account,
            realm: beginning.realm,
            acr: beginning.acr.to_string(),
            amr: beginning.amr.iter().map(|word| (*word).to_owned()).collect(),
            authenticated_at: now,
        };
        let new = NewSession {
            live,
            hash: cookie_hash(site, &cookie),
            created_at: now,
            idle_ms: beginning.idle_s.map_or(IDLE_MS, |seconds| i64::from(seconds) * 1_000),
            expires_at: now.plus_millis(ABSOLUTE_MS),
            sealed: self.whence(site, Cell { table: "session", row: id.as_bytes(), column: "sealed", version: 0 })?,
        };
        Ok((new, cookie))
    }

    /// The statement that gives a session another cookie and what it now says, and the cookie.
    pub(super) fn renewed(&self, site: &Site, session: &LiveSession, acr: Acr, more: &[&str]) -> (Stmt, String) {
        let cookie = self.cookie();
        let kept = session.amr.iter().map(String::as_str).filter(|word| !SECOND.contains(word));
        let amr = kept.chain(more.iter().copied()).map(str::to_owned).collect();
        let live = LiveSession { acr: acr.to_string(), amr, ..session.clone() };
        (renew_session(&on_behalf(site.tenant()), &live, cookie_hash(site, &cookie), site.ctx.now()), cookie)
    }

    /// The statement by which a session goes on after its person signed in anew, the session as it then is, and its cookie. It lasts as
    /// long as one that begins now.
    pub(super) fn again(
        &self,
        site: &Site,
        session: &LiveSession,
        acr: Acr,
        amr: &[&str],
    ) -> (Stmt, LiveSession, String) {
        let (cookie, now) = (self.cookie(), site.ctx.now());
        let live = LiveSession {
            acr: acr.to_string(),
            amr: amr.iter().map(|word| (*word).to_owned()).collect(),
            authenticated_at: now,
            ..session.clone()
        };
        let end = now.plus_millis(ABSOLUTE_MS);
        let renew = prolong_session(&on_behalf(site.tenant()), &live, cookie_hash(site, &cookie), now, end);
        (renew, live, cookie)
    }

    /// From where and with what somebody came, sealed for its place.
    pub(super) fn whence(&self, site: &Site, cell: Cell<'_>) -> Outcome<Vec<u8>> {
        let origin = &site.ctx.origin;
        let whence = Whence {
            ip_address: Some(origin.address.to_string()),
            user_agent: origin.user_agent.as_deref().map(str::to_owned),
        };
        let text = serde_json::to_vec(&whence).map_err(|error| Problem::internal("writing a history", error))?;
        site.ctx.keys.cells.seal(cell, &text, &*self.accounts.core.entropy)
    }

    fn cookie(&self) -> String {
        String::from_utf8_lossy(bearer_text(PREFIX, &*self.accounts.core.entropy).expose()).into_owned()
    }
}

fn cookie_hash(site: &Site, cookie: &str) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("session", cookie.as_bytes())
}

impl People {
    /// What a form of a page gives back to show that the page was made for this session.
    pub fn token(&self, site: &Site, session: &LiveSession) -> String {
        base64url(&site.ctx.keyring.root.token_hash("csrf", session.id.as_bytes()))
    }

    /// Whether a form gave back what its page was given.
    pub fn is_token(&self, site: &Site, session: &LiveSession, shown: Option<&str>) -> bool {
        shown.is_some_and(|shown| crypto::hash::ct_eq(shown.as_bytes(), self.token(site, session).as_bytes()))
    }
}
