//! `qapi run`: a program with secrets in its environment, and nowhere else.
//!
//! The program takes this one's place, so signals and its exit status are its own. The credential that fetched the
//! secrets is taken out of its environment unless it is asked for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use api::secret::SecretText;
use api::secrets::{ListSecrets, ReadSecret};
use clap::Args;

use crate::credential::JOB_VARIABLES;
use crate::env_file::variable_name;
use crate::failure::{Exit, Failure};
use crate::lookup;
use crate::session::{KEY_VARIABLES, Session};

/// What `qapi run` takes.
#[derive(Args)]
pub struct RunInputs {
    /// Only these secrets, by id or name, comma-separated; all that the key can read unless given
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    only: Vec<String>,
    /// Only secrets whose name starts so; the start is left out of the variable's name
    #[arg(long, value_name = "PREFIX", conflicts_with = "only")]
    prefix: Option<String>,
    /// Put a secret into this variable; may be given several times
    #[arg(long = "env", value_name = "VARIABLE=ID|NAME")]
    mappings: Vec<String>,
    /// Leave the API key in the program's environment
    #[arg(long)]
    keep_key: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Replaces this program with the command. Returns only when that fails.
pub async fn run(inputs: RunInputs, session: &Session) -> Result<Exit, Failure> {
    let client = session.client()?;
    let mut variables = Variables::default();
    for mapping in &inputs.mappings {
        let (variable, reference) = mapping
            .split_once('=')
            .filter(|(variable, reference)| !variable.is_empty() && !reference.is_empty())
            .ok_or_else(|| Failure::unusable(format!("{mapping} is not VARIABLE=NAME"), "--env DB=users-api/db"))?;
        let (_, value) = read(&client, reference).await?;
        variables.add(variable.to_owned(), value)?;
    }
    // A mapping alone says exactly what is wanted.
    let all = inputs.only.is_empty() && (inputs.mappings.is_empty() || inputs.prefix.is_some());
    let references = if all { listed(&client, inputs.prefix.as_deref()).await? } else { inputs.only };
    for reference in &references {
        let (name, value) = read(&client, reference).await?;
        let name = inputs.prefix.as_deref().and_then(|prefix| name.strip_prefix(prefix)).unwrap_or(&name);
        variables.add(variable_name(name), value)?;
    }
    let Some((program, arguments)) = inputs.command.split_first() else {
        return Err(Failure::unusable("no program to run", "qapi run -- CMD"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    if !inputs.keep_key {
        for name in KEY_VARIABLES.iter().chain(&JOB_VARIABLES) {
            command.env_remove(name);
        }
    }
    for (name, value) in &variables.0 {
        command.env(name, value.expose());
    }
    let error = command.exec();
    Err(Failure::unusable(format!("running {}: {error}", program.to_string_lossy()), "another program"))
}

/// The variables so far.
#[derive(Default)]
struct Variables(BTreeMap<String, SecretText>);

impl Variables {
    /// Two secrets for one variable would leave the choice to chance.
    fn add(&mut self, name: String, value: SecretText) -> Result<(), Failure> {
        if value.expose().contains('\0') {
            return Err(Failure::unusable(format!("the secret for {name} holds a NUL byte"), "--only without it"));
        }
        if self.0.contains_key(&name) {
            return Err(Failure::unusable(
                format!("two secrets for the variable {name}"),
                "--only with one of them, or --env VARIABLE=NAME",
            ));
        }
        self.0.insert(name, value);
        Ok(())
    }
}

async fn read(client: &sdk::Client, reference: &str) -> Result<(String, SecretText), Failure> {
    let reference = reference.trim();
    let query = ReadSecret::default();
    let secret = match reference.parse() {
        Ok(id) => client.secret(id, &query).await?,
        Err(_) => client.secret_by_name(reference, &query).await?,
    };
    Ok((secret.name, secret.value))
}

/// The ids of all readable secrets, or of those whose name starts so.
async fn listed(client: &sdk::Client, prefix: Option<&str>) -> Result<Vec<String>, Failure> {
    let query = ListSecrets { search: prefix.map(ToOwned::to_owned), ..ListSecrets::default() };
    let found = lookup::all_secrets(client, query).await?;
    let found = found.iter().filter(|secret| prefix.is_none_or(|prefix| secret.name.starts_with(prefix)));
    Ok(found.map(|secret| secret.id.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_takes_one_secret() {
        let mut variables = Variables::default();
        assert!(variables.add("A".to_owned(), SecretText::copy_from("1")).is_ok());
        assert_eq!(variables.add("A".to_owned(), SecretText::copy_from("2")).unwrap_err().exit, Exit::Unusable);
        assert!(variables.add("B".to_owned(), SecretText::copy_from("a\0b")).is_err());
    }
}
