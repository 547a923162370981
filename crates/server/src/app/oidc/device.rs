//! Devices that cannot show a page: they get a code that somebody types elsewhere (RFC 8628).

use std::sync::Arc;

use api::oauth::DeviceAuthorization;
use crypto::random::Random as _;
use domain::identity::application::GrantType;
use domain::identity::authorization_request::wishes;
use domain::identity::grant::{DEVICE_INTERVAL_MS, DEVICE_MS, Kind as GrantKind, Terms};
use domain::identity::oauth_scope::OauthScope;
use domain::identity::parameters::Parameters;
use domain::identity::session::LiveSession;
use serde::{Deserialize, Serialize};
use store::device_codes::{DeviceState, StoredDevice, approve_device, deny_device, insert_device};
use store::grants::{StoredGrant, insert_grant};

use super::authorize::Said;
use super::client_auth::Proved;
use super::clients::Client;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::writing::Change;
use super::{Kind, Oidc, bearer_hash, on_behalf};
use crate::trail::{Entry, Scene};

/// Letters that nobody takes for others and that spell no words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code: 2^34 codes, of which somebody who guesses gets some thousands before a device stops waiting.
const LENGTH: usize = 8;

/// What a device asked for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceRequest {
    scope: OauthScope,
    resources: Vec<String>,
}

/// A device that waits, as the page shows it.
pub struct WaitingDevice {
    /// Whose.
    pub client: Arc<Client>,
    scope: OauthScope,
    row: StoredDevice,
    resources: Vec<String>,
}

impl WaitingDevice {
    /// What the person is asked to allow.
    pub fn wishes(&self) -> OauthScope {
        wishes(&self.scope, &self.resources)
    }
}

impl Oidc {
    /// Gives a device its codes.
    pub async fn authorize_device(
        &self,
        site: &Site,
        proved: &Proved,
        form: &Parameters,
    ) -> Answered<DeviceAuthorization> {
        let mut entry = Entry::new("DeviceAuthorizationRequested", "identity", "Application");
        entry.resource(proved.client.row.id, &proved.client.row.name);
        let result = self.new_device(site, proved, form, &mut entry).await;
        self.conclude(Scene::application(&site.ctx, proved.client.id()), entry, result).await
    }

    async fn new_device(
        &self,
        site: &Site,
        proved: &Proved,
        form: &Parameters,
        entry: &mut Entry,
    ) -> Answered<DeviceAuthorization> {
        let client = &proved.client;
        client.must_have(GrantType::DeviceCode)?;
        let scope = OauthScope::parse(form.get("scope").unwrap_or_default());
        let scope = scope.map_err(|bad| Refused::new(OauthCode::InvalidScope, format!("{bad}.")))?;
        let settings = &client.row.settings;
        if !scope.words().all(|word| settings.allowed_scopes.iter().any(|allowed| allowed == word)) {
            return Err(Refused::new(OauthCode::InvalidScope, "The application may not ask for one of these scopes."));
        }
        let resources: Vec<String> = form.all("resource").map(str::to_owned).collect();
        self.target(site, client, &resources, &scope)?;
        let (device, user) = (self.bearer(Kind::Device.prefix()), self.user_code());
        let root = &site.ctx.keyring.root;
        let row = StoredDevice {
            hash: bearer_hash(root, Kind::Device, &device),
            user_code: bearer_hash(root, Kind::UserCode, &user),
            application: client.row.id,
            grant: None,
            state: DeviceState::Pending,
            request: serde_json::to_string(&DeviceRequest { scope, resources })?,
            interval_ms: DEVICE_INTERVAL_MS,
            polled_at: None,
            created_at: site.ctx.now(),
            expires_at: site.ctx.now().plus_millis(DEVICE_MS),
        };
        let event = self.event(site, client.id(), entry)?;
        let statements = vec![insert_device(&on_behalf(site.tenant()), &row)];
        self.write("authorize a device", site.tenant(), Change::of(statements), event).await?;
        entry.committed();
        let (first, second) = user.split_at(LENGTH / 2);
        let user_code = format!("{first}-{second}");
        let verification_uri = site.url("/device");
        Ok(DeviceAuthorization {
            device_code: device,
            verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
            user_code,
            verification_uri,
            expires_in: DEVICE_MS / 1_000,
            interval: DEVICE_INTERVAL_MS / 1_000,
        })
    }

    /// Drawn without bias: bytes beyond the last whole multiple are drawn again.
    fn user_code(&self) -> String {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let mut byte = [0; 1];
            self.core.entropy.fill(&mut byte);
            let letter = LETTERS.get(usize::from(byte[0]) % LETTERS.len()).filter(|_| byte[0] < 240);
            code.extend(letter.map(|letter| char::from(*letter)));
        }
        code
    }

    /// The device that waits for this code, however it was typed.
    pub async fn waiting_device(&self, site: &Site, typed: &str) -> Answered<Option<WaitingDevice>> {
        let code: String = typed.chars().filter(char::is_ascii_alphabetic).take(LENGTH + 1).collect();
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::UserCode, &code.to_ascii_uppercase());
        let auth = on_behalf(site.tenant());
        let row = self.core.store.device_by_user_code(&auth, &hash, site.ctx.now()).await?;
        let Some(row) = row else { return Ok(None) };
        let Some(application) = self.core.store.application(&auth, row.application).await? else { return Ok(None) };
        let Some(client) = self.client(site, &application.client_id).await? else { return Ok(None) };
        let DeviceRequest { scope, resources } = serde_json::from_str(&row.request)?;
        // What was taken from the application meanwhile is not given on the strength of what it had before.
        let is_allowed = client.has(GrantType::DeviceCode) && client.asking().covers(&scope, &resources);
        Ok(is_allowed.then_some(WaitingDevice { client, scope, row, resources }))
    }

    /// Does what a person said about a device. False when it does not wait any more, or is none of theirs.
    pub async fn answer_device(
        &self,
        site: &Site,
        device: &WaitingDevice,
        session: &LiveSession,
        said: Said,
    ) -> Answered<bool> {
        if !self.is_enough(site, &device.client, session).await? {
            return Ok(false);
        }
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let mut entry = Entry::new("DeviceAnswered", "identity", "Application");
        entry.resource(device.client.row.id, &device.client.row.name);
        let statements = match said {
            Said::No => vec![deny_device(&auth, &device.row.hash)],
            Said::Yes => {
                let grant = self.new_grant(&device.client, session, &device.scope, &device.resources, now);
                // The device is another one than the browser: it goes on when the browser is signed out. So its tokens name no session either,
                // since nobody is told when that is over.
                let terms = Terms { sid: None, ..grant.terms };
                let grant = StoredGrant { session: None, kind: GrantKind::DeviceCode, terms, ..grant };
                vec![insert_grant(&auth, &grant)?, approve_device(&auth, &device.row.hash, grant.id, now)]
            }
        };
        entry.note(format!("{} by {}", if said == Said::Yes { "allowed" } else { "denied" }, session.account));
        let event = self.event(site, device.client.id(), &entry)?;
        self.write("answer a device", site.tenant(), Change::of(statements), event).await
    }
}
