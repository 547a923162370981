//! Whether a token, a grant or a session is alive. The only function that says so: every endpoint asks it, so that no endpoint can know less than another.

use crate::time::Timestamp;

/// An application or a person: whether it is there, and since when what it was given counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Active, and not blocked or deleted.
    pub is_active: bool,
    /// Access tokens issued before are dead.
    pub tokens_not_before: Timestamp,
    /// Grants and sessions begun before are dead.
    pub grants_not_before: Timestamp,
}

/// A grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Nobody ended it.
    pub is_live: bool,
    /// Whether it may outlive its session, when nobody ended that.
    pub is_offline: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Nobody ended it.
    pub is_live: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// How long it may go without being seen.
    pub idle_ms: i64,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A trust in another issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Whether it is believed.
    pub is_active: bool,
    /// Tokens issued by it before are dead.
    pub not_before: Timestamp,
}

/// Something that what is asked about hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On<T> {
    /// It does not hang on one.
    Nothing,
    /// On one that is not there any more.
    Missing,
    /// On this one.
    Found(T),
}

/// Everything that decides, as it was read in one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The tenant is not suspended.
    pub is_tenant_active: bool,
    /// Whose token or grant it is.
    pub application: On<Party>,
    /// Whose grant it belongs to: another application than the one before when the token was exchanged for one of the other's.
    pub grantor: On<Party>,
    /// Whom it is about.
    pub account: On<Party>,
    /// The session it began in.
    pub session: On<Session>,
    /// The grant it belongs to.
    pub grant: On<Grant>,
    /// Who was believed when it was issued.
    pub trust: On<Trust>,
    /// Whether it was revoked by itself.
    pub is_revoked: bool,
}

/// Why something is dead. For the audit log; callers are told that it is, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dead {
    /// Its time is over.
    #[error("it expired")]
    Expired,
    /// It was revoked.
    #[error("it was revoked")]
    Revoked,
    /// Its tenant is suspended.
    #[error("the tenant is suspended")]
    Tenant,
    /// Its application is gone, or takes nothing that old.
    #[error("its application does not take it any more")]
    Application,
    /// Its person is gone or blocked, or what they were given so early does not count any more.
    #[error("its person does not have it any more")]
    Account,
    /// Its session is over.
    #[error("its session is over")]
    Session,
    /// Its grant was ended.
    #[error("its grant is over")]
    Grant,
    /// Who was believed is not believed any more.
    #[error("its trust is gone")]
    Trust,
}

/// Whether an access token that was issued at `issued_at` and ends at `expires_at` is alive at `now`.
pub fn token(snapshot: &Snapshot, issued_at: Timestamp, expires_at: Timestamp, now: Timestamp) -> Result<(), Dead> {
    if expires_at <= now {
        return Err(Dead::Expired);
    }
    if snapshot.is_revoked {
        return Err(Dead::Revoked);
    }
    let recent = |party: &Party| issued_at >= party.tokens_not_before;
    if !holds(&snapshot.application, recent) || !holds(&snapshot.grantor, recent) {
        return Err(Dead::Application);
    }
    if !holds(&snapshot.account, recent) {
        return Err(Dead::Account);
    }
    if !holds(&snapshot.trust, |trust| trust.is_active && issued_at >= trust.not_before) {
        return Err(Dead::Trust);
    }
    grant(snapshot, now)
}

/// Whether a grant is alive: whether more can be had for it.
pub fn grant(snapshot: &Snapshot, now: Timestamp) -> Result<(), Dead> {
    if !snapshot.is_tenant_active {
        return Err(Dead::Tenant);
    }
    let (begun, is_offline) = match &snapshot.grant {
        On::Found(grant) if !grant.is_live => return Err(Dead::Grant),
        On::Found(grant) if grant.expires_at <= now => return Err(Dead::Expired),
        On::Found(grant) => (Some(grant.created_at), grant.is_offline),
        On::Missing => return Err(Dead::Grant),
        On::Nothing => (None, false),
    };
    let stands =
        |party: &Party| party.is_active && begun.is_none_or(|created_at| created_at >= party.grants_not_before);
    if !holds(&snapshot.application, stands) || !holds(&snapshot.grantor, stands) {
        return Err(Dead::Application);
    }
    if !holds(&snapshot.account, stands) {
        return Err(Dead::Account);
    }
    let is_open = |session: &Session| session.is_live && (is_offline || session.end() > now);
    // A session that nobody ended and that was forgotten since ended by itself.
    match &snapshot.session {
        On::Missing if is_offline => Ok(()),
        session if holds(session, is_open) => Ok(()),
        _ => Err(Dead::Session),
    }
}

