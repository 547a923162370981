//! The graph as Kubernetes NetworkPolicies: nobody talks to anybody, and then both halves of every edge.
//!
//! A policy here is the part of `networking.k8s.io/v1` that the plan needs. [`allows`] decides by it as a cluster would, so
//! that tests can hold the policies against the graph.

use core::net::IpAddr;

use ipnet::IpNet;

use super::graph::{Authority, Edge, Graph, Labels, Service};

/// A NetworkPolicy. It holds for the pods of its namespace that have all its labels, in both directions.
#[derive(Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The labels of its pods; without labels it holds for every pod of the namespace.
    pub pods: Labels,
    /// Who may open connections to the pods.
    pub ingress: Vec<Rule>,
    /// To whom the pods may open connections.
    pub egress: Vec<Rule>,
}

/// What may pass: from or to this peer, to these ports.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The other end.
    pub peer: Peer,
    /// The ports of the end that is connected to.
    pub ports: Vec<Port>,
}

/// The other end of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Peer {
    /// The pods of a namespace that have these labels: both selectors in one entry, for two entries would be either.
    Pods {
        /// Their namespace.
        namespace: String,
        /// Their labels.
        labels: Labels,
    },
    /// Addresses outside the cluster.
    Net(IpNet),
}

/// A port and its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The protocol.
    pub protocol: Protocol,
    /// The number.
    pub number: u16,
}

/// A protocol over IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Where a pod is: what policies look at.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: Labels,
    /// Its address.
    pub address: IpAddr,
}

/// RFC 1035 section 4.2: names are resolved over either.
const DNS_PORTS: [Port; 2] =
    [Port { protocol: Protocol::Udp, number: 53 }, Port { protocol: Protocol::Tcp, number: 53 }];

/// The policies of a graph: one that denies for every namespace, one that allows for every service.
pub fn policies(graph: &Graph) -> Vec<Policy> {
    let denials = graph.namespaces().into_iter().map(|namespace| Policy {
        namespace: namespace.to_owned(),
        name: "default-deny".to_owned(),
        pods: Labels::new(),
        ingress: Vec::new(),
        egress: Vec::new(),
    });
    let services = graph.services.iter().enumerate().map(|(at, service)| of_service(graph, at, service));
    denials.chain(services).collect()
}

fn of_service(graph: &Graph, at: usize, service: &Service) -> Policy {
    let mut ingress = grouped(graph, graph.edges.iter().filter(|edge| edge.to == at), |edge| edge.from);
    ingress.extend(service.entrances.iter().map(|(net, port)| net_rule(net, *port)));
    let dns = Peer::Pods { namespace: graph.dns.namespace.clone(), labels: graph.dns.labels.clone() };
    let mut egress = vec![Rule { peer: dns, ports: DNS_PORTS.to_vec() }];
    if let Authority::Outside(net, port) = &graph.authority {
        egress.push(net_rule(net, *port));
    }
    egress.extend(grouped(graph, graph.edges.iter().filter(|edge| edge.from == at), |edge| edge.to));
    egress.extend(service.outside.iter().map(|(net, port)| net_rule(net, *port)));
    Policy {
        namespace: service.namespace.clone(),
        name: format!("service-{}", service.name),
        pods: service.labels.clone(),
        ingress,
        egress,
    }
}

/// One rule for each other end, with all the ports between the two.
fn grouped<'g>(
    graph: &'g Graph,
    edges: impl Iterator<Item = &'g Edge>,
    other_end: impl Fn(&Edge) -> usize,
) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for edge in edges {
        let (Some(other), Some(callee)) = (graph.services.get(other_end(edge)), graph.services.get(edge.to)) else {
            continue;
        };
        let Some(&number) = callee.ports.get(&edge.port) else { continue };
        let peer = Peer::Pods { namespace: other.namespace.clone(), labels: other.labels.clone() };
        let port = Port { protocol: Protocol::Tcp, number };
        match rules.iter_mut().find(|rule| rule.peer == peer) {
            Some(rule) => rule.ports.push(port),
            None => rules.push(Rule { peer, ports: vec![port] }),
        }
    }
    rules
}

fn net_rule(net: &IpNet, port: u16) -> Rule {
    Rule { peer: Peer::Net(*net), ports: vec![Port { protocol: Protocol::Tcp, number: port }] }
}

/// Whether the policies let one pod open a connection to another: the half of each must, and policies add up. A pod that
/// no policy selects is not restricted.
pub fn allows(policies: &[Policy], from: &Endpoint, to: &Endpoint, port: Port) -> bool {
    let half = |own: &Endpoint, other: &Endpoint, rules: fn(&Policy) -> &[Rule]| {
        let mut selecting = policies.iter().filter(|policy| policy.selects(own)).peekable();
        selecting.peek().is_none()
            || selecting.flat_map(rules).any(|rule| rule.peer.matches(other) && rule.ports.contains(&port))
    };
    half(from, to, |policy| &policy.egress) && half(to, from, |policy| &policy.ingress)
}

impl Policy {
    /// Whether it holds for a pod.
    pub fn selects(&self, pod: &Endpoint) -> bool {
        self.namespace == pod.namespace && has_all(pod, &self.pods)
    }
}

impl Peer {
    /// Whether a pod is meant.
    pub fn matches(&self, pod: &Endpoint) -> bool {
        match self {
            Self::Pods { namespace, labels } => *namespace == pod.namespace && has_all(pod, labels),
            Self::Net(net) => net.contains(&pod.address),
        }
    }
}

fn has_all(pod: &Endpoint, labels: &Labels) -> bool {
    labels.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
}
