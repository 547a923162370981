//! Applications and people to call the operations on.

use serde_json::{Value, json};

use super::Operation;
use crate::client::Client;

/// One of each, and two where an operation needs another kind.
pub struct Identity {
    application: String,
    application_key: String,
    resource_server: String,
    end_user: String,
    /// Who is shut out already.
    blocked: String,
    /// A role that the end user has.
    given: String,
    /// One that they can be given.
    other: String,
    /// One that nobody has.
    unused: String,
    user: String,
    marker: String,
    tag: String,
}

const END_USERS: &str = "/api/v1/applications/{app}/end-users";

impl Identity {
    pub fn new(admin: &Client, tag: &str, marker: &str) -> Self {
        let made = |path: &str, body: Value| admin.post(path, &body).expect(201).text_of("id");
        let application =
            made("/api/v1/applications", json!({"name": format!("things {tag}"), "applicationType": "WebApp"}));
        let role = |name: &str| made("/api/v1/roles", json!({"name": format!("{name} {tag}")}));
        let (given, other, unused) = (role("given"), role("other"), role("unused"));
        let people = END_USERS.replace("{app}", &application);
        let mut end_user = person(&format!("{marker}.{tag}"), marker);
        end_user["roleIds"] = json!([given]);
        let blocked = made(&people, person(&format!("blocked.{marker}.{tag}"), marker));
        admin.post(&format!("{people}/{blocked}/block"), &json!({"reason": marker})).expect(200);
        let invited = json!({"email": format!("{marker}.{tag}@example.com"), "role": "member", "displayName": marker});
        Self {
            application_key: made(
                &format!("/api/v1/applications/{application}/keys"),
                json!({"name": format!("key {tag}")}),
            ),
            resource_server: made(
                "/api/v1/resource-servers",
                json!({"identifier": format!("https://api.example/{tag}"), "name": "Things"}),
            ),
            end_user: made(&people, end_user),
            blocked,
            given,
            other,
            unused,
            user: made("/api/v1/users/invite", invited),
            application,
            marker: marker.to_owned(),
            tag: tag.to_owned(),
        }
    }

    pub fn marks(&self) -> [&str; 6] {
        [&self.application, &self.application_key, &self.resource_server, &self.end_user, &self.given, &self.user]
    }

    /// The operation's path, if it is about these.
    pub fn path(&self, operation: &Operation) -> Option<String> {
        let path = operation.path;
        let id = match path {
            _ if path.ends_with("/permanent") => &self.blocked,
            _ if path.starts_with(END_USERS) => &self.end_user,
            _ if path.starts_with("/api/v1/applications") => &self.application,
            _ if path.starts_with("/api/v1/resource-servers") => &self.resource_server,
            _ if path.starts_with("/api/v1/roles") && operation.method == "DELETE" => &self.unused,
            _ if path.starts_with("/api/v1/roles") => &self.given,
            _ if path.starts_with("/api/v1/users") => &self.user,
            _ => return None,
        };
        let path = path.replace("{id}", id).replace("{app}", &self.application).replace("{roleId}", &self.given);
        Some(
            path.replace("{keyId}", &self.application_key)
                .replace("{sessionId}", &self.user)
                .replace("{grantId}", &self.user),
        )
    }

    pub fn body(&self, operation: &Operation, new: &str) -> Value {
        let marker = &self.marker;
        match (operation.method, operation.path) {
            ("POST", "/api/v1/applications") => json!({"name": new, "applicationType": "MachineToMachine"}),
            ("PUT", "/api/v1/applications/{id}") => json!({"displayName": "renamed"}),
            ("POST", "/api/v1/applications/{id}/keys") => json!({"name": new}),
            ("POST", END_USERS) => person(&format!("new.{marker}.{}", self.tag), marker),
            ("PATCH" | "PUT", path) if path.starts_with(END_USERS) => {
                json!({"displayName": marker, "phoneNumber": marker, "metadata": format!("\"{marker}\"")})
            }
            (_, path) if path.ends_with("/block") => json!({"reason": marker}),
            ("POST", path) if path.starts_with(END_USERS) && path.ends_with("/roles") => json!({"roleId": self.other}),
            ("POST", "/api/v1/resource-servers") => {
                json!({"identifier": format!("https://api.example/new/{}", self.tag), "name": new})
            }
            ("PATCH", "/api/v1/resource-servers/{id}") => json!({"name": "Renamed"}),
            ("POST", "/api/v1/roles") => json!({"name": new, "permissions": "[\"things:read\"]"}),
            ("PATCH", "/api/v1/roles/{id}") => json!({"description": "changed"}),
            ("POST", "/api/v1/users/invite") => {
                json!({"email": format!("new.{marker}.{}@example.com", self.tag), "role": "member"})
            }
            ("PATCH", "/api/v1/sign-in-policy") => json!({"mfaPolicy": "optional"}),
            ("PATCH", "/api/v1/users/{id}") => json!({"displayName": marker}),
            _ => Value::Null,
        }
    }
}

/// Somebody with the marker wherever something of them is sealed.
fn person(address: &str, marker: &str) -> Value {
    json!({
        "email": format!("{address}@example.com"), "displayName": marker, "firstName": marker, "lastName": marker,
        "phoneNumber": marker, "password": marker, "metadata": format!("{{\"key\":\"{marker}\"}}"),
    })
}
