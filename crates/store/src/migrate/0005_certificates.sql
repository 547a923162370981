-- What a tenant's certificates may say, and the sequence of its trust bundle: it moves with every anchor and every revocation.

CREATE TABLE ca_policy (
    tenant BYTEA NOT NULL PRIMARY KEY,
    trust_domain TEXT NOT NULL,
    allowed TEXT NOT NULL,
    learning INTEGER NOT NULL,
    seq BIGINT NOT NULL,
    seq_at BIGINT NOT NULL,
    ver BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- One row per key of an authority; a rotation adds the next generation of the same name. `certificate` is the self-signed form,
-- `intermediate` the one under the root. `crl_spoilt` counts revocations
-- since the list was signed.

CREATE TABLE ca (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    generation BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    subject TEXT NOT NULL,
    key_identifier BYTEA NOT NULL,
    public BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    kek_version BIGINT NOT NULL,
    certificate BYTEA NOT NULL,
    intermediate BYTEA,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    retires_at BIGINT,
    retired_at BIGINT,
    crl BYTEA,
    crl_number BIGINT NOT NULL,
    crl_spoilt BIGINT NOT NULL,
    crl_renew_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name, generation)
);

-- A row is written before the certificate is signed. `state` is intended, issued or abandoned; an abandoned one was never handed
-- out by us, but its serial number may have been signed.

CREATE TABLE certificate (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    ca BYTEA NOT NULL,
    serial BYTEA NOT NULL,
    state TEXT NOT NULL,
    profile TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    subject TEXT NOT NULL,
    names TEXT NOT NULL,
    is_server_made INTEGER NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    certificate BYTEA,
    requested_by TEXT NOT NULL,
    renewed_from BYTEA,
    revoked_at BIGINT,
    reason TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, ca, serial)
);
CREATE INDEX certificate_by_age ON certificate (tenant, created_at, id);
CREATE INDEX certificate_by_end ON certificate (not_after);
CREATE INDEX certificate_by_revocation ON certificate (tenant, revoked_at);
CREATE INDEX certificate_by_state ON certificate (state, created_at);
