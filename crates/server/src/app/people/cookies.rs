//! What browsers keep: a session, and a mark of who has signed in with this device before.

use crypto::hash::ct_eq;
use domain::ids::AccountId;
use domain::time::Timestamp;
use store::accounts::StoredAccount;

use crate::app::oidc::Site;
use crate::app::oidc::jws::base64url;

/// How long a device is remembered, in seconds: a year.
const DEVICE_S: u32 = 365 * 24 * 60 * 60;
/// A device's own name, in characters of base64url.
const DEVICE_LEN: usize = 22;
/// How many people a device is remembered for, and the longest mark that they make.
const PEOPLE: usize = 8;
const MARK_MAX: usize = DEVICE_LEN + PEOPLE * 44;
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

/// Whom a device is remembered for, and since when: what ends their tokens ends the marks of their devices too, so that whoever knew the
/// old password keeps none.
#[derive(Clone, Copy)]
pub struct Owner {
    /// The person.
    pub account: AccountId,
    /// When their tokens were ended last.
    pub since: Timestamp,
}

impl From<&StoredAccount> for Owner {
    fn from(row: &StoredAccount) -> Self {
        Self { account: row.id, since: row.tokens_not_before }
    }
}

/// The mark of a device once somebody has signed in with it: the device's own name, and for each of the last people who did a keyed
/// hash of both. `fresh` names a device that has no mark yet.
pub fn device_mark(site: &Site, owner: Owner, mark: Option<&str>, fresh: &[u8; 16]) -> String {
    let Some((device, proofs)) = mark.and_then(parts) else {
        let device = base64url(fresh);
        let proof = device_proof(site, owner, &device);
        return format!("{device}.{proof}");
    };
    let own = device_proof(site, owner, device);
    let others = proofs.split('.').filter(|proof| *proof != own).take(PEOPLE - 1);
    let proofs: Vec<&str> = std::iter::once(own.as_str()).chain(others).collect();
    format!("{device}.{}", proofs.join("."))
}

/// The device of a mark, if somebody has signed in as this person with it since everything of theirs ended last.
pub fn known_device<'m>(site: &Site, owner: Owner, mark: &'m str) -> Option<&'m str> {
    let (device, proofs) = parts(mark)?;
    let own = device_proof(site, owner, device);
    proofs.split('.').any(|proof| ct_eq(proof.as_bytes(), own.as_bytes())).then_some(device)
}

/// A mark's device and the proofs behind it. Whatever else a browser keeps under the name is no mark.
fn parts(mark: &str) -> Option<(&str, &str)> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    let (device, proofs) = mark.split_once('.').filter(|_| mark.len() <= MARK_MAX && mark.bytes().all(is_plain))?;
    (device.len() == DEVICE_LEN).then_some((device, proofs))
}

fn device_proof(site: &Site, owner: Owner, device: &str) -> String {
    let since = owner.since.millis().to_be_bytes();
    let place = [site.tenant().as_bytes().as_slice(), owner.account.as_bytes(), device.as_bytes(), &since].concat();
    base64url(&site.ctx.keyring.root.token_hash("device", &place))
}
