-- What lets images pass the deploy gate for a while. `digests` is a JSON array of texts. Nobody's secret is in it: whoever holds a
-- ticket is recorded by the gate that took it.
CREATE TABLE gate_ticket (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    reason TEXT NOT NULL,
    environment TEXT,
    digests TEXT NOT NULL,
    issued_by TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    revoked_by TEXT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX gate_ticket_by_age ON gate_ticket (tenant, issued_at, id);
