//! Routes of the identity provider. The default tenant's issuer is at the root, every tenant's under its slug; what a client was told by an older path is the same.

use super::{Route, routes, schema};
use crate::error::ErrorCode::{Conflict, NotFound, Unsupported};
use crate::oauth::{
    AuthorizeQuery, DeviceAuthorization, Introspection, Jwks, OAuthForm, ProviderMetadata, PushedRequest,
    RotateTokenKey, TokenAnswer, TokenKey, TokenKeyList, UserInfo,
};

routes! {
    /// What this issuer is and where it does what (OpenID Connect Discovery).
    METADATA = Route::get("openIdConfiguration", "/.well-known/openid-configuration", "identity")
        .anonymous()
        .by_oauth()
        .does("What this issuer is and where it does what (OpenID Connect Discovery).")
        .answers(schema::<ProviderMetadata>());
    /// The same by its name in OAuth (RFC 8414).
    SERVER_METADATA = Route::get("oauthServerMetadata", "/.well-known/oauth-authorization-server", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by its name in OAuth (RFC 8414).")
        .answers(schema::<ProviderMetadata>());
    /// The keys that verify tokens (RFC 7517).
    JWKS = Route::get("jwks", "/oauth2/jwks", "identity")
        .anonymous()
        .by_oauth()
        .does("The keys that verify tokens (RFC 7517).")
        .answers(schema::<Jwks>());
    /// Begin a sign-in: a browser comes here, and goes back with a code.
    AUTHORIZE = Route::get("authorize", "/oauth2/authorize", "identity")
        .anonymous()
        .by_oauth()
        .does("Begin a sign-in: a browser comes here, and goes back with a code.")
        .asks(schema::<AuthorizeQuery>())
        .redirects();
    /// The same by a form.
    AUTHORIZE_POST = Route::post("authorizeByForm", "/oauth2/authorize", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by a form.")
        .takes(schema::<AuthorizeQuery>())
        .redirects();
    /// Push an authorization request (RFC 9126).
    PAR = Route::post("pushAuthorizationRequest", "/oauth2/par", "identity")
        .anonymous()
        .by_oauth()
        .does("Push an authorization request (RFC 9126).")
        .takes(schema::<OAuthForm>())
        .creates(schema::<PushedRequest>());
    /// Tokens for a code, a refresh token, a secret, a device code or another token.
    TOKEN = Route::post("token", "/oauth2/token", "identity")
        .anonymous()
        .by_oauth()
        .does("Tokens for a code, a refresh token, a secret, a device code or another token.")
        .takes(schema::<OAuthForm>())
        .answers(schema::<TokenAnswer>());
    /// What a token is worth (RFC 7662).
    INTROSPECT = Route::post("introspectToken", "/oauth2/introspect", "identity")
        .anonymous()
        .by_oauth()
        .does("What a token is worth (RFC 7662).")
        .takes(schema::<OAuthForm>())
        .answers(schema::<Introspection>());
    /// Give a token back (RFC 7009).
    REVOKE = Route::post("revokeToken", "/oauth2/revoke", "identity")
        .anonymous()
        .by_oauth()
        .does("Give a token back (RFC 7009).")
        .takes(schema::<OAuthForm>())
        .done();
    /// Who a token is about.
    USERINFO = Route::get("userInfo", "/oauth2/userinfo", "identity")
        .anonymous()
        .by_oauth()
        .does("Who a token is about.")
        .answers(schema::<UserInfo>());
    /// The same by POST.
    USERINFO_POST = Route::post("userInfoByForm", "/oauth2/userinfo", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by POST.")
        .answers(schema::<UserInfo>());
    /// Codes for a device that cannot show a page (RFC 8628).
    DEVICE_AUTHORIZATION = Route::post("authorizeDevice", "/oauth2/device_authorization", "identity")
        .anonymous()
        .by_oauth()
        .does("Codes for a device that cannot show a page (RFC 8628).")
        .takes(schema::<OAuthForm>())
        .answers(schema::<DeviceAuthorization>());
    /// Sign out (RP-initiated logout).
    LOGOUT = Route::get("endSession", "/oauth2/logout", "identity")
        .anonymous()
        .by_oauth()
        .does("Sign out (RP-initiated logout).")
        .redirects();
    /// The same by a form, which has room for the hint.
    LOGOUT_POST = Route::post("endSessionByForm", "/oauth2/logout", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by a form, which has room for the hint.")
        .redirects();
    /// The keys that verify tokens (RFC 7517), by an older path.
    CONNECT_JWKS = Route::get("connectJwks", "/.well-known/jwks", "identity")
        .anonymous()
        .by_oauth()
        .does("The keys that verify tokens (RFC 7517), by an older path.")
        .answers(schema::<Jwks>());
    /// Begin a sign-in: a browser comes here, and goes back with a code, by an older path.
    CONNECT_AUTHORIZE = Route::get("connectAuthorize", "/connect/authorize", "identity")
        .anonymous()
        .by_oauth()
        .does("Begin a sign-in: a browser comes here, and goes back with a code, by an older path.")
        .asks(schema::<AuthorizeQuery>())
        .redirects();
    /// The same by a form, by an older path.
    CONNECT_AUTHORIZE_POST = Route::post("connectAuthorizeByForm", "/connect/authorize", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by a form, by an older path.")
        .takes(schema::<AuthorizeQuery>())
        .redirects();
    /// Tokens for a code, a refresh token, a secret, a device code or another token, by an older path.
    CONNECT_TOKEN = Route::post("connectToken", "/connect/token", "identity")
        .anonymous()
        .by_oauth()
        .does("Tokens for a code, a refresh token, a secret, a device code or another token, by an older path.")
        .takes(schema::<OAuthForm>())
        .answers(schema::<TokenAnswer>());
    /// What a token is worth (RFC 7662), by an older path.
    CONNECT_INTROSPECT = Route::post("connectIntrospectToken", "/connect/introspect", "identity")
        .anonymous()
        .by_oauth()
        .does("What a token is worth (RFC 7662), by an older path.")
        .takes(schema::<OAuthForm>())
        .answers(schema::<Introspection>());
    /// Give a token back (RFC 7009), by an older path.
    CONNECT_REVOKE = Route::post("connectRevokeToken", "/connect/revoke", "identity")
        .anonymous()
        .by_oauth()
        .does("Give a token back (RFC 7009), by an older path.")
        .takes(schema::<OAuthForm>())
        .done();
    /// Who a token is about, by an older path.
    CONNECT_USERINFO = Route::get("connectUserInfo", "/connect/userinfo", "identity")
        .anonymous()
        .by_oauth()
        .does("Who a token is about, by an older path.")
        .answers(schema::<UserInfo>());
    /// The same by POST, by an older path.
    CONNECT_USERINFO_POST = Route::post("connectUserInfoByForm", "/connect/userinfo", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by POST, by an older path.")
        .answers(schema::<UserInfo>());
    /// Sign out (RP-initiated logout), by an older path.
    CONNECT_LOGOUT = Route::get("connectEndSession", "/connect/logout", "identity")
        .anonymous()
        .by_oauth()
        .does("Sign out (RP-initiated logout), by an older path.")
        .redirects();
    /// The same by a form, which has room for the hint, by an older path.
    CONNECT_LOGOUT_POST = Route::post("connectEndSessionByForm", "/connect/logout", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by a form, which has room for the hint, by an older path.")
        .redirects();
    /// What this issuer is and where it does what (OpenID Connect Discovery), of a tenant.
    TENANT_METADATA = Route::get("tenantOpenIdConfiguration", "/t/{slug}/.well-known/openid-configuration", "identity")
        .anonymous()
        .by_oauth()
        .does("What this issuer is and where it does what (OpenID Connect Discovery), of a tenant.")
        .answers(schema::<ProviderMetadata>());
    /// The same by its name in OAuth (RFC 8414), of a tenant.
    TENANT_SERVER_METADATA = Route::get("tenantOauthServerMetadata", "/t/{slug}/.well-known/oauth-authorization-server", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by its name in OAuth (RFC 8414), of a tenant.")
        .answers(schema::<ProviderMetadata>());
    /// The keys that verify tokens (RFC 7517), of a tenant.
    TENANT_JWKS = Route::get("tenantJwks", "/t/{slug}/oauth2/jwks", "identity")
        .anonymous()
        .by_oauth()
        .does("The keys that verify tokens (RFC 7517), of a tenant.")
        .answers(schema::<Jwks>());
    /// Begin a sign-in: a browser comes here, and goes back with a code, of a tenant.
    TENANT_AUTHORIZE = Route::get("tenantAuthorize", "/t/{slug}/oauth2/authorize", "identity")
        .anonymous()
        .by_oauth()
        .does("Begin a sign-in: a browser comes here, and goes back with a code, of a tenant.")
        .asks(schema::<AuthorizeQuery>())
        .redirects();
    /// The same by a form, of a tenant.
    TENANT_AUTHORIZE_POST = Route::post("tenantAuthorizeByForm", "/t/{slug}/oauth2/authorize", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by a form, of a tenant.")
        .takes(schema::<AuthorizeQuery>())
        .redirects();
    /// Push an authorization request (RFC 9126), of a tenant.
    TENANT_PAR = Route::post("tenantPushAuthorizationRequest", "/t/{slug}/oauth2/par", "identity")
        .anonymous()
        .by_oauth()
        .does("Push an authorization request (RFC 9126), of a tenant.")
        .takes(schema::<OAuthForm>())
        .creates(schema::<PushedRequest>());
    /// Tokens for a code, a refresh token, a secret, a device code or another token, of a tenant.
    TENANT_TOKEN = Route::post("tenantToken", "/t/{slug}/oauth2/token", "identity")
        .anonymous()
        .by_oauth()
        .does("Tokens for a code, a refresh token, a secret, a device code or another token, of a tenant.")
        .takes(schema::<OAuthForm>())
        .answers(schema::<TokenAnswer>());
    /// What a token is worth (RFC 7662), of a tenant.
    TENANT_INTROSPECT = Route::post("tenantIntrospectToken", "/t/{slug}/oauth2/introspect", "identity")
        .anonymous()
        .by_oauth()
        .does("What a token is worth (RFC 7662), of a tenant.")
        .takes(schema::<OAuthForm>())
        .answers(schema::<Introspection>());
    /// Give a token back (RFC 7009), of a tenant.
    TENANT_REVOKE = Route::post("tenantRevokeToken", "/t/{slug}/oauth2/revoke", "identity")
        .anonymous()
        .by_oauth()
        .does("Give a token back (RFC 7009), of a tenant.")
        .takes(schema::<OAuthForm>())
        .done();
    /// Who a token is about, of a tenant.
    TENANT_USERINFO = Route::get("tenantUserInfo", "/t/{slug}/oauth2/userinfo", "identity")
        .anonymous()
        .by_oauth()
        .does("Who a token is about, of a tenant.")
        .answers(schema::<UserInfo>());
    /// The same by POST, of a tenant.
    TENANT_USERINFO_POST = Route::post("tenantUserInfoByForm", "/t/{slug}/oauth2/userinfo", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by POST, of a tenant.")
        .answers(schema::<UserInfo>());
    /// Codes for a device that cannot show a page (RFC 8628), of a tenant.
    TENANT_DEVICE_AUTHORIZATION = Route::post("tenantAuthorizeDevice", "/t/{slug}/oauth2/device_authorization", "identity")
        .anonymous()
        .by_oauth()
        .does("Codes for a device that cannot show a page (RFC 8628), of a tenant.")
        .takes(schema::<OAuthForm>())
        .answers(schema::<DeviceAuthorization>());
    /// Sign out (RP-initiated logout), of a tenant.
    TENANT_LOGOUT = Route::get("tenantEndSession", "/t/{slug}/oauth2/logout", "identity")
        .anonymous()
        .by_oauth()
        .does("Sign out (RP-initiated logout), of a tenant.")
        .redirects();
    /// The same by a form, which has room for the hint, of a tenant.
    TENANT_LOGOUT_POST = Route::post("tenantEndSessionByForm", "/t/{slug}/oauth2/logout", "identity")
        .anonymous()
        .by_oauth()
        .does("The same by a form, which has room for the hint, of a tenant.")
        .redirects();
    /// The metadata of a tenant's issuer, where RFC 8414 puts it.
    SERVER_METADATA_OF_TENANT = Route::get("oauthServerMetadataOfTenant", "/.well-known/oauth-authorization-server/t/{slug}", "identity")
        .anonymous()
        .by_oauth()
        .does("The metadata of a tenant's issuer, where RFC 8414 puts it.")
        .answers(schema::<ProviderMetadata>());

    /// The keys that sign tokens.
    TOKEN_KEY_LIST = Route::get("listTokenKeys", "/api/v1/token-keys", "identity")
        .scope("admin")
        .does("List the keys that sign the tenant's tokens, of every state.")
        .answers(schema::<TokenKeyList>());
    /// A successor.
    TOKEN_KEY_ROTATE = Route::post("rotateTokenKey", "/api/v1/token-keys/rotate", "identity")
        .scope("admin")
        .does("Give the key of an algorithm a successor, which signs once everybody can know it.")
        .takes(schema::<RotateTokenKey>())
        .answers(schema::<TokenKey>())
        .fails(&[Unsupported, Conflict]);
    /// Nothing it signed is believed any more.
    TOKEN_KEY_REVOKE = Route::post("revokeTokenKey", "/api/v1/token-keys/{id}/revoke", "identity")
        .scope("admin")
        .does("Revoke a key at once: nothing it signed is believed here any more, and a new one takes over.")
        .answers(schema::<TokenKey>())
        .fails(&[NotFound, Conflict]);
}
