//! `qapi-admission`: the gate of a Kubernetes cluster. What is not signed as the policy wants it does not run.
//!
//! Two webhooks of the API server in one process, as many of which may run as are wanted: one puts digests in the place of tags,
//! the other judges. It reads the policy file that the deploy gate reads, asks registries for what lies beside an image, and
//! remembers it. It holds no key but those of its own certificates, changes nothing in the cluster, and does not speak to the API
//! server by itself.

mod certificates;
mod clock;
mod config;
mod decision;
mod evidence;
mod explanation;
mod judge;
mod listener;
mod logs;
mod numbers;
mod platform;
mod policy;
mod registries;
mod remembered;
mod review;
mod run;
mod server;
mod status;
mod tickets;
mod webhook;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use artifact::policy::{Code, Effect, Policy};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::judge::Judge;
use crate::numbers::Numbers;
use crate::registries::Registries;
use crate::tickets::Tickets;

/// The gate of a Kubernetes cluster.
#[derive(Parser)]
#[command(name = "qapi-admission", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the webhooks.
    Serve {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Checks configuration, policy and certificates, and ends.
        #[arg(long)]
        check: bool,
    },
    /// Says why an image would run or not.
    Explain(Explain),
}

#[derive(Args)]
struct Explain {
    /// The policy file.
    #[arg(long)]
    policy: PathBuf,
    /// The namespace that it would run in.
    #[arg(long)]
    namespace: Option<String>,
    /// Credentials as docker and podman write them.
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,
    /// A PEM file of authorities to trust beside the public ones.
    #[arg(long, value_name = "FILE")]
    authorities_file: Option<PathBuf>,
    /// How the answer is written.
    #[arg(long, default_value = "text")]
    output: Output,
    /// The image.
    image: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// It would not run.
const NOT_VERIFIED: u8 = 2;
/// Nobody can say: the registry does not answer.
const UNREACHABLE: u8 = 3;
/// The policy or the image's name is not usable.
const UNUSABLE: u8 = 4;

fn main() -> ExitCode {
    let (done, failed) = match Arguments::parse().command {
        Command::Serve { config, check } => (serve(&config, check), ExitCode::FAILURE),
        Command::Explain(arguments) => (explain(&arguments), UNUSABLE.into()),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        failed
    })
}

fn serve(config: &std::path::Path, is_check: bool) -> anyhow::Result<ExitCode> {
    let config = config::Config::load(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if is_check {
        runtime.block_on(run::check(&config))?;
        return Ok(ExitCode::SUCCESS);
    }
    logs::start(&config.log)?;
    runtime.block_on(run::run(config))?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the answer goes to standard output")]
fn explain(arguments: &Explain) -> anyhow::Result<ExitCode> {
    let policy =
        Policy::load(&arguments.policy).with_context(|| format!("the policy {}", arguments.policy.display()))?;
    let policy = Arc::new(policy);
    let section = config::RegistrySection {
        credentials_file: arguments.credentials_file.clone(),
        authorities_file: arguments.authorities_file.clone(),
        ..config::RegistrySection::default()
    };
    let numbers = Arc::new(Numbers::new()?);
    let registries = Arc::new(Registries::new(&section, Arc::clone(&numbers))?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let explanation = runtime.block_on(async {
        let tickets = Tickets::none(Arc::clone(&numbers));
        let judge = Judge::new(registries, tickets, config::Cache::for_one_question(), numbers);
        explanation::explain(&judge, &policy, &arguments.image, arguments.namespace.as_deref()).await
    });
    let explanation = explanation.map_err(anyhow::Error::msg)?;
    match arguments.output {
        Output::Text => print!("{}", explanation.to_text()),
        Output::Json => println!("{}", serde_json::to_string_pretty(&explanation)?),
    }
    let is_unknown = explanation.refusals.iter().any(|finding| finding.code == Code::Unreachable);
    Ok(match explanation.effect {
        Effect::Deny if is_unknown => UNREACHABLE.into(),
        Effect::Deny => NOT_VERIFIED.into(),
        Effect::Allow | Effect::Warn | Effect::DryRun => ExitCode::SUCCESS,
    })
}
