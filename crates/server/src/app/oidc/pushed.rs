//! Requests that applications push before a browser brings them (RFC 9126).

use api::oauth::PushedRequest;
use domain::identity::application::GrantType;
use domain::identity::authorization_request::{AuthorizationRequest, Refusal, read};
use domain::identity::grant::PUSHED_MS;
use domain::identity::parameters::Parameters;
use store::pushed_requests::{StoredRequest, insert_pushed, spend_pushed};

use super::client_auth::Proved;
use super::clients::Client;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::writing::Change;
use super::{Kind, Oidc, bearer_hash, on_behalf};
use crate::trail::{Entry, Scene};

impl Oidc {
    /// Takes a request, checked as if a browser had brought it.
    pub async fn push(&self, site: &Site, proved: &Proved, form: &Parameters) -> Answered<PushedRequest> {
        let mut entry = Entry::new("AuthorizationPushed", "identity", "Application");
        entry.resource(proved.client.row.id, &proved.client.row.name);
        let result = self.push_now(site, proved, form, &mut entry).await;
        self.conclude(Scene::application(&site.ctx, proved.client.id()), entry, result).await
    }

    async fn push_now(
        &self,
        site: &Site,
        proved: &Proved,
        form: &Parameters,
        entry: &mut Entry,
    ) -> Answered<PushedRequest> {
        let client = &proved.client;
        client.must_have(GrantType::AuthorizationCode)?;
        if form.has("request_uri") {
            return Err(Refused::invalid("request_uri cannot be pushed."));
        }
        let request = read(form, client.id(), &client.asking()).map_err(|refusal| match refusal {
            Refusal::Page(why) => Refused::invalid(why),
            Refusal::Redirect(told) => match told.error {
                "invalid_scope" => Refused::new(OauthCode::InvalidScope, told.description),
                "invalid_target" => Refused::new(OauthCode::InvalidTarget, told.description),
                error => Refused::invalid(format!("{error}: {}", told.description)),
            },
        })?;
        let text = self.bearer(Kind::Pushed.prefix());
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Pushed, &text);
        let row = StoredRequest {
            hash,
            application: client.row.id,
            sealed: self.seal_request(site, "pushed_request", &hash, &request)?,
            created_at: site.ctx.now(),
            expires_at: site.ctx.now().plus_millis(PUSHED_MS),
        };
        let event = self.event(site, client.id(), entry)?;
        let statements = vec![insert_pushed(&on_behalf(site.tenant()), &row)];
        self.write("push a request", site.tenant(), Change::of(statements), event).await?;
        entry.committed();
        Ok(PushedRequest { request_uri: text, expires_in: PUSHED_MS / 1_000 })
    }

    /// The request that a client pushed, once.
    pub(super) async fn take_pushed(
        &self,
        site: &Site,
        client: &Client,
        uri: &str,
    ) -> Answered<Option<AuthorizationRequest>> {
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Pushed, uri);
        let (auth, application, now) = (on_behalf(site.tenant()), client.row.id, site.ctx.now());
        let spent = self.core.store.write("take a pushed request", move |tx| {
            let auth = auth.duplicate();
            Box::pin(async move { spend_pushed(tx, &auth, application, &hash, now).await })
        });
        let Some(row) = spent.await? else { return Ok(None) };
        let request: AuthorizationRequest = self.open_request(site, "pushed_request", &hash, &row.sealed)?;
        Ok(Some(request).filter(|request| request.is_allowed(&client.asking())))
    }
}
