//! What somebody sees and changes of their own account.

use api::people::{Login, Session};
use api::secret::SecretText;
use domain::identity::account::Profile;
use domain::identity::grant::Ended;
use domain::identity::password_policy::{BadPassword, Chosen};
use domain::identity::session::LiveSession;
use domain::ids::{ApplicationId, SessionId};
use store::consents::forget_consent;
use store::own_account::{ListedConsent, end_everything_but, end_grants_to};

use super::{People, on_behalf};
use crate::app::accounts::sealed;
use crate::app::oidc::Site;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Somebody's account, as they see it.
pub struct Seen {
    /// Who they are.
    pub profile: Profile,
    /// Where they are signed in.
    pub sessions: Vec<Session>,
    /// What they have allowed.
    pub consents: Vec<ListedConsent>,
    /// What happened.
    pub history: Vec<Login>,
}

/// What became of a wish for another password.
pub enum Changed {
    /// It is theirs now.
    Yes {
        /// The new mark of the device: the old one ended with everything else.
        device: String,
    },
    /// The password that they showed is not theirs.
    WrongPassword,
    /// The new one is not taken.
    Bad(BadPassword),
}

const MOST_HISTORY: u32 = 20;

impl People {
    /// What somebody sees of their account.
    pub async fn own(&self, site: &Site, session: &LiveSession) -> Outcome<Seen> {
        let auth = on_behalf(site.tenant());
        let store = &self.accounts.core.store;
        let row = store.account(&auth, session.account).await?.ok_or_else(|| Problem::not_found("account"))?;
        let whom = (session.realm, session.account);
        let mut entry = Entry::new("AccountRead", "identity", "Account");
        let history = self.accounts.logins(&site.ctx, &auth, whom, Some(MOST_HISTORY), &mut entry).await?;
        let sessions = self.accounts.sessions(&site.ctx, &auth, whom, &mut entry).await?;
        Ok(Seen {
            profile: sealed::open(&site.ctx, &row)?,
            sessions: sessions.into_iter().filter(|one| one.state == "live").collect(),
            consents: store.listed_consents(&auth, session.account).await?,
            history,
        })
    }

    /// Under which address somebody is signed in.
    pub async fn address(&self, site: &Site, session: &LiveSession) -> Outcome<String> {
        let row = self.accounts.core.store.account(&on_behalf(site.tenant()), session.account).await?;
        let row = row.ok_or_else(|| Problem::not_found("account"))?;
        Ok(sealed::open(&site.ctx, &row)?.email)
    }

    /// Ends one of somebody's own sessions.
    pub async fn end_own_session(&self, site: &Site, session: &LiveSession, which: SessionId) -> Outcome<()> {
        let mut entry = Entry::new("SignedOut", "identity", "Session");
        let auth = on_behalf(site.tenant());
        let whom = (session.realm, session.account);
        let result = self.accounts.end_session(&site.ctx, &auth, whom, which, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    /// Takes back what somebody allowed an application, and ends what it was granted.
    pub async fn withdraw(&self, site: &Site, session: &LiveSession, application: ApplicationId) -> Outcome<()> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let mut entry = Entry::new("ConsentWithdrawn", "identity", "Application");
        entry.resource_id(application).note(format!("by {}", session.account));
        let follow = vec![
            forget_consent(&auth, session.account, application),
            end_grants_to(&auth, session.account, application, Ended::Withdrawn, now),
        ];
        let result = self.accounts.commit(&site.ctx, "withdraw consent", Vec::new(), follow, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    /// Gives somebody another password. Everything else that they were given ends, but the session that asked.
    pub async fn change_password(
        &self,
        site: &Site,
        session: &LiveSession,
        (old, new): (&SecretText, &SecretText),
        device: Option<&str>,
    ) -> Outcome<Changed> {
        let mut entry = Entry::new("PasswordChanged", "identity", "Account");
        entry.resource_id(session.account);
        let result = self.change_now(site, session, (old, new), device, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn change_now(
        &self,
        site: &Site,
        session: &LiveSession,
        (old, new): (&SecretText, &SecretText),
        device: Option<&str>,
        entry: &mut Entry,
    ) -> Outcome<Changed> {
        let auth = on_behalf(site.tenant());
        let row = self.accounts.core.store.account(&auth, session.account).await?;
        let row = row.ok_or_else(|| Problem::not_found("account"))?;
        if !self.knows(site, session, old).await? {
            entry.note("the old password was wrong, or tried too often");
            return Ok(Changed::WrongPassword);
        }
        let chosen = if row.has_second_factor { Chosen::BesideSecondFactor } else { Chosen::Alone };
        let profile = sealed::open(&site.ctx, &row)?;
        let known = [profile.email.as_str(), profile.display_name.as_str()];
        let statement = match self.new_password(site, session.account, new, chosen, &known).await? {
            Ok(statement) => statement,
            Err(bad) => {
                entry.note("the new password is not taken");
                return Ok(Changed::Bad(bad));
            }
        };
        let mut follow = end_everything_but(&auth, session.account, session.id, Ended::PasswordChanged, site.ctx.now());
        follow.push(self.notice(site, &profile, "Your password was changed")?);
        self.accounts.commit(&site.ctx, "change password", vec![statement], follow, entry).await?;
        Ok(Changed::Yes { device: self.marked_anew(site, &row, device) })
    }
}
