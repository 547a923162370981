-- Rebuildable from the batches. A row for the events of one batch and one second that agree in everything one can filter by,
-- however many they are; `members` are their places in the batch, two bytes each, and the batch alone holds the events.
-- `actor` is folded for searching.

DROP TABLE audit_event;
DROP TABLE audit_cursor;

CREATE TABLE audit_group (
    tenant BYTEA NOT NULL,
    last_at BIGINT NOT NULL,
    lane BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    n BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    cnt BIGINT NOT NULL,
    category TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_id TEXT,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    members BYTEA NOT NULL,
    PRIMARY KEY (tenant, last_at, lane, seq, n)
);
CREATE INDEX audit_group_by_resource ON audit_group (tenant, resource_id, last_at, lane, seq, n);

CREATE TABLE audit_group_cursor (
    lane BYTEA NOT NULL PRIMARY KEY,
    next_seq BIGINT NOT NULL
);
