//! `jwt-simple` before our tokens: a second implementation of ML-DSA in JOSE, and of the names of keys.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result, bail, ensure};
use jwt_simple::prelude::*;
use serde_json::Value;

use crate::place::{self, Checks, Place};

type Claims = BTreeMap<String, Value>;

pub async fn run(place: &Place) -> Result<Checks> {
    let mut checks = Checks::of("jwt-simple");
    let listed: Value = serde_json::from_str(&reqwest::get(&place.jwks_uri).await?.text().await?)?;
    let listed = listed["keys"].as_array().context("the key set lists its keys")?;
    for token in &place.tokens {
        let verified = verified(place, listed, token);
        checks.note(&format!("jwt-simple verifies {}", token.name), verified);
    }
    Ok(checks)
}

/// Verifies by a key of this type: its thumbprint, the claims, and whether a changed token is refused.
macro_rules! judged {
    ($key:ty, $jwk:expr, $text:expr, $options:expr) => {{
        let key = <$key>::from_jwk($jwk)?;
        let claims = key.verify_token::<Claims>($text, Some($options()))?;
        let is_refused = key.verify_token::<Claims>(&changed($text), Some($options())).is_err();
        (key.jwk_thumbprint(), claims, is_refused)
    }};
}

fn verified(place: &Place, listed: &[Value], token: &place::Token) -> Result<()> {
    let metadata = Token::decode_metadata(&token.text)?;
    let kid = metadata.key_id().context("the token names its key")?;
    let jwk = listed.iter().find(|jwk| jwk["kid"] == kid).context("the key is listed")?.to_string();
    let options = || VerificationOptions {
        allowed_issuers: Some(HashSet::from([place.issuer.clone()])),
        required_key_id: Some(kid.to_owned()),
        ..VerificationOptions::default()
    };
    let (name, claims, is_refused) = match metadata.algorithm() {
        "ML-DSA-44" => judged!(MLDSA44PublicKey, &jwk, &token.text, options),
        "ML-DSA-65" => judged!(MLDSA65PublicKey, &jwk, &token.text, options),
        "ML-DSA-87" => judged!(MLDSA87PublicKey, &jwk, &token.text, options),
        "ES256" => judged!(ES256PublicKey, &jwk, &token.text, options),
        other => bail!("no key of {other}"),
    };
    ensure!(name == kid, "the key is named {kid}, not {name}");
    ensure!(is_refused, "a changed token is taken");
    let claims = serde_json::to_value(&claims)?;
    for (member, value) in &token.claims {
        ensure!(claims.get(member) == Some(value), "{member} is {:?}, not {value}", claims.get(member));
    }
    Ok(())
}

/// The token with one other letter at the start of its signature.
fn changed(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or((token, ""));
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{other}{}", signature.get(1..).unwrap_or_default())
}
