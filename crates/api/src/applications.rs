//! Applications: OAuth clients, their secrets and API keys, and the APIs that tokens are for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

/// The settings that no official SDK knows, as they are sent: what is absent stays, an empty text or list clears.
macro_rules! settings_in {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// What it is, for people; at most 1000 characters.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub description: Option<String>,
            /// `Development`, `Staging` or `Production`. In production, addresses on this machine are not taken.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub environment: Option<String>,
            /// Where a browser may be sent with a code. Compared exactly.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub redirect_uris: Option<Vec<String>>,
            /// Where a browser may be sent after signing out.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub post_logout_redirect_uris: Option<Vec<String>>,
            /// The scopes it may ask for.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub allowed_scopes: Option<Vec<String>>,
            /// The APIs it may name in `resource` (RFC 8707), which are those that it may call: absolute URIs.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub resources: Option<Vec<String>>,
            /// The APIs that it is: it learns what their tokens are worth, whosever they are, and may exchange them. Absolute URIs.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub serves: Option<Vec<String>>,
            /// `authorization_code`, `refresh_token`, `client_credentials`, and the URNs of RFC 8628, 8693 and 7523.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub grant_types: Option<Vec<String>>,
            /// `none`, `secret`, `private_key_jwt`, `tls_client_auth` or `federated`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub client_auth: Option<String>,
            /// Its public keys (RFC 7517). They take the place of `jwksUri`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub jwks: Option<Value>,
            /// Where its public keys are. It takes the place of `jwks`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub jwks_uri: Option<String>,
            /// The name that its certificate holds: a SPIFFE id or a DNS name.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub tls_san: Option<String>,
            /// Whether authorization requests must be pushed (RFC 9126).
            #[serde(skip_serializing_if = "Option::is_none")]
            pub require_par: Option<bool>,
            /// `ML-DSA-65`, `ML-DSA-44`, `ML-DSA-87`, `ES256` or `Ed25519`. An administrator alone changes it.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub id_token_alg: Option<String>,
            /// `jwt` or `opaque`, where the API that a token is for says nothing.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub access_token_format: Option<String>,
            /// `off`, `optional` or `required`; `default` for the tenant's.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub mfa_policy: Option<String>,
            /// `ask` or `skip`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub consent: Option<String>,
            /// How its sign-in page looks.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub branding: Option<Branding>,
            /// Who is told that somebody signed out.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub backchannel_logout_uri: Option<String>,
            /// Origins of browsers that may call the token endpoint.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub cors_origins: Option<Vec<String>>,
            /// How long a session may idle, from 60 to 43200; 0 for the tenant's default.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub session_idle_seconds: Option<u32>,
            /// What its own tokens and API keys may do at this platform's API. Nobody can give what they lack.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub platform_scopes: Option<Vec<String>>,
            /// The resources they are confined to: `secrets:users-api/*`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub platform_resources: Option<Vec<String>>,
            /// The trusts by which it may prove who it is.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub trust_ids: Option<Vec<Uuid>>,
        }
    };
}

settings_in! {
    /// Body of `POST /applications`.
    CreateApplication {
        /// 1 to 200 characters.
        name: String,
        /// `SPA`, `WebApp`, `NativeApp`, `MachineToMachine` or `Agent`; `SPA` unless told. It never changes.
        application_type: Option<String>,
    }
}

settings_in! {
    /// Body of `PUT /applications/{id}`: what is absent stays, an empty text or list clears.
    UpdateApplication {
        /// 1 to 200 characters.
        display_name: Option<String>,
    }
}

/// How a sign-in page looks: words and one colour.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Branding {
    /// At most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// At most 1000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
}

