//! Second factors: of somebody, and of everybody.

use api::people::{Factor, SignInPolicy, UpdateSignInPolicy};
use clap::Args;

use super::Whom;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::Person;
use crate::print::{Printer, or_empty, record};

/// What `qapi users remove-factors` takes.
#[derive(Args)]
pub struct RemoveInputs {
    #[command(flatten)]
    whom: Whom,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What `qapi users policy` takes.
#[derive(Args)]
pub struct PolicyInputs {
    /// off: nobody is asked for one; optional: whoever has one; required: everybody
    #[arg(long, value_name = "WORD")]
    second_factor: Option<String>,
}

/// Lists what somebody has.
pub async fn list(whom: &Whom, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let factors = match whom.find(client).await? {
        Person::Own(id) => client.user_factors(id).await?,
        Person::EndUser { app, id } => client.end_user_factors(app, id).await?,
    };
    printer.list("factors", &factors, &["KIND", "LEFT", "SET UP", "LAST USED"], |factor: &Factor| {
        vec![
            factor.kind.clone(),
            factor.left.to_string(),
            factor.created_at.to_string(),
            or_empty(&factor.last_used_at),
        ]
    })
}

/// Removes all of them.
pub async fn remove(inputs: &RemoveInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let person = inputs.whom.find(client).await?;
    let question = format!("Remove the second factors of {} and sign them out everywhere?", inputs.whom.reference);
    input::confirmed(&question, inputs.yes)?;
    match person {
        Person::Own(id) => client.remove_user_factors(id).await?,
        Person::EndUser { app, id } => client.remove_end_user_factors(app, id).await?,
    }
    printer.done(person.id(), "removed")
}

/// Reads how everybody signs in where an application says nothing, or changes it.
pub async fn policy(inputs: PolicyInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let policy = match inputs.second_factor {
        None => client.sign_in_policy().await?,
        given => client.update_sign_in_policy(&UpdateSignInPolicy { mfa_policy: given }).await?,
    };
    printer.body(&policy, |policy: &SignInPolicy| record(&[("second factor", policy.mfa_policy.clone())]))
}
