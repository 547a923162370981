//! Events as the wire spells them, with the personal fields that are still there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use api::audit::{AuditEntry, AuditLogEntry};
use domain::audit::{Draft, Event, Outcome as Ended, Personal};
use domain::ids::EventId;
use serde_json::Value;
use store::audit_index::Found;
use uuid::Uuid;

use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::personal_cell;

/// An event of `GET /audit-logs`.
pub fn entry(ctx: &Ctx, found: &Found) -> Outcome<AuditLogEntry> {
    let (event, personal) = read(ctx, found)?;
    Ok(AuditLogEntry {
        id: event.id.uuid(),
        timestamp: event.at.into(),
        action: event.action.into_owned(),
        category: event.category.into_owned(),
        actor: event.actor.into_owned(),
        actor_type: event.actor_type.into_owned(),
        resource_type: event.resource_type.into_owned(),
        resource_id: event.resource_id.parse().unwrap_or(Uuid::nil()),
        outcome: word(event.outcome).to_owned(),
        resource_name: event.resource_name.map(Cow::into_owned),
        valid: event.valid,
        error: event.error.map(Cow::into_owned),
        algorithm: event.algorithm.map(Cow::into_owned),
        key_version: event.version,
        channel: event.channel.map(Cow::into_owned),
        ip_address: personal.ip_address,
        user_agent: personal.user_agent,
        batch_size: event.batch_size,
        failed_items: event.failed_items,
    })
}

/// An event of the older `GET /audit`.
pub fn older(ctx: &Ctx, found: &Found) -> Outcome<AuditEntry> {
    let (event, personal) = read(ctx, found)?;
    let facts = [
        ("resourceName", event.resource_name.map(Value::from)),
        ("algorithm", event.algorithm.map(Value::from)),
        ("keyVersion", event.version.map(Value::from)),
        ("channel", event.channel.map(Value::from)),
        ("valid", event.valid.map(Value::from)),
        ("error", event.error.map(Value::from)),
        ("note", event.note.map(Value::from)),
    ];
    let facts: BTreeMap<String, Value> =
        facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?))).collect();
    Ok(AuditEntry {
        id: event.id.uuid(),
        event_type: event.action.into_owned(),
        status: word(event.outcome).to_owned(),
        created_at: event.at.into(),
        actor_id: event.actor_id.and_then(|id| id.parse().ok()),
        actor_type: Some(event.actor_type.into_owned()),
        resource_type: Some(event.resource_type.into_owned()),
        resource_id: event.resource_id.parse().ok(),
        ip_address: personal.ip_address,
        user_agent: personal.user_agent,
        metadata: (!facts.is_empty()).then_some(facts),
    })
}

fn read<'a>(ctx: &Ctx, found: &'a Found) -> Outcome<(Event<'a>, Personal)> {
    let event = found.draft.parsed().map_err(|error| Problem::internal("reading an audit event", error))?;
    let personal = personal(ctx, event.id, &found.draft).unwrap_or_default();
    Ok((event, personal))
}

/// The personal fields beside an event, unless they were erased. Some that do not open were tampered with: the event
/// itself is still shown, because hiding it would be what a tamperer wants.
pub fn personal(ctx: &Ctx, id: EventId, draft: &Draft<'_>) -> Option<Personal> {
    if draft.personal.is_empty() {
        return None;
    }
    let opened = ctx.keys.cells.open(personal_cell(&id), &draft.personal).ok();
    let personal = opened.and_then(|opened| serde_json::from_slice(opened.expose()).ok());
    if personal.is_none() {
        tracing::error!(event.id = %id, "the personal fields of an audit event do not open");
    }
    personal
}

fn word(outcome: Ended) -> &'static str {
    match outcome {
        Ended::Success => "success",
        Ended::Failure => "failure",
        Ended::Denied => "denied",
    }
}