/// An application's fields, flat and once more nested: one SDK reads the one, another the other.
macro_rules! application_out {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// The application.
            pub id: Uuid,
            /// What it calls itself at the token endpoint.
            pub client_id: String,
            /// Its name.
            pub display_name: String,
            /// What it is, for people.
            pub description: Option<String>,
            /// What kind of program it is.
            pub application_type: String,
            /// Where it runs.
            pub environment: String,
            /// Whether it can be used.
            pub is_active: bool,
            /// Whether it can keep a secret.
            pub is_confidential: bool,
            /// Where a browser may be sent with a code.
            pub redirect_uris: Vec<String>,
            /// Where a browser may be sent after signing out.
            pub post_logout_redirect_uris: Vec<String>,
            /// The scopes it may ask for.
            pub allowed_scopes: Vec<String>,
            /// The APIs it may call.
            pub resources: Vec<String>,
            /// The APIs it is.
            pub serves: Vec<String>,
            /// Not offered here: always absent.
            pub custom_domain: Option<String>,
            /// Not offered here: always false.
            pub custom_domain_verified: bool,
            /// What it may ask the token endpoint for.
            pub grant_types: Vec<String>,
            /// How it proves who it is.
            pub client_auth: String,
            /// Its public keys.
            pub jwks: Option<Value>,
            /// Where its public keys are.
            pub jwks_uri: Option<String>,
            /// The name that its certificate holds.
            pub tls_san: Option<String>,
            /// Whether authorization requests must be pushed.
            pub require_par: bool,
            /// What signs its ID tokens.
            pub id_token_alg: String,
            /// The form of its access tokens.
            pub access_token_format: String,
            /// Whether people need a second factor; the tenant's default when absent.
            pub mfa_policy: Option<String>,
            /// Whether people are asked before it gets tokens on their behalf.
            pub consent: String,
            /// How its sign-in page looks.
            pub branding: Branding,
            /// Who is told that somebody signed out.
            pub backchannel_logout_uri: Option<String>,
            /// Origins of browsers that may call the token endpoint.
            pub cors_origins: Vec<String>,
            /// How long a session may idle; the tenant's default when absent.
            pub session_idle_seconds: Option<u32>,
            /// What its own tokens and API keys may do at this platform's API.
            pub platform_scopes: Vec<String>,
            /// The resources they are confined to.
            pub platform_resources: Vec<String>,
            /// The trusts by which it may prove who it is.
            pub trust_ids: Vec<Uuid>,
            /// When it was made.
            pub created_at: WireTime,
            /// When it was last changed.
            pub updated_at: WireTime,
        }
    };
}

application_out! {
    /// An application.
    #[derive(Clone, Debug)]
    Application {}
}

application_out! {
    /// Answer of `POST /applications`: the only time that the secret is shown.
    CreatedApplication {
        /// The application once more.
        application: Application,
        /// Its secret, if it can keep one.
        client_secret: Option<SecretText>,
    }
}

impl CreatedApplication {
    /// Of an application and its secret.
    pub fn new(application: Application, client_secret: Option<SecretText>) -> Self {
        let of = application.clone();
        Self {
            application,
            client_secret,
            id: of.id,
            client_id: of.client_id,
            display_name: of.display_name,
            description: of.description,
            application_type: of.application_type,
            environment: of.environment,
            is_active: of.is_active,
            is_confidential: of.is_confidential,
            redirect_uris: of.redirect_uris,
            post_logout_redirect_uris: of.post_logout_redirect_uris,
            allowed_scopes: of.allowed_scopes,
            resources: of.resources,
            serves: of.serves,
            custom_domain: of.custom_domain,
            custom_domain_verified: of.custom_domain_verified,
            grant_types: of.grant_types,
            client_auth: of.client_auth,
            jwks: of.jwks,
            jwks_uri: of.jwks_uri,
            tls_san: of.tls_san,
            require_par: of.require_par,
            id_token_alg: of.id_token_alg,
            access_token_format: of.access_token_format,
            mfa_policy: of.mfa_policy,
            consent: of.consent,
            branding: of.branding,
            backchannel_logout_uri: of.backchannel_logout_uri,
            cors_origins: of.cors_origins,
            session_idle_seconds: of.session_idle_seconds,
            platform_scopes: of.platform_scopes,
            platform_resources: of.platform_resources,
            trust_ids: of.trust_ids,
            created_at: of.created_at,
            updated_at: of.updated_at,
        }
    }
}

/// Query of `GET /applications`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListApplications {
    /// From 1.
    pub page: Option<u32>,
    /// 50 unless told.
    pub page_size: Option<u32>,
}

/// Answer of `GET /applications` to whoever sends `page` or `pageSize`; to others it is a bare array.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationPage {
    /// This page's.
    pub applications: Vec<Application>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}

