-- One notice for an application and a session, so that whoever ends a session twice tells nobody twice, and so that the statement that
-- ends it can write them for whoever has to hear. What stood here was never sent.

DROP TABLE logout_notice;
CREATE TABLE logout_notice (
    tenant BYTEA NOT NULL,
    application BYTEA NOT NULL,
    sid TEXT NOT NULL,
    account BYTEA NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, application, sid)
);
CREATE INDEX logout_notice_by_turn ON logout_notice (state, next_at);

-- What its applications say where they say nothing.
ALTER TABLE tenant ADD COLUMN mfa_policy TEXT;
