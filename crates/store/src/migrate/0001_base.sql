-- Ids are 16 bytes, times are Unix milliseconds, every key starts with the tenant. What is called sealed is a ciphertext bound to
-- its tenant, table, row, column and version; the rest is what lists are sorted and searched by.

CREATE TABLE meta (
    k TEXT NOT NULL PRIMARY KEY,
    v BYTEA NOT NULL
);

CREATE TABLE tenant (
    id BYTEA NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ver BIGINT NOT NULL
);

CREATE TABLE tenant_kek (
    tenant BYTEA NOT NULL,
    version BIGINT NOT NULL,
    public BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, version)
);

CREATE TABLE cell_epoch (
    tenant BYTEA NOT NULL,
    epoch BYTEA NOT NULL,
    wrapped BYTEA NOT NULL,
    kek_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, epoch)
);

CREATE TABLE api_key (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    limits TEXT NOT NULL,
    cidrs TEXT NOT NULL,
    environment TEXT,
    rate_per_minute BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT,
    replaced_by BYTEA,
    grace_until BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX api_key_by_age ON api_key (tenant, created_at, id);

CREATE TABLE secret (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    content_type TEXT,
    labels TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    is_favorite INTEGER NOT NULL,
    version BIGINT NOT NULL,
    ver BIGINT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    meta BYTEA,
    has_totp INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX secret_by_name ON secret (tenant, name);
CREATE INDEX secret_by_age ON secret (tenant, created_at, id);

CREATE TABLE secret_version (
    tenant BYTEA NOT NULL,
    secret BYTEA NOT NULL,
    version BIGINT NOT NULL,
    value BYTEA NOT NULL,
    meta BYTEA,
    created_at BIGINT NOT NULL,
    restored_from BIGINT,
    PRIMARY KEY (tenant, secret, version)
);

CREATE TABLE share_link (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    secret BYTEA NOT NULL,
    token_hash BYTEA NOT NULL UNIQUE,
    state TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    max_access BIGINT,
    access_count BIGINT NOT NULL,
    password BYTEA,
    created_at BIGINT NOT NULL,
    created_by BYTEA,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX share_link_by_secret ON share_link (tenant, secret, created_at);

CREATE TABLE named_key (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    key_type TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL,
    is_default INTEGER NOT NULL,
    is_favorite INTEGER NOT NULL,
    exportable INTEGER NOT NULL,
    current_version BIGINT NOT NULL,
    min_version BIGINT NOT NULL,
    ver BIGINT NOT NULL,
    description BYTEA,
    labels TEXT NOT NULL,
    expires_at BIGINT,
    rotated_at BIGINT,
    deletion_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, folded)
);
CREATE INDEX named_key_by_age ON named_key (tenant, created_at, id);

CREATE TABLE key_version (
    tenant BYTEA NOT NULL,
    key_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    id BYTEA NOT NULL,
    state TEXT NOT NULL,
    public BYTEA,
    sealed BYTEA,
    kek_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    rotated_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (tenant, key_id, version),
    UNIQUE (tenant, id)
);

CREATE TABLE key_epoch (
    tenant BYTEA NOT NULL,
    key_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    epoch BYTEA NOT NULL,
    encapsulation BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, key_id, version, epoch)
);

CREATE TABLE idempotency (
    tenant BYTEA NOT NULL,
    principal BYTEA NOT NULL,
    k TEXT NOT NULL,
    request BYTEA NOT NULL,
    status BIGINT NOT NULL,
    answer BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, principal, k)
);
CREATE INDEX idempotency_by_end ON idempotency (expires_at);

CREATE TABLE audit_outbox (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    at BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX audit_outbox_by_age ON audit_outbox (at, tenant, id);

CREATE TABLE audit_checkpoint (
    tenant BYTEA NOT NULL,
    at BIGINT NOT NULL,
    id BYTEA NOT NULL,
    body BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    PRIMARY KEY (tenant, at, id)
);

CREATE TABLE lease (
    name TEXT NOT NULL PRIMARY KEY,
    holder BYTEA NOT NULL,
    until BIGINT NOT NULL,
    fence BIGINT NOT NULL
);

CREATE TABLE tenant_epoch (
    tenant BYTEA NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL
);

CREATE TABLE change_log (
    tenant BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id BYTEA NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (tenant, epoch, kind, id)
);

CREATE TABLE entropy_usage (
    tenant BYTEA NOT NULL,
    month BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (tenant, month)
);
