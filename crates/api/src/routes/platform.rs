//! Routes of the platform itself: health, limits, entropy, audit, API keys, tenants, the operator.

use super::{Route, routes, schema};
use crate::api_keys::{ApiKey, ApiKeyList, CreateApiKey, CreatedApiKey, ListApiKeys, RotateApiKey, UpdateApiKey};
use crate::audit::{AuditKey, AuditList, AuditLogList, ListAudit, ListAuditLogs};
use crate::error::ErrorCode::{
    AlreadyInitialized, Conflict, Forbidden, InvalidFormat, NotFound, QrngUnavailable, QuotaExceeded, Unsupported,
    ValueNotReplayable,
};
use crate::health::{Health, RateLimit, Version};
use crate::operator::{CreateBackup, OperatorStatus, Unseal};
use crate::qrng::{DrawEntropy, DrawnEntropy};
use crate::tenants::{CreateTenant, CreatedTenant, ListTenants, Tenant, TenantList, UpdateTenant};

routes! {
    /// The server and what it depends on.
    HEALTH = Route::get("health", "/health", "health")
        .anonymous()
        .does("Whether the server and its storage work.")
        .answers(schema::<Health>());
    /// For liveness probes: answers while the process runs.
    HEALTH_LIVE = Route::get("healthLive", "/health/live", "health")
        .anonymous()
        .does("Whether the process runs, sealed or not.")
        .answers(schema::<Health>());
    /// For readiness probes.
    HEALTH_READY = Route::get("healthReady", "/health/ready", "health")
        .anonymous()
        .does("Whether the server is unsealed and its storage works.")
        .answers(schema::<Health>());
    /// The version.
    VERSION = Route::get("version", "/version", "health")
        .anonymous()
        .does("The server's version and features.")
        .answers(schema::<Version>());
    /// The published document.
    OPENAPI = Route::get("openapi", "/openapi.json", "health")
        .anonymous()
        .does("This document.")
        .streams("application/json");
    /// The caller's own rate limit.
    RATE_LIMIT = Route::get("rateLimit", "/api/v1/rate-limit", "health")
        .does("The rate limit of the credential and what is left of it.")
        .answers(schema::<RateLimit>());

    /// Entropy.
    QRNG_ENTROPY = Route::post("drawEntropy", "/api/v1/qrng/entropy", "qrng")
        .scope("qrng:read")
        .does("Draw entropy; without a quantum source only with the header X-Allow-Csprng: true.")
        .takes(schema::<DrawEntropy>())
        .answers(schema::<DrawnEntropy>())
        .fails(&[InvalidFormat, QuotaExceeded, QrngUnavailable, ValueNotReplayable]);

    /// The audit trail.
    AUDIT_LOGS = Route::get("listAuditLogs", "/api/v1/audit-logs", "audit")
        .scope("audit:read")
        .does("List audit events, newest first.")
        .asks(schema::<ListAuditLogs>())
        .answers(schema::<AuditLogList>());
    /// The audit trail in its older form.
    AUDIT = Route::get("listAudit", "/api/v1/audit", "audit")
        .scope("audit:read")
        .does("List audit events in the form of older clients.")
        .asks(schema::<ListAudit>())
        .answers(schema::<AuditList>());
    /// The whole trail with its signed trailer.
    AUDIT_EXPORT = Route::get("exportAuditLogs", "/api/v1/audit-logs/export", "audit")
        .scope("audit:read")
        .does("Export the tenant's whole trail as NDJSON with a signed trailer, for offline verification.")
        .streams("application/x-ndjson");

    /// What verifies the trailers of exports.
    AUDIT_KEY = Route::get("getAuditKey", "/api/v1/audit-logs/key", "audit")
        .anonymous()
        .does("The public key that signs the trailers of exports, to be compared with what they say.")
        .answers(schema::<AuditKey>());

    /// A new API key.
    API_KEY_CREATE = Route::post("createApiKey", "/api/v1/api-keys", "api-keys")
        .scope("apikeys:write")
        .does("Make an API key and show its text once.")
        .takes(schema::<CreateApiKey>())
        .creates(schema::<CreatedApiKey>())
        .fails(&[Forbidden, ValueNotReplayable]);
    /// The API keys.
    API_KEY_LIST = Route::get("listApiKeys", "/api/v1/api-keys", "api-keys")
        .scope("apikeys:read")
        .does("List API keys.")
        .asks(schema::<ListApiKeys>())
        .answers(schema::<ApiKeyList>());
    /// One API key.
    API_KEY_GET = Route::get("getApiKey", "/api/v1/api-keys/{id}", "api-keys")
        .scope("apikeys:read")
        .does("Read an API key.")
        .answers(schema::<ApiKey>())
        .fails(&[NotFound]);
    /// Change an API key.
    API_KEY_UPDATE = Route::patch("updateApiKey", "/api/v1/api-keys/{id}", "api-keys")
        .scope("apikeys:write")
        .does("Change what is given of an API key.")
        .takes(schema::<UpdateApiKey>())
        .answers(schema::<ApiKey>())
        .fails(&[Forbidden, NotFound, Conflict]);
    /// Revoke an API key by the verb that removes.
    API_KEY_DELETE = Route::delete("deleteApiKey", "/api/v1/api-keys/{id}", "api-keys")
        .scope("apikeys:write")
        .does("Revoke an API key.")
        .fails(&[NotFound]);
    /// A new text for an API key.
    API_KEY_ROTATE = Route::post("rotateApiKey", "/api/v1/api-keys/{id}/rotate", "api-keys")
        .scope("apikeys:write")
        .does("Give an API key a new text and show it once.")
        .takes(schema::<RotateApiKey>())
        .answers(schema::<CreatedApiKey>())
        .fails(&[Forbidden, NotFound, Conflict, ValueNotReplayable]);
    /// Revoke an API key.
    API_KEY_REVOKE = Route::post("revokeApiKey", "/api/v1/api-keys/{id}/revoke", "api-keys")
        .scope("apikeys:write")
        .does("Revoke an API key, everywhere within a second.")
        .answers(schema::<ApiKey>())
        .fails(&[NotFound]);

    /// A new tenant.
    TENANT_CREATE = Route::post("createTenant", "/api/v1/tenants", "tenants")
        .scope("platform:admin")
        .does("Make a tenant with its default keys and show its administrator's API key once.")
        .takes(schema::<CreateTenant>())
        .creates(schema::<CreatedTenant>())
        .fails(&[Conflict, ValueNotReplayable]);
    /// The tenants.
    TENANT_LIST = Route::get("listTenants", "/api/v1/tenants", "tenants")
        .scope("platform:admin")
        .does("List tenants.")
        .asks(schema::<ListTenants>())
        .answers(schema::<TenantList>());
    /// One tenant.
    TENANT_GET = Route::get("getTenant", "/api/v1/tenants/{id}", "tenants")
        .scope("platform:admin")
        .does("Read a tenant.")
        .answers(schema::<Tenant>())
        .fails(&[NotFound]);
    /// Change a tenant.
    TENANT_UPDATE = Route::patch("updateTenant", "/api/v1/tenants/{id}", "tenants")
        .scope("platform:admin")
        .does("Change what is given of a tenant.")
        .takes(schema::<UpdateTenant>())
        .answers(schema::<Tenant>())
        .fails(&[NotFound]);
    /// Suspend a tenant.
    TENANT_SUSPEND = Route::post("suspendTenant", "/api/v1/tenants/{id}/suspend", "tenants")
        .scope("platform:admin")
        .does("Refuse all credentials of a tenant until it is activated again.")
        .answers(schema::<Tenant>())
        .fails(&[NotFound, Conflict]);
    /// Activate a tenant.
    TENANT_ACTIVATE = Route::post("activateTenant", "/api/v1/tenants/{id}/activate", "tenants")
        .scope("platform:admin")
        .does("Accept a suspended tenant's credentials again.")
        .answers(schema::<Tenant>())
        .fails(&[NotFound, Conflict]);

    /// The state of the seal.
    OPERATOR_STATUS = Route::get("operatorStatus", "/operator/status", "operator")
        .anonymous()
        .does("Whether the platform is initialized and unsealed.")
        .answers(schema::<OperatorStatus>());
    /// Unseal.
    OPERATOR_UNSEAL = Route::post("unseal", "/operator/unseal", "operator")
        .anonymous()
        .does("Give the passphrase or one share of the root key.")
        .takes(schema::<Unseal>())
        .answers(schema::<OperatorStatus>())
        .fails(&[Forbidden, AlreadyInitialized]);
    /// Seal.
    OPERATOR_SEAL = Route::post("seal", "/operator/seal", "operator")
        .scope("platform:admin")
        .does("Forget the root key; everything but unsealing stops.")
        .answers(schema::<OperatorStatus>())
        .fails(&[Unsupported]);
    /// Backup.
    OPERATOR_BACKUP = Route::post("backup", "/operator/backup", "operator")
        .scope("platform:admin")
        .does("A backup of the whole platform, encrypted to the recipient's key.")
        .takes(schema::<CreateBackup>())
        .streams("application/octet-stream")
        .fails(&[Unsupported]);
}
