//! Certificates of the webhook's own: got from a platform that runs, as the guide says, and renewed while API servers ask.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::scene::{PATIENCE, Scene, Webhook, pod};
use crate::binaries::{binary, root};
use crate::guides::runnable;
use crate::moved_clock::MovedClock;
use crate::program::{both, run, succeed};
use crate::server::Server;

const NAME: &str = "qapi-admission.qapi-admission.svc";
/// Longer than it takes to notice that a clock was set, and to try again after failures since then.
const NOTICED: Duration = Duration::from_secs(150);

/// Does what the guide says to do first, and gives the section that follows from it.
fn as_the_guide_says(scene: &Scene, server: &Server) -> String {
    let guide = std::fs::read_to_string(root().join("docs/guides/admission.md")).unwrap();
    let blocks = runnable(&guide);
    let block = blocks.iter().find(|block| block.contains("anchors.pem")).expect("the guide has lost a block");
    let bin = binary("qapi").parent().unwrap().to_owned();
    succeed(
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", block])
            .current_dir(scene.folder.path())
            .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
            .env("QAPI_CONFIG", scene.file("no-profile.toml"))
            .env("QUANTUMAPI_BASE_URL", server.base_url())
            .env("QUANTUMAPI_KEY", server.admin_key()),
    );
    let folder = scene.folder.path().display();
    format!(
        "names = [\"{NAME}\"]\nanchors_file = \"{folder}/anchors.pem\"\ndanger_classical = true\n[platform]\nurl = \"{}\"\n\
         key_file = \"{folder}/platform.key\"\n",
        server.base_url()
    )
}

/// A review as an API server of today sends it, which knows the anchors of `caBundle` and reads ML-DSA or does not: the number of
/// the certificate it was shown, and whether the pod may run. Each is on a connection of its own.
fn reviewed(webhook: &Webhook, anchors: &Path, image: &str) -> Result<String, String> {
    let script = "import http.client, json, socket, ssl, sys\n\
        anchors, name, address, review = sys.argv[1:]\n\
        context = ssl.create_default_context(cafile=anchors)\n\
        host, port = address.split(':')\n\
        secured = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=name)\n\
        asked = http.client.HTTPConnection(name)\n\
        asked.sock = secured\n\
        asked.request('POST', '/validate', review, {'Content-Type': 'application/json'})\n\
        assert json.load(asked.getresponse())['response']['allowed']\n\
        print(secured.getpeercert()['serialNumber'].lower())";
    let review = pod("shop", image).to_string();
    let output = run(Command::new("python3").args(["-c", script]).arg(anchors).args([NAME, &webhook.address, &review]));
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(both(&output)),
    }
}

/// The same by one that reads ML-DSA: the certificate it was shown.
async fn reviewed_by_ml_dsa(webhook: &Webhook, anchors: &Path, image: &str) -> Vec<u8> {
    let address: SocketAddr = webhook.address.parse().unwrap();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(Some(anchors)).unwrap())
        .tls_info(true)
        .resolve(NAME, address)
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let request = client.post(format!("https://{NAME}:{}/validate", address.port()));
    let review = pod("shop", image).to_string();
    let response = request.header("content-type", "application/json").body(review).send().await.unwrap();
    let shown = response.extensions().get::<reqwest::tls::TlsInfo>().and_then(|info| info.peer_certificate()).unwrap();
    let shown = shown.to_vec();
    let review: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(review["response"]["allowed"], true, "{review}");
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_its_own_are_renewed_and_no_review_fails() {
    let scene = Scene::new("own certificates");
    let signed = scene.signed("team/api").await.reference().to_string();
    let server = tokio::task::spawn_blocking(Server::start_dev).await.unwrap();
    let webhook = scene.start_with(&scene.config_with(&as_the_guide_says(&scene, &server), ""));
    // OpenSSL finds the first certificate of the file that it can read; so do API servers.
    let (all, classical) = (scene.file("anchors.pem"), scene.file("classical-anchor.pem"));
    let (mut quantum_safe_shown, mut classical_shown) = (BTreeSet::new(), BTreeSet::new());
    for round in 1..=4 {
        for _ in 0..4 {
            quantum_safe_shown.insert(reviewed_by_ml_dsa(&webhook, &all, &signed).await);
            classical_shown.insert(reviewed(&webhook, &classical, &signed).unwrap());
        }
        assert!(quantum_safe_shown.len() >= round && classical_shown.len() >= round, "{}", webhook.running.text());
        // Renewed at once, and asked on new connections all the while.
        webhook.running.signal("USR1");
        let began = Instant::now();
        while quantum_safe_shown.len() == round || classical_shown.len() == round {
            quantum_safe_shown.insert(reviewed_by_ml_dsa(&webhook, &all, &signed).await);
            classical_shown.insert(reviewed(&webhook, &classical, &signed).unwrap());
            assert!(began.elapsed() < PATIENCE, "nothing is renewed: {}", webhook.running.text());
        }
    }
    let told = webhook.told("/metrics").await;
    for certificate in ["ECDSA-P256", "ML-DSA-65"] {
        assert!(told.contains(&format!("handshakes_total{{certificate=\"{certificate}\"")), "{told}");
        assert!(told.contains(&format!("not_after_seconds{{algorithm=\"{certificate}\"}}")), "{told}");
    }
    // An authority that API servers do not know takes nothing away.
    let known = std::fs::read(&all).unwrap();
    std::fs::copy(&scene.quantum_safe.anchor, &all).unwrap();
    webhook.running.signal("USR1");
    let began = Instant::now();
    while !webhook.running.text().contains("certificates not renewed, although asked") {
        assert!(began.elapsed() < PATIENCE, "{}", webhook.running.text());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    std::fs::write(&all, known).unwrap();
    let before = quantum_safe_shown.len();
    quantum_safe_shown.insert(reviewed_by_ml_dsa(&webhook, &all, &signed).await);
    assert_eq!(quantum_safe_shown.len(), before);
    assert_eq!(webhook.told("/health/ready").await, "ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_not_ready_with_certificates_that_have_ended_and_recovers_by_itself() {
    let scene = Scene::new("ended certificates");
    let (clock, data) = (MovedClock::new(scene.folder.path()), scene.file("data"));
    let mut server = Server::start_dev_by(clock.qapid(), &data, &[]);
    let address = server.base_url().trim_start_matches("http://").to_owned();
    let config = scene.config_with(&as_the_guide_says(&scene, &server), "");
    let mut command = Command::new(binary("qapi-admission"));
    command.env_clear();
    clock.is_of(&mut command);
    let webhook = scene.start_by(command, &config);
    assert_eq!(webhook.told("/health/ready").await, "ready");
    assert_eq!(webhook.metric("qapi_admission_certificates_current").await, 1.0);
    server.kill();
    clock.set_ahead_s(25 * 3_600);
    assert_ne!(webhook.told("/health/ready").await, "ready");
    until(&webhook, "qapi_admission_certificates_current", 0.0).await;
    let _server = Server::start_dev_by(clock.qapid(), &data, &["--listen", &address]);
    until(&webhook, "qapi_admission_certificates_current", 1.0).await;
    assert_eq!(webhook.told("/health/ready").await, "ready");
}

async fn until(webhook: &Webhook, metric: &str, value: f64) {
    let began = Instant::now();
    while webhook.metric(metric).await != value {
        assert!(began.elapsed() < NOTICED, "{metric} does not become {value}: {}", webhook.running.text());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
