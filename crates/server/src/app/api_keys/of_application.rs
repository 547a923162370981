//! API keys that belong to an application. Their maker's own key bounds them in time, network and rate, as it does any other.

use api::applications::{ApplicationKey, CreateApplicationKey};
use api::secret::SecretText;
use domain::authz::{Authorized, WriteApplications};
use domain::ids::ApplicationId;
use domain::time::Timestamp;
use store::api_keys::{ApiKey, insert_api_key};

use super::granting::Wanted;
use super::{ApiKeys, is_active};
use crate::ctx::Ctx;
use crate::problem::Outcome;
use crate::trail::Entry;

impl ApiKeys {
    /// Makes a key with what the application may do: its scopes and limits as columns. The caller has checked that its own
    /// credential covers them.
    pub async fn create_for(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        application: ApplicationId,
        (scopes, limits): (String, String),
        request: CreateApplicationKey,
        entry: &mut Entry,
    ) -> Outcome<ApplicationKey> {
        let text = domain::api_key::new_text(&*self.core.entropy);
        let row = ApiKey { scopes, limits, application: Some(application), ..self.blank_row(ctx, &text) };
        let own = self.granting(ctx, auth).await?;
        let wanted = own.confine(Wanted::of_application(&row, request, ctx.now())?);
        own.permits(&wanted)?;
        let row = wanted.into_row(row);
        entry.resource(row.id, &row.name);
        entry.note(format!("application={application}"));
        self.commit(ctx, "create application key", vec![insert_api_key(&row)], entry).await?;
        let text = SecretText::new(String::from_utf8_lossy(text.expose()).into_owned());
        Ok(show(&row, application, Some(text), ctx.now()))
    }
}

/// A key of an application as it is answered.
pub fn show(row: &ApiKey, application: ApplicationId, key: Option<SecretText>, now: Timestamp) -> ApplicationKey {
    ApplicationKey {
        id: row.id.uuid(),
        application_id: application.uuid(),
        name: row.name.clone(),
        prefix: row.prefix.clone(),
        key,
        is_active: is_active(row, now),
        created_at: row.created_at.into(),
        expires_at: row.expires_at.map(Into::into),
        last_used_at: row.last_used_at.map(Into::into),
    }
}
