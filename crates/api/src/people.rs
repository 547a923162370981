//! People: the end users of applications, the tenant's own, their roles, sessions and history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

/// Body of `POST /applications/{app}/end-users`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateEndUser {
    /// Their address; one person of an application each.
    pub email: String,
    /// What they are called, at most 200 characters.
    pub display_name: String,
    /// Their first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Their last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Their telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// A first password; without one they set it themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// Whether the address is known to be theirs.
    #[serde(default)]
    pub email_verified: bool,
    /// The text of a JSON value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Roles beside those that new end users are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_ids: Option<Vec<Uuid>>,
}

/// Body of `PATCH` and `PUT /applications/{app}/end-users/{id}`: what is absent stays, an empty text clears.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateEndUser {
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Their first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Their last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Their telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// The address of a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_picture_url: Option<String>,
    /// The text of a JSON value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

/// An end user.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndUser {
    /// The person: the `sub` of their tokens.
    pub id: Uuid,
    /// Whose end user they are.
    pub application_id: Uuid,
    /// Their address.
    pub email: String,
    /// Whether it is known to be theirs.
    pub email_verified: bool,
    /// What they are called.
    pub display_name: String,
    /// Their first name.
    pub first_name: Option<String>,
    /// Their last name.
    pub last_name: Option<String>,
    /// Their telephone.
    pub phone_number: Option<String>,
    /// Not offered here: always false.
    pub phone_number_verified: bool,
    /// The address of a picture.
    pub profile_picture_url: Option<String>,
    /// The text of a JSON value.
    pub metadata: Option<String>,
    /// Whether they are shut out.
    pub is_blocked: bool,
    /// Why.
    pub blocked_reason: Option<String>,
    /// Since when.
    pub blocked_at: Option<WireTime>,
    /// Always false: wrong passwords slow down whoever tries them, and shut nobody out.
    pub is_locked_out: bool,
    /// Whether there is a second factor.
    pub mfa_enabled: bool,
    /// When they signed in last.
    pub last_login_at: Option<WireTime>,
    /// From where; on the single read.
    pub last_ip_address: Option<String>,
    /// How often they signed in.
    pub login_count: u64,
    /// When they were made.
    pub created_at: WireTime,
    /// When they were last changed.
    pub updated_at: WireTime,
    /// Their roles; on the single read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<EndUserRole>>,
    /// Sign-ins through other providers; on the single read. None are offered here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<EndUserConnection>>,
}

/// One role of an end user.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndUserRole {
    /// The assignment.
    pub id: Uuid,
    /// The role.
    pub role_id: Uuid,
    /// Its name, as it goes into tokens.
    pub role_name: String,
    /// Since when.
    pub assigned_at: WireTime,
}

/// A sign-in through another provider.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndUserConnection {
    /// The connection.
    pub connection_id: Uuid,
    /// Its name.
    pub connection_name: String,
    /// Its kind.
    pub connection_type: String,
    /// What they are called there.
    pub external_user_id: Option<String>,
    /// Their address there.
    pub external_email: Option<String>,
    /// When they came last.
    pub last_authenticated_at: WireTime,
}

/// Query of `GET /applications/{app}/end-users`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListEndUsers {
    /// From 1.
    pub page: Option<u32>,
    /// 20 unless told, 100 at most.
    pub page_size: Option<u32>,
    /// Part of an address or a name, in any case.
    pub search: Option<String>,
    /// Only those who are shut out, or only those who are not.
    pub blocked: Option<bool>,
    /// Only those whose address is verified, or only those whose is not.
    pub email_verified: Option<bool>,
    /// Only those who have this role.
    pub role_id: Option<Uuid>,
}

/// Answer of `GET /applications/{app}/end-users`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndUserList {
    /// This page's, the newest first.
    pub items: Vec<EndUser>,
    /// Of all pages.
    pub total_count: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
}

/// Answer of `GET /applications/{app}/end-users/stats`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndUserStats {
    /// All but the deleted.
    pub total_users: u64,
    /// Those whose address is verified.
    pub verified_users: u64,
    /// Those whose is not.
    pub unverified_users: u64,
    /// Those who are shut out.
    pub blocked_users: u64,
    /// Those who signed in within thirty days.
    pub active_users: u64,
}

/// Body of `POST .../block`; may be empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockEndUser {
    /// Why, at most 1000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Body of `POST .../roles`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignRole {
    /// The role.
    pub role_id: Uuid,
}

/// Answer of `POST .../generate-temporary-password`: the only time that it is shown.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemporaryPassword {
    /// The password; it must be changed at the next sign-in.
    pub temporary_password: SecretText,
    /// Whose it is.
    pub email: String,
}

/// Query of `GET .../logins`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListLogins {
    /// 50 unless told, 100 at most.
    pub limit: Option<u32>,
}

