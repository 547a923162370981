//! The `qapi` command line: the platform from a shell or a pipeline; and `sigstore-kms-qapi`, which lends its signing keys to
//! other tools.
//!
//! A command is a function from its inputs and a printer to an exit status. Standard output carries results and nothing
//! else; a failure is one line on standard error that says what to do next. There is no HTTP here: that is `sdk`'s.

mod arguments;
mod clock;
mod command;
mod credential;
mod env_file;
mod failure;
mod input;
mod key_ring;
mod key_source;
mod kms_plugin;
mod lookup;
mod print;
mod profile;
mod registry_access;
mod session;
mod signing_keys;
mod trusted_keys;

use std::io::Write;
use std::pin::Pin;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::{Exit, Failure};
use crate::print::Printer;
use crate::session::Session;

/// The program `qapi`.
pub fn qapi() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return report(&misused(&error)),
        Err(help) => return help.print().map_or(Exit::Failed, |()| Exit::Done).code(),
    };
    let mut printer = Printer::to_stdout(arguments.globals.output);
    let outcome = to_its_end(Box::pin(run(arguments, &mut printer))).flatten();
    let outcome = outcome.and_then(|exit| printer.finish().map(|()| exit));
    match outcome {
        Ok(exit) => exit.code(),
        Err(failure) => report(&failure),
    }
}

/// The program `sigstore-kms-qapi`.
pub fn sigstore_kms() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (answer, is_done) = match to_its_end(Box::pin(kms_plugin::answer(&arguments, arguments::Globals::default()))) {
        Ok(answer) => answer,
        Err(failure) => return report(&failure),
    };
    match kms_plugin::write(&answer) {
        Ok(()) if is_done => Exit::Done.code(),
        Ok(()) => Exit::Failed.code(),
        Err(failure) => report(&failure),
    }
}

/// Runs a future that is known by its interface alone: `block_on` has several places that poll what it is given, and each would
/// have a copy of every command.
fn to_its_end<T>(future: Pin<Box<dyn Future<Output = T> + '_>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("starting: {error}"), "again"))?;
    Ok(runtime.block_on(future))
}

fn misused(error: &clap::Error) -> Failure {
    let failure = failure::misused(error);
    if failure::is_verification(std::env::args().skip(1)) { failure.of_verification() } else { failure }
}

fn report(failure: &Failure) -> ExitCode {
    // A reader that went away, as in `qapi secrets list | head -1`, wants no explanation.
    if !failure.is_silent() {
        let _ = writeln!(std::io::stderr(), "{failure}");
    }
    failure.exit.code()
}

async fn run(arguments: Arguments, printer: &mut Printer) -> Result<Exit, Failure> {
    let session = Session::new(arguments.globals);
    match arguments.command {
        Command::Version => command::health::version(printer),
        Command::Health => command::health::health(&session, printer).await,
        Command::Login(inputs) => command::login::login(inputs, &session, printer).await,
        Command::Logout(inputs) => command::login::logout(&inputs, &session, printer).await,
        Command::Whoami => command::whoami::whoami(&session, printer).await,
        Command::Secrets(inputs) => command::secrets::run(inputs, print::Style::Careful, &session, printer).await,
        Command::Vault(inputs) => command::secrets::run(inputs, print::Style::Bare, &session, printer).await,
        Command::Keys(inputs) => command::keys::run(inputs, &session, printer).await,
        Command::Artifact(inputs) => command::artifact::run(inputs, &session, printer).await,
        Command::Image(inputs) => command::image::run(inputs, &session, printer).await,
        Command::Sbom(inputs) => command::sbom::run(inputs, printer).await,
        Command::Encrypt(inputs) => command::encryption::encrypt(inputs, &session, printer).await,
        Command::Decrypt(inputs) => command::encryption::decrypt(inputs, &session, printer).await,
        Command::Sign(inputs) => command::encryption::sign(inputs, &session, printer).await,
        Command::Verify(inputs) => command::encryption::verify(inputs, &session, printer).await,
        Command::Certs(inputs) => command::certs::run(inputs, &session, printer).await,
        Command::Gate(inputs) => command::gate::run(inputs, &session, printer).await,
        Command::Run(inputs) => command::run::run(inputs, &session).await,
        Command::Random(inputs) => command::random::random(inputs, &session, printer).await,
        Command::Apikeys(inputs) => command::api_keys::run(inputs, &session, printer).await,
        Command::Apps(inputs) => command::apps::run(*inputs, &session, printer).await,
        Command::Apis(inputs) => command::apis::run(inputs, &session, printer).await,
        Command::Users(inputs) => command::users::run(inputs, &session, printer).await,
        Command::Roles(inputs) => command::roles::run(inputs, &session, printer).await,
        Command::Grants(inputs) => command::grants::run(inputs, &session, printer).await,
        Command::Sessions(inputs) => command::sessions::run(inputs, &session, printer).await,
        Command::Trusts(inputs) => command::trusts::run(inputs, &session, printer).await,
        Command::TokenKeys(inputs) => command::token_keys::run(inputs, &session, printer).await,
        Command::Tenants(inputs) => command::tenants::run(inputs, &session, printer).await,
        Command::Audit(inputs) => command::audit::run(inputs, &session, printer).await,
        Command::Operator(inputs) => command::operator::run(inputs, &session, printer).await,
        Command::Mesh(inputs) => command::mesh::run(&inputs, &session, printer).await,
        Command::Completions(inputs) => command::completions::completions(&inputs, printer),
    }
}
