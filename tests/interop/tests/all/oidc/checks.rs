//! The checks of the identity provider's design by their numbers, and the tests that make them: `oidc: N of M`.
//!
//! A check counts when tests cover all of it.

use std::collections::BTreeSet;
use std::process::Command;

use crate::program::{say, succeed};

/// All checks but those of what comes later: request objects (26), DPoP (31 to 34), and of 62 the passkeys.
const CHECKS: &[(u8, &str, &[&str])] = &[
    (1, "discovery-exact", &["protocol_tokens::discovery_exact"]),
    (2, "jwks-public-only", &["protocol_tokens::jwks_public_only"]),
    (
        3,
        "jwks-mixed",
        &[
            "clients::clients_without_ml_dsa_find_their_key_in_a_mixed_set_and_fail_closed",
            "clients::authlib_signs_people_in_to_a_classical_application",
        ],
    ),
    (4, "happy-code", &["people::happy_code", "clients::openid_client_and_jose_sign_people_in"]),
    (5, "response-type", &["protocol_clients::response_type_missing_token_id_token_hybrid"]),
    (6, "redirect-unregistered", &["protocol_clients::redirect_unregistered"]),
    (7, "redirect-loopback", &["protocol_clients::redirect_loopback"]),
    (8, "redirect-missing-at-token", &["redeeming::redirect_missing_or_changed_at_token"]),
    (9, "pkce-missing", &["protocol_clients::pkce_missing_or_plain"]),
    (10, "pkce-wrong", &["redeeming::pkce_wrong_or_omitted_verifier"]),
    (11, "pkce-injected", &["redeeming::pkce_injected_verifier_finds_no_code_without_a_challenge"]),
    (12, "code-reuse", &["people::code_reuse_and_other_client"]),
    (13, "code-race", &["people::code_race_has_one_winner"]),
    (
        14,
        "code-other-client",
        &["people::code_reuse_and_other_client", "redeeming::code_of_another_client_is_an_event"],
    ),
    (15, "code-expired", &["redeeming::what_waits_too_long_is_over"]),
    (16, "iss-in-response", &["redeeming::iss_in_response"]),
    (17, "duplicate-parameter", &["protocol_tokens::duplicate_parameter"]),
    (18, "state-nonce-long", &["protocol_clients::state_nonce_long"]),
    (19, "prompt-none", &["asking::prompt_none_wants_a_session_and_consent", "people::prompt_login_max_age_and_none"]),
    (
        20,
        "prompt-login",
        &["asking::prompt_login_gives_a_new_time_and_keeps_the_session", "redeeming::what_waits_too_long_is_over"],
    ),
    (21, "id-token-hint-other-user", &["asking::id_token_hint_of_another_person"]),
    (22, "acr-step-up", &["factors::acr_step_up"]),
    (23, "par-only", &["protocol_clients::par_only_reuse_expired_and_other_client"]),
    (
        24,
        "par-reuse",
        &["protocol_clients::par_only_reuse_expired_and_other_client", "redeeming::what_waits_too_long_is_over"],
    ),
    (25, "par-with-request-uri", &["protocol_clients::par_only_reuse_expired_and_other_client"]),
    (27, "client-auth-two-methods", &["protocol_clients::client_auth_two_methods"]),
    (28, "assertions", &["protocol_clients::assertion_replay_and_confusion"]),
    (29, "mtls-wrong", &["protocol_mtls::mtls_wrong_san_unknown_ca_header_spoofed", "protocol_mtls::mtls_expired"]),
    (30, "mtls-bound", &["protocol_mtls::mtls_bound_token_at_rs_with_other_certificate"]),
    (
        35,
        "refresh-rotate",
        &["people::refresh_rotate_and_reuse", "refreshing::refresh_rotate_raises_an_event_when_a_token_is_shown_again"],
    ),
    (36, "refresh-race", &["refreshing::refresh_race_has_one_successor"]),
    (37, "refresh-scope-up", &["refreshing::refresh_scope_up"]),
    (
        38,
        "refresh-after",
        &[
            "people::refresh_after_a_block_a_reset_or_an_ended_session",
            "refreshing::refresh_after_a_role_went_or_the_application_was_deleted",
        ],
    ),
    (39, "client-credentials-no-user", &["protocol_tokens::client_credentials_no_user"]),
    (
        40,
        "token-exchange",
        &[
            "protocol_tokens::token_exchange_matrix",
            "serving::who_calls_an_api_is_told_nothing_of_others_tokens_for_it_and_exchanges_none",
            "trusts::token_exchange_too_long_is_refused_and_never_ignored",
        ],
    ),
    (
        41,
        "federation-trust",
        &["trusts::federation_trust_matrix", "trusts::an_unknown_key_is_fetched_once_and_then_not_for_a_while"],
    ),
    (
        42,
        "device-flow",
        &[
            "protocol_clients::device_flow_pending_slow_down_and_strangers",
            "devices::device_flow_allowed_denied_expired_and_reused",
            "devices::a_policy_of_second_factors_holds_for_devices",
            "devices::device_codes_are_not_guessed",
        ],
    ),
    (
        43,
        "introspect-authz",
        &[
            "protocol_tokens::introspect_authz",
            "serving::who_calls_an_api_is_told_nothing_of_others_tokens_for_it_and_exchanges_none",
        ],
    ),
    (
        44,
        "revoke",
        &[
            "protocol_tokens::revoke",
            "refreshing::revoke_of_a_refresh_token_ends_its_family_and_of_somebody_elses_nothing",
        ],
    ),
    (45, "restart-survives", &["protocol_tokens::restart_survives"]),
    (46, "jwt-confusion", &["protocol_tokens::jwt_confusion_set", "tokens::jwt_confusion_set"]),
    (
        47,
        "typ-confusion",
        &[
            "confusion::typ_confusion",
            "logouts::backchannel_tells_with_a_token_and_an_application_that_is_down_hears_later",
        ],
    ),
    (48, "logout", &["logouts::logout_of_others_and_to_elsewhere_is_refused"]),
    (
        49,
        "backchannel",
        &[
            "logouts::backchannel_tells_with_a_token_and_an_application_that_is_down_hears_later",
            "logouts::whoever_ends_a_session_has_the_applications_told",
        ],
    ),
    (
        50,
        "csrf-login",
        &["people::csrf_login_clickjacking_and_fixation", "people::consent_is_asked_once_and_can_be_refused"],
    ),
    (51, "307-leak", &["people::happy_code"]),
    (52, "referrer-cache", &["confusion::referrer_and_cache"]),
    (53, "cors", &["protocol_tokens::cors", "confusion::cors_is_the_applications_own"]),
    (54, "host-header", &["protocol_tokens::host_header", "mail::host_header_of_whoever_asks_is_in_no_letter"]),
    (55, "open-redirect", &["protocol_tokens::open_redirect"]),
    (
        56,
        "enumeration",
        &[
            "people::enumeration",
            "mail::whoever_asks_for_a_letter_is_told_the_same_whoever_has_the_address",
            "enumeration::the_time_of_a_sign_in_tells_nobody_who_has_an_account",
            "enumeration::the_time_of_a_reset_tells_nobody_who_has_an_account",
        ],
    ),
    (57, "lockout-dos", &["people::lockout_dos"]),
    (
        58,
        "ssrf",
        &[
            "walls::ssrf_reaches_nothing_inside",
            "walls::a_redirect_of_a_logout_receiver_is_not_followed",
            "trusts::keys_are_not_fetched_from_where_a_server_must_not_reach",
        ],
    ),
    (59, "tenant-wall", &["protocol_tokens::tenant_wall", "walls::management_calls_with_ids_of_another_tenant"]),
    (
        60,
        "key-rotation-live",
        &[
            "protocol_tokens::key_rotation_live",
            "rotations::keys_change_under_load_and_nobody_who_keeps_the_set_notices",
        ],
    ),
    (61, "scope-dos", &["protocol_tokens::scope_dos"]),
    (62, "second-factors", &["factors::totp_replay_and_recovery_reuse"]),
];

#[test]
fn every_check_is_a_test() {
    let listed = succeed(Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]));
    let tests: BTreeSet<_> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let mut numbers = BTreeSet::new();
    for (number, name, covered) in CHECKS {
        assert!(numbers.insert(*number), "check {number} stands there twice");
        for test in *covered {
            assert!(tests.contains(format!("oidc::{test}").as_str()), "{name}: there is no test {test}");
        }
    }
    let wanted: BTreeSet<u8> = (1..=62).filter(|number| *number != 26 && !(31..=34).contains(number)).collect();
    assert_eq!(numbers, wanted);
    let open: Vec<_> = CHECKS.iter().filter(|(_, _, covered)| covered.is_empty()).map(|(_, name, _)| name).collect();
    assert!(open.is_empty(), "covered by nothing: {open:?}");
    say(&format!("oidc: {} of {}", CHECKS.len(), wanted.len()));
}
