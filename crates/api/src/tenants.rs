//! Tenants of the platform.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::api_keys::CreatedApiKey;
use crate::time::WireTime;

/// Body of `POST /tenants`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateTenant {
    /// For people.
    pub name: String,
    /// For addresses: lower-case letters, digits and hyphens; made of the name unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
}

/// Body of `PATCH /tenants/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateTenant {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether its people need a second factor where an application says nothing: `off`, `optional` or `required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_policy: Option<String>,
}

/// A tenant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The tenant.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// For addresses.
    pub slug: String,
    /// `active` or `suspended`.
    pub status: String,
    /// Whether its people need a second factor where an application says nothing.
    pub mfa_policy: String,
    /// When it was made.
    pub created_at: WireTime,
    /// When it last changed.
    pub updated_at: WireTime,
}

/// Answer of `POST /tenants`: the tenant, and its administrator's key, shown once.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedTenant {
    /// The tenant.
    pub id: Uuid,
    /// For people.
    pub name: String,
    /// For addresses.
    pub slug: String,
    /// `active`.
    pub status: String,
    /// When it was made.
    pub created_at: WireTime,
    /// The same.
    pub updated_at: WireTime,
    /// The first API key, with the scope `admin`.
    pub admin_key: CreatedApiKey,
}

/// Query of `GET /tenants`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListTenants {
    /// From 1.
    #[schemars(range(min = 1))]
    pub page: Option<u32>,
    /// 50 unless told.
    #[schemars(range(min = 1))]
    pub page_size: Option<u32>,
}

/// Answer of `GET /tenants`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantList {
    /// This page's.
    pub tenants: Vec<Tenant>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}
