//! Secrets of applications: shown once, and rotated with an overlap.

use api::applications::{RotateClientSecret, RotatedClientSecret};
use api::error::ErrorCode;
use api::secret::SecretText;
use domain::api_key::bearer_text;
use domain::authz::{Authorized, WriteApplications};
use domain::ids::{ApplicationId, ApplicationSecretId};
use domain::time::SECOND_MS;
use store::applications::{StoredApplicationSecret, expire_application_secrets, insert_application_secret};

use super::{Applications, Core, entry, may_equip};
use crate::app::tenants::bytes;
use crate::ctx::Ctx;
use crate::keyring::root::Root;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The prefix of every client secret.
const PREFIX: &str = "qcs_";
/// The longest that a rotated-out secret may go on working: a week, for clients that somebody configures by hand.
const GRACE_MAX_S: u32 = 604_800;
/// Secrets that work side by side.
const MOST: usize = 5;

/// The keyed hash under which a client secret is stored.
pub fn secret_hash(root: &Root, text: &[u8]) -> [u8; 32] {
    root.token_hash("client-secret", text)
}

/// A new secret: its row, and its text.
pub fn new_secret(core: &Core, ctx: &Ctx, application: ApplicationId) -> (StoredApplicationSecret, SecretText) {
    let text = bearer_text(PREFIX, &*core.entropy);
    let row = StoredApplicationSecret {
        id: ApplicationSecretId::from_random(bytes(&*core.entropy)),
        application,
        hash: secret_hash(&ctx.keyring.root, text.expose()),
        created_at: ctx.now(),
        expires_at: None,
    };
    (row, SecretText::new(String::from_utf8_lossy(text.expose()).into_owned()))
}

impl Applications {
    /// Makes another secret; the one before works until the grace period ends.
    pub async fn rotate_secret(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        request: RotateClientSecret,
    ) -> Outcome<RotatedClientSecret> {
        let mut entry = entry("ApplicationSecretRotated");
        let result = self.rotate_secret_now(ctx, auth, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn rotate_secret_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        request: RotateClientSecret,
        entry: &mut Entry,
    ) -> Outcome<RotatedClientSecret> {
        let row = self.load(auth, id, entry).await?;
        may_equip(ctx, &row.settings)?;
        if !row.kind.is_confidential() {
            let message = format!("An application of type {} has no secret: it could not keep one.", row.kind);
            return Err(Problem::new(ErrorCode::Conflict, message));
        }
        let grace_s = request.grace_seconds.unwrap_or(0);
        if grace_s > GRACE_MAX_S {
            return Err(Problem::invalid(format!("graceSeconds is at most {GRACE_MAX_S}.")));
        }
        let live = self.core.store.application_secrets(auth, id, ctx.now()).await?;
        if grace_s > 0 && live.len() >= MOST {
            let message = format!("{MOST} secrets of the application work already; rotate without a grace period.");
            return Err(Problem::new(ErrorCode::Conflict, message));
        }
        let until = ctx.now().plus_millis(i64::from(grace_s) * SECOND_MS);
        let (secret, text) = new_secret(&self.core, ctx, id);
        entry.note(format!("secret={}", secret.id));
        // The old ones are as many as are left of earlier rotations.
        let follow = vec![expire_application_secrets(auth, id, until), insert_application_secret(auth, &secret)];
        self.commit(ctx, "rotate client secret", Vec::new(), follow, entry).await?;
        let previous_valid_until = (grace_s > 0 && !live.is_empty()).then(|| until.into());
        Ok(RotatedClientSecret { client_id: row.client_id, client_secret: text, previous_valid_until })
    }
}
