//! Routes of encryption as a service (contract 4.2), and the older paths that lead to them (section 7).

use std::sync::Arc;

use api::casing::Casing;
use api::encryption as wire;
use api::routes::encryption as routes;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use crypto::base64;
use domain::authz::{Decrypt, Encrypt, Sign, Verify};
use store::keys::KeyRef;

use super::extract::{Allowed, Body};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::encryption::Encryption;
use crate::app::signing::{Signing, input};
use crate::platform::Platform;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::ENCRYPT, encrypt)
        .mount(&routes::DECRYPT, decrypt)
        .mount(&routes::SIGN, sign)
        .mount(&routes::VERIFY, verify)
        .mount(&routes::ENCRYPT_BATCH, encrypt_batch)
        .mount(&routes::DECRYPT_BATCH, decrypt_batch)
        .mount(&routes::SIGN_BATCH, sign_batch)
        .mount(&routes::ENCRYPT_V1, encrypt)
        .mount(&routes::DECRYPT_V1, decrypt)
        .mount(&routes::ENCRYPT_V1_PASCAL, encrypt_pascal)
}

async fn encrypt(
    State(eaas): State<Arc<Encryption>>,
    who: Allowed<Encrypt>,
    Body(request): Body<wire::EncryptRequest>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &eaas.encrypt(&who.ctx, &who.auth, request).await?)
}

/// The backfill script of the articles reads PascalCase.
async fn encrypt_pascal(
    State(eaas): State<Arc<Encryption>>,
    who: Allowed<Encrypt>,
    Body(request): Body<wire::EncryptRequest>,
) -> Answer {
    Reply::json(StatusCode::OK, Casing::Pascal, &eaas.encrypt(&who.ctx, &who.auth, request).await?)
}

async fn decrypt(
    State(eaas): State<Arc<Encryption>>,
    who: Allowed<Decrypt>,
    Body(request): Body<wire::DecryptRequest>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &eaas.decrypt(&who.ctx, &who.auth, request).await?)
}

async fn encrypt_batch(
    State(eaas): State<Arc<Encryption>>,
    who: Allowed<Encrypt>,
    Body(request): Body<wire::EncryptBatchRequest>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &eaas.encrypt_batch(&who.ctx, &who.auth, request).await?)
}

async fn decrypt_batch(
    State(eaas): State<Arc<Encryption>>,
    who: Allowed<Decrypt>,
    Body(request): Body<wire::DecryptBatchRequest>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &eaas.decrypt_batch(&who.ctx, &who.auth, request).await?)
}

async fn sign(
    State(signing): State<Arc<Signing>>,
    who: Allowed<Sign>,
    Body(request): Body<wire::SignRequest>,
) -> Answer {
    let input = input(request.data.as_ref(), request.mu.as_deref(), request.digest.as_deref());
    let signed = signing.sign(&who.ctx, &who.auth, &KeyRef::Id(request.key_id.into()), "eaas", input).await?;
    let body = wire::SignResponse {
        signature: base64::encode(&signed.signature),
        algorithm: signed.key.row.algorithm.clone(),
        key_id: signed.key.row.id.uuid(),
        key_version: signed.version,
    };
    Reply::ok(&who.ctx.origin, &body)
}

async fn verify(
    State(signing): State<Arc<Signing>>,
    who: Allowed<Verify>,
    Body(request): Body<wire::VerifyRequest>,
) -> Answer {
    let input = input(request.data.as_ref(), request.mu.as_deref(), request.digest.as_deref());
    let signature = base64::decode(request.signature.as_bytes());
    let key = KeyRef::Id(request.key_id.into());
    let key_version = signing.verify(&who.ctx, &who.auth, &key, "eaas", None, input, signature).await?;
    Reply::ok(&who.ctx.origin, &wire::VerifyResponse { is_valid: key_version.is_some(), key_version })
}

async fn sign_batch(
    State(signing): State<Arc<Signing>>,
    who: Allowed<Sign>,
    Body(request): Body<wire::SignBatchRequest>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &signing.sign_batch(&who.ctx, &who.auth, request).await?)
}
