//! `qapi mesh`: policies of packets and identities out of one declared graph. Works offline, unless it is to fetch the
//! platform's authorities.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use api::certificates::ReadBundle;
use clap::{Args, Subcommand};
use crypto::x509::{Certificate, pem};
use domain::mesh::cluster::{self, Cluster};
use domain::mesh::finding::Finding;
use domain::mesh::graph::{Graph, GraphFile};
use domain::mesh::identity::{AllowList, allow_lists};
use domain::mesh::policy::{Endpoint, Policy, policies};
use domain::mesh::{manifest, packet_filter, yaml};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::Printer;
use crate::session::Session;

/// The word for the configured server in the place of a file; a file of this name is `./platform`.
const PLATFORM: &str = "platform";

/// What `qapi mesh` takes.
#[derive(Args)]
pub struct MeshInputs {
    #[command(subcommand)]
    command: MeshCommand,
}

#[derive(Subcommand)]
enum MeshCommand {
    /// Make NetworkPolicies, the CA's ConfigMap and SPIFFE allow lists of a graph: 0 planned, 2 unusable
    Plan(PlanInputs),
}

#[derive(Args)]
struct PlanInputs {
    /// The graph, TOML; `-` for standard input
    graph: PathBuf,
    /// Write files into this folder; otherwise the manifests to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The authorities for the ConfigMaps: a PEM file, or `platform` for those that the configured server publishes
    #[arg(long, value_name = "FILE|platform")]
    ca: Option<PathBuf>,
    /// Whose authorities, for `--ca platform`: the default tenant's unless told
    #[arg(long, value_name = "SLUG", requires = "ca")]
    tenant: Option<String>,
    /// Addresses of services, TOML lines like `users-api = ["10.0.0.3"]`: makes nftables rules for them
    #[arg(long, value_name = "FILE")]
    addresses: Option<PathBuf>,
    /// What runs, to compare: `kubectl get pods,networkpolicies --all-namespaces --output json`
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// Exit with 1 when there is anything to look at
    #[arg(long)]
    strict: bool,
}

/// Does what was typed.
pub async fn run(inputs: &MeshInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    match &inputs.command {
        MeshCommand::Plan(inputs) => plan(inputs, session, printer).await,
    }
}

async fn plan(inputs: &PlanInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let (graph, mut findings) = read_graph(&inputs.graph)?;
    if let Some(path) = &inputs.cluster {
        findings.extend(cluster::compare(&graph, &read_cluster(path)?));
    }
    let authorities = match &inputs.ca {
        Some(word) if word.as_os_str() == PLATFORM => Some(published(&graph, inputs.tenant.as_deref(), session).await?),
        Some(path) => Some(read_authorities(path)?),
        None => None,
    };
    let plan = Plan::new(&graph, inputs, authorities.as_deref())?;
    if printer.is_json() {
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        printer.json(&plan.body(&told))?;
    } else {
        tell(&findings);
    }
    match &inputs.out {
        Some(folder) => plan.write(folder, printer)?,
        None if printer.is_json() => {}
        None => printer.stream(plan.manifests().as_bytes())?,
    }
    Ok(if inputs.strict && !findings.is_empty() { Exit::Failed } else { Exit::Done })
}

/// Everything that follows from the graph.
struct Plan {
    policies: Vec<Policy>,
    authorities: Vec<Value>,
    allow_lists: Vec<AllowList>,
    packet_filter: Option<String>,
}

impl Plan {
    fn new(graph: &Graph, inputs: &PlanInputs, authorities: Option<&str>) -> Result<Self, Failure> {
        let policies = policies(graph);
        let authorities = authorities.map_or_else(Vec::new, |authorities| manifest::authorities(graph, authorities));
        let endpoints = inputs.addresses.as_deref().map(|path| read_endpoints(graph, path)).transpose()?;
        let packet_filter = endpoints.map(|endpoints| packet_filter::compile(&policies, &endpoints));
        Ok(Self { policies, authorities, allow_lists: allow_lists(graph), packet_filter })
    }

    fn network_policies(&self) -> Vec<Value> {
        self.policies.iter().map(manifest::network_policy).collect()
    }

    fn manifests(&self) -> String {
        self.network_policies().iter().chain(&self.authorities).map(yaml::document).collect()
    }

    fn body(&self, findings: &[String]) -> Value {
        json!({
            "networkPolicies": self.network_policies(),
            "configMaps": self.authorities,
            "allowLists": self.allow_lists,
            "packetFilter": self.packet_filter,
            "findings": findings,
        })
    }

