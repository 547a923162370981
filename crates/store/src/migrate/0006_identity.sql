-- Who acts, and what they were given. The realm of an account is its application's id, or sixteen zero bytes for the tenant's own
-- people. What must work only once is spent by a guarded update of its `state`; every kind of it has a table of its own.
-- Hashes are keyed hashes of what the caller holds; the text itself is nowhere.

-- `settings` is JSON: redirect URIs, scopes, resources, token and factor policies, branding. Access tokens issued before
-- `tokens_not_before` are dead, and grants and sessions begun before `grants_not_before`.
CREATE TABLE application (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    client_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    environment TEXT NOT NULL,
    state TEXT NOT NULL,
    settings TEXT NOT NULL,
    tokens_not_before BIGINT NOT NULL,
    grants_not_before BIGINT NOT NULL,
    ver BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, client_id)
);
CREATE INDEX application_by_age ON application (tenant, created_at, id);

-- A rotated secret works until `expires_at`, beside its successor.
CREATE TABLE application_secret (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    application BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX application_secret_by_application ON application_secret (tenant, application);

-- An API key can belong to an application; it then may do what the application may do.
ALTER TABLE api_key ADD COLUMN application BYTEA;
CREATE INDEX api_key_by_application ON api_key (tenant, application);

-- An API that tokens are for (RFC 8707): its identifier is the audience, and it decides the form of its access tokens.
CREATE TABLE resource_server (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    identifier TEXT NOT NULL,
    name TEXT NOT NULL,
    token_format TEXT NOT NULL,
    token_lifetime_s BIGINT NOT NULL,
    scopes TEXT NOT NULL,
    ver BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, identifier)
);

-- A person. `email` is the keyed hash of the folded address, unique within its realm; the address itself is in the sealed profile.
-- `role` is what one of the tenant's own people is there: owner, admin or member.
CREATE TABLE account (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    realm BYTEA NOT NULL,
    email BYTEA NOT NULL,
    is_email_verified INTEGER NOT NULL,
    state TEXT NOT NULL,
    role TEXT,
    profile BYTEA NOT NULL,
    password BYTEA,
    password_at BIGINT,
    must_change_password INTEGER NOT NULL,
    has_second_factor INTEGER NOT NULL,
    tokens_not_before BIGINT NOT NULL,
    grants_not_before BIGINT NOT NULL,
    login_count BIGINT NOT NULL,
    last_login_at BIGINT,
    blocked_at BIGINT,
    ver BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, realm, email)
);
CREATE INDEX account_by_age ON account (tenant, realm, created_at, id);

CREATE TABLE role (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    application BYTEA NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    permissions TEXT,
    is_default INTEGER NOT NULL,
    ver BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, application, name)
);

CREATE TABLE role_assignment (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    account BYTEA NOT NULL,
    role BYTEA NOT NULL,
    assigned_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, account, role)
);
CREATE INDEX role_assignment_by_role ON role_assignment (tenant, role);

