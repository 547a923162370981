use super::*;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn checked(change: impl Fn(&str) -> String) -> Result<AuthorizationRequest, Refusal> {
    let text = format!(
        "response_type=code&redirect_uri=https://app.example/cb&scope=openid&state=s&nonce=n\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let registered = ["https://app.example/cb".to_owned()];
    let scopes = ["openid".to_owned(), "email".to_owned()];
    let may = Asking {
        redirect_uris: &registered,
        is_installed: false,
        allowed_scopes: &scopes,
        resources: &["urn:api".to_owned()],
        has_codes: true,
    };
    read(&Parameters::parse(&change(&text)).unwrap(), "app", &may)
}

#[test]
fn a_wrong_address_is_never_redirected_to_and_everything_else_is_told_there() {
    assert!(checked(str::to_owned).is_ok());
    for (from, to, error) in [
        ("redirect_uri=https://app.example/cb", "x=1", None),
        ("https://app.example/cb", "https://evil.example/cb", None),
        ("response_type=code", "x=1", Some("invalid_request")),
        ("response_type=code", "response_type=token", Some("unsupported_response_type")),
        ("response_type=code", "response_type=code+id_token", Some("unsupported_response_type")),
        ("scope=openid", "scope=openid+admin", Some("invalid_scope")),
        ("scope=openid", "resource=urn:other", Some("invalid_target")),
        ("scope=openid", "prompt=none+login", Some("invalid_request")),
        ("scope=openid", "max_age=soon", Some("invalid_request")),
        ("scope=openid", "response_mode=fragment", Some("invalid_request")),
        ("scope=openid", "request=eyJ", Some("request_not_supported")),
        ("scope=openid", "request_uri=https://x.example", Some("request_uri_not_supported")),
        ("S256", "plain", Some("invalid_request")),
        ("&code_challenge_method=S256", "", Some("invalid_request")),
        (CHALLENGE, "short", Some("invalid_request")),
    ] {
        match checked(|text| text.replace(from, to)).unwrap_err() {
            Refusal::Page(_) => assert_eq!(error, None, "{from} -> {to}"),
            Refusal::Redirect(refused) => {
                assert_eq!((Some(refused.error), refused.state.as_deref()), (error, Some("s")), "{from} -> {to}");
            }
        }
    }
}

#[test]
fn long_values_are_given_back_whole_or_refused() {
    let long = "x".repeat(1_024);
    let request = checked(|text| text.replace("state=s", &format!("state={long}"))).unwrap();
    assert_eq!(request.state.as_deref(), Some(long.as_str()));
    let refusal = checked(|text| text.replace("state=s", &format!("state={}", "x".repeat(ECHO_MAX + 1)))).unwrap_err();
    assert!(matches!(refusal, Refusal::Redirect(Refused { state: None, error: "invalid_request", .. })));
}

#[test]
fn table_of_what_happens_next() {
    let at = Timestamp::from_millis;
    let (ada, bob) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
    let signed_in = SignedIn { account: ada, authenticated_at: at(1_000), acr: Acr::One };
    let present = Situation {
        signed_in: Some(signed_in),
        hinted: None,
        wants_two: false,
        lacks_consent: false,
        was_asked: false,
        arrived_at: at(5_000),
        now: at(5_000),
    };
    let nobody = Situation { signed_in: None, ..present };
    let fresh = Situation { signed_in: Some(SignedIn { authenticated_at: at(5_000), ..signed_in }), ..present };
    for (extra, situation, next_is) in [
        ("", nobody, Next::SignIn(Acr::One)),
        ("&prompt=none", nobody, Next::Refuse("login_required")),
        ("", present, Next::Issue),
        ("&prompt=none", present, Next::Issue),
        ("&prompt=login", present, Next::SignIn(Acr::One)),
        ("&prompt=login", fresh, Next::Issue),
        ("&max_age=1", present, Next::SignIn(Acr::One)),
        ("&max_age=0", fresh, Next::Issue),
        ("&max_age=60", present, Next::Issue),
        ("", Situation { hinted: Some(bob), ..present }, Next::SignIn(Acr::One)),
        ("&prompt=none", Situation { hinted: Some(bob), ..present }, Next::Refuse("login_required")),
        ("&acr_values=urn:x+urn:qapi:acr:2", present, Next::SignIn(Acr::Two)),
        ("&acr_values=urn:x", present, Next::Issue),
        ("", Situation { wants_two: true, ..present }, Next::SignIn(Acr::Two)),
        ("", Situation { lacks_consent: true, ..present }, Next::Ask),
        ("&prompt=none", Situation { lacks_consent: true, ..present }, Next::Refuse("consent_required")),
        ("&prompt=consent", present, Next::Ask),
        ("&prompt=consent", Situation { was_asked: true, ..present }, Next::Issue),
    ] {
        let request = checked(|text| format!("{text}{extra}")).unwrap();
        assert_eq!(next(&request, &situation), next_is, "{extra} {situation:?}");
    }
}
