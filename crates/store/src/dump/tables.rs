//! What a backup holds: every table, in the order they are restored, with its columns spelled out.
//!
//! Not in it: leases, which belong to running processes, and the audit index, which is rebuilt from the batches.

/// One table and the statements that read and write it whole.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    pub(super) select: &'static str,
    pub(super) insert: &'static str,
    pub(super) any: &'static str,
}

macro_rules! tables {
    ($($name:literal by $key:literal: $first:literal $one:literal $(, $column:literal $number:literal)*;)+) => {
        pub const TABLES: &[Table] = &[$(Table {
            name: $name,
            columns: &[$first $(, $column)*],
            select: concat!("SELECT ", $first $(, ", ", $column)*, " FROM ", $name, " ORDER BY ", $key),
            insert: concat!(
                "INSERT INTO ", $name, " (", $first $(, ", ", $column)*, ") VALUES (", $one $(, ", ", $number)*, ")"
            ),
            any: concat!("SELECT 1 FROM ", $name, " LIMIT 1"),
        }),+];
    };
}

tables! {
    "meta" by "k": "k" "$1", "v" "$2";
    "tenant" by "id": "id" "$1", "slug" "$2", "name" "$3", "state" "$4", "created_at" "$5", "updated_at" "$6",
        "ver" "$7", "mfa_policy" "$8";
    "tenant_kek" by "tenant, version": "tenant" "$1", "version" "$2", "public" "$3", "sealed" "$4", "created_at" "$5";
    "cell_epoch" by "tenant, epoch": "tenant" "$1", "epoch" "$2", "wrapped" "$3", "kek_version" "$4",
        "created_at" "$5";
    "api_key" by "tenant, id": "tenant" "$1", "id" "$2", "name" "$3", "prefix" "$4", "hash" "$5", "scopes" "$6",
        "limits" "$7", "cidrs" "$8", "environment" "$9", "rate_per_minute" "$10", "created_at" "$11",
        "created_by" "$12", "expires_at" "$13", "revoked_at" "$14", "last_used_at" "$15", "replaced_by" "$16",
        "grace_until" "$17", "application" "$18";
    "secret" by "tenant, id": "tenant" "$1", "id" "$2", "name" "$3", "content_type" "$4", "labels" "$5",
        "is_active" "$6", "is_favorite" "$7", "version" "$8", "ver" "$9", "expires_at" "$10", "created_at" "$11",
        "updated_at" "$12", "meta" "$13", "has_totp" "$14";
    "secret_version" by "tenant, secret, version": "tenant" "$1", "secret" "$2", "version" "$3", "value" "$4",
        "meta" "$5", "created_at" "$6", "restored_from" "$7";
    "share_link" by "tenant, id": "tenant" "$1", "id" "$2", "secret" "$3", "token_hash" "$4", "state" "$5",
        "expires_at" "$6", "max_access" "$7", "access_count" "$8", "password" "$9", "created_at" "$10",
        "created_by" "$11";
    "named_key" by "tenant, id": "tenant" "$1", "id" "$2", "name" "$3", "folded" "$4", "key_type" "$5",
        "algorithm" "$6", "state" "$7", "is_default" "$8", "is_favorite" "$9", "exportable" "$10",
        "current_version" "$11", "min_version" "$12", "ver" "$13", "description" "$14", "labels" "$15",
        "expires_at" "$16", "rotated_at" "$17", "deletion_at" "$18", "created_at" "$19", "updated_at" "$20";
    "key_version" by "tenant, key_id, version": "tenant" "$1", "key_id" "$2", "version" "$3", "id" "$4", "state" "$5",
        "public" "$6", "sealed" "$7", "kek_version" "$8", "created_at" "$9", "rotated_at" "$10", "revoked_at" "$11";
    "key_epoch" by "tenant, key_id, version, epoch": "tenant" "$1", "key_id" "$2", "version" "$3", "epoch" "$4",
        "encapsulation" "$5", "created_at" "$6";
    "ca_policy" by "tenant": "tenant" "$1", "trust_domain" "$2", "allowed" "$3", "learning" "$4", "seq" "$5",
        "seq_at" "$6", "ver" "$7", "created_at" "$8", "updated_at" "$9";
    "ca" by "tenant, id": "tenant" "$1", "id" "$2", "kind" "$3", "name" "$4", "generation" "$5", "algorithm" "$6",
        "subject" "$7", "key_identifier" "$8", "public" "$9", "sealed" "$10", "kek_version" "$11", "certificate" "$12",
        "intermediate" "$13", "not_before" "$14", "not_after" "$15", "active_from" "$16", "retires_at" "$17",
        "retired_at" "$18", "crl" "$19", "crl_number" "$20", "crl_spoilt" "$21", "crl_renew_at" "$22",
        "created_at" "$23";
    "certificate_intent" by "n": "n" "$1", "tenant" "$2", "id" "$3", "ca" "$4", "serial" "$5", "is_abandoned" "$6",
        "profile" "$7", "algorithm" "$8", "subject" "$9", "names" "$10", "is_server_made" "$11", "not_before" "$12",
        "not_after" "$13", "requested_by" "$14", "renewed_from" "$15", "created_at" "$16";
    "certificate" by "tenant, id": "tenant" "$1", "id" "$2", "ca" "$3", "serial" "$4", "profile" "$5",
        "algorithm" "$6", "subject" "$7", "names" "$8", "is_server_made" "$9", "not_before" "$10", "not_after" "$11",
        "certificate" "$12", "requested_by" "$13", "renewed_from" "$14", "revoked_at" "$15", "reason" "$16",
        "created_at" "$17";
    "application" by "tenant, id": "tenant" "$1", "id" "$2", "client_id" "$3", "name" "$4", "kind" "$5",
        "environment" "$6", "state" "$7", "settings" "$8", "tokens_not_before" "$9", "grants_not_before" "$10",
        "ver" "$11", "created_at" "$12", "updated_at" "$13";
    "application_secret" by "tenant, id": "tenant" "$1", "id" "$2", "application" "$3", "hash" "$4",
        "created_at" "$5", "expires_at" "$6", "revoked_at" "$7";
    "resource_server" by "tenant, id": "tenant" "$1", "id" "$2", "identifier" "$3", "name" "$4", "token_format" "$5",
        "token_lifetime_s" "$6", "scopes" "$7", "ver" "$8", "created_at" "$9", "updated_at" "$10";
    "account" by "tenant, id": "tenant" "$1", "id" "$2", "realm" "$3", "email" "$4", "is_email_verified" "$5",
        "state" "$6", "role" "$7", "profile" "$8", "password" "$9", "password_at" "$10", "must_change_password" "$11",
        "has_second_factor" "$12", "tokens_not_before" "$13", "grants_not_before" "$14", "login_count" "$15",
        "last_login_at" "$16", "blocked_at" "$17", "ver" "$18", "created_at" "$19", "updated_at" "$20";
    "role" by "tenant, id": "tenant" "$1", "id" "$2", "application" "$3", "name" "$4", "description" "$5",
        "permissions" "$6", "is_default" "$7", "ver" "$8", "created_at" "$9", "updated_at" "$10";
    "role_assignment" by "tenant, id": "tenant" "$1", "id" "$2", "account" "$3", "role" "$4", "assigned_at" "$5";
    "account_factor" by "tenant, id": "tenant" "$1", "id" "$2", "account" "$3", "kind" "$4", "state" "$5",
        "sealed" "$6", "last_step" "$7", "created_at" "$8", "used_at" "$9";
    "account_code" by "tenant, hash": "tenant" "$1", "hash" "$2", "account" "$3", "purpose" "$4", "state" "$5",
        "attempts" "$6", "created_at" "$7", "expires_at" "$8";
    "login_throttle" by "tenant, subject": "tenant" "$1", "subject" "$2", "failures" "$3", "failed_at" "$4";
    "login_event" by "tenant, id": "tenant" "$1", "id" "$2", "account" "$3", "at" "$4", "kind" "$5",
        "is_success" "$6", "reason" "$7", "sealed" "$8";
    "mail" by "tenant, id": "tenant" "$1", "id" "$2", "state" "$3", "attempts" "$4", "next_at" "$5", "sealed" "$6",
        "created_at" "$7";
    "session" by "tenant, id": "tenant" "$1", "id" "$2", "hash" "$3", "sid" "$4", "realm" "$5", "account" "$6",
        "state" "$7", "reason" "$8", "acr" "$9", "amr" "$10", "authenticated_at" "$11", "created_at" "$12",
        "seen_at" "$13", "idle_ms" "$14", "expires_at" "$15", "ended_at" "$16", "sealed" "$17";
    "consent" by "tenant, account, application": "tenant" "$1", "account" "$2", "application" "$3", "scopes" "$4",
        "created_at" "$5", "updated_at" "$6";
    "pushed_request" by "tenant, hash": "tenant" "$1", "hash" "$2", "application" "$3", "state" "$4", "sealed" "$5",
        "created_at" "$6", "expires_at" "$7";
    "interaction" by "tenant, hash": "tenant" "$1", "hash" "$2", "application" "$3", "session" "$4", "state" "$5",
        "sealed" "$6", "created_at" "$7", "expires_at" "$8";
    "token_grant" by "tenant, id": "tenant" "$1", "id" "$2", "application" "$3", "account" "$4", "session" "$5",
        "kind" "$6", "state" "$7", "reason" "$8", "terms" "$9", "created_at" "$10", "expires_at" "$11",
        "ended_at" "$12";
    "authorization_code" by "tenant, hash": "tenant" "$1", "hash" "$2", "application" "$3", "token_grant" "$4",
        "state" "$5", "sealed" "$6", "created_at" "$7", "expires_at" "$8";
    "refresh_token" by "tenant, hash": "tenant" "$1", "hash" "$2", "application" "$3", "token_grant" "$4",
        "state" "$5", "successor" "$6", "created_at" "$7", "spent_at" "$8", "expires_at" "$9";
    "access_token" by "tenant, hash": "tenant" "$1", "hash" "$2", "application" "$3", "token_grant" "$4",
        "account" "$5", "claims" "$6", "issued_at" "$7", "expires_at" "$8";
    "revoked_token" by "tenant, token": "tenant" "$1", "token" "$2", "revoked_at" "$3", "expires_at" "$4";
    "device_code" by "tenant, hash": "tenant" "$1", "hash" "$2", "user_code" "$3", "application" "$4",
        "token_grant" "$5", "state" "$6", "request" "$7", "interval_ms" "$8", "polled_at" "$9", "created_at" "$10",
        "expires_at" "$11";
    "spent_assertion" by "tenant, hash": "tenant" "$1", "hash" "$2", "expires_at" "$3";
    "token_key" by "tenant, id": "tenant" "$1", "id" "$2", "kid" "$3", "algorithm" "$4", "state" "$5", "public" "$6",
        "sealed" "$7", "kek_version" "$8", "created_at" "$9", "active_from" "$10", "retired_at" "$11",
        "published_until" "$12";
    "trust" by "tenant, id": "tenant" "$1", "id" "$2", "name" "$3", "kind" "$4", "issuer" "$5", "state" "$6",
        "settings" "$7", "not_before" "$8", "ver" "$9", "created_at" "$10", "updated_at" "$11";
    "gate_ticket" by "tenant, id": "tenant" "$1", "id" "$2", "reason" "$3", "environment" "$4", "digests" "$5",
        "issued_by" "$6", "issued_at" "$7", "expires_at" "$8", "revoked_at" "$9", "revoked_by" "$10";
    "logout_notice" by "tenant, application, sid": "tenant" "$1", "application" "$2", "sid" "$3", "account" "$4",
        "state" "$5", "attempts" "$6", "next_at" "$7", "created_at" "$8";
    "idempotency" by "tenant, principal, k": "tenant" "$1", "principal" "$2", "k" "$3", "request" "$4", "status" "$5",
        "answer" "$6", "created_at" "$7", "expires_at" "$8";
    "audit_outbox" by "tenant, id": "tenant" "$1", "id" "$2", "at" "$3", "body" "$4";
    "audit_checkpoint" by "tenant, at, id": "tenant" "$1", "at" "$2", "id" "$3", "body" "$4", "signature" "$5";
    "tenant_epoch" by "tenant": "tenant" "$1", "epoch" "$2";
    "change_log" by "tenant, epoch, kind, id": "tenant" "$1", "epoch" "$2", "kind" "$3", "id" "$4", "at" "$5";
    "entropy_usage" by "tenant, month": "tenant" "$1", "month" "$2", "bytes" "$3";
    "audit_batch" by "lane, seq": "lane" "$1", "seq" "$2", "first_at" "$3", "last_at" "$4", "cnt" "$5",
        "prev_hash" "$6", "hash" "$7", "data" "$8";
}
