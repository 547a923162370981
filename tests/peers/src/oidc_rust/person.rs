//! A person without a browser: follows where an application sends them, signs in, and comes back to its address.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail, ensure};
use openidconnect::reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use openidconnect::reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect::Policy};
use serde::Deserialize;

/// More pages than anybody is led through.
const STEPS: usize = 5;

/// How somebody signs in, as the test made it.
#[derive(Deserialize)]
pub struct Login {
    pub email: String,
    pub password: String,
}

/// A browser without script: it keeps cookies and says where its forms come from.
pub struct Person<'p> {
    http: Client,
    issuer: Url,
    login: &'p Login,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl<'p> Person<'p> {
    pub fn new(issuer: &str, login: &'p Login) -> Result<Self> {
        let http = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self { http, issuer: Url::parse(issuer)?, login, cookies: Mutex::default() })
    }

    /// Where an application's link leads in the end: to its own address, signing in on the way where that is asked.
    pub async fn follow(&self, link: &Url) -> Result<Url> {
        let mut answer = self.sent(self.http.get(link.clone())).await?;
        for _ in 0..STEPS {
            ensure!(answer.status() == StatusCode::SEE_OTHER, "{}", answer.text().await?);
            let to = answer.headers().get(LOCATION).context("the browser is sent nowhere")?.to_str()?;
            let next = self.issuer.join(to)?;
            if next.origin() != self.issuer.origin() {
                return Ok(next);
            }
            ensure!(next.path() == "/login", "an unexpected page: {next}");
            answer = self.sign_in(&parameter(&next, "interaction")?).await?;
        }
        bail!("the way has no end")
    }

    async fn sign_in(&self, interaction: &str) -> Result<Response> {
        let fields = [("interaction", interaction), ("email", &self.login.email), ("password", &self.login.password)];
        let origin = self.issuer.origin().ascii_serialization();
        self.sent(self.http.post(self.issuer.join("/login")?).header(ORIGIN, origin).form(&fields)).await
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response> {
        let kept = || self.cookies.lock().map_err(|_| anyhow::anyhow!("the jar broke"));
        let line: Vec<String> = kept()?.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(COOKIE, line.join("; ")).send().await?;
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            kept()?.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }
}

/// A parameter of an address.
pub fn parameter(address: &Url, name: &str) -> Result<String> {
    let found = address.query_pairs().find(|(given, _)| given == name).map(|(_, value)| value.into_owned());
    found.with_context(|| format!("no {name} in {address}"))
}
