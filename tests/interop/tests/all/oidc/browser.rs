//! A browser without script in front of a provider whose letters are files: it keeps cookies, and says where its forms come from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::provider::{App, Provider, form, now_s, part};
use crate::client::{Answer, Client};
use crate::server::{Server, eventually};
use crate::surface::encoded;

const CALLBACK: &str = "https://app.example/cb";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-x";
const SOON: Duration = Duration::from_secs(30);
/// A password that nobody guesses first.
pub const PASSWORD: &str = "blue kettle under seven moons";
pub const OTHER_PASSWORD: &str = "nine lanterns beside the quarry";

/// A provider and what it has sent.
pub struct House {
    pub provider: Provider,
    pub mail: PathBuf,
    _folder: tempfile::TempDir,
}

impl House {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        Self { provider: Provider { server: Server::start_dev_in(&data) }, mail: data.join("mail"), _folder: folder }
    }

    /// An application that people sign in to, without being asked whether it may.
    #[track_caller]
    pub fn portal(&self, mfa_policy: Option<&str>) -> App {
        let mut settings = json!({
            "redirectUris": [CALLBACK],
            "consent": "skip",
            "grantTypes": ["authorization_code", "refresh_token"],
            "allowedScopes": ["openid", "offline_access", "email"],
        });
        if let Some(policy) = mfa_policy {
            settings["mfaPolicy"] = policy.into();
        }
        self.provider.app("WebApp", &settings)
    }

    /// An end user with the usual password. Answers with their id.
    #[track_caller]
    pub fn user(&self, app: &App, email: &str, is_verified: bool) -> String {
        let body = json!({ "email": email, "displayName": "Ada", "password": PASSWORD, "emailVerified": is_verified });
        self.provider
            .admin()
            .post(&format!("/api/v1/applications/{}/end-users", app.id), &body)
            .expect(201)
            .text_of("id")
    }

    /// The text of the letter of this subject to somebody, once it is there. It is taken out of the folder.
    #[track_caller]
    pub fn letter(&self, to: &str, subject: &str) -> String {
        eventually(SOON, || {
            let files = std::fs::read_dir(&self.mail).ok()?.flatten().map(|entry| entry.path());
            let mut letters = files.filter(|path| path.extension().is_some_and(|end| end == "eml"));
            letters.find_map(|path| {
                let text = std::fs::read_to_string(&path).ok()?;
                let is_it = text.contains(&format!("<{to}>")) && text.contains(&format!("Subject: {subject}\r\n"));
                is_it.then(|| std::fs::remove_file(&path).expect("taking a letter"))?;
                Some(text)
            })
        })
    }

    /// The path that the link of a letter leads to.
    #[track_caller]
    pub fn link(&self, to: &str, subject: &str) -> String {
        let letter = self.letter(to, subject);
        let address = letter.lines().find(|line| line.starts_with("http")).expect("a link in the letter");
        address.strip_prefix(self.provider.server.base_url()).expect("a link to this server").to_owned()
    }
}

