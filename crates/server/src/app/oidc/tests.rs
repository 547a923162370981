//! The flows of people, over a real platform on SQLite: from the browser's request to tokens, and to whatever ends them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use api::casing::Casing;
use api::oauth::TokenAnswer;
use crypto::algorithm::Algorithm;
use crypto::hash::sha256;
use crypto::secret::SecretBytes;
use domain::authz::on_behalf_of_the_platform;
use domain::identity::account::{AccountRealm, Profile, State as AccountState};
use domain::identity::application::{Consent, Environment, GrantType, Kind as AppKind, Settings, State};
use domain::identity::oauth_scope::OauthScope;
use domain::identity::parameters::Parameters;
use domain::identity::session::LiveSession;
use domain::ids::{AccountId, ApplicationId, RequestId, SessionId};
use domain::time::{HOUR_MS, Timestamp};
use serde_json::{Value, json};
use store::accounts::{StoredAccount, insert_account};
use store::applications::{StoredApplication, insert_application, update_application};
use store::{Stmt, sql};

use super::authorize::{Said, Sent};
use super::client_auth::Shown;
use super::refusal::{Answered, OauthCode};
use super::site::Site;
use super::{Oidc, SignedOut, jws, on_behalf};
use crate::app::tenants::bytes;
use crate::config::Config;
use crate::ctx::Origin;
use crate::keyring::Keyring;
use crate::keyring::cells::Cell;
use crate::platform::{Draft, Platform, open_store};
use crate::seal::{Given, Kind};
use crate::{clock, entropy};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "https://app.example/cb";

struct Bed {
    _folder: tempfile::TempDir,
    platform: Platform,
    oidc: Arc<Oidc>,
    keyring: Arc<Keyring>,
}

