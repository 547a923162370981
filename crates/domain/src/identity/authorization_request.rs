//! The authorization request: what it may say, and what has to happen before it is answered.

use serde::{Deserialize, Serialize};

use super::oauth_scope::OauthScope;
use super::parameters::Parameters;
use super::target::RESOURCES_MAX;
use super::words::words;
use super::{pkce, redirect_uri};
use crate::ids::AccountId;
use crate::time::{SECOND_MS, Timestamp};

words! {
    /// How the answer reaches the application.
    ResponseMode {
        /// In the query of the address.
        Query = "query",
        /// In a form that the browser posts.
        FormPost = "form_post",
    }
    /// What the person is to be asked.
    Prompt {
        /// Nothing.
        None = "none",
        /// Who they are, again.
        Login = "login",
        /// Whether the application may.
        Consent = "consent",
        /// Who of several they are.
        SelectAccount = "select_account",
    }
    /// How sure it is who signed in.
    Acr {
        /// One factor.
        One = "urn:qapi:acr:1",
        /// Two.
        Two = "urn:qapi:acr:2",
    }
}

/// Bytes of `state` and of `nonce`.
const ECHO_MAX: usize = 4 << 10;
const HINT_MAX: usize = 320;
/// What the name of an API begins with among the words of what a person is asked.
const API: &str = "api:";
/// Other ways to say what to ask, and what is answered to whoever uses them.
const UNSUPPORTED: [(&str, &str); 3] = [
    ("request", "request_not_supported"),
    ("request_uri", "request_uri_not_supported"),
    ("registration", "registration_not_supported"),
];

/// What the application may ask.
pub struct Asking<'a> {
    /// Its registered addresses.
    pub redirect_uris: &'a [String],
    /// Whether it is installed on somebody's machine.
    pub is_installed: bool,
    /// The scopes it may ask for.
    pub allowed_scopes: &'a [String],
    /// The APIs it may name.
    pub resources: &'a [String],
    /// Whether it may ask for codes at all.
    pub has_codes: bool,
}

impl Asking<'_> {
    /// Whether it may ask for these scopes, and name these APIs.
    pub fn covers(&self, scope: &OauthScope, resources: &[String]) -> bool {
        scope.words().all(|word| self.allowed_scopes.iter().any(|allowed| allowed == word))
            && resources.iter().all(|resource| self.resources.contains(resource))
    }
}

/// A request that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// How.
    pub response_mode: ResponseMode,
    /// What for.
    pub scope: OauthScope,
    /// For which APIs.
    pub resources: Vec<String>,
    /// Given back as it came.
    pub state: Option<String>,
    /// Repeated in the ID token.
    pub nonce: Option<String>,
    /// PKCE, S256.
    pub code_challenge: String,
    /// What the person is to be asked.
    pub prompt: Vec<Prompt>,
    /// Seconds since the person signed in, at most.
    pub max_age: Option<u32>,
    /// What is asked for, the best first; unknown ones are left out.
    pub acr: Option<Acr>,
    /// Whom to expect.
    pub login_hint: Option<String>,
    /// An ID token of whom to expect, not yet looked at.
    pub id_token_hint: Option<String>,
    /// The person's languages.
    pub ui_locales: Option<String>,
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody can say where the answer would go: the person is told, and no browser is sent anywhere.
    Page(&'static str),
    /// The application is told.
    Redirect(Refused),
}

/// What the application is told, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where.
    pub redirect_uri: String,
    /// How.
    pub response_mode: ResponseMode,
    /// Given back as it came.
    pub state: Option<String>,
    /// The code of RFC 6749 or OpenID Connect.
    pub error: &'static str,
    /// Why, for developers.
    pub description: &'static str,
}

