//! What a browser brings: the authorization request, up to the code or to whatever has to happen first.
//!
//! The request stays here while somebody signs in; the browser carries only the name of it. [`Oidc::authorize`] begins, [`Oidc::resume`] goes on once somebody has
//! signed in, [`Oidc::consented`] once they were asked.

use api::routes::encode_query_value;
use domain::identity::account::AccountRealm;
use domain::identity::application::{Consent, MfaPolicy};
use domain::identity::authorization_request::{
    Acr, AuthorizationRequest, Next, Refusal, Refused as Told, ResponseMode, SignedIn, Situation, next, read,
};
use domain::identity::grant::{CODE_MS, INTERACTION_MS, Kind as GrantKind, Terms};
use domain::identity::oauth_scope::OauthScope;
use domain::identity::parameters::Parameters;
use domain::identity::session::LiveSession;
use domain::ids::{AccountId, GrantId};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::Stmt;
use store::consents::keep_consent;
use store::grants::{StoredCode, StoredGrant, insert_code, insert_grant};
use store::pushed_requests::{StoredRequest, insert_interaction, spend_interaction};

use super::clients::Client;
use super::federated::is_built_in;
use super::grants::CodeTerms;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::writing::Change;
use super::{Kind, Oidc, bearer_hash, jws, on_behalf};
use crate::app::applications::BUILT_IN;
use crate::app::tenants::bytes;
use crate::keyring::cells::Cell;
use crate::trail::{Entry, Scene};

/// Where a browser goes next.
#[derive(Debug)]
pub enum Sent {
    /// To an address, by 303.
    To(String),
    /// To an address, with a form that the page posts.
    Posted {
        /// The address.
        to: String,
        /// The form.
        fields: Vec<(&'static str, String)>,
    },
    /// Nowhere: the person is told why.
    Nowhere(String),
}

/// A request that waits for a person.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    request: AuthorizationRequest,
    acr: Acr,
    arrived_at: Timestamp,
}

/// What pages show of a request that waits.
pub struct Interaction {
    /// The application.
    pub client: Arc<Client>,
    /// What it asks.
    pub request: AuthorizationRequest,
    /// How sure it has to be who signs in.
    pub acr: Acr,
    /// Whose people may sign in.
    pub realm: AccountRealm,
}

/// What a person said when they were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The application may.
    Yes,
    /// It may not.
    No,
}

/// How a request stands, before it is decided.
struct Case<'a> {
    site: &'a Site,
    client: &'a Client,
    request: &'a AuthorizationRequest,
    session: Option<&'a LiveSession>,
    arrived_at: Timestamp,
    was_asked: bool,
    /// The interaction that it waited in.
    waited: Option<[u8; 32]>,
}

/// Whose people sign in to an application.
pub fn realm_of(client: &Client) -> AccountRealm {
    if is_built_in(client.id()) { AccountRealm::Tenant } else { AccountRealm::Application(client.row.id) }
}

impl Oidc {
    /// Begins: a request that a browser brought.
    pub async fn authorize(
        &self,
        site: &Site,
        parameters: &Parameters,
        session: Option<&LiveSession>,
    ) -> Answered<Sent> {
        let mut entry = Entry::new("AuthorizationRequested", "identity", "Application");
        let (client_id, result) = match self.client_of(site, parameters).await {
            Ok(Some(client)) => {
                entry.resource(client.row.id, &client.row.name);
                (client.id().to_owned(), self.begin(site, &client, parameters, session, &mut entry).await)
            }
            Ok(None) => (String::new(), Ok(Sent::Nowhere("There is no such application.".to_owned()))),
            Err(refused) => (String::new(), Err(refused)),
        };
        self.conclude(Scene::application(&site.ctx, &client_id), entry, result).await
    }

    async fn client_of(&self, site: &Site, parameters: &Parameters) -> Answered<Option<Arc<Client>>> {
        self.client(site, parameters.get("client_id").unwrap_or_default()).await
    }

