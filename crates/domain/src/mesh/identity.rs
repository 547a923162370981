//! The graph as identities: whom each service accepts and whom it expects, by SPIFFE id.
//!
//! Packets are the outer layer. This is the inner one, which holds wherever the packets come from.

use serde::Serialize;

use super::graph::{Authority, Edge, Graph, Identity, Service};

/// What one service knows of the others.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowList {
    /// The service.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// Its own SPIFFE id.
    pub spiffe_id: String,
    /// Its ports, and who may call each.
    pub accepts: Vec<Accepts>,
    /// Whom it calls, and who has to answer.
    pub calls: Vec<Calls>,
}

/// A port, and the SPIFFE ids that may connect to it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepts {
    /// The name of the port.
    pub port_name: String,
    /// Its number.
    pub port: u16,
    /// The loopback port that an agent beside the service passes connections on to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<u16>,
    /// Who may connect; nobody when empty.
    pub spiffe_ids: Vec<String>,
}

/// A service that is called.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// Its name.
    pub service: String,
    /// Where it is inside the cluster.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who has to answer.
    pub spiffe_id: String,
}

/// The sections of an agent's configuration file that follow from the graph.
#[derive(Debug, Serialize)]
pub struct AgentSections {
    identity: AgentIdentity,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inbound: Vec<AgentInbound>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outbound: Vec<AgentOutbound>,
}

#[derive(Debug, Serialize)]
struct AgentIdentity {
    service_name: String,
    namespace: String,
    spiffe_id: String,
}

#[derive(Debug, Serialize)]
struct AgentInbound {
    name: String,
    listen: String,
    forward: String,
    allow: Vec<String>,
}

#[derive(Debug, Serialize)]
struct AgentOutbound {
    name: String,
    listen: String,
    connect: String,
    expect: Vec<String>,
}

/// The first of the loopback ports that an agent offers for calls; the others follow in the order of the list.
const OUTBOUND_PORT: u16 = 15_100;

impl AllowList {
    /// For a service with an agent beside it, which is one that forwards a port or has none.
    pub fn agent_sections(&self) -> Option<AgentSections> {
        let inbound: Option<Vec<_>> = self.accepts.iter().map(Accepts::agent_section).collect();
        let outbound = (OUTBOUND_PORT..).zip(&self.calls).map(|(port, call)| AgentOutbound {
            name: call.service.clone(),
            listen: format!("127.0.0.1:{port}"),
            connect: format!("{}:{}", call.host, call.port),
            expect: vec![call.spiffe_id.clone()],
        });
        Some(AgentSections {
            identity: AgentIdentity {
                service_name: self.service.clone(),
                namespace: self.namespace.clone(),
                spiffe_id: self.spiffe_id.clone(),
            },
            inbound: inbound?,
            outbound: outbound.collect(),
        })
    }
}

impl Accepts {
    fn agent_section(&self) -> Option<AgentInbound> {
        Some(AgentInbound {
            name: self.port_name.clone(),
            listen: format!("0.0.0.0:{}", self.port),
            forward: format!("127.0.0.1:{}", self.forward?),
            allow: self.spiffe_ids.clone(),
        })
    }
}

/// One list for every service that has an identity. The authority has none here: whom it serves is its own business.
pub fn allow_lists(graph: &Graph) -> Vec<AllowList> {
    let services = graph.services.iter().enumerate();
    let takes_part =
        |at: usize, service: &Service| service.identity == Identity::Mtls && graph.authority != Authority::Service(at);
    services.filter(|(at, service)| takes_part(*at, service)).map(|(at, service)| of(graph, at, service)).collect()
}

fn of(graph: &Graph, at: usize, service: &Service) -> AllowList {
    let id_of = |end: usize| {
        let end = graph.services.get(end).filter(|end| end.identity == Identity::Mtls);
        end.map(|end| end.spiffe_id(&graph.trust_domain))
    };
    let accepts = service.ports.iter().map(|(name, &port)| Accepts {
        port_name: name.clone(),
        port,
        forward: service.forward.get(name).copied(),
        spiffe_ids: callers(graph, at, name).filter_map(|edge| id_of(edge.from)).collect(),
    });
    let is_peer = |edge: &&Edge| edge.from == at && graph.authority != Authority::Service(edge.to);
    let calls = graph.edges.iter().filter(is_peer).filter_map(|edge| {
        let callee = graph.services.get(edge.to)?;
        Some(Calls {
            service: callee.name.clone(),
            host: callee.host(),
            port: *callee.ports.get(&edge.port)?,
            spiffe_id: id_of(edge.to)?,
        })
    });
    AllowList {
        service: service.name.clone(),
        namespace: service.namespace.clone(),
        spiffe_id: service.spiffe_id(&graph.trust_domain),
        accepts: accepts.collect(),
        calls: calls.collect(),
    }
}

fn callers<'g>(graph: &'g Graph, at: usize, port: &'g str) -> impl Iterator<Item = &'g Edge> {
    graph.edges.iter().filter(move |edge| edge.to == at && edge.port == port)
}
