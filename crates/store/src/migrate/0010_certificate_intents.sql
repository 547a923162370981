-- What is about to be signed stands in a table of its own, which is nearly empty: an intent goes when its certificate is recorded.
-- A certificate is then written once, whole and behind the one before, and not grown in the middle of its neighbours. An intent
-- that stays was cut off: it was never handed out by us, but its serial number may have been signed. `n` is the random part of the id:
-- a key that is a number costs SQLite one tree, not two.

CREATE TABLE certificate_intent (
    n BIGINT NOT NULL PRIMARY KEY,
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    ca BYTEA NOT NULL,
    serial BYTEA NOT NULL,
    is_abandoned INTEGER NOT NULL,
    profile TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    subject TEXT NOT NULL,
    names TEXT NOT NULL,
    is_server_made INTEGER NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    requested_by TEXT NOT NULL,
    renewed_from BYTEA,
    created_at BIGINT NOT NULL
);
INSERT INTO certificate_intent (n, tenant, id, ca, serial, is_abandoned, profile, algorithm, subject, names, is_server_made,
    not_before, not_after, requested_by, renewed_from, created_at)
    SELECT ROW_NUMBER() OVER (ORDER BY tenant, id), tenant, id, ca, serial, 1, profile, algorithm, subject, names, is_server_made,
    not_before, not_after, requested_by, renewed_from, created_at FROM certificate WHERE state <> 'issued';
DELETE FROM certificate WHERE state <> 'issued';
DROP INDEX certificate_by_state;
ALTER TABLE certificate DROP COLUMN state;

-- Ids are in the order of their making.
DROP INDEX certificate_by_age;
