//! Inviting, changing, blocking and removing people.

use api::people::{BlockEndUser, InviteUser, UpdateEndUser, UpdateUser};
use clap::Args;

use super::Whom;
use super::read::{described, end_user_described};
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::Person;
use crate::print::Printer;

/// What `qapi users invite` takes.
#[derive(Args)]
pub struct InviteInputs {
    /// Where the invitation is sent
    email: String,
    /// owner, admin or member
    #[arg(long, default_value = "member", value_name = "ROLE")]
    role: String,
    /// What they are called
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// What `qapi users update` takes.
#[derive(Args)]
pub struct UpdateInputs {
    #[command(flatten)]
    whom: Whom,
    /// What they are called
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// owner, admin or member, of the tenant's own people
    #[arg(long, value_name = "ROLE", conflicts_with = "app")]
    role: Option<String>,
    /// An end user's first name
    #[arg(long, value_name = "NAME", requires = "app")]
    first_name: Option<String>,
    /// An end user's last name
    #[arg(long, value_name = "NAME", requires = "app")]
    last_name: Option<String>,
    /// An end user's telephone
    #[arg(long, value_name = "NUMBER", requires = "app")]
    phone: Option<String>,
    /// The text of a JSON value to keep with an end user
    #[arg(long, value_name = "JSON", requires = "app")]
    metadata: Option<String>,
}

/// What `qapi users block` takes.
#[derive(Args)]
pub struct BlockInputs {
    #[command(flatten)]
    whom: Whom,
    /// Why, for an end user
    #[arg(long, value_name = "TEXT", requires = "app")]
    reason: Option<String>,
}

/// What `qapi users delete` takes.
#[derive(Args)]
pub struct DeleteInputs {
    #[command(flatten)]
    whom: Whom,
    /// Erase an end user who is shut out, for ever
    #[arg(long, requires = "app")]
    permanent: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Invites somebody.
pub async fn invite(inputs: InviteInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = InviteUser { email: inputs.email, role: inputs.role, display_name: inputs.name };
    printer.body(&client.invite_user(&request).await?, described)
}

/// Changes what is given.
pub async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.whom.find(client).await? {
        Person::Own(id) => {
            let request = UpdateUser { role: inputs.role, display_name: inputs.name, is_active: None };
            printer.body(&client.update_user(id, &request).await?, described)
        }
        Person::EndUser { app, id } => {
            let request = UpdateEndUser {
                display_name: inputs.name,
                first_name: inputs.first_name,
                last_name: inputs.last_name,
                phone_number: inputs.phone,
                metadata: inputs.metadata,
                ..UpdateEndUser::default()
            };
            printer.body(&client.update_end_user(app, id, &request).await?, end_user_described)
        }
    }
}

/// Shuts somebody out.
pub async fn block(inputs: BlockInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.whom.find(client).await? {
        Person::Own(id) => {
            let request = UpdateUser { is_active: Some(false), ..UpdateUser::default() };
            printer.body(&client.update_user(id, &request).await?, described)
        }
        Person::EndUser { app, id } => {
            let request = BlockEndUser { reason: inputs.reason };
            printer.body(&client.block_end_user(app, id, &request).await?, end_user_described)
        }
    }
}

/// Lets somebody in again.
pub async fn unblock(whom: &Whom, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    match whom.find(client).await? {
        Person::Own(id) => {
            let request = UpdateUser { is_active: Some(true), ..UpdateUser::default() };
            printer.body(&client.update_user(id, &request).await?, described)
        }
        Person::EndUser { app, id } => printer.body(&client.unblock_end_user(app, id).await?, end_user_described),
    }
}

/// Removes somebody.
pub async fn delete(inputs: &DeleteInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let person = inputs.whom.find(client).await?;
    let who = &inputs.whom.reference;
    if inputs.permanent {
        input::confirmed(&format!("Erase {who} for ever?"), inputs.yes)?;
    }
    match (person, inputs.permanent) {
        (Person::Own(id), _) => {
            input::confirmed(&format!("Remove {who} from the tenant?"), inputs.yes)?;
            client.delete_user(id).await?;
            printer.done(id, "deleted")
        }
        (Person::EndUser { app, id }, false) => {
            client.delete_end_user(app, id).await?;
            printer.done(id, "deleted")
        }
        (Person::EndUser { app, id }, true) => {
            client.erase_end_user(app, id).await?;
            printer.done(id, "erased")
        }
    }
}
