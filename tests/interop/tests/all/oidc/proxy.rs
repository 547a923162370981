//! nginx with its default buffers in front: what fits, and the limit that the guide names.

use std::net::SocketAddr;
use std::path::Path;

use super::place::Place;
use crate::client::{Answer, Client};
use crate::mesh::tools::tool;
use crate::postgres::free_port;
use crate::running::Running;

/// One header line of nginx has to fit in one buffer of 8 KiB.
const BUFFER: usize = 8 * 1024;

#[test]
fn a_bearer_token_of_ml_dsa_passes_nginx_with_default_buffers() {
    let place = Place::new().with_service();
    let token = place.token("service");
    let folder = tempfile::tempdir().unwrap();
    let (_nginx, through) = nginx(folder.path(), place.server.client().address());
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
    let (_nginx, through) = nginx(folder.path(), place.server.client().address());
    let answer = asked(&through, &format!("Bearer {}", "x".repeat(BUFFER)));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("Request Header Or Cookie Too Large"), "{}", answer.text());
    let answer = asked(&place.server.client(), &format!("Bearer {}", "x".repeat(BUFFER)));
    assert_eq!(answer.status, 401, "{}", answer.text());
}

/// A plain reverse proxy, with nothing set that has a default.
fn nginx(folder: &Path, behind: &str) -> (Running, Client) {
    let address: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().expect("an address");
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
