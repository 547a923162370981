//! Finding secrets by what is not sealed: name, labels, content type.

use api::secrets as wire;
use domain::authz::{Authorized, ReadSecrets};
use futures_util::future::try_join_all;
use store::secrets::ListedSecret;

use super::Secrets;
use super::sealed::Meta;
use super::view::{Depth, labels, without_value};
use crate::app::paging::Page;
use crate::ctx::Ctx;
use crate::problem::Outcome;
use crate::trail::Entry;

impl Secrets {
    /// One page of the secrets that the caller may know of, newest first, without values. Limits are applied before anything
    /// is counted, so numbers tell nothing about what lies outside them.
    pub async fn list(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        query: &wire::ListSecrets,
    ) -> Outcome<wire::SecretList> {
        let mut entry = Entry::new("SecretsListed", "secrets", "Secret");
        let result = self.list_now(ctx, auth, query, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn list_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadSecrets>,
        query: &wire::ListSecrets,
        entry: &mut Entry,
    ) -> Outcome<wire::SecretList> {
        let page = Page::parse(query.page, query.page_size)?;
        let wanted = Wanted::new(query);
        let mut found = Vec::new();
        for secret in self.core.store.listed_secrets(auth).await? {
            if wanted.admits(&secret)? {
                found.push(secret.id);
            }
        }
        let total = found.len() as u64;
        let (shown, has_more) = page.cut(found);
        let rows = try_join_all(shown.into_iter().map(|id| self.core.store.secret(auth, id))).await?;
        // One that was deleted meanwhile is left out.
        let rows: Vec<_> = rows.into_iter().flatten().collect();
        entry.batch(rows.len(), 0);
        let secrets = rows.into_iter().map(|secret| {
            let meta = Meta::open(&ctx.keys, &secret)?;
            without_value(secret, meta, Depth::Overview)
        });
        let secrets = secrets.collect::<Outcome<_>>()?;
        Ok(wire::SecretList { secrets, total, page: page.number, page_size: page.size, has_more })
    }
}

/// What a search asks for.
struct Wanted<'a> {
    inactive: bool,
    content_type: Option<&'a str>,
    label: Option<&'a str>,
    search: Option<String>,
}

impl<'a> Wanted<'a> {
    fn new(query: &'a wire::ListSecrets) -> Self {
        Self {
            inactive: query.include_inactive.unwrap_or_default(),
            content_type: query.content_type.as_deref(),
            label: query.label.as_deref(),
            search: query.search.as_deref().map(str::to_lowercase),
        }
    }

    fn admits(&self, secret: &ListedSecret) -> Outcome<bool> {
        let content_type = secret.content_type.as_deref();
        if (!secret.is_active && !self.inactive) || self.content_type.is_some_and(|wanted| content_type != Some(wanted))
        {
            return Ok(false);
        }
        if self.label.is_none() && self.search.is_none() {
            return Ok(true);
        }
        let labels = labels(&secret.labels)?;
        if self.label.is_some_and(|wanted| labels.iter().all(|label| label != wanted)) {
            return Ok(false);
        }
        let Some(text) = &self.search else { return Ok(true) };
        let mut places = labels.iter().map(String::as_str).chain(content_type).chain([secret.name.as_str()]);
        Ok(places.any(|place| place.to_lowercase().contains(text)))
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::SecretId;

    use super::*;

    #[test]
    fn filters_narrow_and_search_ignores_case() {
        let secret = ListedSecret {
            id: SecretId::from_bytes([1; 16]),
            name: "users-api/DB".to_owned(),
            content_type: Some("login".to_owned()),
            labels: r#"["Production","a\"b"]"#.to_owned(),
            is_active: true,
        };
        for (query, admitted) in [
            ("", true),
            ("search=api/db", true),
            ("search=PRODUCTION", true),
            ("search=Log", true),
            ("search=%5B%22", false),
            ("label=Production", true),
            ("label=production", false),
            ("label=a%22b&search=users", true),
            ("contentType=login", true),
            ("contentType=token", false),
            ("contentType=login&search=nothing", false),
        ] {
            let query: wire::ListSecrets = api::casing::from_query_any_case(query).unwrap();
            assert_eq!(Wanted::new(&query).admits(&secret).unwrap(), admitted, "{query:?}");
        }
        let hidden = ListedSecret { is_active: false, ..secret };
        assert!(!Wanted::new(&wire::ListSecrets::default()).admits(&hidden).unwrap());
        let all = wire::ListSecrets { include_inactive: Some(true), ..wire::ListSecrets::default() };
        assert!(Wanted::new(&all).admits(&hidden).unwrap());
    }
}