pub struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(house: &House) -> Self {
        Self { client: house.provider.admin().anonymous(), cookies: BTreeMap::new() }
    }

    fn sent(&mut self, request: crate::client::Request) -> Answer {
        let jar: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if jar.is_empty() { request } else { request.header("Cookie", &jar.join("; ")) };
        let answer = request.send();
        for line in answer.headers_of("set-cookie") {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        let request = self.client.request("GET", path);
        self.sent(request)
    }

    #[track_caller]
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.client.request("POST", path).header("Content-Type", "application/x-www-form-urlencoded");
        let origin = self.client.base_url();
        self.sent(request.header("Origin", &origin).bytes(form(fields)))
    }

    /// The session's cookie.
    pub fn session(&self) -> Option<&str> {
        self.cookies.get("qapi_session").map(String::as_str)
    }

    /// Asks for a code. Where it is sent.
    #[track_caller]
    pub fn authorize(&mut self, app: &App, more: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(crypto::hash::sha256(&[VERIFIER.as_bytes()]));
        let path = format!(
            "/oauth2/authorize?response_type=code&client_id={}&redirect_uri={}&scope={}&state=s&nonce=n&code_challenge={challenge}&code_challenge_method=S256{more}",
            encoded(&app.client_id),
            encoded(CALLBACK),
            encoded("openid offline_access"),
        );
        location(self.get(&path).expect(303))
    }

    /// The interaction that a request waits in.
    #[track_caller]
    pub fn begin(&mut self, app: &App, more: &str) -> String {
        let to = self.authorize(app, more);
        to.split_once("/login?interaction=").unwrap_or_else(|| panic!("not sent to sign in: {to}")).1.to_owned()
    }

    #[track_caller]
    pub fn password(&mut self, interaction: &str, email: &str, password: &str) -> Answer {
        let fields = [("interaction", interaction), ("email", email), ("password", password)];
        self.post("/login", &fields)
    }

    #[track_caller]
    pub fn second(&mut self, interaction: &str, half: &str, code: &str) -> Answer {
        self.post("/login", &[("interaction", interaction), ("half", half), ("code", code)])
    }

    /// Signs in by the password alone. What the application gets.
    #[track_caller]
    pub fn sign_in(&mut self, house: &House, app: &App, email: &str, password: &str) -> Value {
        let interaction = self.begin(app, "");
        let answer = self.password(&interaction, email, password).expect(303);
        tokens(house, app, &location(answer))
    }

    /// The password, and what the page of the second factor carries: interaction and half.
    #[track_caller]
    pub fn second_half(&mut self, app: &App, email: &str, more: &str) -> (String, String, String) {
        let interaction = self.begin(app, more);
        let page = self.password(&interaction, email, PASSWORD).expect(200).text();
        let half = hidden(&page, "half");
        (interaction, half, page)
    }

    /// Sets an authenticator up on the account page. Answers with it and the recovery codes.
    #[track_caller]
    pub fn enrol(&mut self) -> (Authenticator, Vec<String>) {
        let page = self.get("/account/factors").expect(200).text();
        let token = hidden(&page, "token");
        let page = self.post("/account/factors", &[("token", &token), ("password", PASSWORD), ("do", "offer")]);
        let page = page.expect(200).text();
        let (mut authenticator, offer) = (Authenticator::of(&page), hidden(&page, "offer"));
        let code = authenticator.code();
        let before = self.session().map(str::to_owned);
        let confirm = [("token", token.as_str()), ("offer", &offer), ("code", &code), ("do", "confirm")];
        let page = self.post("/account/factors", &confirm).expect(200).text();
        assert_ne!(self.session().map(str::to_owned), before, "the session has another cookie now");
        (authenticator, recovery_codes(&page))
    }

    /// Sets an authenticator up where somebody signs in, and writes the recovery codes down. Answers with them and with where it leads.
    #[track_caller]
    pub fn first_second(&mut self, interaction: &str, half: &str, code: &str) -> (Vec<String>, Answer) {
        let page = self.second(interaction, half, code).expect(200).text();
        (recovery_codes(&page), self.written_down(&page, "/login", ("interaction", interaction)))
    }

    /// Goes on by the button of a page of recovery codes, which carries this back to here.
    #[track_caller]
    pub fn written_down(&mut self, page: &str, to: &str, carried: (&str, &str)) -> Answer {
        assert!(page.contains(&format!("<form method=\"get\" action=\"{to}\">")), "{page}");
        assert!(page.contains("name=\"do\" value=\"on\""), "{page}");
        assert_eq!(hidden(page, carried.0), carried.1);
        self.get(&format!("{to}?{}={}&do=on", carried.0, encoded(carried.1)))
    }
}

/// The ten recovery codes that a page shows.
#[track_caller]
pub fn recovery_codes(page: &str) -> Vec<String> {
    let codes: Vec<_> = page.split("<li><code>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    assert_eq!(codes.len(), 10, "{page}");
    codes.into_iter().map(str::to_owned).collect()
}

#[track_caller]
pub fn location(answer: Answer) -> String {
    answer.header("location").unwrap_or_else(|| panic!("no location: {}", answer.text())).to_owned()
}

/// The tokens for the code of an address.
#[track_caller]
pub fn tokens(house: &House, app: &App, to: &str) -> Value {
    let code =
        to.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).unwrap_or_else(|| panic!("no code: {to}"));
    let fields =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    house.provider.token(app, &fields).expect(200).json()
}

/// What the ID token says of how somebody signed in.
pub fn acr_and_amr(tokens: &Value) -> (String, Vec<String>) {
    let claims = part(tokens["id_token"].as_str().expect("an ID token"), 1);
    let amr = claims["amr"].as_array().expect("amr").iter().map(|word| word.as_str().unwrap_or_default().to_owned());
    (claims["acr"].as_str().unwrap_or_default().to_owned(), amr.collect())
}

/// The value of a hidden field.
#[track_caller]
pub fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.split(&start).nth(1).unwrap_or_else(|| panic!("no field {name} in {page}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// An authenticator on a telephone.
pub struct Authenticator {
    secret: Vec<u8>,
    last: u64,
}

impl Authenticator {
    /// Of the secret that a page shows.
    #[track_caller]
    pub fn of(page: &str) -> Self {
        let text = page.split("<p class=\"secret\"><code>").nth(1).and_then(|rest| rest.split('<').next());
        let text = text.unwrap_or_else(|| panic!("no secret in {page}")).replace(' ', "");
        let (mut secret, mut bits, mut count) = (Vec::new(), 0_u32, 0);
        for letter in text.bytes() {
            let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).expect("base 32");
            (bits, count) = ((bits << 5) | u32::try_from(value).expect("small"), count + 5);
            if count >= 8 {
                count -= 8;
                secret.push(u8::try_from((bits >> count) & 0xff).expect("a byte"));
            }
        }
        assert_eq!(secret.len(), 20);
        assert!(page.contains("<svg class=\"qr\""), "a picture for the camera");
        Self { secret, last: 0 }
    }

    /// A code that was not shown before: that of now, or the next one.
    pub fn code(&mut self) -> String {
        let step = eventually(SOON * 2, || {
            let now = now_s() / 30;
            let step = now.max(self.last + 1);
            (step <= now + 1).then_some(step)
        });
        self.last = step;
        self.shown()
    }

    /// The code that was shown last.
    pub fn shown(&self) -> String {
        crypto::otp::hotp(&self.secret, self.last)
    }
}
