//! Clients, APIs and verifiers of others, as they come from their registries, against a running server.

use serde_json::json;

use super::place::Place;
use crate::fetched::client;
use crate::https::classical_anchor;
use crate::installation::{Engine, Installation, PORTAL};
use crate::postgres::free_port;
use crate::running::Running;

#[test]
fn openid_client_and_jose_get_tokens_of_ml_dsa_for_services() {
    Place::new().with_web().with_service().with_machine().drive("services.mjs", 7);
}

#[test]
fn oauth4webapi_finds_nothing_to_refuse() {
    Place::new().with_web().with_native("native").with_service().drive("strict.mjs", 11);
}

#[test]
fn openid_client_and_jose_sign_people_in() {
    let place = Place::new().with_own_web().with_native("device");
    place.with_person("person", "web").with_person("deviceOwner", "device").drive("people.mjs", 10);
}

#[test]
fn oauth4webapi_finds_nothing_to_refuse_with_people() {
    Place::new().with_own_web().with_person("person", "web").drive("strict_people.mjs", 7);
}

#[test]
fn oidc_client_ts_signs_somebody_in_from_a_page_of_another_origin() {
    let port = free_port();
    Place::new().with_spa(port).with_person("spaPerson", "spa").drive("spa.mjs", 6);
}

#[test]
fn authlib_signs_people_in_to_a_classical_application() {
    Place::new().with_classical().with_person("classicalPerson", "classical").drive("authlib_client.py", 3);
}

#[test]
fn openidconnect_reads_metadata_and_keys_past_the_algorithms_it_does_not_know() {
    Place::new().with_web().with_classical().drive_rust("metadata", 1);
}

/// It revokes over HTTPS alone, and its TLS knows no ML-DSA: it is shown the classical chain.
#[test]
fn openidconnect_signs_people_in_to_a_classical_application_over_https() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let address = format!("127.0.0.1:{}", free_port());
    let issuer = format!("https://{address}");
    let config = std::fs::read_to_string(installation.config()).expect("a configuration");
    let config = config.replace(PORTAL, &issuer);
    let tls = format!("\n[tls]\nlisten = \"{address}\"\nnames = [\"localhost\", \"127.0.0.1\"]\n");
    std::fs::write(installation.config(), config + &tls).expect("the folder can be written");
    let server = installation.serve();
    let authority = classical_anchor(&server, installation.folder());
    let place = Place::known_as(server, &issuer).with_own_web().with_classical();
    let place = place.with_person("person", "web").with_person("classicalPerson", "classical");
    place.drive_rust_over_https("flow", &authority, 7);
}

#[test]
fn jwcrypto_dilithium_py_and_jwt_simple_verify_what_is_signed() {
    let mut place = Place::new().with_classical().with_service();
    let claims = json!({"iss": place.told["issuer"], "sub": place.application("service", "id")});
    place.told["tokens"] = json!([{"name": "an access token", "text": place.token("service"), "claims": claims}]);
    place.drive("verifiers.py", 4);
    place.drive_rust("verifier", 1);
}

#[test]
fn clients_without_ml_dsa_find_their_key_in_a_mixed_set_and_fail_closed() {
    let mut place = Place::new().with_classical().with_service();
    place.told["quantumSafeToken"] = json!(place.token("service"));
    place.drive("mixed_jwks.mjs", 3);
    place.drive("mixed_jwks.py", 4);
}

#[test]
fn bad_requests_are_refused_by_the_words_of_another_provider() {
    let mut place = Place::new().with_web().with_service().with_native("device");
    let other = Running::start(client("oracle.mjs").arg(place.file()));
    place.told["other"] = json!(other.announced("listening "));
    place.drive("side_by_side.mjs", 14);
}
