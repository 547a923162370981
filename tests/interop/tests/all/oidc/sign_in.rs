//! Operators who sign in to the command line, as the trail then names them.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{Authenticator, Browser, House, PASSWORD, hidden, location};
use super::provider::{events, refused};
use crate::binaries::binary;
use crate::client::Client;
use crate::program::both;
use crate::server::{Lines, eventually};

const GRACE: &str = "grace@b.example";
const PATIENCE: Duration = Duration::from_secs(60);

/// A house, and somebody's machine.
struct Bed {
    house: House,
    home: tempfile::TempDir,
}

/// `qapi login`, which waits for somebody to sign in.
struct Waiting {
    child: Child,
    stdout: ChildStdout,
    told: Lines,
}

impl Bed {
    /// Somebody of this role was invited and has a password.
    fn start(role: &str) -> Self {
        let house = House::start();
        let body = json!({ "email": GRACE, "role": role, "displayName": "Grace" });
        house.provider.admin().post("/api/v1/users/invite", &body).expect(201);
        let link = house.link(GRACE, "You are invited");
        let code = link.split_once("code=").unwrap().1.to_owned();
        Browser::new(&house).post("/invitation", &[("code", &code), ("new_password", PASSWORD)]).expect(200);
        Self { house, home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("qapi"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("PATH", std::env::var("PATH").unwrap());
        command.env("QUANTUMAPI_BASE_URL", self.house.provider.server.base_url());
        command
    }

    fn qapi(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("qapi runs")
    }

    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.qapi(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", both(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], said: &str) {
        let output = self.qapi(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", both(&output));
        assert!(stderr.contains(said) && stderr.lines().count() == 1, "{stderr}");
    }

    fn login(&self, arguments: &[&str]) -> Waiting {
        let mut command = self.command(&["login"]);
        command.args(arguments);
        Waiting::on(command)
    }

    /// Signs in with the browser of this machine.
    #[track_caller]
    fn signed_in(&self, arguments: &[&str]) -> String {
        let waiting = self.login(&[&["--browser", "--no-open"], arguments].concat());
        let to = self.approved(&waiting.address());
        come_back(&to).expect(200);
        waiting.done()
    }

    /// Where the browser is sent once somebody has signed in and said yes.
    #[track_caller]
    fn approved(&self, address: &str) -> String {
        let mut browser = Browser::new(&self.house);
        let base = self.house.provider.server.base_url();
        let path = address.strip_prefix(base).unwrap_or_else(|| panic!("a page of another server: {address}"));
        let to = location(browser.get(path).expect(303));
        let interaction = to.split_once("/login?interaction=").unwrap_or_else(|| panic!("not sent to sign in: {to}")).1;
        let to = location(browser.password(interaction, GRACE, PASSWORD).expect(303));
        Self::consented(&mut browser, to)
    }

    /// Says yes where that is asked.
    #[track_caller]
    fn consented(browser: &mut Browser, to: String) -> String {
        if !to.starts_with("/consent") {
            return to;
        }
        let page = browser.get(&to).expect(200).text();
        let (token, interaction) = (hidden(&page, "token"), hidden(&page, "interaction"));
        let yes = [("interaction", interaction.as_str()), ("answer", "yes"), ("token", token.as_str())];
        location(browser.post("/consent", &yes).expect(303))
    }

    fn profile(&self) -> PathBuf {
        self.home.path().join(".config/qapi/config.toml")
    }

    fn kept(&self) -> toml::Table {
        std::fs::read_to_string(self.profile()).unwrap().parse().unwrap()
    }

    fn refresh_token(&self) -> String {
        let kept = self.kept();
        kept["profiles"]["default"]["sign_in"]["refresh_token"].as_str().unwrap().to_owned()
    }

    /// Lets the token that is kept be one that ended long ago.
    fn age(&self) {
        let mut kept = self.kept();
        let sign_in = &mut kept["profiles"]["default"]["sign_in"];
        sign_in["access_ends"] = toml::Value::String("2020-01-01T00:00:00Z".to_owned());
        std::fs::write(self.profile(), kept.to_string()).unwrap();
    }
}

impl Waiting {
    fn on(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("qapi runs");
        let told = Lines::collect(child.stderr.take().expect("a pipe"));
        Self { stdout: child.stdout.take().expect("a pipe"), child, told }
    }

    /// The line with the address.
    #[track_caller]
    fn address(&self) -> String {
        let rest = self.told.wait_for("http", PATIENCE);
        format!("http{}", rest.unwrap_or_else(|| panic!("no address in {}", self.told.text())))
    }

    #[track_caller]
    fn done(mut self) -> String {
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {said}{}", self.told.all());
        said
    }

    #[track_caller]
    fn failed(self) -> String {
        self.ended_with(1)
    }

    #[track_caller]
    fn ended_with(mut self, expected: i32) -> String {
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(expected), "{}", self.told.all());
        self.told.all().lines().last().unwrap_or_default().to_owned()
    }
}

/// The browser at the port of the command line.
#[track_caller]
fn come_back(to: &str) -> crate::client::Answer {
    let rest = to.strip_prefix("http://").unwrap_or_else(|| panic!("not sent back: {to}"));
    let (host, path) = rest.split_once('/').unwrap();
    assert!(host.starts_with("127.0.0.1:"), "{to}");
    Client::new(&format!("http://{host}"), None).get(&format!("/{path}"))
}

#[test]
fn an_operator_signs_in_with_a_browser_and_is_named_by_the_trail() {
    let bed = Bed::start("admin");
    let said = bed.signed_in(&[]);
    assert!(said.contains(&format!("as {GRACE}, profile default in")), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(bed.profile()).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let known: Value = serde_json::from_str(&bed.says(&["whoami", "-o", "json"])).unwrap();
    assert_eq!((&known["kind"], &known["email"]), (&json!("person"), &json!(GRACE)));
    bed.says(&["secrets", "create", "users-api/db", "v1"]);
    assert_eq!(bed.says(&["vault", "get", "users-api/db"]), "v1");
    events(&bed.house.provider, "action=SecretCreated", |items| {
        let by_her = |event: &Value| event["actor"] == GRACE && event["actorType"] == "user";
        items.as_array().is_some_and(|items| items.iter().any(by_her))
    });

    let refresh = bed.refresh_token();
    assert!(bed.says(&["logout"]).contains("forgot profile default"));
    bed.fails(&["vault", "get", "users-api/db"], "no API key; try `qapi login`");
    let fields = [("grant_type", "refresh_token"), ("client_id", "qapi-cli"), ("refresh_token", refresh.as_str())];
    refused(&bed.house.provider.form("/oauth2/token", &fields), 400, "invalid_grant");
}

#[test]
fn an_operator_signs_in_by_a_code_that_is_typed_elsewhere() {
    let bed = Bed::start("owner");
    for answer in ["no", "yes"] {
        let waiting = bed.login(&["--device"]);
        let address = waiting.address();
        let code = address.split_once("user_code=").unwrap_or_else(|| panic!("no code in {address}")).1.to_owned();
        let mut browser = Browser::new(&bed.house);
        browser.get(&format!("/device?user_code={code}")).expect(200);
        let signed_in = browser.post("/device", &[("user_code", &code), ("email", GRACE), ("password", PASSWORD)]);
        let token = hidden(&signed_in.expect(200).text(), "token");
        browser.post("/device", &[("user_code", &code), ("answer", answer), ("token", &token)]).expect(200);
        if answer == "no" {
            let said = waiting.failed();
            assert!(said.ends_with("(access_denied); try again, and say yes on the page"), "{said}");
            continue;
        }
        assert!(waiting.done().contains(GRACE));
    }
    bed.says(&["secrets", "list"]);
}

#[test]
fn runs_that_share_a_sign_in_take_turns_at_its_refresh_token() {
    let bed = Bed::start("admin");
    bed.signed_in(&[]);
    for _ in 0..3 {
        bed.age();
        let before = bed.refresh_token();
        let runs: Vec<Child> = (0..6)
            .map(|_| {
                let mut command = bed.command(&["secrets", "list"]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("qapi runs")
            })
            .collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", both(&output));
        }
        assert_ne!(bed.refresh_token(), before, "the token that ended was not renewed");
    }
    // The family lives: a token that was used twice would have ended it.
    bed.age();
    bed.says(&["secrets", "list"]);
}

#[test]
fn a_member_reads_and_scopes_narrow_what_a_sign_in_may() {
    let bed = Bed::start("member");
    bed.signed_in(&[]);
    bed.says(&["secrets", "list"]);
    bed.fails(&["secrets", "create", "a", "1"], "(insufficient_scope)");
    let bed = Bed::start("admin");
    bed.signed_in(&["--scope", "keys:read"]);
    bed.says(&["keys", "list"]);
    bed.fails(&["secrets", "list"], "(insufficient_scope)");
}

/// An administrator who sets it is asked for one themselves from then on: the command line's own application says nothing of it.
#[test]
fn administrators_in_person_say_whether_second_factors_are_asked_for_and_members_do_not() {
    let bed = Bed::start("member");
    bed.signed_in(&[]);
    assert_eq!(bed.says(&["users", "policy"]), "second factor: optional\n");
    bed.fails(&["users", "policy", "--second-factor", "off"], "(insufficient_scope)");
    let bed = Bed::start("admin");
    bed.signed_in(&[]);
    assert_eq!(bed.says(&["users", "policy", "--second-factor", "required"]), "second factor: required\n");
    let mut browser = Browser::new(&bed.house);
    let waiting = bed.login(&["--browser", "--no-open"]);
    let address = waiting.address();
    let to = location(browser.get(address.strip_prefix(bed.house.provider.server.base_url()).unwrap()).expect(303));
    let interaction = to.split_once("interaction=").unwrap().1;
    let page = browser.password(interaction, GRACE, PASSWORD).expect(200).text();
    let code = Authenticator::of(&page).code();
    let (_, answer) = browser.first_second(interaction, &hidden(&page, "half"), &code);
    let to = location(answer.expect(303));
    come_back(&Bed::consented(&mut browser, to)).expect(200);
    assert!(waiting.done().contains(GRACE));
    assert_eq!(bed.says(&["users", "policy", "--second-factor", "optional"]), "second factor: optional\n");
}

#[test]
fn a_sign_in_ends_within_a_second_of_its_person() {
    let bed = Bed::start("admin");
    bed.signed_in(&[]);
    bed.says(&["secrets", "list"]);
    let admin = bed.house.provider.server.admin_key().to_owned();
    let output = bed.command(&["--api-key", &admin, "users", "block", GRACE]).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let output = eventually(Duration::from_secs(3), || {
        Some(bed.qapi(&["secrets", "list"])).filter(|output| !output.status.success())
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("(invalid_grant); try `qapi login`") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_tenant_has_its_own_sign_in() {
    let bed = Bed::start("admin");
    let acme = bed.house.provider.server.tenant("acme");
    let body = json!({ "email": "ada@acme.example", "role": "owner", "displayName": "Ada" });
    acme.post("/api/v1/users/invite", &body).expect(201);
    let link = bed.house.link("ada@acme.example", "You are invited");
    let (page, code) = link.split_once("?code=").unwrap();
    let mut browser = Browser::new(&bed.house);
    browser.post(page, &[("code", code), ("new_password", PASSWORD)]).expect(200);
    let waiting = bed.login(&["--device", "--tenant", "acme"]);
    let address = waiting.address();
    let code = address.split_once("user_code=").unwrap().1.to_owned();
    assert!(address.contains("/t/acme/device"), "{address}");
    let signed_in =
        browser.post("/t/acme/device", &[("user_code", &code), ("email", "ada@acme.example"), ("password", PASSWORD)]);
    let token = hidden(&signed_in.expect(200).text(), "token");
    browser.post("/t/acme/device", &[("user_code", &code), ("answer", "yes"), ("token", &token)]).expect(200);
    assert!(waiting.done().contains("ada@acme.example"));
    bed.says(&["secrets", "create", "theirs", "1"]);
    acme.get("/api/v1/secrets/by-name/theirs").expect(200);
}

#[test]
fn nobody_else_at_the_port_ends_or_gets_a_sign_in() {
    let bed = Bed::start("admin");
    let waiting = bed.login(&["--browser", "--no-open"]);
    let address = waiting.address();
    assert!(address.contains("code_challenge_method=S256") && address.contains("client_id=qapi-cli"), "{address}");
    let to = bed.approved(&address);
    let base = to.split_once("/callback").unwrap().0.to_owned();
    for stray in [
        "/favicon.ico".to_owned(),
        "/callback".to_owned(),
        "/callback?error=access_denied".to_owned(),
        "/callback?code=stolen&state=guessed".to_owned(),
        to.strip_prefix(&base).unwrap().replace("state=", "state=x"),
        to.strip_prefix(&base).unwrap().replace("iss=", "iss=x"),
    ] {
        assert_eq!(come_back(&format!("{base}{stray}")).status, 404, "{stray}");
    }
    let page = come_back(&to).expect(200);
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(waiting.done().contains(GRACE));
}

#[test]
fn a_sign_in_is_shown_to_no_other_server() {
    let bed = Bed::start("admin");
    bed.signed_in(&[]);
    bed.age();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}", elsewhere.local_addr().unwrap());
    for arguments in [["secrets", "list"].as_slice(), &["--profile", "default", "whoami"]] {
        let output = bed.qapi(&[&["--base-url", &url], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let own = bed.house.provider.server.base_url();
        assert_eq!(output.status.code(), Some(2), "{}", both(&output));
        let expected = format!(
            "error: profile default is signed in at {own}, not {url}; try `qapi login --base-url {url}`, --api-key, or \
             set QUANTUMAPI_KEY\n"
        );
        assert_eq!(said, expected);
    }
    assert!(elsewhere.accept().is_err(), "another server was asked");
    bed.says(&["secrets", "list"]);
}

#[test]
fn nobody_is_asked_to_approve_what_cannot_be_kept() {
    let bed = Bed::start("admin");
    let file = bed.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = bed.command(&["login", "--device"]).env("QAPI_CONFIG", file.join("config.toml")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{}", both(&output));
    assert!(said.starts_with("error: locking ") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_sign_in_that_could_not_be_kept_is_ended() {
    let bed = Bed::start("admin");
    let folder = bed.home.path().join("gone");
    let mut command = bed.command(&["login", "--browser", "--no-open"]);
    command.env("QAPI_CONFIG", folder.join("config.toml"));
    let waiting = Waiting::on(command);
    let to = bed.approved(&waiting.address());
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    come_back(&to).expect(200);
    let said = waiting.ended_with(2);
    assert!(said.starts_with("error: locking "), "{said}");
    let admin = bed.house.provider.server.admin_key().to_owned();
    let left: Value =
        serde_json::from_str(&bed.says(&["--api-key", &admin, "grants", "list", GRACE, "-o", "json"])).unwrap();
    assert_eq!(left["total"], 0, "{left}");
}

#[test]
fn a_good_token_is_used_where_nothing_can_be_written() {
    let bed = Bed::start("admin");
    bed.signed_in(&[]);
    // A folder in the place of the lock stops whoever would write, root too.
    let lock = bed.profile().with_extension("toml.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    bed.says(&["secrets", "list"]);
    bed.age();
    bed.fails(&["secrets", "list"], "error: locking ");
}

#[test]
fn a_refresh_token_is_not_spent_when_its_successor_could_not_be_kept() {
    let bed = Bed::start("admin");
    bed.signed_in(&[]);
    bed.age();
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    provider.set_nonblocking(true).unwrap();
    let url = format!("http://{}", provider.local_addr().unwrap());
    let mut kept = bed.kept();
    kept["profiles"]["default"]["base_url"] = toml::Value::String(url.clone());
    std::fs::write(bed.profile(), kept.to_string()).unwrap();
    // A folder in the place of the file that is to take the profile's place.
    std::fs::create_dir(bed.profile().with_extension("toml.new")).unwrap();
    bed.fails(&["--base-url", &url, "--timeout", "1", "secrets", "list"], "error: writing ");
    assert!(provider.accept().is_err(), "the refresh token was shown");
}