/// When the grant or the session ends by itself that something hangs on, if it hangs on one. What was alive is alive until then, unless
/// something is changed: changes are announced, and that time passes is not.
pub fn end(snapshot: &Snapshot) -> Option<Timestamp> {
    let On::Found(grant) = &snapshot.grant else { return None };
    match &snapshot.session {
        On::Found(session) if !grant.is_offline => Some(grant.expires_at.min(session.end())),
        _ => Some(grant.expires_at),
    }
}

/// Whether a session is alive: whether somebody is still signed in by it.
pub fn session(is_tenant_active: bool, session: &Session, account: &Party, now: Timestamp) -> Result<(), Dead> {
    if !is_tenant_active {
        return Err(Dead::Tenant);
    }
    if !account.is_active || session.created_at < account.grants_not_before {
        return Err(Dead::Account);
    }
    if session.is_live && session.end() > now { Ok(()) } else { Err(Dead::Session) }
}

impl Session {
    /// When it ends by itself, if nobody is seen in it any more.
    fn end(&self) -> Timestamp {
        self.expires_at.min(self.seen_at.plus_millis(self.idle_ms))
    }
}

fn holds<T>(on: &On<T>, test: impl Fn(&T) -> bool) -> bool {
    match on {
        On::Nothing => true,
        On::Missing => false,
        On::Found(found) => test(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: Timestamp = Timestamp::from_millis(1_000);
    const ISSUED: Timestamp = Timestamp::from_millis(2_000);
    const NOW: Timestamp = Timestamp::from_millis(3_000);
    const LATER: Timestamp = Timestamp::from_millis(9_000);

    fn alive() -> Snapshot {
        let party = Party { is_active: true, tokens_not_before: BEGUN, grants_not_before: BEGUN };
        let session = Session { is_live: true, created_at: BEGUN, seen_at: ISSUED, idle_ms: 5_000, expires_at: LATER };
        Snapshot {
            is_tenant_active: true,
            application: On::Found(party),
            grantor: On::Found(party),
            account: On::Found(party),
            session: On::Found(session),
            grant: On::Found(Grant { is_live: true, is_offline: false, created_at: BEGUN, expires_at: LATER }),
            trust: On::Nothing,
            is_revoked: false,
        }
    }

    fn changed<T>(on: &mut On<T>, change: impl FnOnce(&mut T)) {
        if let On::Found(found) = on {
            change(found);
        }
    }

    type Change = fn(&mut Snapshot);

    #[test]
    fn whatever_ends_ends_what_hangs_on_it() {
        let rows: [(&str, Change, Option<Dead>); 19] = [
            ("nothing", |_| {}, None),
            ("revoked", |s| s.is_revoked = true, Some(Dead::Revoked)),
            ("tenant suspended", |s| s.is_tenant_active = false, Some(Dead::Tenant)),
            ("application deleted", |s| changed(&mut s.application, |a| a.is_active = false), Some(Dead::Application)),
            ("application missing", |s| s.application = On::Missing, Some(Dead::Application)),
            (
                "application cut off",
                |s| changed(&mut s.application, |a| a.tokens_not_before = NOW),
                Some(Dead::Application),
            ),
            ("grantor missing", |s| s.grantor = On::Missing, Some(Dead::Application)),
            ("grantor cut off", |s| changed(&mut s.grantor, |a| a.grants_not_before = NOW), Some(Dead::Application)),
            ("account blocked", |s| changed(&mut s.account, |a| a.is_active = false), Some(Dead::Account)),
            ("roles changed", |s| changed(&mut s.account, |a| a.tokens_not_before = NOW), Some(Dead::Account)),
            ("password reset", |s| changed(&mut s.account, |a| a.grants_not_before = ISSUED), Some(Dead::Account)),
            ("account erased", |s| s.account = On::Missing, Some(Dead::Account)),
            ("session ended", |s| changed(&mut s.session, |s| s.is_live = false), Some(Dead::Session)),
            ("session over", |s| changed(&mut s.session, |s| s.expires_at = NOW), Some(Dead::Session)),
            ("session idle", |s| changed(&mut s.session, |s| s.idle_ms = 1_000), Some(Dead::Session)),
            ("session forgotten", |s| s.session = On::Missing, Some(Dead::Session)),
            ("grant ended", |s| changed(&mut s.grant, |g| g.is_live = false), Some(Dead::Grant)),
            ("grant missing", |s| s.grant = On::Missing, Some(Dead::Grant)),
            ("trust removed", |s| s.trust = On::Missing, Some(Dead::Trust)),
        ];
        for (what, change, expected) in rows {
            let mut snapshot = alive();
            change(&mut snapshot);
            assert_eq!(token(&snapshot, ISSUED, LATER, NOW).err(), expected, "{what}");
        }
        assert_eq!(token(&alive(), ISSUED, NOW, NOW), Err(Dead::Expired));
    }

    #[test]
    fn a_change_of_roles_ends_access_tokens_and_leaves_the_grant() {
        let mut snapshot = alive();
        changed(&mut snapshot.account, |account| account.tokens_not_before = NOW);
        assert_eq!(grant(&snapshot, NOW), Ok(()));
        assert_eq!(token(&snapshot, NOW, LATER, NOW), Ok(()), "what is issued afterwards is alive");
    }

    #[test]
    fn offline_access_outlives_a_session_that_ran_out_but_not_one_that_was_ended() {
        let mut snapshot = alive();
        changed(&mut snapshot.grant, |grant| grant.is_offline = true);
        changed(&mut snapshot.session, |session| session.expires_at = NOW);
        assert_eq!(grant(&snapshot, NOW), Ok(()));
        changed(&mut snapshot.session, |session| session.is_live = false);
        assert_eq!(grant(&snapshot, NOW), Err(Dead::Session));
        snapshot.session = On::Missing;
        assert_eq!(grant(&snapshot, NOW), Ok(()));
    }

    #[test]
    fn what_is_alive_ends_by_itself_when_it_is_said_to() {
        let idle = Timestamp::from_millis(7_000);
        let checked = |change: Change, expected: Option<Timestamp>| {
            let mut snapshot = alive();
            change(&mut snapshot);
            assert_eq!(end(&snapshot), expected);
            let Some(expected) = expected else { return };
            assert_eq!(grant(&snapshot, Timestamp::from_millis(expected.millis() - 1)), Ok(()));
            assert!(grant(&snapshot, expected).is_err());
        };
        checked(|_| {}, Some(idle));
        checked(|s| changed(&mut s.session, |session| session.expires_at = NOW), Some(NOW));
        checked(|s| changed(&mut s.grant, |grant| grant.expires_at = NOW), Some(NOW));
        checked(|s| changed(&mut s.grant, |grant| grant.is_offline = true), Some(LATER));
        checked(|s| s.session = On::Nothing, Some(LATER));
        checked(|s| s.grant = On::Nothing, None);
    }

    #[test]
    fn a_session_dies_with_its_person_and_by_itself() {
        let On::Found(open) = alive().session else { panic!("there is one") };
        let person = Party { is_active: true, tokens_not_before: BEGUN, grants_not_before: BEGUN };
        assert_eq!(session(true, &open, &person, NOW), Ok(()));
        assert_eq!(session(true, &open, &Party { is_active: false, ..person }, NOW), Err(Dead::Account));
        assert_eq!(session(true, &open, &Party { grants_not_before: NOW, ..person }, NOW), Err(Dead::Account));
        assert_eq!(session(true, &open, &person, LATER), Err(Dead::Session));
        assert_eq!(session(false, &open, &person, NOW), Err(Dead::Tenant));
    }
}
