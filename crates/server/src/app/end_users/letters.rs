//! Letters to end users, and passwords that somebody else chose for them.

use api::error::ErrorCode;
use api::people::TemporaryPassword;
use api::secret::SecretText;
use domain::authz::{Authorized, WriteEndUsers};
use domain::identity::account::State;
use domain::identity::grant::Ended;
use store::accounts::set_password;

use super::{EndUsers, Whom, entry};
use crate::app::accounts::letters::Purpose;
use crate::app::accounts::sealed;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

impl EndUsers {
    /// Sends somebody a letter.
    pub async fn send(&self, ctx: &Ctx, auth: &Authorized<WriteEndUsers>, whom: Whom, purpose: Purpose) -> Outcome<()> {
        let mut entry = entry(match purpose {
            Purpose::Verification => "EndUserVerificationSent",
            Purpose::Reset => "EndUserPasswordResetSent",
            Purpose::Invitation => "EndUserInvited",
        });
        let result = self.send_now(ctx, auth, whom, purpose, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn send_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        purpose: Purpose,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let row = self.load(auth, whom, entry).await?;
        if row.state != State::Active {
            return Err(Problem::new(ErrorCode::Conflict, "The user is blocked."));
        }
        if purpose == Purpose::Verification && row.is_email_verified {
            return Err(Problem::new(ErrorCode::Conflict, "The address of the user is verified."));
        }
        let profile = sealed::open(ctx, &row)?;
        let follow = self.accounts.letter(ctx, auth, row.id, &profile, purpose).await?;
        self.accounts.commit(ctx, "send letter", Vec::new(), follow, entry).await
    }

    /// Gives somebody a password that must be changed at the next sign-in. Whoever was signed in as them is signed out.
    pub async fn temporary_password(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
    ) -> Outcome<TemporaryPassword> {
        let mut entry = entry("EndUserTemporaryPassword");
        let result = self.temporary_password_now(ctx, auth, whom, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn temporary_password_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        entry: &mut Entry,
    ) -> Outcome<TemporaryPassword> {
        let mut row = self.load(auth, whom, entry).await?;
        if row.state == State::Deleted {
            return Err(Problem::new(ErrorCode::Conflict, "The user is deleted."));
        }
        let profile = sealed::open(ctx, &row)?;
        let password = SecretText::new(self.accounts.temporary_password());
        let record = self.accounts.password_record(ctx, row.id, &password).await?;
        let mut follow = self.accounts.cut_off(ctx, auth, &mut row, Ended::PasswordReset);
        follow.push(set_password(auth, row.id, &record, true, ctx.now()));
        self.accounts.save(ctx, "temporary password", auth, &row, follow, entry).await?;
        Ok(TemporaryPassword { temporary_password: password, email: profile.email })
    }
}
