//! Routes of the vault: secrets, their versions, share links, and the addresses of older clients.

use super::{Route, routes, schema};
use crate::error::ErrorCode::{
    Conflict, Forbidden, InvalidPassword, LinkExhausted, LinkNotFound, LinkRetired, NotFound, PasswordRequired,
    PreconditionFailed, SecretInactive, SecretNameAmbiguous, TooManyItems, ValueNotReplayable,
};
use crate::secrets::{
    CreateSecret, ImportSecrets, ImportedSecrets, ListSecrets, ReadHistory, ReadSecret, RollbackSecret, Secret,
    SecretHistory, SecretInsights, SecretList, SecretVersions, SecretWithValue, UpdateSecret, UpdateSecretValue,
};
use crate::shares::{
    CreateShareLink, CreatedShareLink, OpenShareLink, OpenedShareLink, RevokedShareLink, ShareLinkList, ShareSecret,
    SharedSecret,
};

routes! {
    /// A new secret.
    SECRET_CREATE = Route::post("createSecret", "/api/v1/secrets", "secrets")
        .scope("secrets:write")
        .does("Make a secret.")
        .takes(schema::<CreateSecret>())
        .creates(schema::<SecretWithValue>())
        .fails(&[Forbidden]);
    /// The secrets.
    SECRET_LIST = Route::get("listSecrets", "/api/v1/secrets", "secrets")
        .scope("secrets:read")
        .does("List and search secrets by their metadata, without values.")
        .asks(schema::<ListSecrets>())
        .answers(schema::<SecretList>());
    /// Many new secrets.
    SECRET_IMPORT = Route::post("importSecrets", "/api/v1/secrets/import", "secrets")
        .scope("secrets:write")
        .does("Make or update up to 1,000 secrets by name.")
        .takes(schema::<ImportSecrets>())
        .answers(schema::<ImportedSecrets>())
        .fails(&[TooManyItems]);
    /// One secret by name.
    SECRET_BY_NAME = Route::get("getSecretByName", "/api/v1/secrets/by-name/{*name}", "secrets")
        .scope("secrets:read")
        .does("Read a secret with its value by its name, slashes included.")
        .asks(schema::<ReadSecret>())
        .answers(schema::<SecretWithValue>())
        .fails(&[NotFound, SecretInactive, SecretNameAmbiguous]);
    /// One secret.
    SECRET_GET = Route::get("getSecret", "/api/v1/secrets/{id}", "secrets")
        .scope("secrets:read")
        .does("Read a secret with its value, or as it was at a version.")
        .asks(schema::<ReadSecret>())
        .answers(schema::<SecretWithValue>())
        .fails(&[NotFound, SecretInactive]);
    /// Change what stands around the value.
    SECRET_UPDATE = Route::patch("updateSecret", "/api/v1/secrets/{id}", "secrets")
        .scope("secrets:write")
        .does("Change what is given of a secret's metadata.")
        .takes(schema::<UpdateSecret>())
        .answers(schema::<Secret>())
        .fails(&[Forbidden, NotFound, Conflict, PreconditionFailed]);
    /// A new value.
    SECRET_UPDATE_VALUE = Route::put("updateSecretValue", "/api/v1/secrets/{id}/value", "secrets")
        .scope("secrets:write")
        .does("Give a secret a new value, as a new version.")
        .takes(schema::<UpdateSecretValue>())
        .answers(schema::<Secret>())
        .fails(&[NotFound, Conflict, SecretInactive, PreconditionFailed]);
    /// Remove a secret.
    SECRET_DELETE = Route::delete("deleteSecret", "/api/v1/secrets/{id}", "secrets")
        .scope("secrets:write")
        .does("Remove a secret and all its versions, for ever.")
        .fails(&[NotFound, Conflict, PreconditionFailed]);
    /// Make a value unreadable.
    SECRET_DEACTIVATE = Route::post("deactivateSecret", "/api/v1/secrets/{id}/deactivate", "secrets")
        .scope("secrets:write")
        .does("Make a secret's value unreadable and hide it from lists.")
        .fails(&[NotFound]);
    /// Make a value readable again.
    SECRET_ACTIVATE = Route::post("activateSecret", "/api/v1/secrets/{id}/activate", "secrets")
        .scope("secrets:write")
        .does("Make a deactivated secret's value readable again.")
        .fails(&[NotFound]);
    /// Past versions.
    SECRET_HISTORY = Route::get("getSecretHistory", "/api/v1/secrets/{id}/history", "secrets")
        .scope("secrets:read")
        .does("List a secret's versions, newest first, with their values unless values=false.")
        .asks(schema::<ReadHistory>())
        .answers(schema::<SecretHistory>())
        .fails(&[NotFound, SecretInactive]);
    /// Back to a past version.
    SECRET_ROLLBACK = Route::post("rollbackSecret", "/api/v1/secrets/{id}/rollback", "secrets")
        .scope("secrets:write")
        .does("Make a past version's value the newest, in one step. Shows it, so it takes secrets:read as well.")
        .takes(schema::<RollbackSecret>())
        .answers(schema::<SecretWithValue>())
        .fails(&[NotFound, Conflict, SecretInactive, PreconditionFailed]);
    /// How good a value is.
    SECRET_INSIGHTS = Route::get("getSecretInsights", "/api/v1/secrets/{id}/insights", "secrets")
        .scope("secrets:read")
        .does("Judge a secret's strength and age, on the server alone.")
        .answers(schema::<SecretInsights>())
        .fails(&[NotFound, SecretInactive]);

    /// A new share link.
    SHARE_CREATE = Route::post("createShareLink", "/api/v1/vault/share", "share-links")
        .scope("secrets:write")
        .does("Make a link that shows a secret's value to whoever holds it. Takes secrets:read as well.")
        .takes(schema::<CreateShareLink>())
        .creates(schema::<CreatedShareLink>())
        .fails(&[NotFound, SecretInactive, ValueNotReplayable]);
    /// The share links of a secret.
    SHARE_LIST = Route::get("listShareLinks", "/api/v1/vault/share/by-secret/{secretId}", "share-links")
        .scope("secrets:read")
        .does("List a secret's links, newest first, without their tokens.")
        .answers(schema::<ShareLinkList>())
        .fails(&[NotFound]);
    /// Revoke a share link.
    SHARE_REVOKE = Route::delete("revokeShareLink", "/api/v1/vault/share/{linkId}", "share-links")
        .scope("secrets:write")
        .does("Revoke a link.")
        .answers(schema::<RevokedShareLink>())
        .fails(&[LinkNotFound]);
    /// Open a share link.
    SHARE_OPEN = Route::post("openShareLink", "/api/v1/share/{token}", "share-links")
        .anonymous()
        .does("Read the value behind a link; each success counts.")
        .takes(schema::<OpenShareLink>())
        .answers(schema::<OpenedShareLink>())
        .fails(&[PasswordRequired, InvalidPassword, LinkExhausted, LinkNotFound, LinkRetired]);

    /// Past versions, as older clients ask for them.
    SECRET_VERSIONS_OLD = Route::get("listSecretVersionsOld", "/api/v1/secrets/{id}/versions", "aliases")
        .scope("secrets:read")
        .does("A secret's versions without values, in the form of older clients.")
        .answers(schema::<SecretVersions>())
        .fails(&[NotFound]);
    /// A new share link, as older clients ask for it.
    SECRET_SHARE_OLD = Route::post("shareSecretOld", "/api/v1/secrets/{id}/share", "aliases")
        .scope("secrets:write")
        .does("Make a share link, in the form of older clients. Takes secrets:read as well.")
        .takes(schema::<ShareSecret>())
        .creates(schema::<SharedSecret>())
        .fails(&[NotFound, SecretInactive, Conflict, ValueNotReplayable]);
    /// Make a value readable again, as older clients ask for it.
    SECRET_RESTORE_OLD = Route::post("restoreSecretOld", "/api/v1/secrets/{id}/restore", "aliases")
        .scope("secrets:write")
        .does("As activate.")
        .fails(&[NotFound]);
}
