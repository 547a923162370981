//! The answer to a review, as the API server wants it.

use artifact::base64;
use serde_json::{Value, json};

use super::{API_VERSION, KIND, Unreadable};

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The uid of the request.
    pub uid: String,
    /// Nothing when it may go on; otherwise what the person who asked is told.
    pub refusal: Option<Refusal>,
    /// What is changed in the object.
    pub patch: Vec<Patch>,
    /// What the person who asked is told although it may go on.
    pub warnings: Vec<String>,
    /// What the API server's audit log keeps of the decision. It puts the webhook's name before each.
    pub annotations: Vec<(&'static str, String)>,
}

/// Why it may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// As an HTTP status.
    pub status: u16,
    /// For people.
    pub message: String,
}

/// A string put in the place of another (RFC 6902, `replace`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What.
    pub value: String,
}

/// The API server cuts warnings beyond 256 characters each and 4096 all together, and `kubectl` shows each on a line.
const LONGEST_WARNING: usize = 256;
const LONGEST_WARNINGS: usize = 4_000;
const LONGEST_MESSAGE: usize = 4_000;
const LONGEST_ANNOTATION: usize = 8_000;
/// For what has no status of its own.
const FORBIDDEN: u16 = 403;
const BAD_REQUEST: u16 = 400;

impl Answer {
    /// It may go on.
    pub fn allowed(uid: &str) -> Self {
        Self { uid: uid.to_owned(), refusal: None, patch: Vec::new(), warnings: Vec::new(), annotations: Vec::new() }
    }

    /// It may not.
    pub fn refused(uid: &str, message: String) -> Self {
        Self { refusal: Some(Refusal { status: FORBIDDEN, message }), ..Self::allowed(uid) }
    }

    /// It may not, since the request cannot be judged. None when there is nobody to answer to.
    pub fn unreadable(unreadable: &Unreadable) -> Option<Self> {
        let uid = unreadable.uid.as_deref()?;
        let message = format!("qapi-admission cannot judge this request: {}", unreadable.why);
        Some(Self { refusal: Some(Refusal { status: BAD_REQUEST, message }), ..Self::allowed(uid) })
    }

    /// Whether it may go on.
    pub fn is_allowed(&self) -> bool {
        self.refusal.is_none()
    }

    /// The body.
    pub fn to_json(&self) -> Value {
        let mut response = json!({"uid": self.uid, "allowed": self.is_allowed()});
        if let Some(refusal) = &self.refusal {
            let reason = if refusal.status == BAD_REQUEST { "BadRequest" } else { "Forbidden" };
            let message = printable(&refusal.message, LONGEST_MESSAGE);
            response["status"] =
                json!({"status": "Failure", "reason": reason, "code": refusal.status, "message": message});
        }
        // A patchType without a patch, or a patch of a refusal, is an error to the API server.
        if !self.patch.is_empty() && self.is_allowed() {
            let operations: Vec<Value> = self.patch.iter().map(Patch::to_json).collect();
            response["patchType"] = "JSONPatch".into();
            response["patch"] = base64::encode(Value::from(operations).to_string().as_bytes()).into();
        }
        let warnings = self.written_warnings();
        if !warnings.is_empty() {
            response["warnings"] = warnings.into();
        }
        if !self.annotations.is_empty() {
            let annotations: Value = self
                .annotations
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(printable(value, LONGEST_ANNOTATION))))
                .collect();
            response["auditAnnotations"] = annotations;
        }
        json!({"apiVersion": API_VERSION, "kind": KIND, "response": response})
    }

    fn written_warnings(&self) -> Vec<String> {
        let mut left = LONGEST_WARNINGS;
        let mut written = Vec::new();
        for warning in &self.warnings {
            let warning = printable(warning, LONGEST_WARNING);
            let Some(rest) = left.checked_sub(warning.len()) else { break };
            left = rest;
            if !written.contains(&warning) {
                written.push(warning);
            }
        }
        written
    }
}

impl Patch {
    fn to_json(&self) -> Value {
        json!({"op": "replace", "path": self.pointer, "value": self.value})
    }
}

/// On one line, without what a terminal would obey, and not longer than `limit` bytes: parts of it were written by whoever
/// wrote the object.
fn printable(text: &str, limit: usize) -> String {
    let mut printed = String::with_capacity(text.len().min(limit));
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if printed.len() + c.len_utf8() + ELLIPSIS.len_utf8() > limit {
            printed.push(ELLIPSIS);
            break;
        }
        printed.push(c);
    }
    printed
}

const ELLIPSIS: char = '…';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_patch_only_when_something_is_changed_and_may_go_on() {
        let patch = Patch { pointer: "/spec/containers/0/image".to_owned(), value: "a@b".to_owned() };
        let response = |answer: &Answer| answer.to_json()["response"].clone();
        let mut answer = Answer::allowed("1");
        assert_eq!(response(&answer), json!({"uid": "1", "allowed": true}));
        answer.patch.push(patch.clone());
        let written = response(&answer);
        assert_eq!(written["patchType"], "JSONPatch");
        let operations = base64::decode(written["patch"].as_str().unwrap()).unwrap();
        let operations: Value = serde_json::from_slice(&operations).unwrap();
        assert_eq!(operations, json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "a@b"}]));
        let refused = Answer { patch: vec![patch], ..Answer::refused("1", "no".to_owned()) };
        let refused = response(&refused);
        assert_eq!(refused["allowed"], false);
        assert!(refused.get("patch").is_none() && refused.get("patchType").is_none());
        assert_eq!(
            refused["status"],
            json!({"status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"})
        );
    }

    #[test]
    fn what_others_wrote_stays_on_one_line_and_short() {
        let mut answer = Answer::allowed("1");
        answer.warnings = vec!["a\nb\u{1b}[31m".to_owned(), "x".repeat(1_000), "a\nb\u{1b}[31m".to_owned()];
        answer.warnings.extend((0..100).map(|number| format!("{number} {}", "ä".repeat(200))));
        let written = answer.to_json();
        let warnings = written["response"]["warnings"].as_array().unwrap();
        assert_eq!(warnings[0], "a b [31m");
        assert!(warnings.iter().all(|warning| warning.as_str().unwrap().len() <= LONGEST_WARNING));
        assert!(warnings.iter().map(|warning| warning.as_str().unwrap().len()).sum::<usize>() <= LONGEST_WARNINGS);
    }
}
