//! What the program is told, and how it says what it found.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::person::Login;

/// Issuer and tokens, as the test made them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    pub issuer: String,
    #[serde(default)]
    pub jwks_uri: String,
    #[serde(default)]
    pub tokens: Vec<Token>,
    #[serde(default)]
    pub applications: BTreeMap<String, Application>,
    pub person: Option<Login>,
    pub classical_person: Option<Login>,
}

/// An application, as it knows itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    pub id: String,
    pub secret: Option<String>,
    pub redirect_uri: Option<String>,
    pub scope: String,
}

/// A token, and some of what has to be in it.
#[derive(Deserialize)]
pub struct Token {
    pub name: String,
    pub text: String,
    pub claims: BTreeMap<String, Value>,
}

impl Place {
    pub fn read(file: &str) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
        Ok(serde_json::from_str(&text)?)
    }

    pub fn application(&self, name: &str) -> Result<&Application> {
        self.applications.get(name).with_context(|| format!("there is no application {name}"))
    }
}

/// Which checks were made, and how many of them held.
pub struct Checks {
    program: &'static str,
    made: usize,
    held: usize,
}

impl Checks {
    pub fn of(program: &'static str) -> Self {
        Self { program, made: 0, held: 0 }
    }

    /// Notes one check; what it gave is for those after it.
    pub fn note<T>(&mut self, name: &str, result: Result<T>) -> Option<T> {
        self.made += 1;
        match result {
            Ok(given) => {
                self.held += 1;
                println!("ok {name}");
                Some(given)
            }
            Err(error) => {
                println!("not ok {name}: {}", format!("{error:#}").replace('\n', " "));
                None
            }
        }
    }

    pub fn conclude(&self) -> ExitCode {
        println!("{}: {} of {}", self.program, self.held, self.made);
        ExitCode::from(u8::from(self.held == 0 || self.held != self.made))
    }
}
