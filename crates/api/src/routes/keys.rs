//! Routes of named keys.

use super::{Route, routes, schema};
use crate::error::ErrorCode::{
    self, Conflict, DecryptionFailed, Forbidden, InvalidMinDecryptionVersion, KeyDisabled, KeyNameConflict, KeyRevoked,
    KeyVersionBelowMinimum, KeyWrongType, NotFound, PreconditionFailed, Unsupported, ValueNotReplayable,
};
use crate::keys::{
    CreateKey, DataKey, DeleteKey, ExportKey, ExportPublicKey, ExportedKey, ExportedPublicKey, GenerateDataKey,
    ImportKey, Jwk, JwkSet, Key, KeyList, KeyVersion, KeyVersionList, KeyVersionPolicy, ListKeys, PublicKey,
    ReadPublicKey, RotateKey, SetDefaultKey, SetMinDecryptionVersion, UnwrapDataKey, UnwrappedDataKey, UpdateKey,
};

const WRAPS: &[ErrorCode] = &[NotFound, KeyWrongType, KeyDisabled, KeyRevoked];
const SHOWS: &[ErrorCode] = &[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, ValueNotReplayable];

routes! {
    /// A new key.
    KEY_CREATE = Route::post("createKey", "/api/v1/keys", "keys")
        .scope("keys:write")
        .does("Make a key.")
        .takes(schema::<CreateKey>())
        .creates(schema::<Key>())
        .fails(&[Unsupported, KeyWrongType, Forbidden, KeyNameConflict]);
    /// A key from elsewhere.
    KEY_IMPORT = Route::post("importKey", "/api/v1/keys/import", "keys")
        .scope("keys:write")
        .does("Bring a key from elsewhere.")
        .takes(schema::<ImportKey>())
        .creates(schema::<Key>())
        .fails(&[Unsupported, KeyWrongType, Forbidden, KeyNameConflict]);
    /// The keys.
    KEY_LIST = Route::get("listKeys", "/api/v1/keys", "keys")
        .scope("keys:read")
        .does("List keys, or all their versions.")
        .asks(schema::<ListKeys>())
        .answers(schema::<KeyList>());
    /// All public halves.
    KEY_JWKS = Route::get("getKeySet", "/api/v1/keys/jwks", "keys")
        .scope("keys:read")
        .does("The public halves of all active asymmetric keys as a JSON Web Key set.")
        .answers(schema::<JwkSet>());
    /// One key.
    KEY_GET = Route::get("getKey", "/api/v1/keys/{id}", "keys")
        .scope("keys:read")
        .does("Read a key's description.")
        .answers(schema::<Key>())
        .fails(&[NotFound]);
    /// Change a key.
    KEY_UPDATE = Route::patch("updateKey", "/api/v1/keys/{id}", "keys")
        .scope("keys:write")
        .does("Change a key's name, description or status.")
        .takes(schema::<UpdateKey>())
        .answers(schema::<Key>())
        .fails(&[Forbidden, NotFound, Conflict, KeyNameConflict, PreconditionFailed]);
    /// Remove a key.
    KEY_DELETE = Route::delete("deleteKey", "/api/v1/keys/{id}", "keys")
        .scope("keys:write")
        .does("Destroy a key after a grace period, in which it can be activated again.")
        .asks(schema::<DeleteKey>())
        .fails(&[NotFound, Conflict, PreconditionFailed]);
    /// A key's versions.
    KEY_VERSIONS = Route::get("listKeyVersions", "/api/v1/keys/{id}/versions", "keys")
        .scope("keys:read")
        .does("List a key's versions, oldest first.")
        .answers(schema::<KeyVersionList>())
        .fails(&[NotFound]);
    /// The oldest version in use.
    KEY_SET_MIN_VERSION = Route::put("setMinDecryptionVersion", "/api/v1/keys/{id}/min-decryption-version", "keys")
        .scope("keys:write")
        .does("Set the oldest version that may still open and verify.")
        .takes(schema::<SetMinDecryptionVersion>())
        .answers(schema::<KeyVersionPolicy>())
        .fails(&[NotFound, InvalidMinDecryptionVersion]);
    /// A new version.
    KEY_ROTATE = Route::post("rotateKey", "/api/v1/keys/{id}/rotate", "keys")
        .scope("keys:write")
        .does("Give a key a new version.")
        .takes(schema::<RotateKey>())
        .answers(schema::<Key>())
        .fails(&[Forbidden, NotFound, Conflict, KeyDisabled, KeyRevoked, KeyNameConflict, PreconditionFailed]);
    /// The default of its type.
    KEY_SET_DEFAULT = Route::post("setDefaultKey", "/api/v1/keys/{id}/set-default", "keys")
        .scope("keys:write")
        .does("Make a key the default of its type.")
        .takes(schema::<SetDefaultKey>())
        .fails(&[Forbidden, NotFound, KeyWrongType, KeyDisabled, KeyRevoked]);
    /// The public half for other programs.
    KEY_EXPORT_PUBLIC = Route::get("exportPublicKey", "/api/v1/keys/{id}/public-key", "keys")
        .scope("keys:read")
        .does("A key's public half as SubjectPublicKeyInfo.")
        .asks(schema::<ExportPublicKey>())
        .answers(schema::<ExportedPublicKey>())
        .fails(&[NotFound, KeyWrongType]);
    /// The public half with facts.
    KEY_PUBLIC = Route::get("getPublicKey", "/api/v1/keys/{id}/public", "keys")
        .scope("keys:read")
        .does("A key's public half in the wanted format, with the wanted facts.")
        .asks(schema::<ReadPublicKey>())
        .answers(schema::<PublicKey>())
        .fails(&[NotFound, KeyWrongType]);
    /// The public half as JWK.
    KEY_JWK = Route::get("getKeyJwk", "/api/v1/keys/{id}/jwk", "keys")
        .scope("keys:read")
        .does("A key's public half as a JSON Web Key.")
        .answers(schema::<Jwk>())
        .fails(&[NotFound, KeyWrongType]);
    /// The private half leaves.
    KEY_EXPORT = Route::post("exportKey", "/api/v1/keys/{id}/export", "keys")
        .scope("keys:write")
        .does("A key's private half; unconfined administrators only, and audited.")
        .takes(schema::<ExportKey>())
        .answers(schema::<ExportedKey>())
        .fails(&[Forbidden, NotFound, KeyWrongType, KeyDisabled, KeyRevoked, Unsupported, ValueNotReplayable]);
    /// A data key, bare and wrapped.
    KEY_DATA_KEY = Route::post("generateDataKey", "/api/v1/keys/{id}/generate-data-key", "keys")
        .scope("encrypt")
        .does("A new data key, bare and wrapped to the key.")
        .takes(schema::<GenerateDataKey>())
        .answers(schema::<DataKey>())
        .fails(SHOWS);
    /// A data key, wrapped only.
    KEY_DATA_KEY_WRAPPED =
        Route::post("generateWrappedDataKey", "/api/v1/keys/{id}/generate-data-key-without-plaintext", "keys")
            .scope("encrypt")
            .does("A new data key, wrapped to the key and not shown.")
            .takes(schema::<GenerateDataKey>())
            .answers(schema::<DataKey>())
            .fails(WRAPS);
    /// A data key, bare again.
    KEY_UNWRAP = Route::post("unwrapDataKey", "/api/v1/keys/{id}/unwrap", "keys")
        .scope("decrypt")
        .does("Open a wrapped data key.")
        .takes(schema::<UnwrapDataKey>())
        .answers(schema::<UnwrappedDataKey>())
        .fails(&[NotFound, DecryptionFailed, KeyDisabled, KeyRevoked, KeyVersionBelowMinimum, ValueNotReplayable]);
    /// Revoke a key.
    KEY_REVOKE = Route::post("revokeKey", "/api/v1/keys/{id}/revoke", "keys")
        .scope("keys:write")
        .does("Refuse every use of a key, for ever.")
        .answers(schema::<Key>())
        .fails(&[NotFound, Conflict, PreconditionFailed]);
    /// Revoke one version.
    KEY_VERSION_REVOKE = Route::post("revokeKeyVersion", "/api/v1/keys/{id}/versions/{version}/revoke", "keys")
        .scope("keys:write")
        .does("Refuse every use of one version, for ever.")
        .answers(schema::<KeyVersion>())
        .fails(&[NotFound, Conflict]);
}
