//! What of a request would start containers: which kinds hold pods, where, and which requests start nothing.
//!
//! The rule for what is not known: it is refused. A kind of Kubernetes that carries no pod stands in a closed list; a custom
//! kind that does stands in the configuration, with the place of its pods; one that is in neither is refused with a text that
//! says so. Nothing is searched for things that look like images: what was found that way would not be all.

mod kinds;
mod pods;

use serde_json::Value;

use crate::review::{Operation, Request};
pub use kinds::{CustomKind, Kinds};
pub use pods::Found;

/// What a request asks to be judged.
#[derive(Debug, PartialEq)]
pub enum Scope {
    /// These images would run.
    Images(Vec<Found>),
    /// No container comes of it; why.
    Nothing(&'static str),
    /// Nobody can say what comes of it; why.
    Unknown(String),
}

/// Which image references may be written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The object is a Pod.
    Pod,
    /// The object has a template of pods.
    Template,
}

/// What starts when this request goes on, and in what it stands.
pub fn scope(request: &Request, kinds: &Kinds) -> (Holder, Scope) {
    let holder =
        if request.kind.group.is_empty() && request.kind.kind == "Pod" { Holder::Pod } else { Holder::Template };
    (holder, what(request, kinds))
}

fn what(request: &Request, kinds: &Kinds) -> Scope {
    match &request.operation {
        Operation::Delete => return Scope::Nothing("a deletion starts nothing"),
        Operation::Connect => return kinds::connection(request),
        Operation::Other(name) => return Scope::Unknown(format!("the operation {name:?} is not known")),
        Operation::Create | Operation::Update => {}
    }
    if let Err(why) = consistent(request) {
        return Scope::Unknown(why);
    }
    if let Some(sub_resource) = request.sub_resource.as_deref()
        && let Some(scope) = kinds::part(request, kinds, sub_resource)
    {
        return scope;
    }
    let Some(places) = kinds.pods_of(request) else {
        return match kinds::is_podless(&request.kind) && request.sub_resource.is_none() {
            true => Scope::Nothing("objects of this kind carry no pod"),
            false => Scope::Unknown(unknown(request)),
        };
    };
    if request.is_being_deleted() {
        return Scope::Nothing("the object is being deleted");
    }
    let Some(object) = &request.object else { return Scope::Unknown("the request has no object".to_owned()) };
    match pods::images(object, &places) {
        Ok(found) => Scope::Images(changed(request, found, &places)),
        Err(why) => Scope::Unknown(why),
    }
}

/// The kind that the request names has to be the object's own: what is judged is what is kept.
fn consistent(request: &Request) -> Result<(), String> {
    let Some(object) = &request.object else { return Err("the request has no object".to_owned()) };
    let (group, version) = (&request.kind.group, &request.kind.version);
    let version = if group.is_empty() { version.clone() } else { format!("{group}/{version}") };
    for (member, wanted) in [("apiVersion", &version), ("kind", &request.kind.kind)] {
        let is_same = object.get(member).is_none_or(|written| written.as_str() == Some(wanted));
        if !is_same {
            return Err(format!("the object's {member} is not {wanted}, which the request is for"));
        }
    }
    Ok(())
}

fn unknown(request: &Request) -> String {
    let part = request.sub_resource.as_deref().map(|part| format!(", part {part}")).unwrap_or_default();
    format!(
        "{} (resource {}{part}) is no kind whose containers are known: name it under [[kinds]] in the configuration of \
         qapi-admission, or take it out of the rules of its webhook",
        request.kind, request.resource.resource
    )
}

/// Of an update, what is new in it: what runs already is not started by it. Otherwise an image that is not believed any more
/// would keep its own controllers from scaling it down.
fn changed(request: &Request, found: Vec<Found>, places: &[String]) -> Vec<Found> {
    let asks_for_all =
        request.operation != Operation::Update || request.sub_resource.as_deref() == Some("ephemeralcontainers");
    let Some(old) = request.old_object.as_ref().filter(|_| !asks_for_all) else { return found };
    let Ok(before) = pods::images(old, places) else { return found };
    found.into_iter().filter(|new| !before.iter().any(|old| new.is_same_as(old))).collect()
}

/// The object that a request is about, by namespace and name, for people.
pub fn label(request: &Request) -> String {
    let generated = || request.object.as_ref()?.pointer("/metadata/generateName").and_then(Value::as_str);
    let name = match request.name.as_str() {
        "" => generated().unwrap_or("without a name"),
        name => name,
    };
    match &request.namespace {
        Some(namespace) => format!("{} {namespace}/{name}", request.kind),
        None => format!("{} {name}", request.kind),
    }
}

#[cfg(test)]
mod tests;
