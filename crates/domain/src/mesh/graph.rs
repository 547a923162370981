//! The declared graph: raw as it was written, and checked.
//!
//! An edge has two halves, and each is declared by its owner: `calls` by the caller, `callers` by the callee. What only one
//! of them declares is told and not made, so that nobody lets himself in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use serde::Deserialize;

use super::finding::Finding;

/// Labels that select pods.
pub type Labels = BTreeMap<String, String>;

/// A graph as its file spells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFile {
    /// The trust domain of every SPIFFE id.
    pub trust_domain: String,
    /// Where certificates come from.
    pub ca: AuthorityFile,
    /// Who resolves names.
    #[serde(default)]
    pub dns: DnsFile,
    /// The services.
    #[serde(default, rename = "service")]
    pub services: Vec<ServiceFile>,
}

/// The platform: a service of the graph, or a network outside the cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(untagged)]
pub enum AuthorityFile {
    /// A declared service, which every other one calls.
    Service {
        /// Its name, with its port where it has several.
        service: String,
    },
    /// Outside the cluster.
    Outside {
        /// Its network.
        net: IpNet,
        /// Its port.
        port: u16,
    },
}

/// The pods that resolve names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsFile {
    /// Their namespace.
    pub namespace: String,
    /// Their labels.
    pub labels: Labels,
}

impl Default for DnsFile {
    fn default() -> Self {
        let labels = Labels::from([("k8s-app".to_owned(), "kube-dns".to_owned())]);
        Self { namespace: "kube-system".to_owned(), labels }
    }
}

/// A service as the file spells it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Its name, a DNS label.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What selects its pods; `app` with its name unless given.
    pub labels: Option<Labels>,
    /// Its account, which its SPIFFE id ends in; its name unless given.
    pub service_account: Option<String>,
    /// Whether it proves who it is.
    #[serde(default)]
    pub identity: Identity,
    /// The TCP ports it serves, by name.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// With an agent beside it: the loopback port behind each of its ports, by name.
    #[serde(default)]
    pub forward: BTreeMap<String, u16>,
    /// Whom it lets in: `service` or `service:port`.
    #[serde(default)]
    pub callers: Vec<String>,
    /// Whom it calls: `service` or `service:port`.
    #[serde(default)]
    pub calls: Vec<String>,
    /// What it needs outside the cluster.
    #[serde(default)]
    pub egress: Vec<OutsideFile>,
    /// Who may come from outside the cluster.
    #[serde(default)]
    pub ingress: Vec<EntranceFile>,
}

/// Whether a service takes part in mutual TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// It shows a certificate and wants one.
    #[default]
    Mtls,
    /// It does not: packets alone are checked.
    None,
}

/// A need outside the cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideFile {
    /// The network.
    pub net: IpNet,
    /// The TCP port there.
    pub port: u16,
}

/// An entrance from outside the cluster.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntranceFile {
    /// From where.
    pub net: IpNet,
    /// The name of the service's own port.
    pub port: String,
}

/// A graph that makes sense.
#[derive(Debug)]
pub struct Graph {
    /// The trust domain of every SPIFFE id.
    pub trust_domain: String,
    /// Where certificates come from.
    pub authority: Authority,
    /// The pods that resolve names.
    pub dns: DnsFile,
    /// The services, in the order of the file.
    pub services: Vec<Service>,
    /// Who calls whom; ends are positions in `services`.
    pub edges: BTreeSet<Edge>,
}

/// Where certificates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A service of the graph, by its position. Who calls it has no certificate yet and is told from others by its API
    /// key, so edges to it have no identity rule.
    Service(usize),
    /// A network and a port outside the cluster.
    Outside(IpNet, u16),
}

