//! Routes of transit encryption: keys addressed by name, in one path segment.

use super::{Route, routes, schema};
use crate::error::ErrorCode::{
    self, DecryptionFailed, InvalidMinDecryptionVersion, KeyDisabled, KeyRevoked, KeyVersionBelowMinimum, KeyWrongType,
    NotFound, QrngUnavailable, TooManyItems, Unsupported, ValueNotReplayable,
};
use crate::keys::{DataKey, GenerateDataKey, KeyVersionPolicy, SetMinDecryptionVersion};
use crate::transit::{
    TransitBatchCiphertexts, TransitBatchDecrypt, TransitBatchEncrypt, TransitBatchPlaintexts, TransitCiphertext,
    TransitDecrypted, TransitEncrypt, TransitEncrypted, TransitHash, TransitHashed, TransitHmac, TransitMac,
    TransitRandom, TransitRandomBytes, TransitRewrapped, TransitSign, TransitSigned, TransitVerified, TransitVerify,
};

const MAKES: &[ErrorCode] = &[NotFound, KeyWrongType, KeyDisabled, KeyRevoked];
const SHOWS: &[ErrorCode] = &[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, ValueNotReplayable];
const OPENS: &[ErrorCode] =
    &[NotFound, KeyWrongType, DecryptionFailed, KeyDisabled, KeyRevoked, KeyVersionBelowMinimum];

routes! {
    /// Encrypt.
    TRANSIT_ENCRYPT = Route::post("transitEncrypt", "/api/v1/transit/encrypt/{name}", "transit")
        .scope("encrypt")
        .does("Encrypt to a key by name; fast unless told.")
        .takes(schema::<TransitEncrypt>())
        .answers(schema::<TransitEncrypted>())
        .fails(MAKES);
    /// Decrypt.
    TRANSIT_DECRYPT = Route::post("transitDecrypt", "/api/v1/transit/decrypt/{name}", "transit")
        .scope("decrypt")
        .does("Decrypt under a key by name.")
        .takes(schema::<TransitCiphertext>())
        .answers(schema::<TransitDecrypted>())
        .fails(OPENS);
    /// Move to the newest version.
    TRANSIT_REWRAP = Route::post("transitRewrap", "/api/v1/transit/rewrap/{name}", "transit")
        .scope("decrypt")
        .does("Encrypt again under the newest version, without showing the plaintext.")
        .takes(schema::<TransitCiphertext>())
        .answers(schema::<TransitRewrapped>())
        .fails(OPENS);
    /// Sign.
    TRANSIT_SIGN = Route::post("transitSign", "/api/v1/transit/sign/{name}", "transit")
        .scope("sign")
        .does("Sign with a key by name.")
        .takes(schema::<TransitSign>())
        .answers(schema::<TransitSigned>())
        .fails(MAKES);
    /// Verify.
    TRANSIT_VERIFY = Route::post("transitVerify", "/api/v1/transit/verify/{name}", "transit")
        .scope("verify")
        .does("Verify a signature under the version it names.")
        .takes(schema::<TransitVerify>())
        .answers(schema::<TransitVerified>())
        .fails(&[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, KeyVersionBelowMinimum]);
    /// Compute a MAC.
    TRANSIT_HMAC = Route::post("transitHmac", "/api/v1/transit/hmac/{name}", "transit")
        .scope("sign")
        .does("Compute a message authentication code.")
        .takes(schema::<TransitHmac>())
        .answers(schema::<TransitMac>())
        .fails(&[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, Unsupported]);
    /// Hash.
    TRANSIT_HASH = Route::post("transitHash", "/api/v1/transit/hash", "transit")
        .does("Hash a message.")
        .takes(schema::<TransitHash>())
        .answers(schema::<TransitHashed>())
        .fails(&[Unsupported]);
    /// Random bytes.
    TRANSIT_RANDOM = Route::post("transitRandom", "/api/v1/transit/random", "transit")
        .does("Random bytes from the platform's mixed generator.")
        .takes(schema::<TransitRandom>())
        .answers(schema::<TransitRandomBytes>())
        .fails(&[QrngUnavailable, ValueNotReplayable]);
    /// Encrypt many.
    TRANSIT_BATCH_ENCRYPT = Route::post("transitBatchEncrypt", "/api/v1/transit/batch/encrypt/{name}", "transit")
        .scope("encrypt")
        .does("Encrypt up to 100 plaintexts.")
        .takes(schema::<TransitBatchEncrypt>())
        .answers(schema::<TransitBatchCiphertexts>())
        .fails(&[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, TooManyItems]);
    /// Decrypt many.
    TRANSIT_BATCH_DECRYPT = Route::post("transitBatchDecrypt", "/api/v1/transit/batch/decrypt/{name}", "transit")
        .scope("decrypt")
        .does("Decrypt up to 100 ciphertexts; each has its own result.")
        .takes(schema::<TransitBatchDecrypt>())
        .answers(schema::<TransitBatchPlaintexts>())
        .fails(&[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, TooManyItems]);
    /// Move many to the newest version.
    TRANSIT_BATCH_REWRAP = Route::post("transitBatchRewrap", "/api/v1/transit/batch/rewrap/{name}", "transit")
        .scope("decrypt")
        .does("Encrypt up to 1,000 ciphertexts again under the newest version.")
        .takes(schema::<TransitBatchDecrypt>())
        .answers(schema::<TransitBatchCiphertexts>())
        .fails(&[NotFound, KeyWrongType, KeyDisabled, KeyRevoked, TooManyItems]);
    /// A data key, bare and wrapped.
    TRANSIT_DATA_KEY = Route::post("transitDataKey", "/api/v1/transit/datakey/{name}", "transit")
        .scope("encrypt")
        .does("A new data key, bare and wrapped to a key by name.")
        .takes(schema::<GenerateDataKey>())
        .answers(schema::<DataKey>())
        .fails(SHOWS);
    /// A data key, wrapped only.
    TRANSIT_DATA_KEY_WRAPPED =
        Route::post("transitWrappedDataKey", "/api/v1/transit/datakey/{name}/without-plaintext", "transit")
            .scope("encrypt")
            .does("A new data key, wrapped to a key by name and not shown.")
            .takes(schema::<GenerateDataKey>())
            .answers(schema::<DataKey>())
            .fails(MAKES);
    /// The oldest version in use.
    TRANSIT_KEY_CONFIG = Route::post("transitKeyConfig", "/api/v1/transit/keys/{name}/config", "transit")
        .scope("keys:write")
        .does("Set the oldest version that may still open and verify.")
        .takes(schema::<SetMinDecryptionVersion>())
        .answers(schema::<KeyVersionPolicy>())
        .fails(&[NotFound, InvalidMinDecryptionVersion]);
}
