-- One row per commit of a lane: `data` holds length-prefixed chained records, `hash` covers the batch before and `data`.

CREATE TABLE audit_batch (
    lane BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    cnt BIGINT NOT NULL,
    prev_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (lane, seq)
);