/// A service of the graph.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What selects its pods.
    pub labels: Labels,
    /// Its account.
    pub account: String,
    /// Whether it proves who it is.
    pub identity: Identity,
    /// Its TCP ports by name.
    pub ports: BTreeMap<String, u16>,
    /// The loopback ports that an agent passes connections on to, by the same names.
    pub forward: BTreeMap<String, u16>,
    /// Networks and ports it needs outside.
    pub outside: Vec<(IpNet, u16)>,
    /// From where outside one of its ports is reached.
    pub entrances: Vec<(IpNet, u16)>,
}

/// The right to open a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The caller.
    pub from: usize,
    /// The callee.
    pub to: usize,
    /// The callee's port by name.
    pub port: String,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Service {
    /// Its SPIFFE id.
    pub fn spiffe_id(&self, trust_domain: &str) -> String {
        format!("spiffe://{trust_domain}/ns/{}/sa/{}", self.namespace, self.account)
    }

    /// The name others reach it by inside the cluster.
    pub fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }
}

impl Graph {
    /// Checks what was declared. Either a graph with what is odd about it, or everything that is wrong.
    pub fn check(file: GraphFile) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        let GraphFile { trust_domain, ca, dns, services: declared } = file;
        let mut findings = Vec::new();
        if !is_trust_domain(&trust_domain) {
            findings.push(Finding::BadTrustDomain(trust_domain.clone()));
        }
        if !is_dns_label(&dns.namespace) {
            findings.push(Finding::BadName { what: "namespace", name: dns.namespace.clone() });
        }
        let mut halves = Vec::new();
        let mut services = Vec::new();
        for file in declared {
            let (service, calls, callers) = read_service(file, &mut findings);
            services.push(service);
            halves.push((calls, callers));
        }
        check_distinct(&services, &mut findings);
        let mut edges = join_halves(&services, &halves, &mut findings);
        let authority = match find_authority(ca, &services) {
            Ok((authority, calls)) => {
                edges.extend(calls);
                authority
            }
            Err(finding) => {
                findings.push(finding);
                return Err(findings);
            }
        };
        if findings.iter().any(Finding::is_fatal) {
            return Err(findings);
        }
        let graph = Self { trust_domain, authority, dns, services, edges };
        graph.find_oddities(&mut findings);
        Ok((graph, findings))
    }

    /// The service that is called `name` or `namespace/name`.
    pub fn service(&self, name: &str) -> Result<&Service, Finding> {
        let unknown = || Finding::UnknownService { service: "the list".to_owned(), named: name.to_owned() };
        let (at, port) = find(&self.services, &"the list", name)?;
        self.services.get(at).filter(|_| port.is_none()).ok_or_else(unknown)
    }

    /// The namespaces of the services, each once.
    pub fn namespaces(&self) -> BTreeSet<&str> {
        self.services.iter().map(|service| service.namespace.as_str()).collect()
    }

    /// What can be planned and should still be looked at.
    fn find_oddities(&self, findings: &mut Vec<Finding>) {
        for edge in self.edges.iter().filter(|edge| self.authority != Authority::Service(edge.to)) {
            let (Some(from), Some(to)) = (self.services.get(edge.from), self.services.get(edge.to)) else { continue };
            let without = [to, from].into_iter().find(|end| end.identity == Identity::None);
            if let Some(without) = without {
                let (from, to, without) = (from.to_string(), to.to_string(), without.to_string());
                findings.push(Finding::NoIdentityRule { from, to, without });
            }
        }
        for service in &self.services {
            let others = self.services.iter().filter(|other| selects(service, other));
            findings.extend(
                others.map(|other| Finding::SelectsAnother { service: service.to_string(), other: other.to_string() }),
            );
            let wide = service.outside.iter().filter(|(net, _)| holds_private(net));
            findings.extend(
                wide.map(|(net, _)| Finding::OutsideHoldsPrivate {
                    service: service.to_string(),
                    net: net.to_string(),
                }),
            );
        }
    }
}

/// Whether the selector of one service finds the pods of another.
fn selects(service: &Service, other: &Service) -> bool {
    service.namespace == other.namespace
        && service.name != other.name
        && service.labels.iter().all(|(key, value)| other.labels.get(key) == Some(value))
}

