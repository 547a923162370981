-- Rebuildable from the batches. `actor` and `action` are folded for searching; `body` is the event as it was drafted.

CREATE TABLE audit_event (
    tenant BYTEA NOT NULL,
    at BIGINT NOT NULL,
    id BYTEA NOT NULL,
    category TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_id TEXT,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    lane BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (tenant, at, id)
);
CREATE INDEX audit_event_by_resource ON audit_event (tenant, resource_id, at, id);

CREATE TABLE audit_cursor (
    lane BYTEA NOT NULL PRIMARY KEY,
    next_seq BIGINT NOT NULL
);