-- A second factor: totp or recovery. `last_step` is the last TOTP step that was accepted, so that none is accepted twice.
CREATE TABLE account_factor (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    account BYTEA NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    last_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX account_factor_by_account ON account_factor (tenant, account);

-- What was sent by e-mail: an invitation, a verification, a reset, a sign-in code.
CREATE TABLE account_code (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    account BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX account_code_by_account ON account_code (tenant, account, purpose);
CREATE INDEX account_code_by_end ON account_code (expires_at);

-- Failed tries, by the keyed hash of whom and from where they are counted.
CREATE TABLE login_throttle (
    tenant BYTEA NOT NULL,
    subject BYTEA NOT NULL,
    failures BIGINT NOT NULL,
    failed_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject)
);
CREATE INDEX login_throttle_by_age ON login_throttle (failed_at);

-- The history of an account: what it did, with address and device sealed beside it.
CREATE TABLE login_event (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    account BYTEA NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    is_success INTEGER NOT NULL,
    reason TEXT,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX login_event_by_account ON login_event (tenant, account, at, id);
CREATE INDEX login_event_by_age ON login_event (at);

-- Letters to be sent. Sealed: address, subject and text.
CREATE TABLE mail (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX mail_by_turn ON mail (state, next_at);

-- A browser that somebody signed in with. `sid` is what tokens call it.
CREATE TABLE session (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    sid TEXT NOT NULL,
    realm BYTEA NOT NULL,
    account BYTEA NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    idle_ms BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX session_by_account ON session (tenant, account, created_at);
CREATE INDEX session_by_end ON session (expires_at);

CREATE TABLE consent (
    tenant BYTEA NOT NULL,
    account BYTEA NOT NULL,
    application BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, account, application)
);

-- An authorization request that was pushed (RFC 9126), or that waits while somebody signs in. The request itself is sealed.
CREATE TABLE pushed_request (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    application BYTEA NOT NULL,
    state TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX pushed_request_by_end ON pushed_request (expires_at);

CREATE TABLE interaction (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    application BYTEA NOT NULL,
    session BYTEA,
    state TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX interaction_by_end ON interaction (expires_at);

-- What an application was allowed on somebody's behalf: the family of a code, its refresh tokens and its access tokens.
-- `account` and `session` are absent where nobody signed in. `terms` is JSON: scopes, resources, acr, amr, binding.
CREATE TABLE token_grant (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    application BYTEA NOT NULL,
    account BYTEA,
    session BYTEA,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    terms TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX token_grant_by_account ON token_grant (tenant, account, created_at);
CREATE INDEX token_grant_by_session ON token_grant (tenant, session);
CREATE INDEX token_grant_by_end ON token_grant (expires_at);

CREATE TABLE authorization_code (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    application BYTEA NOT NULL,
    token_grant BYTEA NOT NULL,
    state TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX authorization_code_by_end ON authorization_code (expires_at);

-- `successor` is kept sealed for the few seconds in which the same client may ask again for an answer that was lost.
CREATE TABLE refresh_token (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    application BYTEA NOT NULL,
    token_grant BYTEA NOT NULL,
    state TEXT NOT NULL,
    successor BYTEA,
    created_at BIGINT NOT NULL,
    spent_at BIGINT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX refresh_token_by_grant ON refresh_token (tenant, token_grant);
CREATE INDEX refresh_token_by_end ON refresh_token (expires_at);

-- An opaque access token; a JWT has no row. `claims` is the JSON that a JWT would carry, sealed.
CREATE TABLE access_token (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    application BYTEA NOT NULL,
    token_grant BYTEA,
    account BYTEA,
    claims BYTEA NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX access_token_by_end ON access_token (expires_at);
CREATE INDEX access_token_by_hash ON access_token (hash);

-- Access tokens that were revoked one by one, until they would have ended. `token` is the `jti`, or the hash of an opaque one.
CREATE TABLE revoked_token (
    tenant BYTEA NOT NULL,
    token BYTEA NOT NULL,
    revoked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, token)
);
CREATE INDEX revoked_token_by_end ON revoked_token (expires_at);

-- RFC 8628. `user_code` is a keyed hash like `hash`, of what a person types.
CREATE TABLE device_code (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    user_code BYTEA NOT NULL,
    application BYTEA NOT NULL,
    token_grant BYTEA,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    interval_ms BIGINT NOT NULL,
    polled_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash),
    UNIQUE (tenant, user_code)
);
CREATE INDEX device_code_by_end ON device_code (expires_at);

-- Assertions that were accepted, until they would have ended: none is accepted twice. The key is a hash of issuer and `jti`.
CREATE TABLE spent_assertion (
    tenant BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash)
);
CREATE INDEX spent_assertion_by_end ON spent_assertion (expires_at);

-- Keys that sign tokens: next, active, retired or revoked.
CREATE TABLE token_key (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    kid TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL,
    public BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    kek_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    active_from BIGINT NOT NULL,
    retired_at BIGINT,
    published_until BIGINT,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, kid)
);

-- Whom another issuer's tokens are believed to be. `settings` is JSON: audience, keys, rules, what a match is given.
CREATE TABLE trust (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    issuer TEXT NOT NULL,
    state TEXT NOT NULL,
    settings TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    ver BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);

-- Back-channel logouts that applications have yet to be told of.
CREATE TABLE logout_notice (
    tenant BYTEA NOT NULL,
    id BYTEA NOT NULL,
    application BYTEA NOT NULL,
    account BYTEA NOT NULL,
    sid TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX logout_notice_by_turn ON logout_notice (state, next_at);
