//! What browsers keep: a session, and a mark that somebody has signed in with this device before.

use crypto::hash::ct_eq;
use domain::ids::AccountId;

use crate::app::oidc::Site;
use crate::app::oidc::jws::base64url;

/// How long a device is remembered, in seconds: a year.
const DEVICE_S: u32 = 365 * 24 * 60 * 60;
/// A device's own name, in characters of base64url.
const DEVICE_LEN: usize = 22;
const SECURE_PREFIX: &str = "__Host-";

/// The name of the session's cookie. Each tenant has its own, so that two of them on one host never meet.
pub fn session_name(site: &Site) -> String {
    name(site, "qapi_session")
}

/// The name of the device's cookie.
pub fn device_name(site: &Site) -> String {
    name(site, "qapi_device")
}

fn name(site: &Site, kind: &str) -> String {
    let slug = site.issuer.rsplit_once("/t/").map(|(_, slug)| format!("-{slug}")).unwrap_or_default();
    // Browsers keep a `__Host-` cookie only when it came over TLS, for this host alone.
    format!("{}{kind}{slug}", if is_secure(site) { SECURE_PREFIX } else { "" })
}

fn is_secure(site: &Site) -> bool {
    site.issuer.starts_with("https://")
}

/// The header that sets the session's cookie. It ends with the browser, or before.
pub fn set_session(site: &Site, value: &str) -> String {
    set(site, &session_name(site), value, "")
}

/// The header that takes the session's cookie away.
pub fn forget_session(site: &Site) -> String {
    set(site, &session_name(site), "", "; Max-Age=0")
}

/// The header that marks a device as one that somebody signed in with.
pub fn set_device(site: &Site, value: &str) -> String {
    set(site, &device_name(site), value, &format!("; Max-Age={DEVICE_S}"))
}

fn set(site: &Site, name: &str, value: &str, end: &str) -> String {
    let secure = if is_secure(site) { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{end}")
}

/// The mark of a device for a person: the device's own name, and a keyed hash of both.
pub fn device_mark(site: &Site, account: AccountId, device: &[u8; 16]) -> String {
    let device = base64url(device);
    let proof = device_proof(site, account, &device);
    format!("{device}.{proof}")
}

/// The device of a mark, if somebody has signed in as this person with it.
pub fn known_device<'m>(site: &Site, account: AccountId, mark: &'m str) -> Option<&'m str> {
    let (device, proof) = mark.split_once('.')?;
    let is_theirs = ct_eq(proof.as_bytes(), device_proof(site, account, device).as_bytes());
    (device.len() == DEVICE_LEN && is_theirs).then_some(device)
}

fn device_proof(site: &Site, account: AccountId, device: &str) -> String {
    let place = [site.tenant().as_bytes().as_slice(), account.as_bytes(), device.as_bytes()].concat();
    base64url(&site.ctx.keyring.root.token_hash("device", &place))
}