    fn write(&self, folder: &Path, printer: &mut Printer) -> Result<(), Failure> {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("making", folder, &error))?;
        let lists = serde_json::to_string_pretty(&self.allow_lists).map_err(std::io::Error::from)?;
        let documents = |objects: &[Value]| objects.iter().map(yaml::document).collect::<String>();
        let files = [
            ("network-policies.yaml", Some(documents(&self.network_policies()))),
            ("authorities.yaml", Some(documents(&self.authorities)).filter(|text| !text.is_empty())),
            ("allow-lists.json", Some(lists + "\n")),
            ("packet-filter.nft", self.packet_filter.clone()),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            let Some(text) = text else { continue };
            std::fs::write(&path, text).map_err(|error| Failure::file("writing", &path, &error))?;
            if !printer.is_json() {
                printer.line(&path.display().to_string())?;
            }
        }
        self.write_agents(folder, printer)
    }

    /// A file for each service that an agent stands beside.
    fn write_agents(&self, folder: &Path, printer: &mut Printer) -> Result<(), Failure> {
        for list in &self.allow_lists {
            let Some(sections) = list.agent_sections() else { continue };
            let unwritable = |error| Failure::failed(format!("writing an agent's configuration: {error}"), "again");
            let text = toml::to_string(&sections).map_err(unwritable)?;
            let path = folder.join(format!("agent-{}-{}.toml", list.namespace, list.service));
            std::fs::write(&path, text).map_err(|error| Failure::file("writing", &path, &error))?;
            if !printer.is_json() {
                printer.line(&path.display().to_string())?;
            }
        }
        Ok(())
    }
}

fn read_graph(path: &Path) -> Result<(Graph, Vec<Finding>), Failure> {
    let file: GraphFile = read_toml(path, "docs/guides/mesh.md for what a graph looks like")?;
    Graph::check(file).map_err(|findings| {
        tell(&findings);
        let fatal = findings.iter().filter(|finding| finding.is_fatal()).count();
        Failure::unusable(format!("{} makes no plan: {fatal} faults", path.display()), "mending what is listed above")
    })
}

/// One line each, on standard error.
fn tell(findings: &[Finding]) {
    let mut stderr = std::io::stderr().lock();
    for finding in findings {
        let weight = if finding.is_fatal() { "fault" } else { "look at" };
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(stderr, "{weight}: {finding}");
    }
}

fn read_toml<T: serde::de::DeserializeOwned>(path: &Path, advice: &str) -> Result<T, Failure> {
    let text = input::text(Some(path))?;
    let failed = |error: toml::de::Error| Failure::unusable(format!("{}: {}", path.display(), error.message()), advice);
    toml::from_str(text.expose()).map_err(failed)
}

fn read_cluster(path: &Path) -> Result<Cluster, Failure> {
    let text = input::text(Some(path))?;
    serde_json::from_str(text.expose()).map_err(|error| {
        let advice = "the output of `kubectl get pods,networkpolicies --all-namespaces --output json`";
        Failure::unusable(format!("{}: {error}", path.display()), advice)
    })
}

/// What the platform publishes for everybody. Authorities of another trust domain would speak for none of these services.
async fn published(graph: &Graph, tenant: Option<&str>, session: &Session) -> Result<String, Failure> {
    let (client, query) = (session.anonymous_client()?, ReadBundle::default());
    let bundle = match tenant {
        Some(slug) => client.tenant_trust_bundle(slug, &query).await?,
        None => client.trust_bundle(&query).await?,
    };
    let own = &graph.trust_domain;
    if bundle.trust_domain != *own {
        let why = format!("the platform's trust domain is {}, the graph's is {own}", bundle.trust_domain);
        return Err(Failure::unusable(why, "--tenant SLUG, or another trust_domain in the graph"));
    }
    checked("what the platform publishes", &bundle.anchors.concat())
}

/// Only authorities may go into a ConfigMap that everybody trusts, and nothing else of the file.
fn read_authorities(path: &Path) -> Result<String, Failure> {
    let text = input::text(Some(path))?;
    checked(&path.display().to_string(), text.expose())
}

fn checked(place: &str, text: &str) -> Result<String, Failure> {
    let unusable = |what: &str| Failure::unusable(format!("{place} {what}"), "a PEM file of authorities");
    let blocks = pem::blocks(text).map_err(|_| unusable("is cut off"))?;
    let mut authorities = String::new();
    for block in blocks {
        let certificate = Certificate::parse(&block.der).ok().filter(|_| block.label == pem::CERTIFICATE);
        let certificate = certificate.ok_or_else(|| unusable("holds something else than certificates"))?;
        if !certificate.is_ca() {
            return Err(unusable("holds a certificate that is no authority"));
        }
        authorities.push_str(&certificate.to_pem());
    }
    if authorities.is_empty() { Err(unusable("holds no certificate")) } else { Ok(authorities) }
}

fn read_endpoints(graph: &Graph, path: &Path) -> Result<Vec<Endpoint>, Failure> {
    let advice = "lines like `users-api = [\"10.0.0.3\"]`";
    let addresses: BTreeMap<String, Vec<IpAddr>> = read_toml(path, advice)?;
    let mut endpoints = Vec::new();
    for (name, addresses) in addresses {
        let service = graph.service(&name).map_err(|finding| Failure::unusable(finding.to_string(), advice))?;
        endpoints.extend(addresses.into_iter().map(|address| Endpoint {
            namespace: service.namespace.clone(),
            labels: service.labels.clone(),
            address,
        }));
    }
    Ok(endpoints)
}
