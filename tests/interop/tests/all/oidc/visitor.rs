//! A person's browser without script: it keeps cookies, and sends forms as a page of ours would.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crypto::hash::sha256;
use serde_json::{Value, json};

use super::provider::{App, Provider, base64url, form};
use crate::client::{Answer, Client};
use crate::surface::encoded;

pub const CALLBACK: &str = "https://app.example/cb";
pub const PASSWORD: &str = "correct horse battery staple";
pub const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0001";

/// A browser, at a provider.
pub struct Visitor<'p> {
    pub provider: &'p Provider,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'p> Visitor<'p> {
    pub fn new(provider: &'p Provider) -> Self {
        Self { provider, cookies: RefCell::default() }
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Everything that it keeps.
    pub fn cookies(&self) -> Vec<(String, String)> {
        self.cookies.borrow().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    pub fn forget(&self) {
        self.cookies.borrow_mut().clear();
    }

    fn kept(&self, answer: Answer) -> Answer {
        for line in answer.headers_of("set-cookie") {
            let (name, rest) = line.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            assert!(line.contains("HttpOnly") && line.contains("SameSite=Lax") && line.contains("Path=/"), "{line}");
            match value {
                "" => self.cookies.borrow_mut().remove(name),
                _ => self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    fn line(&self) -> String {
        self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn get(&self, path: &str) -> Answer {
        let client = self.provider.admin().anonymous();
        self.kept(client.request("GET", path).header("cookie", &self.line()).send())
    }

    /// Sends a form as a page of this origin does.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = self.provider.server.base_url().to_owned();
        self.post_from(&origin, path, fields)
    }

    /// Sends a form as a page of another origin does.
    pub fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let client = self.provider.admin().anonymous();
        let request = client
            .request("POST", path)
            .header("cookie", &self.line())
            .header("origin", origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .bytes(form(fields));
        self.kept(request.send())
    }

    /// Begins a sign-in. Answers with where the browser is sent.
    pub fn authorize(&self, app: &App, more: &[(&str, &str)]) -> String {
        self.authorize_at("", app, more)
    }

    /// The same at the issuer of a tenant, which lies under this path.
    pub fn authorize_at(&self, issuer: &str, app: &App, more: &[(&str, &str)]) -> String {
        let challenge = base64url(&sha256(&[VERIFIER.as_bytes()]));
        let mut fields = vec![
            ("client_id", app.client_id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid profile email"),
            ("state", "st"),
            ("nonce", "n-1"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        fields.extend(more);
        let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        sent(&self.get(&format!("{issuer}/oauth2/authorize?{}", query.join("&"))))
    }

    /// Signs in on the page of an interaction. Answers with the answer.
    pub fn sign_in(&self, page: &str, email: &str, password: &str) -> Answer {
        let interaction = parameter(page, "interaction");
        let place = page.split('?').next().unwrap_or_default();
        self.post(place, &[("interaction", &interaction), ("email", email), ("password", password)])
    }

    /// Answers on the page that asks for consent. Answers with the answer.
    pub fn answer(&self, shown: &Answer, answer: &str) -> Answer {
        let (token, interaction) = (hidden(shown, "token"), hidden(shown, "interaction"));
        self.post("/consent", &[("interaction", &interaction), ("answer", answer), ("token", &token)])
    }

    /// The whole way to a code, for an application that asks nobody.
    pub fn code(&self, app: &App, email: &str) -> String {
        self.code_with(app, email, &[])
    }

    /// The same with more parameters, such as the API that the tokens are for.
    pub fn code_with(&self, app: &App, email: &str, more: &[(&str, &str)]) -> String {
        let page = self.authorize(app, more);
        assert!(page.starts_with("/login?"), "{page}");
        self.get(&page).expect(200);
        parameter(&sent(&self.sign_in(&page, email, PASSWORD)), "code")
    }
}

/// Where an answer sends a browser.
#[track_caller]
pub fn sent(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").expect("a place to go to").to_owned()
}

/// A parameter of an address, as it stands there.
#[track_caller]
pub fn parameter(address: &str, name: &str) -> String {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {address}")).to_owned()
}

/// A value that a page carries in a hidden field.
#[track_caller]
pub fn hidden(page: &Answer, name: &str) -> String {
    let text = page.text();
    let begin = format!("name=\"{name}\" value=\"");
    let rest = text.split_once(&begin).unwrap_or_else(|| panic!("no {name} in {text}")).1;
    rest.split('"').next().unwrap_or_default().to_owned()
}

impl Provider {
    /// An application for browsers that asks nobody for consent.
    pub fn web(&self) -> App {
        self.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "skip" }))
    }

    /// An end user of an application, with a password.
    #[track_caller]
    pub fn end_user(&self, app: &App, email: &str) -> Value {
        self.end_user_of(&self.admin(), app, email)
    }

    /// The same in the tenant of this administrator.
    #[track_caller]
    pub fn end_user_of(&self, admin: &Client, app: &App, email: &str) -> Value {
        let body = json!({ "email": email, "displayName": "Ada L.", "password": PASSWORD, "emailVerified": true });
        admin.post(&format!("/api/v1/applications/{}/end-users", app.id), &body).expect(201).json()
    }

    /// Redeems a code.
    pub fn redeem(&self, app: &App, code: &str) -> Answer {
        self.by(
            app,
            "/oauth2/token",
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
            ],
        )
    }
}
