//! The checks of the identity provider's design by their numbers, and the tests that make them: `oidc: N of M`.
//!
//! A check counts when tests cover all of it. One that is covered in part, or not at all, says what is missing.

use std::collections::BTreeSet;
use std::process::Command;

use crate::program::{say, succeed};

/// How far a check is covered.
enum Covered {
    By(&'static [&'static str]),
    /// Not whole: what is missing.
    Open(&'static str),
}

use Covered::{By, Open};

/// All checks but those of what comes later: request objects (26), DPoP (31 to 34), and of 62 the passkeys.
const CHECKS: &[(u8, &str, Covered)] = &[
    (1, "discovery-exact", By(&["protocol_tokens::discovery_exact"])),
    (2, "jwks-public-only", By(&["protocol_tokens::jwks_public_only"])),
    (3, "jwks-mixed", Open("keys are found; a classical token is not verified")),
    (4, "happy-code", Open("all but the value of at_hash and a client of others")),
    (5, "response-type", By(&["protocol_clients::response_type_missing_token_id_token_hybrid"])),
    (6, "redirect-unregistered", By(&["protocol_clients::redirect_unregistered"])),
    (7, "redirect-loopback", By(&["protocol_clients::redirect_loopback"])),
    (8, "redirect-missing-at-token", Open("no test from outside")),
    (9, "pkce-missing", By(&["protocol_clients::pkce_missing_or_plain"])),
    (10, "pkce-wrong", Open("no test from outside")),
    (11, "pkce-injected", Open("no test from outside")),
    (12, "code-reuse", By(&["people::code_reuse_and_other_client"])),
    (13, "code-race", By(&["people::code_race_has_one_winner"])),
    (14, "code-other-client", Open("refused; its event is not looked at")),
    (15, "code-expired", Open("no test from outside")),
    (16, "iss-in-response", Open("of errors; of codes it is not looked at")),
    (17, "duplicate-parameter", By(&["protocol_tokens::duplicate_parameter"])),
    (18, "state-nonce-long", By(&["protocol_clients::state_nonce_long"])),
    (19, "prompt-none", Open("without and with a session; consent is not tried")),
    (20, "prompt-login", Open("asked again; the new auth_time is not looked at")),
    (21, "id-token-hint-other-user", Open("no test from outside")),
    (22, "acr-step-up", By(&["factors::acr_step_up"])),
    (23, "par-only", By(&["protocol_clients::par_only_reuse_expired_and_other_client"])),
    (24, "par-reuse", Open("reuse and other clients; a minute has to pass for the rest")),
    (25, "par-with-request-uri", By(&["protocol_clients::par_only_reuse_expired_and_other_client"])),
    (27, "client-auth-two-methods", By(&["protocol_clients::client_auth_two_methods"])),
    (28, "assertions", By(&["protocol_clients::assertion_replay_and_confusion"])),
    (29, "mtls-wrong", Open("no test")),
    (30, "mtls-bound", Open("no test")),
    (35, "refresh-rotate", Open("the family dies; its event is not looked at")),
    (36, "refresh-race", Open("no test from outside")),
    (37, "refresh-scope-up", Open("no test from outside")),
    (38, "refresh-after", Open("a block, a reset, ended sessions; roles and deleted applications are not tried")),
    (39, "client-credentials-no-user", By(&["protocol_tokens::client_credentials_no_user"])),
    (
        40,
        "token-exchange",
        By(&["protocol_tokens::token_exchange_matrix", "trusts::token_exchange_too_long_is_refused_and_never_ignored"]),
    ),
    (
        41,
        "federation-trust",
        By(&["trusts::federation_trust_matrix", "trusts::an_unknown_key_is_fetched_once_and_then_not_for_a_while"]),
    ),
    (42, "device-flow", Open("pending and slow_down; the rest has no test from outside")),
    (43, "introspect-authz", By(&["protocol_tokens::introspect_authz"])),
    (44, "revoke", Open("access tokens; a refresh token has no test from outside")),
    (45, "restart-survives", By(&["protocol_tokens::restart_survives"])),
    (46, "jwt-confusion", By(&["protocol_tokens::jwt_confusion_set", "tokens::jwt_confusion_set"])),
    (47, "typ-confusion", Open("no test from outside")),
    (48, "logout", Open("no test from outside")),
    (49, "backchannel", Open("no test from outside")),
    (
        50,
        "csrf-login",
        By(&["people::csrf_login_clickjacking_and_fixation", "people::consent_is_asked_once_and_can_be_refused"]),
    ),
    (51, "307-leak", By(&["people::happy_code"])),
    (52, "referrer-cache", Open("no test from outside")),
    (53, "cors", By(&["protocol_tokens::cors"])),
    (54, "host-header", By(&["protocol_tokens::host_header", "mail::host_header_of_whoever_asks_is_in_no_letter"])),
    (55, "open-redirect", By(&["protocol_tokens::open_redirect"])),
    (56, "enumeration", Open("the same answers; times are not measured")),
    (57, "lockout-dos", By(&["people::lockout_dos"])),
    (58, "ssrf", Open("of keys of other issuers; nothing tells applications of logouts yet")),
    (59, "tenant-wall", Open("of the protocol; management calls have no test of their own")),
    (60, "key-rotation-live", By(&["protocol_tokens::key_rotation_live"])),
    (61, "scope-dos", By(&["protocol_tokens::scope_dos"])),
    (62, "second-factors", By(&["factors::totp_replay_and_recovery_reuse"])),
];

#[test]
fn every_check_is_a_test_or_says_what_is_missing() {
    let listed = succeed(Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]));
    let tests: BTreeSet<_> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let mut numbers = BTreeSet::new();
    let mut open = Vec::new();
    for (number, name, covered) in CHECKS {
        assert!(numbers.insert(number), "check {number} stands there twice");
        match covered {
            By(names) => {
                assert!(!names.is_empty(), "{name} is covered by nothing");
                for test in *names {
                    assert!(tests.contains(format!("oidc::{test}").as_str()), "{name}: there is no test {test}");
                }
            }
            Open(missing) => open.push(format!("  {number} {name}: {missing}")),
        }
    }
    let wanted: BTreeSet<u8> = (1..=62).filter(|number| *number != 26 && !(31..=34).contains(number)).collect();
    assert_eq!(numbers.into_iter().copied().collect::<BTreeSet<_>>(), wanted);
    say(&format!("oidc: {} of {}\n{}", CHECKS.len() - open.len(), CHECKS.len(), open.join("\n")));
}
