//! Whether a token of another issuer is believed: its signature first, then its claims, then the rules. Nothing of a token is looked at
//! that was not signed.

use api::trusts::{TestTrust, TrustCheck, TrustVerdict};
use crypto::jose::{Claims, Expected, Refusal, Typ, Verified};
use domain::authz::{Authorized, WriteTrusts};
use domain::identity::trust::State;
use domain::ids::TrustId;
use domain::time::Timestamp;
use store::trusts::StoredTrust;

use super::{Trusts, entry};
use crate::app::fetched_keys::Want;
use crate::ctx::Ctx;
use crate::problem::Outcome;
use crate::trail::Entry;

/// How far clocks may differ, in seconds.
const SKEW_S: u64 = 30;
/// What is shown of a claim.
const SHOWN_MAX: usize = 200;

/// What was found of a token.
pub struct Judged {
    /// What signed it, when its signature is valid.
    pub algorithm: Option<&'static str>,
    /// What it says, when its signature is valid.
    pub claims: Option<Claims>,
    /// Everything that was looked at.
    pub checks: Vec<TrustCheck>,
}

impl Judged {
    /// Whether the token is believed.
    pub fn is_accepted(&self) -> bool {
        self.claims.is_some() && self.checks.iter().all(|check| check.is_met)
    }

    /// What spoke against it first.
    pub fn reason(&self) -> String {
        let failed = self.checks.iter().find(|check| !check.is_met);
        failed.map_or_else(String::new, |check| {
            format!("{}: {}", check.check, check.detail.as_deref().unwrap_or("not met"))
        })
    }

    fn look(&mut self, check: impl Into<String>, found: Result<Option<String>, String>) -> bool {
        let is_met = found.is_ok();
        let detail = found.unwrap_or_else(Some).map(|text| text.chars().take(SHOWN_MAX).collect());
        self.checks.push(TrustCheck { check: check.into(), is_met, detail });
        is_met
    }
}

impl Trusts {
    /// Says whether a trust would believe a token. Nothing is spent and nothing is given.
    pub async fn test(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteTrusts>,
        id: TrustId,
        request: &TestTrust,
    ) -> Outcome<TrustVerdict> {
        let mut entry = entry("TrustTested");
        let result = self.test_now(ctx, auth, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn test_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteTrusts>,
        id: TrustId,
        request: &TestTrust,
        entry: &mut Entry,
    ) -> Outcome<TrustVerdict> {
        let trust = self.load(auth, id, entry).await?;
        let judged = self.judge(&trust, request.token.expose(), ctx.now()).await;
        entry.valid(judged.is_accepted());
        Ok(TrustVerdict {
            is_accepted: judged.is_accepted(),
            algorithm: judged.algorithm.map(str::to_owned),
            checks: judged.checks,
        })
    }

    /// Judges a token of a trust's issuer.
    pub async fn judge(&self, trust: &StoredTrust, token: &str, now: Timestamp) -> Judged {
        let mut judged = Judged { algorithm: None, claims: None, checks: Vec::new() };
        let state = if trust.state == State::Active { Ok(None) } else { Err("the trust is switched off".to_owned()) };
        judged.look("trust", state);
        let verified = match self.verified(trust, token, now).await {
            Ok(verified) => verified,
            Err((check, reason)) => {
                judged.look(check, Err(reason));
                return judged;
            }
        };
        judged.look("signature", Ok(Some(verified.algorithm.to_owned())));
        judged.algorithm = Some(verified.algorithm);
        let claims = match Claims::read(&verified.payload) {
            Ok(claims) => claims,
            Err(refusal) => {
                judged.look("claims", Err(refusal.to_string()));
                return judged;
            }
        };
        let audiences = [trust.settings.audience.as_str()];
        let now_s = u64::try_from(now.seconds()).unwrap_or_default();
        let expected = Expected { issuer: &trust.issuer, audiences: &audiences, now_s, leeway_s: SKEW_S };
        judged.look("claims", claims.check(&expected).map(|()| None).map_err(|refusal| refusal.to_string()));
        for met in trust.settings.judge(claims.members()) {
            let found = met.found.unwrap_or_else(|| "the claim is absent".to_owned());
            judged.look(format!("rule {}", met.rule.claim), if met.holds { Ok(Some(found)) } else { Err(found) });
        }
        judged.claims = Some(claims);
        judged
    }

    /// Checks the signature. A key that is not known yet is looked for once.
    async fn verified(
        &self,
        trust: &StoredTrust,
        token: &str,
        now: Timestamp,
    ) -> Result<Verified, (&'static str, String)> {
        let keys = self.issuers.keys(trust, Want::Any, now).await.map_err(|reason| ("keys", reason))?;
        match keys.verify(token, Typ::Any) {
            Err(Refusal::UnknownKey) if trust.settings.jwks.is_none() => {
                let keys = self.issuers.keys(trust, Want::Newer, now).await.map_err(|reason| ("keys", reason))?;
                keys.verify(token, Typ::Any)
            }
            verified => verified,
        }
        .map_err(|refusal| ("signature", refusal.to_string()))
    }
}
