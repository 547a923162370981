//! nginx with its default buffers in front: what fits, and the limit that the guide names.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use super::place::Place;
use super::provider::Provider;
use super::visitor::{CALLBACK, PASSWORD, Visitor, parameter, sent};
use crate::client::{Answer, Client};
use crate::installation::{Engine, Installation, PORTAL};
use crate::mesh::tools::tool;
use crate::postgres::free_port;
use crate::running::Running;
use crate::server::Server;
use crate::surface::encoded;

const ADA: &str = "ada@people.example";

/// One header line of nginx has to fit in one buffer of 8 KiB.
const BUFFER: usize = 8 * 1024;

#[test]
fn a_bearer_token_of_ml_dsa_passes_nginx_with_default_buffers() {
    let place = Place::new().with_service();
    let token = place.token("service");
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, through) = nginx(folder.path(), free_address(), place.server.client().address());
    let line = format!("Authorization: Bearer {token}").len();
    assert!((4096..BUFFER).contains(&line), "the header has {line} bytes");
    // The server read the token, and found that a service is nobody whom it could tell of.
    let answer = asked(&through, &format!("Bearer {token}")).expect(403);
    assert_eq!(answer.text_of("error"), "insufficient_scope");
    assert_eq!(answer.header("server").map(|server| server.starts_with("nginx")), Some(true));
}

#[test]
fn headers_beyond_one_buffer_are_refused_by_nginx_itself() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, through) = nginx(folder.path(), free_address(), place.server.client().address());
    let answer = asked(&through, &format!("Bearer {}", "x".repeat(BUFFER)));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("Request Header Or Cookie Too Large"), "{}", answer.text());
    let answer = asked(&place.server.client(), &format!("Bearer {}", "x".repeat(BUFFER)));
    assert_eq!(answer.status, 401, "{}", answer.text());
}

/// openid-client signs people in, refreshes, pushes, lets a device in and signs out, all through nginx: with an ID token of ML-DSA in the
/// address of the last of it.
#[test]
fn openid_client_signs_people_in_through_nginx_with_default_buffers() {
    let Fronted { server, _nginx, _installation } = Fronted::start();
    let place = Place::of(server).with_own_web().with_native("device");
    place.with_person("person", "web").with_person("deviceOwner", "device").drive("people.mjs", 10);
}

#[test]
fn consent_account_and_logout_pass_nginx_with_default_buffers() {
    let Fronted { server, _nginx, _installation } = Fronted::start();
    let provider = Provider { server };
    let settings = json!({ "redirectUris": [CALLBACK], "consent": "ask", "postLogoutRedirectUris": [CALLBACK] });
    let app = provider.app("WebApp", &settings);
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let consent = sent(&visitor.sign_in(&page, ADA, PASSWORD));
    assert!(consent.starts_with("/consent?"), "{consent}");
    let shown = visitor.get(&consent).expect(200);
    assert!(shown.header("server").is_some_and(|server| server.starts_with("nginx")));
    let code = parameter(&sent(&visitor.answer(&shown, "yes")), "code");
    let tokens = provider.redeem(&app, &code).expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    asked(&provider.admin(), &format!("Bearer {access}")).expect(200);
    assert!(provider.is_active(&app, access));
    visitor.get("/account").expect(200);
    let hint = tokens["id_token"].as_str().unwrap();
    let out = format!("/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri={}", encoded(CALLBACK));
    assert!((4096..BUFFER).contains(&out.len()), "the address has {} bytes", out.len());
    assert_eq!(sent(&visitor.get(&out)), CALLBACK);
    visitor.get("/account").expect(401);
    assert!(!provider.is_active(&app, access));
}

/// A server that everybody knows by the address of its proxy.
struct Fronted {
    server: Server,
    _nginx: Running,
    _installation: Installation,
}

impl Fronted {
    fn start() -> Self {
        let installation = Installation::unattended(&Engine::Sqlite);
        let address = free_address();
        let own = format!("http://{address}");
        let config = std::fs::read_to_string(installation.config()).expect("a configuration");
        let config = config.replace(PORTAL, &own);
        std::fs::write(installation.config(), config).expect("the folder can be written");
        let server = installation.serve();
        let (nginx, _) = nginx(installation.folder(), address, server.client().address());
        Self { server: server.behind(&own), _nginx: nginx, _installation: installation }
    }
}

fn free_address() -> SocketAddr {
    format!("127.0.0.1:{}", free_port()).parse().expect("an address")
}

/// A plain reverse proxy, with nothing set that has a default.
fn nginx(folder: &Path, address: SocketAddr, behind: &str) -> (Running, Client) {
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()))
        .collect();
    let config = format!(
        "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr info; events {{}}\n\
         http {{ access_log off; {folders} server {{ listen {address}; location / {{ proxy_pass http://{behind}; }} }} }}\n",
        folder.display()
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).expect("the folder can be written");
    let mut command = tool("nginx");
    command.args(["-e", "stderr", "-p"]).arg(folder).arg("-c").arg(path);
    (Running::start(&mut command).accepting(address), Client::new(&format!("http://{address}"), None))
}

fn asked(client: &Client, authorization: &str) -> Answer {
    client.anonymous().request("GET", "/oauth2/userinfo").header("Authorization", authorization).send()
}