/// Checks a request of the application whose `client_id` was looked up already.
pub fn read(parameters: &Parameters, client_id: &str, may: &Asking<'_>) -> Result<AuthorizationRequest, Refusal> {
    let Some(redirect_uri) = parameters.get("redirect_uri") else {
        return Err(Refusal::Page("The application did not say where to return to."));
    };
    if !redirect_uri::is_registered(may.redirect_uris, redirect_uri, may.is_installed) {
        return Err(Refusal::Page("The address to return to is not one that the application registered."));
    }
    let state = parameters.get("state").filter(|state| state.len() <= ECHO_MAX);
    let mode = parameters.get("response_mode").map(str::parse);
    let refused = |error, description| {
        let response_mode = mode.and_then(Result::ok).unwrap_or(ResponseMode::Query);
        let state = state.map(str::to_owned);
        Refusal::Redirect(Refused { redirect_uri: redirect_uri.to_owned(), response_mode, state, error, description })
    };
    let invalid = |description| refused("invalid_request", description);
    if let Some((_, error)) = UNSUPPORTED.iter().find(|(name, _)| parameters.has(name)) {
        return Err(refused(error, "This parameter is not supported here."));
    }
    match parameters.get("response_type") {
        None => return Err(invalid("response_type is missing.")),
        Some("code") => {}
        Some(_) => return Err(refused("unsupported_response_type", "response_type is code.")),
    }
    if !may.has_codes {
        return Err(refused("unauthorized_client", "The application may not ask for codes."));
    }
    let response_mode = mode.unwrap_or(Ok(ResponseMode::Query));
    let response_mode = response_mode.map_err(|_| invalid("response_mode is query or form_post."))?;
    let too_long = |name| parameters.get(name).is_some_and(|text| text.len() > ECHO_MAX);
    if too_long("state") || too_long("nonce") {
        return Err(invalid("state and nonce have at most 4096 bytes."));
    }
    let challenge = parameters.get("code_challenge").filter(|text| pkce::is_challenge(text));
    let Some(challenge) = challenge.filter(|_| parameters.get("code_challenge_method") == Some("S256")) else {
        return Err(invalid("PKCE is required: code_challenge with code_challenge_method S256."));
    };
    let scope = OauthScope::parse(parameters.get("scope").unwrap_or_default());
    let scope = scope.map_err(|_| refused("invalid_scope", "scope is too long or malformed."))?;
    if !scope.words().all(|word| may.allowed_scopes.iter().any(|allowed| allowed == word)) {
        return Err(refused("invalid_scope", "The application may not ask for one of these scopes."));
    }
    let resources: Vec<String> = parameters.all("resource").map(str::to_owned).collect();
    if resources.len() > RESOURCES_MAX {
        return Err(refused("invalid_target", "Too many resources."));
    }
    if !resources.iter().all(|resource| may.resources.contains(resource)) {
        return Err(refused("invalid_target", "The application may not ask for tokens for this resource."));
    }
    let prompt = prompts(parameters.get("prompt")).ok_or_else(|| invalid("prompt is unknown, or none with others."))?;
    let max_age = parameters.get("max_age").map(str::parse::<u32>).transpose();
    let max_age = max_age.map_err(|_| invalid("max_age is a number of seconds."))?;
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    Ok(AuthorizationRequest {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        response_mode,
        scope,
        resources,
        state: state.map(str::to_owned),
        nonce: text("nonce"),
        code_challenge: challenge.to_owned(),
        prompt,
        max_age,
        acr: parameters.get("acr_values").and_then(|text| text.split(' ').find_map(|word| word.parse().ok())),
        login_hint: text("login_hint").filter(|hint| hint.len() <= HINT_MAX),
        id_token_hint: text("id_token_hint"),
        ui_locales: text("ui_locales").filter(|locales| locales.len() <= HINT_MAX),
    })
}

/// In words, what an application asks of a person that wants these scopes at these APIs. A scope that somebody allowed for one API is not
/// allowed for another by that.
pub fn wishes(scope: &OauthScope, resources: &[String]) -> OauthScope {
    let apis: Vec<String> = resources.iter().map(|api| format!("{API}{api}")).collect();
    OauthScope::of(scope.words().chain(apis.iter().map(String::as_str)))
}

