//! Everybody who signs, before everybody who verifies, on every registry. What is expected stands in
//! `tests/interop/tests/all/registries/matrix.txt`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use artifact::digest::Digest;
use artifact::image::{Evidence, Image, Wanted, attach, find};
use artifact::reference::Reference;
use artifact::registry::Client;
use artifact::verification::{Carrier, Requirement};

use super::place::{Kind, Place, ZOT, client, kinds, tool};
use super::signers::{Keys, NOW, cosign_signs, cosign_verifies, forged, skopeo_takes, verdict};
use crate::binaries::{binary, root};
use crate::mesh::tools::tool as peer;
use crate::program::{both, python, run, run_with, say, succeed};
use crate::sigstore;

/// Of one registry.
const CELLS: usize = 14 * 12;

struct Bench {
    folder: tempfile::TempDir,
    keys: Keys,
    oracle: std::path::PathBuf,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_verifies_what_they_should_and_nothing_else() {
    let bench = Bench::new();
    let expected = expected();
    let (mut cells, mut wrong) = (0, Vec::new());
    let kinds = kinds();
    for kind in kinds.iter().copied() {
        let place = Place::start(kind);
        let client = client();
        for (signer, verifiers) in &expected {
            let image = bench.signed(signer, &place, &client).await;
            let evidence = find(&client, &image, Wanted::Signatures).await.unwrap();
            for (verifier, expected) in verifiers {
                let found = bench.verifies(verifier, &image, &evidence);
                cells += 1;
                if found.is_ok() != *expected {
                    wrong.push(format!("{signer} before {verifier} on {kind:?}: {found:?}"));
                }
            }
        }
    }
    say(&format!("signing: {} of {cells} cells", cells - wrong.len()));
    if !kinds.contains(&Kind::Zot) {
        say(&format!("left out: {CELLS} cells with zot, whose program {ZOT} does not name"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cells, CELLS * kinds.len(), "the table has lost rows");
}

/// The table: signer by signer, what each verifier is expected to say.
fn expected() -> Vec<(String, Vec<(String, bool)>)> {
    let table = std::fs::read_to_string(root().join("tests/interop/tests/all/registries/matrix.txt")).unwrap();
    let mut lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let verifiers: Vec<&str> = lines.next().unwrap().split_whitespace().skip(1).collect();
    let row = |line: &str| {
        let mut cells = line.split_whitespace();
        let signer = cells.next().unwrap().to_owned();
        let cells: Vec<_> = cells.collect();
        assert_eq!(cells.len(), verifiers.len(), "{line}");
        let cells = verifiers.iter().zip(cells).map(|(verifier, cell)| ((*verifier).to_owned(), is_yes(cell)));
        (signer, cells.collect())
    };
    lines.map(row).collect()
}

fn is_yes(cell: &str) -> bool {
    match cell {
        "yes" => true,
        "no" => false,
        other => panic!("{other:?} is neither yes nor no"),
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::new("matrix");
        keys.write(folder.path());
        let post_quantum = keys.post_quantum.public_key().unwrap().to_pem();
        std::fs::write(folder.path().join("post-quantum.pub"), post_quantum).unwrap();
        std::fs::write(folder.path().join("post-quantum.pem"), keys.post_quantum.to_pem().unwrap().expose()).unwrap();
        let oracle = folder.path().join("bundle-oracle");
        let mut build = peer("go");
        build.current_dir(root().join("tests/interop/peers/bundle")).args(["build", "-o"]).arg(&oracle).arg(".");
        succeed(&mut build);
        Self { folder, keys, oracle }
    }

    /// An image that one of the signers has signed.
    async fn signed(&self, signer: &str, place: &Place, client: &Client) -> Image {
        let folder = self.folder.path();
        let image = place.plain_image(client, &format!("matrix/{signer}")).await;
        let ours = match signer {
            "ours-layer" => vec![self.keys.layer(&image, BTreeMap::new())],
            "ours-classical" => self.keys.classical(&image),
            "ours-post-quantum" => self.keys.post_quantum(&image),
            "ours-hybrid" => self.keys.hybrid(&image),
            "a-stranger" => Keys::new("a stranger").hybrid(&image),
            "forged-payload" => {
                let other = other(&image);
                self.keys.hybrid(&other).iter().map(|carrier| forged(carrier, &other, &image)).collect()
            }
            "signed-for-another" => self.keys.hybrid(&other(&image)),
            _ => Vec::new(),
        };
        attach(client, &image, &ours, NOW).await.unwrap();
        let legacy = ["--use-signing-config=false", "--new-bundle-format=false"];
        match signer {
            "qapi-classical" => self.qapi_signs(&image, &["private.pem"]),
            "qapi-hybrid" => self.qapi_signs(&image, &["private.pem", "post-quantum.pem"]),
            "cosign2" => cosign_signs("cosign2", folder, &image, &[]),
            "cosign3-layer" => cosign_signs("cosign3", folder, &image, &legacy),
            "cosign3-bundle" => cosign_signs("cosign3", folder, &image, &legacy[..1]),
            "skopeo" => return skopeo_signs(folder, place, client, &image).await,
            _ => {}
        }
        image
    }

    fn verifies(&self, verifier: &str, image: &Image, evidence: &Evidence) -> Result<(), String> {
        let ours = |requirement| {
            verdict(evidence, image.digest(), &self.keys, requirement).map_err(|refusal| refusal.to_string())
        };
        match verifier {
            "any" => ours(Requirement::Any),
            "quantum-safe" => ours(Requirement::PostQuantum),
            "hybrid" => ours(Requirement::Hybrid),
            "qapi-any" => self.qapi_verifies(image, "any"),
            "qapi-hybrid" => self.qapi_verifies(image, "hybrid"),
            "cosign2" | "cosign3" => cosign_verifies(verifier, self.folder.path(), image),
            "skopeo" => skopeo_takes(self.folder.path(), image),
            "bundle-oracle" => self.oracle_verifies(image, evidence),
            "pyca" => {
                let mut pyca = Command::new(python("requirements.txt"));
                self.believed(pyca.arg(sigstore::source("verify.py")).arg("post-quantum.pub"), image, evidence)
            }
            "npm" => self.believed(npm().arg("cosign.pub"), image, evidence),
            "npm-ml-dsa" => self.believed(npm().arg("post-quantum.pub"), image, evidence),
            other => panic!("nobody is called {other}"),
        }
    }

    fn qapi(&self, verb: &str, image: &Image) -> Command {
        let mut command = Command::new(binary("qapi"));
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.args(["image", verb]).arg(image.reference().to_string());
        command
    }

    fn qapi_signs(&self, image: &Image, keys: &[&str]) {
        let mut command = self.qapi("sign", image);
        keys.iter().for_each(|key| {
            command.args(["--key", key]);
        });
        succeed(&mut command);
    }

    fn qapi_verifies(&self, image: &Image, requirement: &str) -> Result<(), String> {
        let mut command = self.qapi("verify", image);
        command.args(["--key", "cosign.pub", "--key", "post-quantum.pub", "--require", requirement]);
        let output = run(&mut command);
        match output.status.code() {
            Some(0) => Ok(()),
            // Anything but a verdict is a failure of the test.
            Some(2) => Err(both(&output)),
            _ => panic!("{}", both(&output)),
        }
    }

    /// Whether the oracle believes one of the bundles, and finds the image's digest in it.
    fn oracle_verifies(&self, image: &Image, evidence: &Evidence) -> Result<(), String> {
        let believes = |document: Vec<u8>| {
            let file = self.folder.path().join("bundle.json");
            std::fs::write(&file, document).unwrap();
            let mut oracle = Command::new(&self.oracle);
            let output = run(oracle.arg(self.folder.path().join("post-quantum.pub")).arg(file));
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains(image.digest().hex())
        };
        none_unless(bundles(evidence).into_iter().any(believes))
    }

    /// Whether a program, which reads bundles and writes the payloads that it believes, writes one of the image.
    fn believed(&self, program: &mut Command, image: &Image, evidence: &Evidence) -> Result<(), String> {
        let lines: Vec<u8> =
            bundles(evidence).into_iter().flat_map(|bundle| [bundle, b"\n".to_vec()].concat()).collect();
        let output = run_with(program.current_dir(self.folder.path()), &lines);
        assert!(output.status.success(), "{program:?}: {}", both(&output));
        none_unless(String::from_utf8_lossy(&output.stdout).contains(image.digest().hex()))
    }
}

fn npm() -> Command {
    let mut node = sigstore::tool("node");
    node.arg(sigstore::source("verify.cjs"));
    node
}

fn bundles(evidence: &Evidence) -> Vec<Vec<u8>> {
    let bundle = |carrier: &Carrier| match carrier {
        Carrier::Bundle(bundle) => Some(bundle.to_json().unwrap()),
        Carrier::Layer { .. } | Carrier::Envelope(_) => None,
    };
    evidence.carriers.iter().filter_map(bundle).collect()
}

fn none_unless(is_believed: bool) -> Result<(), String> {
    if is_believed { Ok(()) } else { Err("none of the bundles".to_owned()) }
}

/// An image of the same repository that is not there.
fn other(image: &Image) -> Image {
    Image::new(image.repository().clone(), Digest::of(b"another image"))
}

/// Copies the image within its registry, signed on the way.
async fn skopeo_signs(folder: &Path, place: &Place, client: &Client, image: &Image) -> Image {
    let to = format!("{}/matrix/skopeo-signed:1", place.host);
    std::fs::write(folder.join("passphrase"), "\n").unwrap();
    let settings = folder.join("signing.d");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("attach.yaml"), "default-docker:\n  use-sigstore-attachments: true\n").unwrap();
    let mut command = tool("skopeo");
    command.env("HOME", folder).arg("--insecure-policy").arg("--registries.d").arg(&settings);
    command.args(["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"]);
    command.arg("--sign-by-sigstore-private-key").arg(folder.join("import.key"));
    command.arg("--sign-passphrase-file").arg(folder.join("passphrase"));
    command.arg(format!("docker://{}", image.reference())).arg(format!("docker://{to}"));
    succeed(&mut command);
    let to: Reference = to.parse().unwrap();
    Image::resolve(client, &to).await.unwrap()
}
