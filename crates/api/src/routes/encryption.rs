//! Routes of encryption as a service, and their older addresses.

use super::{Route, routes, schema};
use crate::encryption::{
    DecryptBatchRequest, DecryptBatchResponse, DecryptRequest, DecryptResponse, EncryptBatchRequest,
    EncryptBatchResponse, EncryptRequest, EncryptResponse, SignBatchRequest, SignBatchResponse, SignRequest,
    SignResponse, VerifyRequest, VerifyResponse,
};
use crate::error::ErrorCode::{
    self, DecryptionFailed, KeyDisabled, KeyRevoked, KeyVersionBelowMinimum, KeyWrongType, NotFound, TooManyItems,
    Unsupported,
};

const MAKES: &[ErrorCode] = &[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, Unsupported];
const MAKES_MANY: &[ErrorCode] = &[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, Unsupported, TooManyItems];
const OPENS: &[ErrorCode] = &[DecryptionFailed, KeyDisabled, KeyRevoked, KeyVersionBelowMinimum];

routes! {
    /// Encrypt.
    ENCRYPT = Route::post("encrypt", "/api/v1/encrypt", "encryption")
        .scope("encrypt")
        .does("Encrypt a plaintext to a key; sealed unless told.")
        .takes(schema::<EncryptRequest>())
        .answers(schema::<EncryptResponse>())
        .fails(MAKES);
    /// Decrypt.
    DECRYPT = Route::post("decrypt", "/api/v1/decrypt", "encryption")
        .scope("decrypt")
        .does("Decrypt a payload or its parts.")
        .takes(schema::<DecryptRequest>())
        .answers(schema::<DecryptResponse>())
        .fails(OPENS);
    /// Sign.
    SIGN = Route::post("sign", "/api/v1/sign", "encryption")
        .scope("sign")
        .does("Sign a message, its ML-DSA representative or its digest.")
        .takes(schema::<SignRequest>())
        .answers(schema::<SignResponse>())
        .fails(MAKES);
    /// Verify.
    VERIFY = Route::post("verify", "/api/v1/verify", "encryption")
        .scope("verify")
        .does("Verify a signature under the versions that are still accepted.")
        .takes(schema::<VerifyRequest>())
        .answers(schema::<VerifyResponse>())
        .fails(&[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, KeyVersionBelowMinimum]);
    /// Encrypt many.
    ENCRYPT_BATCH = Route::post("encryptBatch", "/api/v1/encrypt/batch", "encryption")
        .scope("encrypt")
        .does("Encrypt up to 1,000 plaintexts to one key; fast unless told.")
        .takes(schema::<EncryptBatchRequest>())
        .answers(schema::<EncryptBatchResponse>())
        .fails(MAKES_MANY);
    /// Decrypt many.
    DECRYPT_BATCH = Route::post("decryptBatch", "/api/v1/decrypt/batch", "encryption")
        .scope("decrypt")
        .does("Decrypt up to 1,000 payloads; each has its own result.")
        .takes(schema::<DecryptBatchRequest>())
        .answers(schema::<DecryptBatchResponse>())
        .fails(&[TooManyItems]);
    /// Sign many.
    SIGN_BATCH = Route::post("signBatch", "/api/v1/sign/batch", "encryption")
        .scope("sign")
        .does("Sign up to 1,000 messages with one key.")
        .takes(schema::<SignBatchRequest>())
        .answers(schema::<SignBatchResponse>())
        .fails(MAKES_MANY);

    /// Encrypt, at an older address.
    ENCRYPT_V1 = Route::post("encryptV1", "/v1/encrypt", "aliases")
        .scope("encrypt")
        .does("As /api/v1/encrypt.")
        .takes(schema::<EncryptRequest>())
        .answers(schema::<EncryptResponse>())
        .fails(MAKES);
    /// Decrypt, at an older address.
    DECRYPT_V1 = Route::post("decryptV1", "/v1/decrypt", "aliases")
        .scope("decrypt")
        .does("As /api/v1/decrypt.")
        .takes(schema::<DecryptRequest>())
        .answers(schema::<DecryptResponse>())
        .fails(OPENS);
    /// Encrypt, at an older address whose callers read PascalCase.
    ENCRYPT_V1_PASCAL = Route::post("encryptV1Pascal", "/v1/encryption/encrypt", "aliases")
        .scope("encrypt")
        .does("As /api/v1/encrypt, with every field in PascalCase as well.")
        .takes(schema::<EncryptRequest>())
        .answers(schema::<EncryptResponse>())
        .fails(MAKES);
}
