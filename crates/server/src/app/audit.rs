//! The audit trail as its tenant reads it: listed, in two envelopes, and exported whole with a signed trailer.
//!
//! Reading the trail is itself written down.

mod checkpoint;
mod export;
mod spell;

use api::audit::{AuditList, AuditLogList, ListAudit, ListAuditLogs};
use domain::authz::{Authorized, ReadAudit};
use domain::time::Timestamp;
use store::audit_index::{Filter, Found, Start};
use uuid::Uuid;

use super::Core;
use super::paging::Page;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

pub use checkpoint::Heads;
pub use export::Lines;

/// Pages are counted from the newest event, and every event before one has to be counted past.
const MOST_SKIPPED: u32 = 1_000_000;

/// The audit trails of tenants.
pub struct Audit {
    core: Core,
}

impl Audit {
    /// Over the store.
    pub fn new(core: Core) -> Self {
        Self { core }
    }

    /// A page of events, newest first.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadAudit>, query: &ListAuditLogs) -> Outcome<AuditLogList> {
        let result = async {
            let page = Page::parse(query.page, query.page_size)?;
            let (events, total_count) = self.page(auth, &filter_of(query)?, page).await?;
            let items = events.iter().map(|found| spell::entry(ctx, found)).collect::<Outcome<_>>()?;
            Ok(AuditLogList { items, total_count, page: page.number, page_size: page.size })
        }
        .await;
        self.core.trail.conclude(ctx, Entry::new("AuditRead", "audit", "AuditLog"), result).await
    }

    /// The same in the form of older clients.
    pub async fn list_older(&self, ctx: &Ctx, auth: &Authorized<ReadAudit>, query: &ListAudit) -> Outcome<AuditList> {
        let result = async {
            let page = Page::parse(query.page, query.page_size)?;
            let (events, total) = self.page(auth, &filter_of_older(query), page).await?;
            let entries = events.iter().map(|found| spell::older(ctx, found)).collect::<Outcome<Vec<_>>>()?;
            let has_more = u64::from(page.skipped()) + (entries.len() as u64) < total;
            Ok(AuditList { entries, total, page: page.number, page_size: page.size, has_more })
        }
        .await;
        self.core.trail.conclude(ctx, Entry::new("AuditRead", "audit", "AuditLog"), result).await
    }

    async fn page(&self, auth: &Authorized<ReadAudit>, filter: &Filter, page: Page) -> Outcome<(Vec<Found>, u64)> {
        let texts = [&filter.category, &filter.outcome, &filter.actor, &filter.resource_type];
        if texts.into_iter().flatten().chain(&filter.actions).any(|text| text.contains('\0')) {
            return Err(Problem::invalid("A filter holds a NUL, which no event does."));
        }
        if page.skipped() > MOST_SKIPPED {
            return Err(Problem::invalid(format!(
                "The page lies behind more than {MOST_SKIPPED} events: narrow the query with from and to, or export the trail."
            )));
        }
        let events = self.core.store.audit_events(auth, filter, Start::Offset(page.skipped()), page.size).await?;
        let total = self.core.store.audit_count(auth, filter).await?;
        Ok((events, total))
    }

    /// Begins an export of everything, this export included.
    pub async fn export(&self, ctx: &Ctx, auth: &Authorized<ReadAudit>) -> Outcome<Lines> {
        let entry = Entry::new("AuditExported", "audit", "AuditLog");
        self.core.trail.conclude(ctx, entry, Ok(())).await?;
        export::begin(&self.core, ctx, auth).await
    }
}

fn filter_of(query: &ListAuditLogs) -> Outcome<Filter> {
    if query.key_id.is_some() && query.resource_id.is_some() && query.key_id != query.resource_id {
        return Err(Problem::invalid("keyId and resourceId name two different resources."));
    }
    let actions = query.action.as_deref().unwrap_or_default().split(',').map(str::trim);
    Ok(Filter {
        category: given(query.category.as_deref()),
        actions: actions.filter(|action| !action.is_empty()).map(str::to_owned).collect(),
        outcome: given(query.outcome.as_deref()).map(|outcome| outcome.to_lowercase()),
        actor: given(query.actor.as_deref()),
        actor_id: None,
        resource_type: query.key_id.map(|_| "CryptoKey".to_owned()),
        resource_id: query.key_id.or(query.resource_id).map(|id| id.to_string()),
        from: query.from.map(Into::into),
        to: query.to.map(Timestamp::from),
    })
}

fn filter_of_older(query: &ListAudit) -> Filter {
    Filter {
        category: None,
        actions: given(query.event_type.as_deref()).into_iter().collect(),
        outcome: None,
        actor: None,
        actor_id: text_of(query.actor_id),
        resource_type: given(query.resource_type.as_deref()),
        resource_id: text_of(query.resource_id),
        from: query.from.map(Into::into),
        to: query.to.map(Timestamp::from),
    }
}

/// An empty parameter asks for nothing in particular.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn text_of(id: Option<Uuid>) -> Option<String> {
    id.map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_a_filter() {
        let id = Uuid::from_u128(7);
        let query = ListAuditLogs {
            action: Some("Encrypt, Decrypt,".into()),
            category: Some(String::new()),
            key_id: Some(id),
            to: Some(Timestamp::from_millis(10).into()),
            ..ListAuditLogs::default()
        };
        let filter = filter_of(&query).unwrap();
        assert_eq!(filter.actions, ["Encrypt", "Decrypt"]);
        assert_eq!(filter.category, None);
        assert_eq!(filter.resource_id.as_deref(), Some("00000000-0000-0000-0000-000000000007"));
        assert_eq!(filter.resource_type.as_deref(), Some("CryptoKey"));
        assert_eq!(filter.to, Some(Timestamp::from_millis(10)));
        assert!(filter_of(&ListAuditLogs { resource_id: Some(Uuid::nil()), ..query }).is_err());
    }
}