    async fn begin(
        &self,
        site: &Site,
        client: &Client,
        parameters: &Parameters,
        session: Option<&LiveSession>,
        entry: &mut Entry,
    ) -> Answered<Sent> {
        let pushed = parameters.get("request_uri").filter(|uri| uri.starts_with(Kind::Pushed.prefix()));
        let request = match pushed {
            Some(uri) => match self.take_pushed(site, client, uri).await? {
                Some(request) => request,
                None => return Ok(Sent::Nowhere("The request was used before, or waited too long.".to_owned())),
            },
            None => match read(parameters, client.id(), &client.asking()) {
                Ok(request) if client.row.settings.require_par => {
                    let told = request.refused("invalid_request", "The application pushes its requests.");
                    return Ok(self.told(site, told, entry));
                }
                Ok(request) => request,
                Err(Refusal::Page(why)) => {
                    entry.note(why);
                    return Ok(Sent::Nowhere(why.to_owned()));
                }
                Err(Refusal::Redirect(told)) => return Ok(self.told(site, told, entry)),
            },
        };
        let case = Case {
            site,
            client,
            request: &request,
            session,
            arrived_at: site.ctx.now(),
            was_asked: false,
            waited: None,
        };
        self.proceed(&case, entry).await
    }

    fn told(&self, site: &Site, told: Told, entry: &mut Entry) -> Sent {
        entry.note(told.error);
        let fields = [("error", Some(told.error.to_owned())), ("error_description", Some(told.description.to_owned()))];
        sent(site, &told.redirect_uri, told.response_mode, told.state, fields.into_iter())
    }

    async fn proceed(&self, case: &Case<'_>, entry: &mut Entry) -> Answered<Sent> {
        let (site, request) = (case.site, case.request);
        let session = case.session.filter(|session| session.realm == realm_of(case.client));
        let hinted = match &request.id_token_hint {
            Some(hint) => match self.hinted(site, case.client, hint).await? {
                Some(account) => Some(account),
                None => {
                    let told = request.refused("invalid_request", "id_token_hint is none of this issuer's.");
                    return Ok(self.told(site, told, entry));
                }
            },
            None => None,
        };
        let situation = Situation {
            signed_in: session.map(|session| SignedIn {
                account: session.account,
                authenticated_at: session.authenticated_at,
                acr: session.acr.parse().unwrap_or(Acr::One),
            }),
            hinted,
            wants_two: self.wants_two(site, case.client, session).await?,
            lacks_consent: self.lacks_consent(case, session).await?,
            was_asked: case.was_asked,
            arrived_at: case.arrived_at,
            now: site.ctx.now(),
        };
        match (next(request, &situation), session) {
            (Next::Issue, Some(session)) => self.issue_code(case, session, entry).await,
            (Next::Ask, Some(_)) => self.wait(case, Acr::One, "/consent").await,
            (Next::Refuse(error), _) => {
                let told = request.refused(error, "It cannot be done without asking the person.");
                Ok(self.told(site, told, entry))
            }
            (Next::SignIn(acr), _) => self.wait(case, acr, "/login").await,
            (Next::Issue | Next::Ask, None) => Err(Refused::new(OauthCode::ServerError, "")),
        }
    }

    /// Whether the policy wants two factors of whoever is signed in. Somebody who has one may have come in by an application that does not
    /// ask for it.
    async fn wants_two(&self, site: &Site, client: &Client, session: Option<&LiveSession>) -> Answered<bool> {
        let policy = client.mfa_policy;
        let session = session.filter(|session| policy == MfaPolicy::Optional && session.acr == Acr::One.as_str());
        let Some(session) = session else { return Ok(policy.asks(false)) };
        let account = self.core.store.account(&on_behalf(site.tenant()), session.account).await?;
        Ok(policy.asks(account.is_some_and(|account| account.has_second_factor)))
    }

    /// Whether a session is one of the application's people, and as sure as its policy wants it now: it may have begun under another.
    pub async fn is_enough(&self, site: &Site, client: &Client, session: &LiveSession) -> Answered<bool> {
        let is_sure = session.acr == Acr::Two.as_str() || !self.wants_two(site, client, Some(session)).await?;
        Ok(is_sure && session.realm == realm_of(client))
    }

