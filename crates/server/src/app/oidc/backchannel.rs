//! Telling applications that a session is over (OpenID Connect Back-Channel Logout 1.0).
//!
//! Notices are rows of the transaction that ended the session. Every replica looks for them, and one tells each: whoever takes a notice
//! moves its turn, so that nobody else has it meanwhile and another has it after a crash. The token is made anew for every try.

use std::sync::Arc;

use api::routes::encode_query_value;
use domain::identity::application::State;
use domain::identity::claims::token_name;
use domain::identity::logout::{FIELD, LogoutClaims, TOKEN_S, TYP, events, wait_ms};
use domain::time::Timestamp;
use store::applications::StoredApplication;
use store::logout_notices::{StoredNotice, give_up_notice};
use tokio::task::JoinSet;

use super::keys::algorithm_of;
use super::refusal::Answered;
use super::site::Site;
use super::{Oidc, on_behalf};
use crate::app::tenants::bytes;
use crate::ctx::{Ctx, Origin};
use crate::keyring::Keyring;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Notices of one turn, told at the same time: one application that is slow keeps nobody waiting for longer than one call may take.
const BATCH: u32 = 64;
/// A notice is somebody else's no sooner than this after it was taken, however the try ends.
const TAKEN_MS: i64 = 30_000;

impl Oidc {
    /// Tells every application whose turn it is.
    pub async fn tell_due_logouts(self: &Arc<Self>, keyring: &Arc<Keyring>, now: Timestamp) -> Outcome<()> {
        let mut telling = JoinSet::new();
        for notice in self.core.store.logout_notices_due(now, BATCH).await? {
            let (oidc, keyring) = (Arc::clone(self), Arc::clone(keyring));
            telling.spawn(async move {
                // One that fails must not keep the others waiting: its turn comes again.
                if let Err(problem) = oidc.tell(&keyring, &notice, now).await {
                    tracing::warn!(application.id = %notice.application, error.cause = ?problem.cause, "a logout was not told: {}", problem.message);
                }
            });
        }
        while telling.join_next().await.is_some() {}
        Ok(())
    }

    async fn tell(&self, keyring: &Arc<Keyring>, notice: &StoredNotice, now: Timestamp) -> Outcome<()> {
        let store = &self.core.store;
        if !store.take_notice(notice, now.plus_millis(TAKEN_MS)).await? {
            return Ok(());
        }
        let application = store.application(&on_behalf(notice.tenant), notice.application).await?;
        let listening = application.filter(|row| row.state == State::Active).and_then(|row| {
            let uri = row.settings.backchannel_logout_uri.clone()?;
            Some((row, uri))
        });
        let Some((application, uri)) = listening else { return Ok(store.forget_notice(notice).await?) };
        let keys = keyring.tenant(store, notice.tenant).await?;
        let origin = Origin::of_the_platform(&*self.core.entropy, now, "logouts");
        let site = self.site_of(&Ctx::of_the_platform(origin, Arc::clone(keyring), keys)).await?;
        let token = self.logout_token(&site, &application, notice).await.map_err(|refused| {
            let mut problem = refused.as_problem();
            problem.cause = refused.cause;
            problem
        })?;
        let tries = notice.tries + 1;
        match self.egress.post_form(&uri, format!("{FIELD}={}", encode_query_value(&token))).await {
            Ok(()) => {
                tracing::info!(application.id = %notice.application, "an application was told of a logout");
                Ok(store.forget_notice(notice).await?)
            }
            Err(error) => match wait_ms(tries) {
                Some(wait) => {
                    tracing::warn!(application.id = %notice.application, tries, error.cause = %error, "a logout will be told again");
                    Ok(store.put_notice_back(notice, now.plus_millis(wait)).await?)
                }
                None => self.give_up(&site, notice, &error).await,
            },
        }
    }

    /// Made in the algorithm of the application's ID tokens, as section 2.6 wants it.
    async fn logout_token(
        &self,
        site: &Site,
        application: &StoredApplication,
        notice: &StoredNotice,
    ) -> Answered<String> {
        let now = site.ctx.now();
        let claims = LogoutClaims {
            iss: site.issuer.to_string(),
            sub: notice.account.to_string(),
            aud: application.client_id.clone(),
            iat: now.seconds(),
            exp: now.seconds() + TOKEN_S,
            jti: token_name(bytes(&*self.core.entropy), now),
            sid: notice.sid.clone(),
            events: events(),
        };
        self.signed(site, algorithm_of(application.settings.id_token_alg), TYP, &claims).await
    }

    async fn give_up(&self, site: &Site, notice: &StoredNotice, why: &crate::egress::Error) -> Outcome<()> {
        tracing::warn!(application.id = %notice.application, error.cause = %why, "an application cannot be told of a logout");
        let mut entry = Entry::new("LogoutUndeliverable", "identity", "Application");
        entry.resource_id(notice.application).note(format!(
            "sid={} after {} tries: {why}",
            notice.sid,
            notice.tries + 1
        ));
        let event = self.core.trail.event(&site.ctx, &entry)?;
        let give_up = give_up_notice(&on_behalf(notice.tenant), notice.application, &notice.sid);
        match self.core.change("give up a notice", notice.tenant, vec![give_up], event).await {
            // Somebody else was faster.
            Err(Problem { code: api::error::ErrorCode::Conflict, .. }) => Ok(()),
            done => done,
        }
    }
}