/// Answer of `GET /applications`: one route, two shapes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ApplicationList {
    /// When a page was asked for.
    Page(ApplicationPage),
    /// When none was.
    All(Vec<Application>),
}

/// Body of `POST /applications/{id}/rotate-secret`; may be empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateClientSecret {
    /// How long the old secret goes on working, at most 604800; not at all unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
}

/// Answer of `POST /applications/{id}/rotate-secret`: the only time that the secret is shown.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotatedClientSecret {
    /// What the application calls itself.
    pub client_id: String,
    /// Its new secret.
    pub client_secret: SecretText,
    /// Until when the old one works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_valid_until: Option<WireTime>,
}

/// Body of `POST /applications/{id}/keys`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateApplicationKey {
    /// What the audit log shows as `apikey:<name>`.
    pub name: String,
    /// When it dies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
}

/// A session that is over and of which an application could not be told.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UndeliveredLogout {
    /// What tokens called the session.
    pub sid: String,
    /// Whose it was.
    pub end_user_id: Uuid,
    /// How often it was tried.
    pub tries: u64,
    /// When the session ended.
    pub created_at: WireTime,
}

/// An API key of an application: it may do what the application's `platformScopes` and `platformResources` say.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationKey {
    /// The key.
    pub id: Uuid,
    /// The application.
    pub application_id: Uuid,
    /// Its name.
    pub name: String,
    /// The first characters of its text.
    pub prefix: String,
    /// Its text, when it is made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretText>,
    /// Whether it can be used.
    pub is_active: bool,
    /// When it was made.
    pub created_at: WireTime,
    /// When it dies.
    pub expires_at: Option<WireTime>,
    /// When it was last used, within a minute.
    pub last_used_at: Option<WireTime>,
}

/// Body of `POST /resource-servers`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateResourceServer {
    /// The audience of its tokens: an absolute URI. It never changes.
    pub identifier: String,
    /// 1 to 200 characters.
    pub name: String,
    /// `jwt` or `opaque`; `jwt` unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_format: Option<String>,
    /// From 60 to 600; 600 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_lifetime_seconds: Option<u32>,
    /// The scopes it knows.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Body of `PATCH /resource-servers/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateResourceServer {
    /// 1 to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `jwt` or `opaque`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_format: Option<String>,
    /// From 60 to 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_lifetime_seconds: Option<u32>,
    /// The scopes it knows, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// An API that tokens are for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceServer {
    /// The API.
    pub id: Uuid,
    /// The audience of its tokens.
    pub identifier: String,
    /// Its name.
    pub name: String,
    /// The form of its access tokens.
    pub token_format: String,
    /// How long they live.
    pub token_lifetime_seconds: u32,
    /// The scopes it knows.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: WireTime,
    /// When it was last changed.
    pub updated_at: WireTime,
}

/// Answer of `GET /resource-servers`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceServerList {
    /// All of them.
    pub items: Vec<ResourceServer>,
    /// How many.
    pub total_count: u64,
}

impl From<CreateApplication> for UpdateApplication {
    /// What a new application is set to is what one without settings is changed to.
    fn from(new: CreateApplication) -> Self {
        Self {
            display_name: Some(new.name),
            description: new.description,
            environment: new.environment,
            redirect_uris: new.redirect_uris,
            post_logout_redirect_uris: new.post_logout_redirect_uris,
            allowed_scopes: new.allowed_scopes,
            resources: new.resources,
            serves: new.serves,
            grant_types: new.grant_types,
            client_auth: new.client_auth,
            jwks: new.jwks,
            jwks_uri: new.jwks_uri,
            tls_san: new.tls_san,
            require_par: new.require_par,
            id_token_alg: new.id_token_alg,
            access_token_format: new.access_token_format,
            mfa_policy: new.mfa_policy,
            consent: new.consent,
            branding: new.branding,
            backchannel_logout_uri: new.backchannel_logout_uri,
            cors_origins: new.cors_origins,
            session_idle_seconds: new.session_idle_seconds,
            platform_scopes: new.platform_scopes,
            platform_resources: new.platform_resources,
            trust_ids: new.trust_ids,
        }
    }
}