    /// The application whose people these are; of the tenant's own it is the built-in one.
    pub async fn client_of_people(&self, site: &Site, realm: AccountRealm) -> Answered<Option<Arc<Client>>> {
        let AccountRealm::Application(id) = realm else { return self.client(site, BUILT_IN).await };
        let Some(found) = self.core.store.application(&on_behalf(site.tenant()), id).await? else { return Ok(None) };
        self.client(site, &found.client_id).await
    }

    async fn lacks_consent(&self, case: &Case<'_>, session: Option<&LiveSession>) -> Answered<bool> {
        let is_silent = |session: &LiveSession| !case.was_asked && session.authenticated_at < case.arrived_at;
        if is_anybodys(case) && session.is_some_and(is_silent) {
            return Ok(true);
        }
        if case.client.row.settings.consent == Consent::Skip {
            return Ok(false);
        }
        let Some(session) = session else { return Ok(true) };
        let auth = on_behalf(case.site.tenant());
        let allowed = self.core.store.consent(&auth, session.account, case.client.row.id).await?;
        Ok(!allowed.covers(&case.request.wishes()))
    }

    /// The person that an ID token of ours names. It may have ended: it is a hint.
    async fn hinted(&self, site: &Site, client: &Client, hint: &str) -> Answered<Option<AccountId>> {
        Ok(self.hint(site, hint).await?.filter(|hint| hint.aud == client.id()).and_then(|hint| hint.sub.parse().ok()))
    }

    /// What an ID token of ours says, if it is one.
    pub(super) async fn hint(&self, site: &Site, hint: &str) -> Answered<Option<Hint>> {
        let verified = match self.verified(site, hint, jws::ID).await {
            Ok(verified) => verified,
            Err(refused) if refused.code == OauthCode::InvalidToken => return Ok(None),
            Err(refused) => return Err(refused),
        };
        let hint: Option<Hint> = serde_json::from_slice(&verified.payload).ok();
        Ok(hint.filter(|hint| hint.iss == *site.issuer))
    }