impl Bed {
    async fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::dev(folder.path(), "127.0.0.1:8640".parse().unwrap()).unwrap();
        let store = open_store(&config).await.unwrap();
        store::migrate::migrate(&store, clock::now()).await.unwrap();
        let draft = Draft::new(Kind::File, &entropy::pool(&[])).unwrap();
        let Given::UnsealKey(key) = &draft.given else { panic!("a file seal gives a key") };
        let key = SecretBytes::copy_from(key.expose());
        draft.write(&store).await.unwrap();
        store.close().await;
        drop(store);
        let platform = Platform::start(&config).await.unwrap();
        platform.unseal(key).await.unwrap();
        let (oidc, keyring) = (Arc::clone(&platform.services.oidc), platform.seal.keyring().unwrap());
        Arc::new(Self { _folder: folder, platform, oidc, keyring })
    }

    async fn site(&self) -> Site {
        self.site_at(clock::now()).await
    }

    async fn site_at(&self, now: Timestamp) -> Site {
        let origin = Origin {
            request_id: RequestId::from_random(bytes(&*self.platform.entropy)),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            user_agent: None,
            now,
            casing: Casing::Camel,
            snake_body: Arc::default(),
            operation: "test",
            allowance: Arc::default(),
        };
        self.oidc.site(&self.keyring, origin, None, None).await.unwrap()
    }

    async fn write(&self, statements: Vec<Stmt>) {
        let tenant = *self.site().await.tenant().as_bytes();
        let written = self.platform.store.write("test", move |tx| {
            let statements = statements.clone();
            Box::pin(async move {
                tx.exec_all(statements).await?;
                tx.bump_epoch(tenant);
                Ok(())
            })
        });
        written.await.unwrap();
    }

    async fn app(&self, client_id: &str, change: impl FnOnce(&mut Settings)) -> ApplicationId {
        let mut settings = Settings::of_kind(AppKind::Spa);
        settings.redirect_uris = vec![CALLBACK.to_owned()];
        settings.post_logout_redirect_uris = vec!["https://app.example/bye".to_owned()];
        settings.grant_types.push(GrantType::DeviceCode);
        settings.allowed_scopes.push("api:read".to_owned());
        change(&mut settings);
        let row = StoredApplication {
            id: ApplicationId::from_random(bytes(&*self.platform.entropy)),
            client_id: client_id.to_owned(),
            name: client_id.to_owned(),
            kind: AppKind::Spa,
            environment: Environment::Development,
            state: State::Active,
            settings,
            tokens_not_before: Timestamp::from_millis(0),
            grants_not_before: Timestamp::from_millis(0),
            revision: 1,
            created_at: clock::now(),
            updated_at: clock::now(),
        };
        let site = self.site().await;
        self.write(vec![insert_application(&on_behalf(site.tenant()), &row).unwrap()]).await;
        row.id
    }

    /// Somebody who just signed in to an application.
    async fn signed_in(&self, application: ApplicationId, name: &str) -> LiveSession {
        let site = self.site().await;
        let (id, now) = (AccountId::from_random(bytes(&*self.platform.entropy)), clock::now());
        let realm = AccountRealm::Application(application);
        let profile =
            Profile { email: format!("{name}@b.example"), display_name: name.to_owned(), ..Profile::default() };
        let cell = Cell { table: "account", row: id.as_bytes(), column: "profile", version: 0 };
        let profile = serde_json::to_vec(&profile).unwrap();
        let row = StoredAccount {
            id,
            realm,
            email: sha256(&[id.as_bytes()]),
            is_email_verified: true,
            state: AccountState::Active,
            role: None,
            profile: site.ctx.keys.cells.seal(cell, &profile, &*self.platform.entropy).unwrap(),
            has_password: false,
            must_change_password: false,
            has_second_factor: false,
            tokens_not_before: Timestamp::from_millis(0),
            grants_not_before: Timestamp::from_millis(0),
            login_count: 0,
            last_login_at: None,
            blocked_at: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let session = LiveSession {
            id: SessionId::from_random(bytes(&*self.platform.entropy)),
            sid: format!("sid-{name}"),
            account: id,
            realm,
            acr: "urn:qapi:acr:1".to_owned(),
            amr: vec!["pwd".to_owned()],
            authenticated_at: now,
        };
        let insert = "INSERT INTO session (tenant, id, hash, sid, realm, account, state, acr, amr, authenticated_at, created_at, \
                      seen_at, idle_ms, expires_at, sealed) VALUES ($1, $2, $3, $4, $5, $6, 'live', $7, 'pwd', $8, $8, $8, $9, $10, $3)";
        let insert = sql(insert)
            .bind(site.tenant().as_bytes())
            .bind(session.id.as_bytes())
            .bind(sha256(&[session.id.as_bytes()]))
            .bind(&session.sid)
            .bind(realm.to_bytes())
            .bind(id.as_bytes())
            .bind(&session.acr)
            .bind(now.millis())
            .bind(HOUR_MS)
            .bind(now.plus_millis(12 * HOUR_MS).millis());
        self.write(vec![insert_account(&on_behalf(site.tenant()), &row), insert]).await;
        session
    }

    async fn authorize(&self, client_id: &str, extra: &str, session: Option<&LiveSession>) -> Sent {
        let challenge = jws::base64url(&sha256(&[VERIFIER.as_bytes()]));
        let query = format!(
            "client_id={client_id}&response_type=code&redirect_uri={CALLBACK}&state=st&nonce=no\
             &code_challenge={challenge}&code_challenge_method=S256{extra}"
        );
        let parameters = Parameters::parse(&query).unwrap();
        self.oidc.authorize(&self.site().await, &parameters, session).await.unwrap()
    }

    async fn code(&self, client_id: &str, scope: &str, session: &LiveSession) -> String {
        answered(&self.authorize(client_id, &format!("&scope={scope}"), Some(session)).await)["code"].clone()
    }

    async fn token(&self, form: &str) -> Answered<TokenAnswer> {
        self.token_at(form, clock::now()).await
    }

    async fn token_at(&self, form: &str, now: Timestamp) -> Answered<TokenAnswer> {
        let form = Parameters::parse(form).unwrap();
        let shown = Shown { basic: None, form: &form };
        self.oidc.token(&self.site_at(now).await, &shown, &self.platform.credentials).await
    }

    async fn redeem(&self, client_id: &str, code: &str) -> Answered<TokenAnswer> {
        self.token(&redeeming(client_id, code)).await
    }

    async fn refresh(&self, client_id: &str, token: &str) -> Answered<TokenAnswer> {
        self.token(&refreshing(client_id, token)).await
    }

    async fn is_alive(&self, token: &str) -> bool {
        self.oidc.alive(&self.site().await, token).await.is_ok()
    }
}

