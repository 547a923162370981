//! Tokens for a device, once somebody has typed its code elsewhere (RFC 8628).

use api::oauth::TokenAnswer;
use domain::identity::application::GrantType;
use store::device_codes::{DeviceState, StoredDevice, poll_device, spend_device};

use super::{Asked, person_of};
use crate::app::oidc::refusal::{Answered, OauthCode, Refused};
use crate::app::oidc::tokens_read::is_of;
use crate::app::oidc::writing::Change;
use crate::app::oidc::{Kind, Oidc, bearer_hash, on_behalf};
use crate::trail::Entry;

/// By how much a device waits longer that asks too often (RFC 8628, 3.5).
const SLOWER_MS: i64 = 5_000;

impl Oidc {
    pub(super) async fn device_code(&self, asked: &Asked<'_>, entry: &mut Entry) -> Answered<TokenAnswer> {
        let (site, auth) = (asked.site, on_behalf(asked.site.tenant()));
        let shown = asked.form.get("device_code").ok_or_else(|| Refused::invalid("device_code is missing."))?;
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Device, shown);
        let row = self.core.store.device(&auth, &hash).await?;
        let row = row.filter(|row| is_of(row.application, &asked.proved.client));
        let row = row.ok_or_else(|| Refused::grant("there is no such device code"))?;
        if row.expires_at <= site.ctx.now() {
            return Err(Refused::new(OauthCode::ExpiredToken, "The device waited too long."));
        }
        match row.state {
            DeviceState::Spent => Err(Refused::grant("the device code was redeemed before")),
            DeviceState::Denied => Err(Refused::new(OauthCode::AccessDenied, "Somebody said no.")),
            DeviceState::Pending => self.not_yet(asked, &row).await,
            DeviceState::Approved => self.arrived(asked, &row, entry).await,
        }
    }

    async fn not_yet<T>(&self, asked: &Asked<'_>, row: &StoredDevice) -> Answered<T> {
        let now = asked.site.ctx.now();
        let is_early = row.polled_at.is_some_and(|at| at.plus_millis(row.interval_ms) > now);
        let interval_ms = if is_early { row.interval_ms.saturating_add(SLOWER_MS) } else { row.interval_ms };
        let statement = poll_device(&on_behalf(asked.site.tenant()), &row.hash, interval_ms, now);
        let written = self.core.store.write("poll for a device", move |tx| {
            let statement = statement.clone();
            Box::pin(async move { tx.exec(statement).await })
        });
        written.await?;
        Err(match is_early {
            true => Refused::new(OauthCode::SlowDown, "Wait five seconds longer from now on."),
            false => Refused::new(OauthCode::AuthorizationPending, "Nobody typed the code yet."),
        })
    }

    async fn arrived(&self, asked: &Asked<'_>, row: &StoredDevice, entry: &mut Entry) -> Answered<TokenAnswer> {
        let (site, auth) = (asked.site, on_behalf(asked.site.tenant()));
        let client = &asked.proved.client;
        let id = row.grant.ok_or_else(|| Refused::grant("nobody granted anything"))?;
        entry.resource_id(id).note("device_code");
        let grant = self.core.store.grant(&auth, id).await?.ok_or_else(|| Refused::grant("the grant is gone"))?;
        self.grant_must_live(site, client.id(), grant.account, grant.id).await?;
        let person = self.person(site, person_of(&grant)?).await?;
        let (scope, resources) = asked.narrowed(&grant.terms.scope, &grant.terms.resources)?;
        let issued = self.tokens_of(asked, &grant, &person, &scope, &resources).await?;
        let mut answer = issued.answer;
        let mut statements = vec![spend_device(&auth, &row.hash)];
        statements.extend(issued.row);
        if client.has(GrantType::RefreshToken) {
            let (text, statement) = self.first_refresh(asked, &grant);
            answer.refresh_token = Some(text);
            statements.push(statement);
        }
        let event = self.event(site, client.id(), entry)?;
        if !self.write("redeem a device code", site.tenant(), Change::of(statements), event).await? {
            return Err(Refused::grant("the device code was redeemed before"));
        }
        entry.committed();
        Ok(answer)
    }
}
