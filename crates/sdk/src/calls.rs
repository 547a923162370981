//! One method a route. The table of routes says the rest.

use api::routes::{
    applications as a, certificates as c, encryption as e, gate_tickets as g, keys as k, oidc as o, people as w,
    platform as p, secrets as s, transit as t, trusts as u,
};
use api::{
    api_keys, applications, audit, certificates, encryption, gate_tickets, health, keys, oauth, operator, people, qrng,
    secrets, shares, tenants, transit, trusts,
};
use uuid::Uuid;

use crate::call::Call;
use crate::client::{Client, Download};
use crate::error::Error;

/// Writes the methods: parameters of the path, then a query, then a body, then the type of the answer.
macro_rules! calls {
    ($($(#[$meta:meta])* $name:ident($($param:ident: $of:ty),* $(; query $query:ty)? $(; body $body:ty)?)
        -> $answer:ty = $route:path;)+) => {
        impl Client {$(
            $(#[$meta])*
            pub async fn $name(
                &self,
                $($param: $of,)*
                $(query: &$query,)?
                $(body: &$body,)?
            ) -> Result<$answer, Error> {
                let call = Call::to(const { $route.endpoint() }, &[$(&$param.to_string()),*]);
                $(let call = call.with_query::<$query>(query)?;)?
                $(let call = call.with_body::<$body>(body)?;)?
                self.send(call).await
            }
        )+}
    };
}

calls! {
    /// Whether the server and its storage work.
    health() -> health::Health = p::HEALTH;
    /// Whether the process runs.
    live() -> health::Health = p::HEALTH_LIVE;
    /// Whether the server can be used.
    ready() -> health::Health = p::HEALTH_READY;
    /// The server's version.
    version() -> health::Version = p::VERSION;
    /// The credential's rate limit.
    rate_limit() -> health::RateLimit = p::RATE_LIMIT;
    /// Draws entropy from a quantum source, or fails.
    draw_entropy(; body qrng::DrawEntropy) -> qrng::DrawnEntropy = p::QRNG_ENTROPY;
    /// Lists audit events.
    audit_logs(; query audit::ListAuditLogs) -> audit::AuditLogList = p::AUDIT_LOGS;
    /// The public key that signs the trailers of exports.
    audit_key() -> audit::AuditKey = p::AUDIT_KEY;
    /// Lists audit events in the older form.
    audit(; query audit::ListAudit) -> audit::AuditList = p::AUDIT;

    /// Encrypts.
    encrypt(; body encryption::EncryptRequest) -> encryption::EncryptResponse = e::ENCRYPT;
    /// Decrypts.
    decrypt(; body encryption::DecryptRequest) -> encryption::DecryptResponse = e::DECRYPT;
    /// Signs.
    sign(; body encryption::SignRequest) -> encryption::SignResponse = e::SIGN;
    /// Verifies.
    verify(; body encryption::VerifyRequest) -> encryption::VerifyResponse = e::VERIFY;
    /// Encrypts up to 1,000 plaintexts.
    encrypt_batch(; body encryption::EncryptBatchRequest) -> encryption::EncryptBatchResponse = e::ENCRYPT_BATCH;
    /// Decrypts up to 1,000 payloads.
    decrypt_batch(; body encryption::DecryptBatchRequest) -> encryption::DecryptBatchResponse = e::DECRYPT_BATCH;
    /// Signs up to 1,000 messages.
    sign_batch(; body encryption::SignBatchRequest) -> encryption::SignBatchResponse = e::SIGN_BATCH;

    /// Makes a secret.
    create_secret(; body secrets::CreateSecret) -> secrets::SecretWithValue = s::SECRET_CREATE;
    /// Lists and searches secrets.
    secrets(; query secrets::ListSecrets) -> secrets::SecretList = s::SECRET_LIST;
    /// Makes or updates many secrets.
    import_secrets(; body secrets::ImportSecrets) -> secrets::ImportedSecrets = s::SECRET_IMPORT;
    /// Reads a secret.
    secret(id: Uuid; query secrets::ReadSecret) -> secrets::SecretWithValue = s::SECRET_GET;
    /// Reads a secret by its name.
    secret_by_name(name: &str; query secrets::ReadSecret) -> secrets::SecretWithValue = s::SECRET_BY_NAME;
    /// Changes what stands around a value.
    update_secret(id: Uuid; body secrets::UpdateSecret) -> secrets::Secret = s::SECRET_UPDATE;
    /// Gives a secret a new value.
    update_secret_value(id: Uuid; body secrets::UpdateSecretValue) -> secrets::Secret = s::SECRET_UPDATE_VALUE;
    /// Removes a secret for ever.
    delete_secret(id: Uuid) -> () = s::SECRET_DELETE;
    /// Makes a value unreadable.
    deactivate_secret(id: Uuid) -> () = s::SECRET_DEACTIVATE;
    /// Makes a value readable again.
    activate_secret(id: Uuid) -> () = s::SECRET_ACTIVATE;
    /// Lists a secret's versions.
    secret_history(id: Uuid; query secrets::ReadHistory) -> secrets::SecretHistory = s::SECRET_HISTORY;
    /// Makes a past version's value the newest.
    rollback_secret(id: Uuid; body secrets::RollbackSecret) -> secrets::SecretWithValue = s::SECRET_ROLLBACK;
    /// Judges a secret.
    secret_insights(id: Uuid) -> secrets::SecretInsights = s::SECRET_INSIGHTS;
    /// Makes a share link.
    create_share_link(; body shares::CreateShareLink) -> shares::CreatedShareLink = s::SHARE_CREATE;
    /// Lists a secret's share links.
    share_links(secret: Uuid) -> shares::ShareLinkList = s::SHARE_LIST;
    /// Revokes a share link.
    revoke_share_link(link: Uuid) -> shares::RevokedShareLink = s::SHARE_REVOKE;
    /// Opens a share link; never sent twice.
    open_share_link(token: &str; body shares::OpenShareLink) -> shares::OpenedShareLink = s::SHARE_OPEN;

    /// Makes a key.
    create_key(; body keys::CreateKey) -> keys::Key = k::KEY_CREATE;
    /// Brings a key from elsewhere.
    import_key(; body keys::ImportKey) -> keys::Key = k::KEY_IMPORT;
    /// Lists keys.
    keys(; query keys::ListKeys) -> keys::KeyList = k::KEY_LIST;
    /// The public halves of all active keys.
    key_set() -> keys::JwkSet = k::KEY_JWKS;
    /// Reads a key's description.
    key(id: Uuid) -> keys::Key = k::KEY_GET;
    /// Changes a key's name, description or status.
    update_key(id: Uuid; body keys::UpdateKey) -> keys::Key = k::KEY_UPDATE;
    /// Destroys a key after a grace period.
    delete_key(id: Uuid; query keys::DeleteKey) -> () = k::KEY_DELETE;
    /// Lists a key's versions.
    key_versions(id: Uuid) -> keys::KeyVersionList = k::KEY_VERSIONS;
    /// Sets the oldest version in use.
    set_min_decryption_version(id: Uuid; body keys::SetMinDecryptionVersion) -> keys::KeyVersionPolicy
        = k::KEY_SET_MIN_VERSION;
    /// Gives a key a new version.
    rotate_key(id: Uuid; body keys::RotateKey) -> keys::Key = k::KEY_ROTATE;
    /// Makes a key the default of its type.
    set_default_key(id: Uuid; body keys::SetDefaultKey) -> () = k::KEY_SET_DEFAULT;
    /// A key's public half for other programs.
    export_public_key(id: Uuid; query keys::ExportPublicKey) -> keys::ExportedPublicKey = k::KEY_EXPORT_PUBLIC;
    /// A key's public half with facts.
    public_key(id: Uuid; query keys::ReadPublicKey) -> keys::PublicKey = k::KEY_PUBLIC;
    /// A key's public half as a JSON Web Key.
    key_jwk(id: Uuid) -> keys::Jwk = k::KEY_JWK;
    /// A key's private half.
    export_key(id: Uuid; body keys::ExportKey) -> keys::ExportedKey = k::KEY_EXPORT;
    /// A new data key, bare and wrapped.
    generate_data_key(id: Uuid; body keys::GenerateDataKey) -> keys::DataKey = k::KEY_DATA_KEY;
    /// A new data key, wrapped only.
    generate_wrapped_data_key(id: Uuid; body keys::GenerateDataKey) -> keys::DataKey = k::KEY_DATA_KEY_WRAPPED;
    /// Opens a wrapped data key.
    unwrap_data_key(id: Uuid; body keys::UnwrapDataKey) -> keys::UnwrappedDataKey = k::KEY_UNWRAP;
    /// Refuses a key for ever.
    revoke_key(id: Uuid) -> keys::Key = k::KEY_REVOKE;
    /// Refuses one version of a key for ever.
    revoke_key_version(id: Uuid, version: u32) -> keys::KeyVersion = k::KEY_VERSION_REVOKE;

    /// Encrypts to a key by name.
    transit_encrypt(name: &str; body transit::TransitEncrypt) -> transit::TransitEncrypted = t::TRANSIT_ENCRYPT;
    /// Decrypts under a key by name.
    transit_decrypt(name: &str; body transit::TransitCiphertext) -> transit::TransitDecrypted = t::TRANSIT_DECRYPT;
    /// Moves a ciphertext to the newest version.
    transit_rewrap(name: &str; body transit::TransitCiphertext) -> transit::TransitRewrapped = t::TRANSIT_REWRAP;
    /// Signs with a key by name.
    transit_sign(name: &str; body transit::TransitSign) -> transit::TransitSigned = t::TRANSIT_SIGN;
    /// Verifies under a key by name.
    transit_verify(name: &str; body transit::TransitVerify) -> transit::TransitVerified = t::TRANSIT_VERIFY;
    /// Computes a message authentication code.
    transit_hmac(name: &str; body transit::TransitHmac) -> transit::TransitMac = t::TRANSIT_HMAC;
    /// Hashes.
    transit_hash(; body transit::TransitHash) -> transit::TransitHashed = t::TRANSIT_HASH;
    /// Draws random bytes.
    transit_random(; body transit::TransitRandom) -> transit::TransitRandomBytes = t::TRANSIT_RANDOM;
    /// Encrypts up to 100 plaintexts.
    transit_encrypt_batch(name: &str; body transit::TransitBatchEncrypt) -> transit::TransitBatchCiphertexts
        = t::TRANSIT_BATCH_ENCRYPT;
    /// Decrypts up to 100 ciphertexts.
    transit_decrypt_batch(name: &str; body transit::TransitBatchDecrypt) -> transit::TransitBatchPlaintexts
        = t::TRANSIT_BATCH_DECRYPT;
    /// Moves up to 1,000 ciphertexts to the newest version.
    transit_rewrap_batch(name: &str; body transit::TransitBatchDecrypt) -> transit::TransitBatchCiphertexts
        = t::TRANSIT_BATCH_REWRAP;
    /// A new data key, bare and wrapped to a key by name.
    transit_data_key(name: &str; body keys::GenerateDataKey) -> keys::DataKey = t::TRANSIT_DATA_KEY;
    /// A new data key, wrapped only.
    transit_wrapped_data_key(name: &str; body keys::GenerateDataKey) -> keys::DataKey = t::TRANSIT_DATA_KEY_WRAPPED;
    /// Sets the oldest version in use of a key by name.
    transit_configure_key(name: &str; body keys::SetMinDecryptionVersion) -> keys::KeyVersionPolicy
        = t::TRANSIT_KEY_CONFIG;

    /// Issues a certificate.
    issue_certificate(; body certificates::IssueCertificate) -> certificates::IssuedCertificate = c::CERTIFICATE_ISSUE;
    /// Lists certificates.
    certificates(; query certificates::ListCertificates) -> certificates::CertificateList = c::CERTIFICATE_LIST;
    /// Reads a certificate.
    certificate(id: Uuid) -> certificates::Certificate = c::CERTIFICATE_GET;
    /// Issues a certificate of the same names under a new key.
    renew_certificate(id: Uuid; body certificates::RenewCertificate) -> certificates::IssuedCertificate
        = c::CERTIFICATE_RENEW;
    /// Revokes a certificate.
    revoke_certificate(id: Uuid; body certificates::RevokeCertificate) -> certificates::Certificate
        = c::CERTIFICATE_REVOKE;
    /// Lists the authorities.
    authorities() -> certificates::AuthorityList = c::CA_LIST;
    /// Makes a further issuing authority.
    create_authority(; body certificates::CreateAuthority) -> certificates::Authority = c::CA_CREATE;
    /// Reads an authority.
    authority(id: Uuid) -> certificates::Authority = c::CA_GET;
    /// Gives an authority a successor.
    rotate_authority(id: Uuid; body certificates::RotateAuthority) -> certificates::Authority = c::CA_ROTATE;
    /// Reads which names certificates may hold.
    name_policy() -> certificates::NamePolicy = c::CA_POLICY;
    /// Changes which names certificates may hold.
    update_name_policy(; body certificates::UpdateNamePolicy) -> certificates::NamePolicy = c::CA_POLICY_UPDATE;
    /// The trust bundle of the default tenant. A wait must stay below the time that one attempt may take.
    trust_bundle(; query certificates::ReadBundle) -> certificates::Bundle = c::CA_BUNDLE;
    /// The trust bundle of a tenant.
    tenant_trust_bundle(slug: &str; query certificates::ReadBundle) -> certificates::Bundle = c::TENANT_CA_BUNDLE;
    /// The trust bundle of the default tenant in SPIFFE's form.
    spiffe_bundle() -> certificates::SpiffeBundle = c::CA_BUNDLE_SPIFFE;

    /// Makes an API key.
    create_api_key(; body api_keys::CreateApiKey) -> api_keys::CreatedApiKey = p::API_KEY_CREATE;
    /// Lists API keys.
    api_keys(; query api_keys::ListApiKeys) -> api_keys::ApiKeyList = p::API_KEY_LIST;
    /// Reads an API key.
    api_key(id: Uuid) -> api_keys::ApiKey = p::API_KEY_GET;
    /// Changes an API key.
    update_api_key(id: Uuid; body api_keys::UpdateApiKey) -> api_keys::ApiKey = p::API_KEY_UPDATE;
    /// Revokes an API key without reading it.
    delete_api_key(id: Uuid) -> () = p::API_KEY_DELETE;
    /// Gives an API key a new text.
    rotate_api_key(id: Uuid; body api_keys::RotateApiKey) -> api_keys::CreatedApiKey = p::API_KEY_ROTATE;
    /// Revokes an API key.
    revoke_api_key(id: Uuid) -> api_keys::ApiKey = p::API_KEY_REVOKE;

    /// Registers an application.
    create_application(; body applications::CreateApplication) -> applications::CreatedApplication = a::APPLICATION_CREATE;
    /// Lists applications.
    applications(; query applications::ListApplications) -> applications::ApplicationList = a::APPLICATION_LIST;
    /// Reads an application.
    application(id: Uuid) -> applications::Application = a::APPLICATION_GET;
    /// Changes an application.
    update_application(id: Uuid; body applications::UpdateApplication) -> applications::Application = a::APPLICATION_UPDATE;
    /// Deletes an application with its end users.
    delete_application(id: Uuid) -> () = a::APPLICATION_DELETE;
    /// Gives an application a new secret.
    rotate_client_secret(id: Uuid; body applications::RotateClientSecret) -> applications::RotatedClientSecret =
        a::APPLICATION_ROTATE_SECRET;
    /// Ends every token, grant and session of an application.
    revoke_application_tokens(id: Uuid) -> () = a::APPLICATION_REVOKE_TOKENS;
    /// Makes an API key of an application.
    create_application_key(id: Uuid; body applications::CreateApplicationKey) -> applications::ApplicationKey =
        a::APPLICATION_KEY_CREATE;
    /// Lists the API keys of an application.
    application_keys(id: Uuid) -> Vec<applications::ApplicationKey> = a::APPLICATION_KEY_LIST;
    /// Sessions that are over and of which an application could not be told.
    undelivered_logouts(id: Uuid) -> Vec<applications::UndeliveredLogout> = a::APPLICATION_LOGOUTS;
    /// Revokes an API key of an application.
    delete_application_key(id: Uuid, key: Uuid) -> () = a::APPLICATION_KEY_DELETE;

    /// Registers an API that tokens are for.
    create_resource_server(; body applications::CreateResourceServer) -> applications::ResourceServer =
        a::RESOURCE_SERVER_CREATE;
    /// Lists the APIs that tokens are for.
    resource_servers() -> applications::ResourceServerList = a::RESOURCE_SERVER_LIST;
    /// Reads an API that tokens are for.
    resource_server(id: Uuid) -> applications::ResourceServer = a::RESOURCE_SERVER_GET;
    /// Changes an API that tokens are for.
    update_resource_server(id: Uuid; body applications::UpdateResourceServer) -> applications::ResourceServer =
        a::RESOURCE_SERVER_UPDATE;
    /// Removes an API that tokens are for.
    delete_resource_server(id: Uuid) -> () = a::RESOURCE_SERVER_DELETE;

    /// Makes an end user.
    create_end_user(app: Uuid; body people::CreateEndUser) -> people::EndUser = w::END_USER_CREATE;
    /// Lists end users.
    end_users(app: Uuid; query people::ListEndUsers) -> people::EndUserList = w::END_USER_LIST;
    /// Counts end users.
    end_user_stats(app: Uuid) -> people::EndUserStats = w::END_USER_STATS;
    /// Reads an end user.
    end_user(app: Uuid, id: Uuid) -> people::EndUser = w::END_USER_GET;
    /// Changes an end user.
    update_end_user(app: Uuid, id: Uuid; body people::UpdateEndUser) -> people::EndUser = w::END_USER_UPDATE;
    /// Shuts an end user out.
    block_end_user(app: Uuid, id: Uuid; body people::BlockEndUser) -> people::EndUser = w::END_USER_BLOCK;
    /// Lets an end user in again.
    unblock_end_user(app: Uuid, id: Uuid) -> people::EndUser = w::END_USER_UNBLOCK;
    /// Forgets the wrong passwords that slow an end user down.
    unlock_end_user(app: Uuid, id: Uuid) -> people::EndUser = w::END_USER_UNLOCK;
    /// Shuts an end user out and frees their address.
    delete_end_user(app: Uuid, id: Uuid) -> () = w::END_USER_DELETE;
    /// Erases an end user who is shut out, for ever.
    erase_end_user(app: Uuid, id: Uuid) -> () = w::END_USER_ERASE;
    /// The roles of an end user.
    end_user_roles(app: Uuid, id: Uuid) -> Vec<people::EndUserRole> = w::END_USER_ROLES;
    /// Gives an end user a role.
    assign_role(app: Uuid, id: Uuid; body people::AssignRole) -> people::EndUserRole = w::END_USER_ROLE_ADD;
    /// Takes a role from an end user.
    remove_role(app: Uuid, id: Uuid, role: Uuid) -> () = w::END_USER_ROLE_REMOVE;
    /// Sends an end user a letter by which they confirm their address.
    send_verification(app: Uuid, id: Uuid) -> () = w::END_USER_VERIFY;
    /// Sends an end user a letter by which they set a new password.
    send_password_reset(app: Uuid, id: Uuid) -> () = w::END_USER_RESET;
    /// Gives an end user a password that must be changed at the next sign-in.
    temporary_password(app: Uuid, id: Uuid) -> people::TemporaryPassword = w::END_USER_TEMPORARY;
    /// The history of an end user.
    end_user_logins(app: Uuid, id: Uuid; query people::ListLogins) -> Vec<people::Login> = w::END_USER_LOGINS;
    /// The sessions of an end user.
    end_user_sessions(app: Uuid, id: Uuid) -> Vec<people::Session> = w::END_USER_SESSIONS;
    /// Signs an end user out everywhere.
    sign_out_end_user(app: Uuid, id: Uuid) -> () = w::END_USER_SESSIONS_END;
    /// Ends one session of an end user.
    sign_out_end_user_session(app: Uuid, id: Uuid, session: Uuid) -> () = w::END_USER_SESSION_END;
    /// What applications were allowed on an end user's behalf and nobody ended.
    end_user_grants(app: Uuid, id: Uuid) -> Vec<people::Grant> = w::END_USER_GRANTS;
    /// Ends one grant of an end user with every token of its family.
    withdraw_end_user_grant(app: Uuid, id: Uuid, grant: Uuid) -> () = w::END_USER_GRANT_END;
    /// The second factors of an end user, by their kinds.
    end_user_factors(app: Uuid, id: Uuid) -> Vec<people::Factor> = w::END_USER_FACTORS;
    /// Removes the second factors of an end user, and signs them out everywhere.
    remove_end_user_factors(app: Uuid, id: Uuid) -> () = w::END_USER_FACTORS_REMOVE;
    /// Makes a role.
    create_role(; body people::CreateRole) -> people::Role = w::ROLE_CREATE;
    /// Lists roles.
    roles(; query people::ListRoles) -> Vec<people::Role> = w::ROLE_LIST;
    /// Reads a role.
    role(id: Uuid) -> people::Role = w::ROLE_GET;
    /// Changes a role.
    update_role(id: Uuid; body people::UpdateRole) -> people::Role = w::ROLE_UPDATE;
    /// Deletes a role that nobody has.
    delete_role(id: Uuid) -> () = w::ROLE_DELETE;
    /// Lists the tenant's own people.
    users(; query people::ListUsers) -> people::UserList = w::USER_LIST;
    /// Invites somebody.
    invite_user(; body people::InviteUser) -> people::User = w::USER_INVITE;
    /// Reads one of them.
    user(id: Uuid) -> people::User = w::USER_GET;
    /// Changes one of them.
    update_user(id: Uuid; body people::UpdateUser) -> people::User = w::USER_UPDATE;
    /// Removes one of them.
    delete_user(id: Uuid) -> () = w::USER_DELETE;
    /// The history of one of them.
    user_logins(id: Uuid; query people::ListLogins) -> Vec<people::Login> = w::USER_LOGINS;
    /// The sessions of one of them.
    user_sessions(id: Uuid) -> Vec<people::Session> = w::USER_SESSIONS;
    /// Signs one of them out everywhere.
    sign_out_user(id: Uuid) -> () = w::USER_SESSIONS_END;
    /// Ends one of their sessions.
    sign_out_user_session(id: Uuid, session: Uuid) -> () = w::USER_SESSION_END;
    /// What applications were allowed on behalf of one of them and nobody ended.
    user_grants(id: Uuid) -> Vec<people::Grant> = w::USER_GRANTS;
    /// Ends one of their grants with every token of its family.
    withdraw_user_grant(id: Uuid, grant: Uuid) -> () = w::USER_GRANT_END;
    /// Their second factors, by their kinds.
    user_factors(id: Uuid) -> Vec<people::Factor> = w::USER_FACTORS;
    /// Removes the second factors of one of them, and signs them out everywhere.
    remove_user_factors(id: Uuid) -> () = w::USER_FACTORS_REMOVE;
    /// How the tenant's people sign in, where an application says nothing.
    sign_in_policy() -> people::SignInPolicy = w::SIGN_IN_POLICY;
    /// Changes how they sign in.
    update_sign_in_policy(; body people::UpdateSignInPolicy) -> people::SignInPolicy = w::SIGN_IN_POLICY_UPDATE;

    /// Trusts another issuer.
    create_trust(; body trusts::CreateTrust) -> trusts::Trust = u::TRUST_CREATE;
    /// Lists the trusts in other issuers.
    trusts() -> trusts::TrustList = u::TRUST_LIST;
    /// Reads a trust.
    trust(id: Uuid) -> trusts::Trust = u::TRUST_GET;
    /// Changes a trust.
    update_trust(id: Uuid; body trusts::UpdateTrust) -> trusts::Trust = u::TRUST_UPDATE;
    /// Removes a trust.
    delete_trust(id: Uuid) -> () = u::TRUST_DELETE;
    /// Says whether a trust would believe a token.
    test_trust(id: Uuid; body trusts::TestTrust) -> trusts::TrustVerdict = u::TRUST_TEST;

    /// Lists the keys that sign the tenant's tokens.
    token_keys() -> oauth::TokenKeyList = o::TOKEN_KEY_LIST;
    /// Gives the key of an algorithm a successor.
    rotate_token_key(; body oauth::RotateTokenKey) -> oauth::TokenKey = o::TOKEN_KEY_ROTATE;
    /// Takes a key out of belief, with all that it signed.
    revoke_token_key(id: Uuid) -> oauth::TokenKey = o::TOKEN_KEY_REVOKE;

    /// Makes a tenant.
    create_tenant(; body tenants::CreateTenant) -> tenants::CreatedTenant = p::TENANT_CREATE;
    /// Lists tenants.
    tenants(; query tenants::ListTenants) -> tenants::TenantList = p::TENANT_LIST;
    /// Reads a tenant.
    tenant(id: Uuid) -> tenants::Tenant = p::TENANT_GET;
    /// Changes a tenant.
    update_tenant(id: Uuid; body tenants::UpdateTenant) -> tenants::Tenant = p::TENANT_UPDATE;
    /// Suspends a tenant.
    suspend_tenant(id: Uuid) -> tenants::Tenant = p::TENANT_SUSPEND;
    /// Activates a tenant.
    activate_tenant(id: Uuid) -> tenants::Tenant = p::TENANT_ACTIVATE;

    /// Issues a ticket for the deploy gate.
    issue_gate_ticket(; body gate_tickets::IssueGateTicket) -> gate_tickets::IssuedGateTicket = g::GATE_TICKET_ISSUE;
    /// Lists tickets, the newest first.
    gate_tickets() -> gate_tickets::GateTicketList = g::GATE_TICKET_LIST;
    /// Reads a ticket.
    gate_ticket(id: Uuid) -> gate_tickets::GateTicket = g::GATE_TICKET_GET;
    /// Takes a ticket back.
    revoke_gate_ticket(id: Uuid) -> gate_tickets::GateTicket = g::GATE_TICKET_REVOKE;

    /// The state of the seal.
    operator_status() -> operator::OperatorStatus = p::OPERATOR_STATUS;
    /// Gives the passphrase or a share.
    unseal(; body operator::Unseal) -> operator::OperatorStatus = p::OPERATOR_UNSEAL;
    /// Forgets the root key.
    seal() -> operator::OperatorStatus = p::OPERATOR_SEAL;
}

impl Client {
    /// Draws entropy, from a quantum source if there is one.
    pub async fn draw_any_entropy(&self, body: &qrng::DrawEntropy) -> Result<qrng::DrawnEntropy, Error> {
        self.send(
            Call::to(const { p::QRNG_ENTROPY.endpoint() }, &[]).with_body(body)?.with_header("x-allow-csprng", "true"),
        )
        .await
    }

    /// The anchor of the default tenant: the self-signed certificate of the authority that issues now.
    pub async fn ca_certificate(&self) -> Result<certificates::AuthorityCertificate, Error> {
        let query = certificates::ReadEncoded { format: Some("json".to_owned()) };
        self.send(Call::to(const { c::CA_CERTIFICATE.endpoint() }, &[]).with_query(&query)?).await
    }

    /// The whole audit trail with its signed trailer, as NDJSON.
    pub async fn export_audit_logs(&self) -> Result<Download, Error> {
        self.download(Call::to(const { p::AUDIT_EXPORT.endpoint() }, &[])).await
    }

    /// A backup, encrypted to the recipient.
    pub async fn backup(&self, body: &operator::CreateBackup) -> Result<Download, Error> {
        self.download(Call::to(const { p::OPERATOR_BACKUP.endpoint() }, &[]).with_body(body)?).await
    }
}