/// The API that such a word is about.
pub fn api_of_wish(word: &str) -> Option<&str> {
    word.strip_prefix(API)
}

fn prompts(text: Option<&str>) -> Option<Vec<Prompt>> {
    let words = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    let prompts: Vec<Prompt> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
    (!prompts.contains(&Prompt::None) || prompts.len() == 1).then_some(prompts)
}

impl AuthorizationRequest {
    /// What the application is told instead of a code.
    pub fn refused(&self, error: &'static str, description: &'static str) -> Refused {
        Refused {
            redirect_uri: self.redirect_uri.clone(),
            response_mode: self.response_mode,
            state: self.state.clone(),
            error,
            description,
        }
    }

    /// Whether the application may still ask this: it may have been changed while the request waited.
    pub fn is_allowed(&self, may: &Asking<'_>) -> bool {
        may.has_codes
            && redirect_uri::is_registered(may.redirect_uris, &self.redirect_uri, may.is_installed)
            && may.covers(&self.scope, &self.resources)
    }

    /// What the person is asked to allow: the scopes, and the APIs that are named with them.
    pub fn wishes(&self) -> OauthScope {
        wishes(&self.scope, &self.resources)
    }

    fn asks(&self, prompt: Prompt) -> bool {
        self.prompt.contains(&prompt)
    }
}

/// Who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn {
    /// The person.
    pub account: AccountId,
    /// Since when.
    pub authenticated_at: Timestamp,
    /// How sure that is.
    pub acr: Acr,
}

/// What a request is decided over.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// Who is signed in, if anybody is.
    pub signed_in: Option<SignedIn>,
    /// The person that a valid hint names; absent without a hint.
    pub hinted: Option<AccountId>,
    /// Whether the application's policy wants two factors.
    pub wants_two: bool,
    /// Whether the person has to be asked whether the application may, and was not.
    pub lacks_consent: bool,
    /// Whether the application asks people every time that the request says so.
    pub was_asked: bool,
    /// When the request arrived: who signed in since then did it for this request.
    pub arrived_at: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Somebody signs in, at least so surely.
    SignIn(Acr),
    /// The person is asked whether the application may.
    Ask,
    /// The application gets its code.
    Issue,
    /// The application is told that it cannot be done without asking the person.
    Refuse(&'static str),
}

/// Decides what happens next.
pub fn next(request: &AuthorizationRequest, situation: &Situation) -> Next {
    let wanted = if situation.wants_two { Acr::Two } else { request.acr.unwrap_or(Acr::One) };
    let is_silent = request.asks(Prompt::None);
    let Some(who) = situation.signed_in.filter(|who| is_who_is_wanted(request, situation, who)) else {
        return if is_silent { Next::Refuse("login_required") } else { Next::SignIn(wanted) };
    };
    if who.acr < wanted {
        return if is_silent { Next::Refuse("unmet_authentication_requirements") } else { Next::SignIn(wanted) };
    }
    let is_to_ask = situation.lacks_consent || (request.asks(Prompt::Consent) && !situation.was_asked);
    match (is_to_ask, is_silent) {
        (true, true) => Next::Refuse("consent_required"),
        (true, false) => Next::Ask,
        (false, _) => Next::Issue,
    }
}

fn is_who_is_wanted(request: &AuthorizationRequest, situation: &Situation, who: &SignedIn) -> bool {
    let is_for_this = who.authenticated_at >= situation.arrived_at;
    let is_to_come_anew = request.asks(Prompt::Login) || request.asks(Prompt::SelectAccount);
    let age_ms = situation.now.millis().saturating_sub(who.authenticated_at.millis());
    let is_recent = request.max_age.is_none_or(|seconds| age_ms <= i64::from(seconds) * SECOND_MS);
    situation.hinted.is_none_or(|hinted| hinted == who.account) && (is_for_this || (!is_to_come_anew && is_recent))
}

#[cfg(test)]
mod tests;