fn redeeming(client_id: &str, code: &str) -> String {
    format!(
        "grant_type=authorization_code&client_id={client_id}&code={code}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}"
    )
}

fn refreshing(client_id: &str, token: &str) -> String {
    format!("grant_type=refresh_token&client_id={client_id}&refresh_token={token}")
}

/// The parameters that a browser brings to the application.
#[track_caller]
fn answered(sent: &Sent) -> HashMap<String, String> {
    let Sent::To(address) = sent else { panic!("not sent back: {sent:?}") };
    let query = address.strip_prefix(&format!("{CALLBACK}?")).unwrap_or_else(|| panic!("sent to {address}"));
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.replace("%3A", ":").replace("%2F", "/"))).collect()
}

#[track_caller]
fn waits(sent: &Sent, page: &str) -> String {
    let Sent::To(address) = sent else { panic!("not sent on: {sent:?}") };
    address.strip_prefix(&format!("{page}?interaction=")).unwrap_or_else(|| panic!("sent to {address}")).to_owned()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Answered<T>, code: OauthCode) {
    assert_eq!(answer.unwrap_err().code, code);
}

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn happy_code() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let session = bed.signed_in(app, "ada").await;
    let handle = waits(&bed.authorize("app", "&scope=openid+email", None).await, "/login");
    let answer = answered(&bed.oidc.resume(&bed.site().await, &handle, &session).await.unwrap());
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("st", "http://127.0.0.1:8640"));
    assert!(matches!(bed.oidc.resume(&bed.site().await, &handle, &session).await.unwrap(), Sent::Nowhere(_)));
    let tokens = bed.redeem("app", &answer["code"]).await.unwrap();
    let (access, id) = (claims(&tokens.access_token), claims(tokens.id_token.as_deref().unwrap()));
    for (token, name, value) in [
        (&access, "sub", session.account.to_string()),
        (&access, "aud", "app".to_owned()),
        (&access, "sid", "sid-ada".to_owned()),
        (&access, "acr", "urn:qapi:acr:1".to_owned()),
        (&id, "sub", session.account.to_string()),
        (&id, "nonce", "no".to_owned()),
        (&id, "sid", "sid-ada".to_owned()),
        (&id, "email", "ada@b.example".to_owned()),
    ] {
        assert_eq!(token[name], value.as_str(), "{name} of {token}");
    }
    assert_eq!(id["auth_time"], session.authenticated_at.seconds());
    let hash = crypto::jose::SignatureAlgorithm::of_key(Algorithm::MlDsa65).unwrap().half_hash(&tokens.access_token);
    assert_eq!(id["at_hash"], hash.as_str());
    let info = bed.oidc.userinfo(&bed.site().await, Some(&tokens.access_token)).await.unwrap();
    assert_eq!((info.email.as_deref(), info.name), (Some("ada@b.example"), None));
    // Neither token passes for the other.
    refused(bed.oidc.userinfo(&bed.site().await, tokens.id_token.as_deref()).await, OauthCode::InvalidToken);
    // Signed in once, the next request needs nobody.
    let silent = answered(&bed.authorize("app", "&scope=openid&prompt=none", Some(&session)).await);
    assert!(silent.contains_key("code"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_of_a_token_is_all_that_it_says() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    bed.app("stranger", |_| {}).await;
    bed.app("caller", |settings| settings.resources = vec!["app".to_owned()]).await;
    bed.app("api", |settings| settings.serves = vec!["app".to_owned()]).await;
    let session = bed.signed_in(app, "ada").await;
    let token = bed.redeem("app", &bed.code("app", "openid", &session).await).await.unwrap().access_token;
    let site = bed.site().await;
    let known = bed.oidc.alive(&site, &token).await.unwrap();
    let said: domain::identity::claims::AccessClaims = serde_json::from_value(claims(&token)).unwrap();
    assert!(said.gid.is_some());
    assert_eq!(known.claims().unwrap(), said);
    // Whoever asks first is remembered, and nobody is told for that reason alone, nor told anything else.
    for (name, is_told) in
        [("stranger", false), ("api", true), ("stranger", false), ("caller", false), ("app", true), ("api", true)]
    {
        let client = bed.oidc.client(&site, name).await.unwrap().unwrap();
        let told = known.told_to(&client).unwrap();
        assert_eq!(told.is_some(), is_told, "{name}");
        let Some(told) = told else { continue };
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!((&told["active"], &told["jti"], &told["gid"]), (&json!(true), &json!(said.jti), &Value::Null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_was_read_before_it_changed_is_not_remembered_as_who_may_know() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let api = bed.app("api", |settings| settings.serves = vec!["app".to_owned()]).await;
    let session = bed.signed_in(app, "ada").await;
    let token = bed.redeem("app", &bed.code("app", "openid", &session).await).await.unwrap().access_token;
    let site = bed.site().await;
    let before = bed.oidc.client(&site, "api").await.unwrap().unwrap();
    let auth = on_behalf_of_the_platform(site.tenant());
    let mut row = bed.platform.store.application(&auth, api).await.unwrap().unwrap();
    row.settings.serves.clear();
    bed.write(vec![update_application(&auth, &row).unwrap()]).await;
    // Its request was under way.
    let known = bed.oidc.alive(&site, &token).await.unwrap();
    assert!(known.told_to(&before).unwrap().is_some());
    let after = bed.oidc.client(&site, "api").await.unwrap().unwrap();
    assert!(known.told_to(&after).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn code_reuse_race_and_other_client() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    bed.app("other", |_| {}).await;
    let session = bed.signed_in(app, "ada").await;
    let code = bed.code("app", "openid", &session).await;
    refused(bed.redeem("other", &code).await, OauthCode::InvalidGrant);
    let first = bed.redeem("app", &code).await.unwrap();
    assert!(bed.is_alive(&first.access_token).await);
    refused(bed.redeem("app", &code).await, OauthCode::InvalidGrant);
    assert!(!bed.is_alive(&first.access_token).await, "what the first redemption gave is dead");
    refused(bed.refresh("app", first.refresh_token.as_deref().unwrap()).await, OauthCode::InvalidGrant);

    let code = bed.code("app", "openid", &session).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (bed, code) = (Arc::clone(&bed), code.clone());
        tries.spawn(async move { bed.redeem("app", &code).await });
    }
    let won: Vec<TokenAnswer> = tries.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 1, "exactly one of fifty is answered");
    assert!(!bed.is_alive(&won[0].access_token).await, "and nobody knows whether it was the right one");
}

#[tokio::test(flavor = "multi_thread")]
async fn pkce_wrong_or_omitted_and_redirect_missing_burn_the_code() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let session = bed.signed_in(app, "ada").await;
    for (from, to) in [
        (VERIFIER, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        (&*format!("&code_verifier={VERIFIER}"), ""),
        (CALLBACK, "https://app.example/other"),
        (&*format!("&redirect_uri={CALLBACK}"), ""),
    ] {
        let code = bed.code("app", "openid", &session).await;
        refused(bed.token(&redeeming("app", &code).replace(from, to)).await, OauthCode::InvalidGrant);
        refused(bed.redeem("app", &code).await, OauthCode::InvalidGrant);
    }
    let code = bed.code("app", "openid", &session).await;
    let late = clock::now().plus_millis(61_000);
    refused(bed.token_at(&redeeming("app", &code), late).await, OauthCode::InvalidGrant);
    refused(bed.redeem("app", &code).await, OauthCode::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_rotates_and_reuse_ends_the_family() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let session = bed.signed_in(app, "ada").await;
    let code = bed.code("app", "openid+api:read", &session).await;
    let first = bed.redeem("app", &code).await.unwrap().refresh_token.unwrap();
    let second = bed.refresh("app", &first).await.unwrap();
    let second_refresh = second.refresh_token.clone().unwrap();
    assert_ne!(first, second_refresh);
    // A lost answer can be had again for a moment.
    assert_eq!(bed.refresh("app", &first).await.unwrap().refresh_token.as_ref(), Some(&second_refresh));
    let wider = format!("{}&scope=openid+email", refreshing("app", &second_refresh));
    refused(bed.token(&wider).await, OauthCode::InvalidScope);
    let narrow = format!("{}&scope=openid", refreshing("app", &second_refresh));
    let third = bed.token(&narrow).await.unwrap();
    assert_eq!(third.scope.as_deref(), Some("openid"));
    assert!(bed.is_alive(&third.access_token).await);
    // The first is old, and its successor was used: somebody else has it.
    refused(bed.refresh("app", &first).await, OauthCode::InvalidGrant);
    assert!(!bed.is_alive(&third.access_token).await);
    refused(bed.refresh("app", third.refresh_token.as_deref().unwrap()).await, OauthCode::InvalidGrant);

    let code = bed.code("app", "openid", &session).await;
    let token = bed.redeem("app", &code).await.unwrap().refresh_token.unwrap();
    bed.refresh("app", &token).await.unwrap();
    let late = clock::now().plus_millis(6_000);
    refused(bed.token_at(&refreshing("app", &token), late).await, OauthCode::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_race() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let session = bed.signed_in(app, "ada").await;
    let code = bed.code("app", "openid", &session).await;
    let token = bed.redeem("app", &code).await.unwrap().refresh_token.unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (bed, token) = (Arc::clone(&bed), token.clone());
        tries.spawn(async move { bed.refresh("app", &token).await });
    }
    let answers = tries.join_all().await;
    let successors: std::collections::BTreeSet<String> =
        answers.into_iter().filter_map(|answer| answer.ok()?.refresh_token).collect();
    assert_eq!(successors.len(), 1, "one family, one successor");
    bed.refresh("app", successors.first().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_after_what_ends_a_person_or_a_session() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let tenant = *bed.site().await.tenant().as_bytes();
    let later = clock::now().plus_millis(60_000).millis();
    for (what, change, refreshes) in [
        ("blocked", "UPDATE account SET state = 'blocked' WHERE tenant = $1 AND id = $2 AND $3 > 0", false),
        ("reset", "UPDATE account SET grants_not_before = $3 WHERE tenant = $1 AND id = $2", false),
        ("signed out", "UPDATE session SET state = 'ended' WHERE tenant = $1 AND account = $2 AND $3 > 0", false),
        ("erased", "DELETE FROM account WHERE tenant = $1 AND id = $2 AND $3 > 0", false),
        ("withdrawn", "UPDATE token_grant SET state = 'ended' WHERE tenant = $1 AND account = $2 AND $3 > 0", false),
        ("nothing", "UPDATE account SET ver = ver + 1 WHERE tenant = $1 AND id = $2 AND $3 > 0", true),
    ] {
        let session = bed.signed_in(app, what).await;
        let code = bed.code("app", "openid+offline_access", &session).await;
        let tokens = bed.redeem("app", &code).await.unwrap();
        assert!(bed.is_alive(&tokens.access_token).await, "{what}");
        bed.write(vec![sql(change).bind(tenant).bind(session.account.as_bytes()).bind(later)]).await;
        assert_eq!(bed.is_alive(&tokens.access_token).await, refreshes, "{what}");
        let refreshed = bed.refresh("app", tokens.refresh_token.as_deref().unwrap()).await;
        assert_eq!(refreshed.is_ok(), refreshes, "{what}");
    }
    // A change of roles ends access tokens and leaves the grant.
    let session = bed.signed_in(app, "roles").await;
    let code = bed.code("app", "openid", &session).await;
    let tokens = bed.redeem("app", &code).await.unwrap();
    let cut = "UPDATE account SET tokens_not_before = $3 WHERE tenant = $1 AND id = $2";
    let now = clock::now().plus_millis(1).millis();
    bed.write(vec![sql(cut).bind(tenant).bind(session.account.as_bytes()).bind(now)]).await;
    assert!(!bed.is_alive(&tokens.access_token).await);
    let a_moment_later = clock::now().plus_millis(10);
    let again = refreshing("app", tokens.refresh_token.as_deref().unwrap());
    let fresh = bed.token_at(&again, a_moment_later).await.unwrap();
    assert!(bed.is_alive(&fresh.access_token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn prompt_none_login_and_consent() {
    let bed = Bed::new().await;
    let app = bed.app("app", |settings| settings.consent = Consent::Ask).await;
    let session = bed.signed_in(app, "ada").await;
    let silent = |session| bed.authorize("app", "&scope=openid&prompt=none", session);
    assert_eq!(answered(&silent(None).await)["error"], "login_required");
    assert_eq!(answered(&silent(Some(&session)).await)["error"], "consent_required");
    let refusing = waits(&bed.authorize("app", "&scope=openid", Some(&session)).await, "/consent");
    let no = bed.oidc.consented(&bed.site().await, &refusing, &session, Said::No).await.unwrap();
    assert_eq!(answered(&no)["error"], "access_denied");
    let asking = waits(&bed.authorize("app", "&scope=openid", Some(&session)).await, "/consent");
    let yes = bed.oidc.consented(&bed.site().await, &asking, &session, Said::Yes).await.unwrap();
    assert!(answered(&yes).contains_key("code"));
    assert!(answered(&silent(Some(&session)).await).contains_key("code"), "nobody is asked twice");
    let more = bed.authorize("app", "&scope=openid+email", Some(&session)).await;
    waits(&more, "/consent");
    // A fresh sign-in is asked for, and what was signed in before does not do.
    let old = LiveSession { authenticated_at: session.authenticated_at.plus_millis(-5_000), ..session.clone() };
    for extra in ["&scope=openid&prompt=login", "&scope=openid&max_age=1"] {
        waits(&bed.authorize("app", extra, Some(&old)).await, "/login");
    }
    waits(&bed.authorize("app", "&scope=openid&acr_values=urn:qapi:acr:2", Some(&session)).await, "/login");
    // A session of another application's people is none here.
    let other = bed.app("other", |_| {}).await;
    let stranger = bed.signed_in(other, "bob").await;
    waits(&bed.authorize("app", "&scope=openid", Some(&stranger)).await, "/login");
}

#[tokio::test(flavor = "multi_thread")]
async fn id_token_hint_other_user_and_form_post() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let (ada, bob) = (bed.signed_in(app, "ada").await, bed.signed_in(app, "bob").await);
    let code = bed.code("app", "openid", &ada).await;
    let hint = bed.redeem("app", &code).await.unwrap().id_token.unwrap();
    let with_hint = format!("&scope=openid&prompt=none&id_token_hint={hint}");
    assert_eq!(answered(&bed.authorize("app", &with_hint, Some(&bob)).await)["error"], "login_required");
    assert!(answered(&bed.authorize("app", &with_hint, Some(&ada)).await).contains_key("code"));
    let posted = bed.authorize("app", "&scope=openid&response_mode=form_post", Some(&ada)).await;
    let Sent::Posted { to, fields } = posted else { panic!("not posted: {posted:?}") };
    assert!(to == CALLBACK && fields.iter().any(|(name, _)| *name == "iss"), "{fields:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn device_allowed_denied_expired_and_reused() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let session = bed.signed_in(app, "ada").await;
    let begin = || async {
        let form = Parameters::parse("client_id=app&scope=openid").unwrap();
        let shown = Shown { basic: None, form: &form };
        let site = bed.site().await;
        let proved = bed.oidc.prove(&site, &shown, &bed.platform.credentials).await.unwrap();
        bed.oidc.authorize_device(&site, &proved, &form).await.unwrap()
    };
    let ask = |code: &str| {
        format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=app&device_code={code}")
    };
    let allowed = begin().await;
    refused(bed.token(&ask(&allowed.device_code)).await, OauthCode::AuthorizationPending);
    refused(bed.token(&ask(&allowed.device_code)).await, OauthCode::SlowDown);
    let typed = allowed.user_code.to_lowercase().replace('-', " ");
    let site = bed.site().await;
    let waiting = bed.oidc.waiting_device(&site, &typed).await.unwrap().unwrap();
    assert!(bed.oidc.answer_device(&site, &waiting, &session, Said::Yes).await.unwrap());
    assert!(!bed.oidc.answer_device(&site, &waiting, &session, Said::Yes).await.unwrap(), "it is answered once");
    let tokens = bed.token(&ask(&allowed.device_code)).await.unwrap();
    assert!(bed.is_alive(&tokens.access_token).await && tokens.refresh_token.is_some());
    refused(bed.token(&ask(&allowed.device_code)).await, OauthCode::InvalidGrant);
    let denied = begin().await;
    let waiting = bed.oidc.waiting_device(&site, &denied.user_code).await.unwrap().unwrap();
    assert!(bed.oidc.answer_device(&site, &waiting, &session, Said::No).await.unwrap());
    refused(bed.token(&ask(&denied.device_code)).await, OauthCode::AccessDenied);
    let late = begin().await;
    let then = clock::now().plus_millis(601_000);
    refused(bed.token_at(&ask(&late.device_code), then).await, OauthCode::ExpiredToken);
    assert!(bed.oidc.waiting_device(&site, "ZZZZ-ZZZZ").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_ends_what_began_in_the_session() {
    let bed = Bed::new().await;
    let app = bed.app("app", |settings| settings.backchannel_logout_uri = Some("http://127.0.0.1:1/out".into())).await;
    let (ada, bob) = (bed.signed_in(app, "ada").await, bed.signed_in(app, "bob").await);
    let code = bed.code("app", "openid+offline_access", &ada).await;
    let tokens = bed.redeem("app", &code).await.unwrap();
    let hint = tokens.id_token.unwrap();
    let out = |query: String, session: LiveSession| {
        let bed = Arc::clone(&bed);
        async move {
            let parameters = Parameters::parse(&query).unwrap();
            bed.oidc.sign_out(&bed.site().await, &parameters, Some(&session)).await.unwrap()
        }
    };
    let back = "post_logout_redirect_uri=https://app.example/bye&state=s";
    // Somebody else's hint, or none: the person is asked.
    let asked = out(format!("id_token_hint={hint}&{back}"), bob.clone()).await;
    assert!(matches!(asked, SignedOut::Ask { .. }), "{asked:?}");
    let asked = out("client_id=app".to_owned(), ada.clone()).await;
    let SignedOut::Ask { confirm } = asked else { panic!("not asked: {asked:?}") };
    let forged = out(format!("client_id=app&confirm={confirm}"), bob).await;
    assert!(matches!(forged, SignedOut::Ask { .. }), "a confirmation is good for its session alone");
    assert!(bed.is_alive(&tokens.access_token).await);
    let done = out(format!("id_token_hint={hint}&{back}"), ada).await;
    assert!(matches!(&done, SignedOut::To(to) if to == "https://app.example/bye?state=s"), "{done:?}");
    assert!(!bed.is_alive(&tokens.access_token).await);
    refused(bed.refresh("app", tokens.refresh_token.as_deref().unwrap()).await, OauthCode::InvalidGrant);
    let due = bed.platform.store.logout_notices_due(clock::now(), 10).await.unwrap();
    assert_eq!(due.iter().map(|notice| notice.sid.as_str()).collect::<Vec<_>>(), ["sid-ada"]);
    // Nobody listens there: it is tried for hours, and then kept for whoever asks.
    let dead =
        async || bed.platform.store.dead_logout_notices(&on_behalf(bed.site().await.tenant()), app).await.unwrap();
    let mut at = clock::now();
    for tries in 1..=8 {
        assert!(dead().await.is_empty(), "given up after {tries} tries");
        bed.oidc.tell_due_logouts(&bed.keyring, at).await.unwrap();
        at = at.plus_millis(5 * HOUR_MS);
    }
    assert_eq!(dead().await.iter().map(|notice| notice.tries).collect::<Vec<_>>(), [8]);
    assert!(bed.platform.store.logout_notices_due(at, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_of_a_grant_survive_as_they_were_given() {
    let bed = Bed::new().await;
    let app = bed.app("app", |_| {}).await;
    let session = bed.signed_in(app, "ada").await;
    let code = bed.code("app", "openid+email+api:read", &session).await;
    let tokens = bed.redeem("app", &code).await.unwrap();
    let scope = OauthScope::parse(tokens.scope.as_deref().unwrap()).unwrap();
    assert_eq!(scope, OauthScope::of(["openid", "email", "api:read"]));
}
