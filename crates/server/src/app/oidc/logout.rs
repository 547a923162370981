//! Signing out where an application asks for it (RP-initiated logout), and telling the others (back-channel logout).

use domain::identity::grant::Ended;
use domain::identity::parameters::Parameters;
use domain::identity::session::LiveSession;
use std::sync::Arc;
use store::grants::{end_grants_of_session, end_session};

use super::clients::Client;
use super::refusal::Answered;
use super::site::Site;
use super::writing::Change;
use super::{Oidc, jws, on_behalf};
use crate::trail::{Entry, Scene};

/// What becomes of a wish to sign out.
#[derive(Debug)]
pub enum SignedOut {
    /// It is done; the browser goes here.
    To(String),
    /// It is done, or there was nothing to do.
    Here,
    /// The person has to say that they want it: nobody proved that it was they who asked.
    Ask {
        /// What the page gives back.
        confirm: String,
    },
    /// The request is not one that can be served.
    Refused(&'static str),
}

impl Oidc {
    /// Signs the person of a browser out.
    pub async fn sign_out(
        &self,
        site: &Site,
        parameters: &Parameters,
        session: Option<&LiveSession>,
    ) -> Answered<SignedOut> {
        let hint = match parameters.get("id_token_hint") {
            Some(hint) => self.hint(site, hint).await?,
            None => None,
        };
        let named = parameters.get("client_id").map(str::to_owned).or(hint.as_ref().map(|hint| hint.aud.clone()));
        if hint.as_ref().zip(named.as_ref()).is_some_and(|(hint, named)| &hint.aud != named) {
            return Ok(SignedOut::Refused("client_id is another than the one of id_token_hint."));
        }
        let client = match &named {
            Some(client_id) => self.client(site, client_id).await?,
            None => None,
        };
        let target = match target(client.as_ref(), parameters) {
            Ok(target) => target,
            Err(why) => return Ok(SignedOut::Refused(why)),
        };
        if let Some(session) = session {
            let confirm = self.confirmation(site, session);
            let is_theirs = hint.is_some_and(|hint| {
                hint.sid.as_deref() == Some(&session.sid) && hint.sub == session.account.to_string()
            });
            let is_confirmed = parameters
                .get("confirm")
                .is_some_and(|shown| crypto::hash::ct_eq(shown.as_bytes(), confirm.as_bytes()));
            if !is_theirs && !is_confirmed {
                return Ok(SignedOut::Ask { confirm });
            }
            let by = client.as_ref().map_or("", |client| client.id()).to_owned();
            self.end_session(site, session, &by).await?;
        }
        Ok(target.map_or(SignedOut::Here, SignedOut::To))
    }

    /// What a page of ours gives back to show that it was asked here, in this session.
    fn confirmation(&self, site: &Site, session: &LiveSession) -> String {
        jws::base64url(&site.ctx.keyring.root.token_hash("oidc-logout", session.id.as_bytes()))
    }

    /// Ends a session and everything that began in it, and tells the applications.
    async fn end_session(&self, site: &Site, session: &LiveSession, by: &str) -> Answered<()> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let mut entry = Entry::new("SignedOut", "identity", "Session");
        entry.resource_id(session.id);
        let mut follow = vec![end_session(&auth, session.id, Ended::SignedOut, now)];
        follow.extend(end_grants_of_session(&auth, session.id, Ended::SignedOut, now));
        let event = self.core.trail.event(Scene::application(&site.ctx, by), &entry)?;
        self.write("sign out", site.tenant(), Change::ending(Vec::new(), follow), event).await?;
        Ok(())
    }
}

/// Where the browser goes afterwards: to an address that the application registered, or nowhere.
fn target(client: Option<&Arc<Client>>, parameters: &Parameters) -> Result<Option<String>, &'static str> {
    let Some(asked) = parameters.get("post_logout_redirect_uri") else { return Ok(None) };
    let client = client.ok_or("post_logout_redirect_uri needs client_id or a valid id_token_hint.")?;
    let settings = &client.row.settings;
    let is_installed = client.row.kind.is_installed();
    if !domain::identity::redirect_uri::is_registered(&settings.post_logout_redirect_uris, asked, is_installed) {
        return Err("The address to return to is not one that the application registered.");
    }
    let state = parameters.get("state").map(api::routes::encode_query_value);
    let mark = if asked.contains('?') { '&' } else { '?' };
    Ok(Some(state.map_or_else(|| asked.to_owned(), |state| format!("{asked}{mark}state={state}"))))
}