/// One event of somebody's history.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// The event.
    pub id: Uuid,
    /// Whose it is.
    pub end_user_id: Uuid,
    /// `Login`, `LoginFailed`, `PasswordReset`, `Logout`, ...
    pub event_type: String,
    /// Whether it went well.
    pub success: bool,
    /// Why not.
    pub failure_reason: Option<String>,
    /// From where.
    pub ip_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// When.
    pub timestamp: WireTime,
}

/// A browser that somebody signed in with.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The session.
    pub id: Uuid,
    /// `live` or `ended`.
    pub state: String,
    /// Why it ended.
    pub reason: Option<String>,
    /// How surely they were recognised: `urn:qapi:acr:1` or `urn:qapi:acr:2`.
    pub acr: String,
    /// By what (RFC 8176).
    pub amr: Vec<String>,
    /// When they proved who they are.
    pub authenticated_at: WireTime,
    /// When it began.
    pub created_at: WireTime,
    /// When it was last used, within a minute.
    pub last_seen_at: WireTime,
    /// When it ends if it is not used any more.
    pub expires_at: WireTime,
    /// When it ended.
    pub ended_at: Option<WireTime>,
    /// From where it began.
    pub ip_address: Option<String>,
    /// With what: the browser's own words.
    pub user_agent: Option<String>,
}

/// What an application was allowed on somebody's behalf: the family of its tokens.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The grant.
    pub id: Uuid,
    /// Who was allowed.
    pub application_id: Uuid,
    /// Its name.
    pub application_name: Option<String>,
    /// The session in which it began.
    pub session_id: Option<Uuid>,
    /// `authorization_code` or `device_code`.
    pub kind: String,
    /// What was allowed.
    pub scopes: Vec<String>,
    /// For which APIs.
    pub resources: Vec<String>,
    /// Whether it may outlive its session.
    pub is_offline: bool,
    /// When it began.
    pub created_at: WireTime,
    /// When it ends at the latest.
    pub expires_at: WireTime,
}

/// What somebody has of one kind of second factor. What it proves itself by is never shown.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Factor {
    /// `totp`, an authenticator, or `recovery`, the codes for whoever lost it.
    pub kind: String,
    /// How many of it are left: one authenticator, or so many codes.
    pub left: u64,
    /// When it was set up.
    pub created_at: WireTime,
    /// When one of it was shown last.
    pub last_used_at: Option<WireTime>,
}

/// How the tenant's people sign in, where an application says nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInPolicy {
    /// Whether a second factor is asked for: `off`, `optional` or `required`.
    pub mfa_policy: String,
}

/// Body of `PATCH /sign-in-policy`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSignInPolicy {
    /// Whether a second factor is asked for: `off` (of nobody), `optional` (of whoever has one) or `required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_policy: Option<String>,
}

/// Query of `GET /roles`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListRoles {
    /// This application's roles and the tenant's; all roles unless told.
    pub application_id: Option<Uuid>,
}

/// Body of `POST /roles`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateRole {
    /// As it goes into tokens: 1 to 100 characters, one role of an application each.
    pub name: String,
    /// What it is for, at most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The application; for the end users of every application unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<Uuid>,
    /// The text of a JSON array of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// Whether new end users are given it.
    #[serde(default)]
    pub is_default: bool,
}

/// Body of `PATCH /roles/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRole {
    /// A new name; tokens that hold the old one are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The text of a JSON array of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// Whether new end users are given it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
}

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// The role.
    pub id: Uuid,
    /// As it goes into tokens.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The application whose end users can have it; those of every application when absent.
    pub application_id: Option<Uuid>,
    /// The application's name.
    pub application_name: Option<String>,
    /// The text of a JSON array of texts.
    pub permissions: Option<String>,
    /// Whether new end users are given it.
    pub is_default: bool,
    /// How many people have it.
    pub end_user_count: u64,
    /// When it was made.
    pub created_at: WireTime,
    /// When it was last changed.
    pub updated_at: WireTime,
}

/// Query of `GET /users`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListUsers {
    /// From 1.
    pub page: Option<u32>,
    /// 50 unless told.
    pub page_size: Option<u32>,
}

/// Body of `POST /users/invite`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InviteUser {
    /// Where the invitation is sent.
    pub email: String,
    /// `owner`, `admin` or `member`. Nobody can give what they lack.
    pub role: String,
    /// What they are called; their address unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Body of `PATCH /users/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateUser {
    /// `owner`, `admin` or `member`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether they may come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// One of the tenant's own people.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The person.
    pub id: Uuid,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub display_name: Option<String>,
    /// `owner`, `admin` or `member`.
    pub role: String,
    /// `invited`, `active` or `blocked`.
    pub state: String,
    /// Whether they may come in.
    pub is_active: bool,
    /// Whether there is a second factor.
    pub mfa_enabled: bool,
    /// When they were invited.
    pub created_at: WireTime,
    /// When they were last changed.
    pub updated_at: WireTime,
    /// When they signed in last.
    pub last_login_at: Option<WireTime>,
}

/// Answer of `GET /users`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserList {
    /// This page's.
    pub users: Vec<User>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}