type HalfEdges = (Vec<String>, Vec<String>);

fn read_service(file: ServiceFile, findings: &mut Vec<Finding>) -> (Service, Vec<String>, Vec<String>) {
    let account = file.service_account.unwrap_or_else(|| file.name.clone());
    for (what, name) in [("service", &file.name), ("namespace", &file.namespace), ("service account", &account)] {
        if !is_dns_label(name) {
            findings.push(Finding::BadName { what, name: name.clone() });
        }
    }
    let labels = file.labels.unwrap_or_else(|| Labels::from([("app".to_owned(), file.name.clone())]));
    let full_name = format!("{}/{}", file.namespace, file.name);
    check_labels(&full_name, &labels, findings);
    for (port, number) in &file.ports {
        if !is_dns_label(port) {
            findings.push(Finding::BadName { what: "port", name: port.clone() });
        }
        if *number == 0 {
            findings.push(Finding::BadPort { service: full_name.clone(), port: port.clone() });
        }
    }
    let mismatch = |port: String| Finding::PortMismatch {
        service: full_name.clone(),
        of: full_name.clone(),
        port,
        has: file.ports.keys().cloned().collect(),
    };
    let mut entrances = Vec::new();
    for entrance in file.ingress {
        match file.ports.get(&entrance.port) {
            Some(number) => entrances.push((entrance.net, *number)),
            None => findings.push(mismatch(entrance.port)),
        }
    }
    findings.extend(file.forward.keys().filter(|port| !file.ports.contains_key(*port)).cloned().map(mismatch));
    let service = Service {
        name: file.name,
        namespace: file.namespace,
        labels,
        account,
        identity: file.identity,
        ports: file.ports,
        forward: file.forward,
        outside: file.egress.into_iter().map(|need| (need.net, need.port)).collect(),
        entrances,
    };
    (service, file.calls, file.callers)
}

fn check_labels(service: &str, labels: &Labels, findings: &mut Vec<Finding>) {
    if labels.is_empty() {
        findings.push(Finding::NoLabels(service.to_owned()));
    }
    for (key, value) in labels.iter().filter(|(key, value)| !is_label(key, value)) {
        findings.push(Finding::BadLabel { service: service.to_owned(), label: format!("{key}={value}") });
    }
}

fn check_distinct(services: &[Service], findings: &mut Vec<Finding>) {
    for (at, service) in services.iter().enumerate() {
        for earlier in services.iter().take(at).filter(|earlier| earlier.namespace == service.namespace) {
            if earlier.name == service.name {
                findings.push(Finding::Duplicate(service.to_string()));
            } else if earlier.account == service.account {
                findings.push(Finding::SharedIdentity {
                    service: earlier.to_string(),
                    other: service.to_string(),
                    account: service.account.clone(),
                });
            }
        }
    }
}

/// The edges that both ends declare.
fn join_halves(services: &[Service], halves: &[HalfEdges], findings: &mut Vec<Finding>) -> BTreeSet<Edge> {
    let mut called = BTreeSet::new();
    let mut let_in = BTreeSet::new();
    for (at, (service, (calls, callers))) in services.iter().zip(halves).enumerate() {
        for text in calls {
            let found = find(services, service, text).and_then(|(to, port)| {
                let port = port_of(service, services.get(to), port)?;
                Ok(Edge { from: at, to, port })
            });
            keep(found, service, &mut called, findings);
        }
        for text in callers {
            let found = find(services, service, text).and_then(|(from, port)| {
                let port = port_of(service, Some(service), port)?;
                Ok(Edge { from, to: at, port })
            });
            keep(found, service, &mut let_in, findings);
        }
    }
    let name = |at: usize| services.get(at).map(ToString::to_string).unwrap_or_default();
    let parts = |edge: &Edge| (name(edge.from), name(edge.to), edge.port.clone());
    findings.extend(called.difference(&let_in).map(parts).map(|(from, to, port)| Finding::NotLetIn { from, to, port }));
    findings.extend(let_in.difference(&called).map(parts).map(|(from, to, port)| Finding::NotCalled {
        from,
        to,
        port,
    }));
    called.intersection(&let_in).cloned().collect()
}

