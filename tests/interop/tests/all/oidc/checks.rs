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
    (
        3,
        "jwks-mixed",
        By(&[
            "clients::clients_without_ml_dsa_find_their_key_in_a_mixed_set_and_fail_closed",
            "clients::authlib_signs_people_in_to_a_classical_application",
        ]),
    ),
    (4, "happy-code", By(&["people::happy_code", "clients::openid_client_and_jose_sign_people_in"])),
    (5, "response-type", By(&["protocol_clients::response_type_missing_token_id_token_hybrid"])),
    (6, "redirect-unregistered", By(&["protocol_clients::redirect_unregistered"])),
    (7, "redirect-loopback", By(&["protocol_clients::redirect_loopback"])),
    (8, "redirect-missing-at-token", By(&["redeeming::redirect_missing_or_changed_at_token"])),
    (9, "pkce-missing", By(&["protocol_clients::pkce_missing_or_plain"])),
    (10, "pkce-wrong", By(&["redeeming::pkce_wrong_or_omitted_verifier"])),
    (11, "pkce-injected", By(&["redeeming::pkce_injected_verifier_finds_no_code_without_a_challenge"])),
    (12, "code-reuse", By(&["people::code_reuse_and_other_client"])),
    (13, "code-race", By(&["people::code_race_has_one_winner"])),
    (
        14,
        "code-other-client",
        By(&["people::code_reuse_and_other_client", "redeeming::code_of_another_client_is_an_event"]),
    ),
    (15, "code-expired", By(&["redeeming::what_waits_too_long_is_over"])),
    (16, "iss-in-response", By(&["redeeming::iss_in_response"])),
    (17, "duplicate-parameter", By(&["protocol_tokens::duplicate_parameter"])),
    (18, "state-nonce-long", By(&["protocol_clients::state_nonce_long"])),
    (
        19,
        "prompt-none",
        By(&["asking::prompt_none_wants_a_session_and_consent", "people::prompt_login_max_age_and_none"]),
    ),
    (
        20,
        "prompt-login",
        By(&["asking::prompt_login_gives_a_new_time_and_keeps_the_session", "redeeming::what_waits_too_long_is_over"]),
    ),
    (21, "id-token-hint-other-user", By(&["asking::id_token_hint_of_another_person"])),
    (22, "acr-step-up", By(&["factors::acr_step_up"])),
    (23, "par-only", By(&["protocol_clients::par_only_reuse_expired_and_other_client"])),
    (
        24,
        "par-reuse",
        By(&["protocol_clients::par_only_reuse_expired_and_other_client", "redeeming::what_waits_too_long_is_over"]),
    ),
    (25, "par-with-request-uri", By(&["protocol_clients::par_only_reuse_expired_and_other_client"])),
    (27, "client-auth-two-methods", By(&["protocol_clients::client_auth_two_methods"])),
    (28, "assertions", By(&["protocol_clients::assertion_replay_and_confusion"])),
    (29, "mtls-wrong", Open("another name, another authority, spoofed headers; an expired certificate is not tried")),
    (30, "mtls-bound", By(&["protocol_mtls::mtls_bound_token_at_rs_with_other_certificate"])),
    (
        35,
        "refresh-rotate",
        By(&[
            "people::refresh_rotate_and_reuse",
            "refreshing::refresh_rotate_raises_an_event_when_a_token_is_shown_again",
        ]),
    ),
    (36, "refresh-race", By(&["refreshing::refresh_race_has_one_successor"])),
    (37, "refresh-scope-up", By(&["refreshing::refresh_scope_up"])),
    (
        38,
        "refresh-after",
        By(&[
            "people::refresh_after_a_block_a_reset_or_an_ended_session",
            "refreshing::refresh_after_a_role_went_or_the_application_was_deleted",
        ]),
    ),
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
    (
        42,
        "device-flow",
        By(&[
            "protocol_clients::device_flow_pending_slow_down_and_strangers",
            "devices::device_flow_allowed_denied_expired_and_reused",
            "devices::device_codes_are_not_guessed",
        ]),
    ),
    (43, "introspect-authz", By(&["protocol_tokens::introspect_authz"])),
    (
        44,
        "revoke",
        By(&[
            "protocol_tokens::revoke",
            "refreshing::revoke_of_a_refresh_token_ends_its_family_and_of_somebody_elses_nothing",
        ]),
    ),
    (45, "restart-survives", By(&["protocol_tokens::restart_survives"])),
    (46, "jwt-confusion", By(&["protocol_tokens::jwt_confusion_set", "tokens::jwt_confusion_set"])),
    (
        47,
        "typ-confusion",
        By(&[
            "confusion::typ_confusion",
            "logouts::backchannel_tells_with_a_token_and_an_application_that_is_down_hears_later",
        ]),
    ),
    (48, "logout", By(&["logouts::logout_of_others_and_to_elsewhere_is_refused"])),
    (
        49,
        "backchannel",
        By(&[
            "logouts::backchannel_tells_with_a_token_and_an_application_that_is_down_hears_later",
            "logouts::whoever_ends_a_session_has_the_applications_told",
        ]),
    ),
    (
        50,
        "csrf-login",
        By(&["people::csrf_login_clickjacking_and_fixation", "people::consent_is_asked_once_and_can_be_refused"]),
    ),
    (51, "307-leak", By(&["people::happy_code"])),
    (52, "referrer-cache", By(&["confusion::referrer_and_cache"])),
    (53, "cors", By(&["protocol_tokens::cors", "confusion::cors_is_the_applications_own"])),
    (54, "host-header", By(&["protocol_tokens::host_header", "mail::host_header_of_whoever_asks_is_in_no_letter"])),
    (55, "open-redirect", By(&["protocol_tokens::open_redirect"])),
    (56, "enumeration", Open("the same answers; times are not measured")),
    (57, "lockout-dos", By(&["people::lockout_dos"])),
    (
        58,
        "ssrf",
        By(&[
            "walls::ssrf_reaches_nothing_inside",
            "walls::a_redirect_of_a_logout_receiver_is_not_followed",
            "trusts::keys_are_not_fetched_from_where_a_server_must_not_reach",
        ]),
    ),
    (59, "tenant-wall", By(&["protocol_tokens::tenant_wall", "walls::management_calls_with_ids_of_another_tenant"])),
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