    /// Keeps the request while a page talks to the person.
    async fn wait(&self, case: &Case<'_>, acr: Acr, page: &str) -> Answered<Sent> {
        let site = case.site;
        let text = self.bearer(Kind::Interaction.prefix());
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Interaction, &text);
        let waiting = Waiting { request: case.request.clone(), acr, arrived_at: case.arrived_at };
        let row = StoredRequest {
            hash,
            application: case.client.row.id,
            sealed: self.seal_request(site, "interaction", &hash, &waiting)?,
            created_at: site.ctx.now(),
            expires_at: site.ctx.now().plus_millis(INTERACTION_MS),
        };
        let auth = on_behalf(site.tenant());
        let mut statements = vec![insert_interaction(&auth, &row)];
        statements.extend(case.waited.as_ref().map(|hash| spend_interaction(&auth, hash)));
        let mut entry = Entry::new("InteractionBegun", "identity", "Application");
        entry.resource(case.client.row.id, &case.client.row.name);
        let event = self.event(site, case.client.id(), &entry)?;
        if !self.write("begin an interaction", site.tenant(), Change::of(statements), event).await? {
            return Ok(over());
        }
        Ok(Sent::To(format!("{}?interaction={text}", site.path(page, &self.origin))))
    }

    /// What pages show of a request that waits; none when it does not any more.
    pub async fn interaction(&self, site: &Site, handle: &str) -> Answered<Option<Interaction>> {
        let Some((_, client, waiting)) = self.waiting(site, handle).await? else { return Ok(None) };
        let realm = realm_of(&client);
        Ok(Some(Interaction { client, request: waiting.request, acr: waiting.acr, realm }))
    }

    async fn waiting(&self, site: &Site, handle: &str) -> Answered<Option<([u8; 32], Arc<Client>, Waiting)>> {
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Interaction, handle);
        let row = self.core.store.interaction(&on_behalf(site.tenant()), &hash, site.ctx.now()).await?;
        let Some(row) = row else { return Ok(None) };
        let waiting: Waiting = self.open_request(site, "interaction", &hash, &row.sealed)?;
        let client = self.client(site, &waiting.request.client_id).await?;
        // What was taken from the application meanwhile is not given on the strength of what it had before.
        let client = client.filter(|client| waiting.request.is_allowed(&client.asking()));
        Ok(client.map(|client| (hash, client, waiting)))
    }

    /// Goes on with a request whose person has signed in.
    pub async fn resume(&self, site: &Site, handle: &str, session: &LiveSession) -> Answered<Sent> {
        self.go_on(site, handle, session, false).await
    }

    /// Goes on with a request whose person was asked whether the application may.
    pub async fn consented(&self, site: &Site, handle: &str, session: &LiveSession, said: Said) -> Answered<Sent> {
        let Some((hash, client, waiting)) = self.waiting(site, handle).await? else { return Ok(over()) };
        let auth = on_behalf(site.tenant());
        let mut entry = Entry::new("ConsentAnswered", "identity", "Application");
        entry.resource(client.row.id, &client.row.name);
        if session.realm != realm_of(&client) {
            return Ok(over());
        }
        if said == Said::No {
            entry.note("no");
            let event = self.event(site, client.id(), &entry)?;
            let spent = Change::of(vec![spend_interaction(&auth, &hash)]);
            if !self.write("refuse consent", site.tenant(), spent, event).await? {
                return Ok(over());
            }
            return Ok(self.told(site, waiting.request.refused("access_denied", "The person said no."), &mut entry));
        }
        let before = self.core.store.consent(&auth, session.account, client.row.id).await?;
        let all = OauthScope::of(before.words().chain(waiting.request.wishes().words()));
        entry.note("yes");
        let event = self.event(site, client.id(), &entry)?;
        let keep = keep_consent(&auth, session.account, client.row.id, &all, site.ctx.now());
        self.write("keep consent", site.tenant(), Change::of(vec![keep]), event).await?;
        self.go_on(site, handle, session, true).await
    }

    async fn go_on(&self, site: &Site, handle: &str, session: &LiveSession, was_asked: bool) -> Answered<Sent> {
        let Some((hash, client, waiting)) = self.waiting(site, handle).await? else { return Ok(over()) };
        let case = Case {
            site,
            client: &client,
            request: &waiting.request,
            session: Some(session),
            arrived_at: waiting.arrived_at,
            was_asked,
            waited: Some(hash),
        };
        let mut entry = Entry::new("AuthorizationResumed", "identity", "Application");
        entry.resource(client.row.id, &client.row.name);
        let result = self.proceed(&case, &mut entry).await;
        self.conclude(Scene::application(&site.ctx, client.id()), entry, result).await
    }

    /// Makes the grant and its code.
    async fn issue_code(&self, case: &Case<'_>, session: &LiveSession, entry: &mut Entry) -> Answered<Sent> {
        let (site, request, auth) = (case.site, case.request, on_behalf(case.site.tenant()));
        let now = site.ctx.now();
        let grant = self.new_grant(case.client, session, &request.scope, &request.resources, now);
        let grant = StoredGrant { terms: Terms { nonce: request.nonce.clone(), ..grant.terms }, ..grant };
        let text = self.bearer(Kind::Code.prefix());
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Code, &text);
        let terms =
            CodeTerms { redirect_uri: request.redirect_uri.clone(), code_challenge: request.code_challenge.clone() };
        let cell = Cell { table: "authorization_code", row: &hash, column: "sealed", version: 0 };
        let sealed = site.ctx.keys.cells.seal(cell, &serde_json::to_vec(&terms)?, &*self.core.entropy)?;
        let code = StoredCode {
            hash,
            application: case.client.row.id,
            grant: grant.id,
            is_live: true,
            sealed,
            created_at: now,
            expires_at: now.plus_millis(CODE_MS),
        };
        let mut statements: Vec<Stmt> = vec![insert_grant(&auth, &grant)?, insert_code(&auth, &code)];
        statements.extend(case.waited.as_ref().map(|hash| spend_interaction(&auth, hash)));
        entry.note(format!("code for {}", session.account));
        let event = self.event(site, case.client.id(), entry)?;
        if !self.write("issue a code", site.tenant(), Change::of(statements), event).await? {
            return Ok(over());
        }
        entry.committed();
        let fields = [("code", Some(text))];
        Ok(sent(site, &request.redirect_uri, request.response_mode, request.state.clone(), fields.into_iter()))
    }

    /// A grant of somebody who is signed in.
    pub(super) fn new_grant(
        &self,
        client: &Client,
        session: &LiveSession,
        scope: &OauthScope,
        resources: &[String],
        now: Timestamp,
    ) -> StoredGrant {
        let terms = Terms {
            scope: scope.clone(),
            resources: resources.to_vec(),
            sid: Some(session.sid.clone()),
            acr: Some(session.acr.clone()),
            amr: session.amr.clone(),
            auth_time: Some(session.authenticated_at.seconds()),
            nonce: None,
        };
        StoredGrant {
            id: GrantId::from_random(bytes(&*self.core.entropy)),
            application: client.row.id,
            account: Some(session.account),
            session: Some(session.id),
            kind: GrantKind::AuthorizationCode,
            is_live: true,
            reason: None,
            expires_at: terms.end(now),
            terms,
            created_at: now,
            ended_at: None,
        }
    }

    pub(super) fn seal_request<T: Serialize>(
        &self,
        site: &Site,
        table: &'static str,
        hash: &[u8; 32],
        request: &T,
    ) -> Answered<Vec<u8>> {
        let cell = Cell { table, row: hash, column: "sealed", version: 0 };
        Ok(site.ctx.keys.cells.seal(cell, &serde_json::to_vec(request)?, &*self.core.entropy)?)
    }

    pub(super) fn open_request<T: serde::de::DeserializeOwned>(
        &self,
        site: &Site,
        table: &'static str,
        hash: &[u8; 32],
        sealed: &[u8],
    ) -> Answered<T> {
        let cell = Cell { table, row: hash, column: "sealed", version: 0 };
        Ok(serde_json::from_slice(site.ctx.keys.cells.open(cell, sealed)?.expose())?)
    }
}