fn keep(found: Result<Edge, Finding>, service: &Service, edges: &mut BTreeSet<Edge>, findings: &mut Vec<Finding>) {
    match found {
        Ok(edge) if edge.from == edge.to => findings.push(Finding::SelfEdge(service.to_string())),
        Ok(edge) => {
            edges.insert(edge);
        }
        Err(finding) => findings.push(finding),
    }
}

/// `[namespace/]name[:port]` as a position and a port's name.
fn find<'t>(services: &[Service], by: &impl fmt::Display, text: &'t str) -> Result<(usize, Option<&'t str>), Finding> {
    let (full, port) = text.split_once(':').map_or((text, None), |(full, port)| (full, Some(port)));
    let (namespace, name) = full.split_once('/').map_or((None, full), |(space, name)| (Some(space), name));
    let is_meant = |other: &Service| other.name == name && namespace.is_none_or(|space| other.namespace == space);
    let mut meant = services.iter().enumerate().filter(|(_, other)| is_meant(other)).map(|(at, _)| at);
    let (service, named) = (by.to_string(), full.to_owned());
    match (meant.next(), meant.next()) {
        (Some(at), None) => Ok((at, port)),
        (None, _) => Err(Finding::UnknownService { service, named }),
        (Some(_), Some(_)) => Err(Finding::AmbiguousService { service, named }),
    }
}

/// The port that is meant: the one named, or the only one there is.
fn port_of(by: &impl fmt::Display, of: Option<&Service>, named: Option<&str>) -> Result<String, Finding> {
    let has: Vec<String> = of.iter().flat_map(|of| of.ports.keys().cloned()).collect();
    let (service, of) = (by.to_string(), of.map(ToString::to_string).unwrap_or_default());
    match (named, has.as_slice()) {
        (Some(port), _) if has.iter().any(|has| has == port) => Ok(port.to_owned()),
        (Some(port), _) => Err(Finding::PortMismatch { service, of, port: port.to_owned(), has }),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Finding::PortNeeded { service, of, has }),
    }
}

/// Where certificates come from, and the edges of every service to it.
fn find_authority(file: AuthorityFile, services: &[Service]) -> Result<(Authority, Vec<Edge>), Finding> {
    let text = match file {
        AuthorityFile::Outside { net, port } => return Ok((Authority::Outside(net, port), Vec::new())),
        AuthorityFile::Service { service } => service,
    };
    let (to, port) = find(services, &"ca", &text)?;
    let port = port_of(&"ca", services.get(to), port)?;
    let callers = (0..services.len()).filter(|&from| from != to);
    Ok((Authority::Service(to), callers.map(|from| Edge { from, to, port: port.clone() }).collect()))
}

/// RFC 1123 label, as Kubernetes wants the names of namespaces, services and ports.
fn is_dns_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// SPIFFE-ID section 2.1 allows more; what names of DNS can hold is enough and is what certificates are constrained to.
fn is_trust_domain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

/// `[prefix/]name` and a value, as Kubernetes spells labels.
fn is_label(key: &str, value: &str) -> bool {
    let word = |text: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        text.len() <= 63 && text.chars().all(inner) && ends(text.chars().next()) && ends(text.chars().last())
    };
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_trust_domain) && word(name) && (value.is_empty() || word(value))
}

/// Whether a network holds addresses that clusters give to pods: RFC 1918, RFC 6598 and RFC 4193.
fn holds_private(net: &IpNet) -> bool {
    let overlaps =
        |text: &str| text.parse().is_ok_and(|private: IpNet| private.contains(net) || net.contains(&private));
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"].into_iter().any(overlaps)
}
