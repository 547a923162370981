//! Routes of transit (contract 4.6): keys by name, percent-encoded in one segment.

use std::sync::Arc;

use api::keys::{GenerateDataKey, SetMinDecryptionVersion};
use api::routes::transit as routes;
use api::transit as wire;
use axum::Router;
use axum::extract::State;
use domain::authz::{Decrypt, Encrypt, Sign, Verify, WriteKeys};

use super::extract::{Allowed, Body, Known, Path};
use super::keys::key_name;
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::data_keys::{DataKeys, Show};
use crate::app::keys::Keys;
use crate::app::payload::{split_transit, transit_text};
use crate::app::qrng::Qrng;
use crate::app::signing::{Signing, input};
use crate::app::transit::{Transit, digest, hash};
use crate::platform::Platform;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::TRANSIT_ENCRYPT, encrypt)
        .mount(&routes::TRANSIT_DECRYPT, decrypt)
        .mount(&routes::TRANSIT_REWRAP, rewrap)
        .mount(&routes::TRANSIT_SIGN, sign)
        .mount(&routes::TRANSIT_VERIFY, verify)
        .mount(&routes::TRANSIT_HMAC, hmac)
        .mount(&routes::TRANSIT_HASH, hashed)
        .mount(&routes::TRANSIT_RANDOM, random)
        .mount(&routes::TRANSIT_BATCH_ENCRYPT, encrypt_batch)
        .mount(&routes::TRANSIT_BATCH_DECRYPT, decrypt_batch)
        .mount(&routes::TRANSIT_BATCH_REWRAP, rewrap_batch)
        .mount(&routes::TRANSIT_DATA_KEY, data_key)
        .mount(&routes::TRANSIT_DATA_KEY_WRAPPED, wrapped_data_key)
        .mount(&routes::TRANSIT_KEY_CONFIG, configure)
}

async fn encrypt(
    State(transit): State<Arc<Transit>>,
    who: Allowed<Encrypt>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitEncrypt>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &transit.encrypt(&who.ctx, &who.auth, &key_name(&name)?, &request).await?)
}

async fn decrypt(
    State(transit): State<Arc<Transit>>,
    who: Allowed<Decrypt>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitCiphertext>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &transit.decrypt(&who.ctx, &who.auth, &key_name(&name)?, &request).await?)
}

async fn rewrap(
    State(transit): State<Arc<Transit>>,
    who: Allowed<Decrypt>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitCiphertext>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &transit.rewrap(&who.ctx, &who.auth, &key_name(&name)?, &request).await?)
}

async fn sign(
    State(signing): State<Arc<Signing>>,
    who: Allowed<Sign>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitSign>,
) -> Answer {
    let input = input(Some(&request.data), None, None);
    let signed = signing.sign(&who.ctx, &who.auth, &key_name(&name)?, "transit", input).await?;
    let body = wire::TransitSigned {
        signature: transit_text(signed.version, &signed.signature),
        algorithm: signed.key.row.algorithm.clone(),
        key_name: signed.key.row.name.clone(),
        key_version: signed.version,
    };
    Reply::ok(&who.ctx.origin, &body)
}

async fn verify(
    State(signing): State<Arc<Signing>>,
    who: Allowed<Verify>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitVerify>,
) -> Answer {
    let (version, signature) = split_transit(&request.signature).unzip();
    let (key, input) = (key_name(&name)?, input(Some(&request.data), None, None));
    let found = signing.verify(&who.ctx, &who.auth, &key, "transit", version, input, signature).await?;
    Reply::ok(&who.ctx.origin, &wire::TransitVerified { valid: found.is_some() })
}

async fn hmac(
    State(signing): State<Arc<Signing>>,
    who: Allowed<Sign>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitHmac>,
) -> Answer {
    let asked = request.algorithm.as_deref();
    let hash = asked.map(|name| hash(Some(name))).transpose()?;
    let mac = signing.mac(&who.ctx, &who.auth, &key_name(&name)?, hash, &request.data).await?;
    let body = wire::TransitMac {
        hmac: transit_text(mac.version, &mac.signature),
        // What was asked is echoed: each SDK knows its own spelling only.
        algorithm: asked.map_or_else(|| mac.key.row.algorithm.clone(), str::to_owned),
        key_version: mac.version,
    };
    Reply::ok(&who.ctx.origin, &body)
}

async fn hashed(Known(ctx): Known, Body(request): Body<wire::TransitHash>) -> Answer {
    Reply::ok(&ctx.origin, &digest(&request)?)
}

async fn random(State(qrng): State<Arc<Qrng>>, Known(ctx): Known, Body(request): Body<wire::TransitRandom>) -> Answer {
    Reply::ok(&ctx.origin, &qrng.random(&ctx, &request).await?)
}

async fn encrypt_batch(
    State(transit): State<Arc<Transit>>,
    who: Allowed<Encrypt>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitBatchEncrypt>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &transit.encrypt_batch(&who.ctx, &who.auth, &key_name(&name)?, &request).await?)
}

async fn decrypt_batch(
    State(transit): State<Arc<Transit>>,
    who: Allowed<Decrypt>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitBatchDecrypt>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &transit.decrypt_batch(&who.ctx, &who.auth, &key_name(&name)?, &request).await?)
}

async fn rewrap_batch(
    State(transit): State<Arc<Transit>>,
    who: Allowed<Decrypt>,
    Path(name): Path<String>,
    Body(request): Body<wire::TransitBatchDecrypt>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &transit.rewrap_batch(&who.ctx, &who.auth, &key_name(&name)?, &request).await?)
}

async fn data_key(
    State(keys): State<Arc<DataKeys>>,
    who: Allowed<Encrypt>,
    Path(name): Path<String>,
    Body(request): Body<GenerateDataKey>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &keys.generate(&who.ctx, &who.auth, &key_name(&name)?, Show::Plaintext, &request).await?)
}

async fn wrapped_data_key(
    State(keys): State<Arc<DataKeys>>,
    who: Allowed<Encrypt>,
    Path(name): Path<String>,
    Body(request): Body<GenerateDataKey>,
) -> Answer {
    Reply::ok(
        &who.ctx.origin,
        &keys.generate(&who.ctx, &who.auth, &key_name(&name)?, Show::WrappedOnly, &request).await?,
    )
}

async fn configure(
    State(keys): State<Arc<Keys>>,
    who: Allowed<WriteKeys>,
    Path(name): Path<String>,
    Body(request): Body<SetMinDecryptionVersion>,
) -> Answer {
    let policy = keys.set_minimum(&who.ctx, &who.auth, &key_name(&name)?, request.min_decryption_version).await?;
    Reply::ok(&who.ctx.origin, &policy)
}
