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