/// Whether anybody could ask in the application's name: it proves nothing, and whatever listens on the person's machine gets the answer.
/// So it is never answered in silence, whatever it is set to (RFC 8252, 8.6).
fn is_anybodys(case: &Case<'_>) -> bool {
    let client = case.client;
    client.row.kind.is_installed() && !client.is_proven() && !case.request.redirect_uri.starts_with("https:")
}

/// What a hint says.
#[derive(Deserialize)]
pub(super) struct Hint {
    iss: String,
    pub sub: String,
    pub aud: String,
    #[serde(default)]
    pub sid: Option<String>,
}

fn over() -> Sent {
    Sent::Nowhere("This sign-in is over. Go back to the application and begin anew.".to_owned())
}

/// The answer to the application. It names the issuer, so that no other can be taken for it (RFC 9207).
fn sent(
    site: &Site,
    to: &str,
    mode: ResponseMode,
    state: Option<String>,
    fields: impl Iterator<Item = (&'static str, Option<String>)>,
) -> Sent {
    let fields = fields.chain([("state", state), ("iss", Some(site.issuer.to_string()))]);
    let fields: Vec<(&'static str, String)> = fields.filter_map(|(name, value)| Some((name, value?))).collect();
    match mode {
        ResponseMode::FormPost => Sent::Posted { to: to.to_owned(), fields },
        ResponseMode::Query => {
            let mut address = to.to_owned();
            for (n, (name, value)) in fields.iter().enumerate() {
                let mark = if n == 0 && !to.contains('?') { '?' } else { '&' };
                address.push(mark);
                address.push_str(&format!("{name}={}", encode_query_value(value)));
            }
            Sent::To(address)
        }
    }
}
