//! Reviews of the API server (`admission.k8s.io/v1`, `AdmissionReview`): what is asked, and how an answer is written.
//!
//! A review is read as a tree of values and never into structs of the objects it is about: a struct drops the members that it
//! does not know, and a container in a member that nobody reads is a container that nobody judges.

mod answer;

use artifact::json;
use serde_json::Value;

pub use answer::{Answer, Patch};

/// The one version that is read. The API server speaks it since Kubernetes 1.16.
pub const API_VERSION: &str = "admission.k8s.io/v1";
/// The kind of requests and answers.
pub const KIND: &str = "AdmissionReview";

/// What the API server asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the answer has to repeat.
    pub uid: String,
    /// The kind of the object; of what a subresource takes, where there is one.
    pub kind: Kind,
    /// The resource that is asked for.
    pub resource: Resource,
    /// The part of the resource that is asked for.
    pub sub_resource: Option<String>,
    /// The object's namespace; none for objects of the whole cluster.
    pub namespace: Option<String>,
    /// The object's name, where it has one already.
    pub name: String,
    /// What is to be done.
    pub operation: Operation,
    /// The object as it would become.
    pub object: Option<Value>,
    /// The object as it is.
    pub old_object: Option<Value>,
    /// Whether nothing will be kept.
    pub dry_run: bool,
    /// Who asks the API server.
    pub user: String,
}

/// A group and a kind in it, and the version in which it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// The group; empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

/// A group and a resource in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// The group; empty for the core.
    pub group: String,
    /// The resource: a plural in lower case.
    pub resource: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An object is made.
    Create,
    /// An object is changed.
    Update,
    /// An object is removed.
    Delete,
    /// A stream to an object is opened.
    Connect,
    /// Something that we do not know.
    Other(String),
}

/// Why a body is no review that can be judged. With the uid, where that much could be read: then the refusal is a review, too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// What an answer has to repeat.
    pub uid: Option<String>,
    /// What is wrong.
    pub why: String,
}

const LONGEST_UID: usize = 128;
const LONGEST_NAME: usize = 512;

impl Request {
    /// Reads a body of at most `limit` bytes.
    pub fn parse(body: &[u8], limit: usize) -> Result<Self, Unreadable> {
        let wrong = |why: String| Unreadable { uid: None, why };
        let mut review = match json::value(body, limit) {
            Ok(Value::Object(review)) => review,
            Ok(_) => return Err(wrong("the body is no JSON object".to_owned())),
            Err(error) => return Err(wrong(format!("the body cannot be read: {}", chain(&error)))),
        };
        for (member, wanted) in [("kind", KIND), ("apiVersion", API_VERSION)] {
            if review.get(member).and_then(Value::as_str) != Some(wanted) {
                return Err(wrong(format!("{member} is not {wanted}")));
            }
        }
        let request = review.remove("request").unwrap_or_default();
        let uid = match request.get("uid").and_then(Value::as_str) {
            Some(uid) if !uid.is_empty() && uid.len() <= LONGEST_UID => uid.to_owned(),
            _ => return Err(wrong("request.uid is missing or no uid".to_owned())),
        };
        Self::read(uid.clone(), request).map_err(|why| Unreadable { uid: Some(uid), why })
    }

    fn read(uid: String, mut request: Value) -> Result<Self, String> {
        let operation = Operation::named(&text(&request, "operation")?);
        let (kind, resource) = (kind(&request)?, resource(&request)?);
        let optional = |member| match text(&request, member) {
            Ok(text) if text.is_empty() => Ok(None),
            other => other.map(Some),
        };
        let (sub_resource, namespace) = (optional("subResource")?, optional("namespace")?);
        let name = text(&request, "name")?;
        let user = request.get("userInfo").map_or(Ok(String::new()), |user| text(user, "username"))?;
        let dry_run = match request.get("dryRun") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(dry_run)) => *dry_run,
            Some(_) => return Err("request.dryRun is no boolean".to_owned()),
        };
        let object = taken(&mut request, "object")?;
        let old_object = taken(&mut request, "oldObject")?;
        Ok(Self { uid, kind, resource, sub_resource, namespace, name, operation, object, old_object, dry_run, user })
    }

    /// Whether the object is on its way out: it is kept for its finalizers alone.
    pub fn is_being_deleted(&self) -> bool {
        let deleted = |object: &Option<Value>| {
            object
                .as_ref()
                .and_then(|object| object.pointer("/metadata/deletionTimestamp"))
                .is_some_and(Value::is_string)
        };
        // Nobody can put the mark on by an update: what the new object claims counts only when the old one has it.
        deleted(&self.object) && deleted(&self.old_object)
    }
}

impl Operation {
    fn named(name: &str) -> Self {
        match name {
            "CREATE" => Self::Create,
            "UPDATE" => Self::Update,
            "DELETE" => Self::Delete,
            "CONNECT" => Self::Connect,
            other => Self::Other(other.to_owned()),
        }
    }

    /// As the API server spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Other(other) => other,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.kind),
            group => write!(f, "{}.{group}", self.kind),
        }
    }
}

/// A member that is a string; one that is not there is empty.
fn text(of: &Value, member: &str) -> Result<String, String> {
    match of.get(member) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) if text.len() <= LONGEST_NAME => Ok(text.clone()),
        Some(Value::String(_)) => Err(format!("request.{member} is longer than {LONGEST_NAME} bytes")),
        Some(_) => Err(format!("request.{member} is no string")),
    }
}

fn kind(request: &Value) -> Result<Kind, String> {
    let written = request.get("kind").filter(|kind| kind.is_object()).ok_or("request.kind is missing")?;
    let kind =
        Kind { group: text(written, "group")?, version: text(written, "version")?, kind: text(written, "kind")? };
    if kind.kind.is_empty() { Err("request.kind names no kind".to_owned()) } else { Ok(kind) }
}

fn resource(request: &Value) -> Result<Resource, String> {
    let written = request.get("resource").filter(|kind| kind.is_object()).ok_or("request.resource is missing")?;
    let resource = Resource { group: text(written, "group")?, resource: text(written, "resource")? };
    if resource.resource.is_empty() { Err("request.resource names none".to_owned()) } else { Ok(resource) }
}

/// An object, taken out of the request.
fn taken(request: &mut Value, member: &str) -> Result<Option<Value>, String> {
    match request.get_mut(member).map(Value::take) {
        None | Some(Value::Null) => Ok(None),
        Some(object @ Value::Object(_)) => Ok(Some(object)),
        Some(_) => Err(format!("request.{member} is no object")),
    }
}

/// An error and what is behind it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
