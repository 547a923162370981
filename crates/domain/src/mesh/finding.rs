//! What is wrong with a graph, or odd about it.

use std::fmt;

/// Something to tell the author of a graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Finding {
    /// A name that Kubernetes or a SPIFFE id cannot hold.
    #[error("{what} {name:?} is not a DNS label of at most 63 characters")]
    BadName {
        /// What the name is of.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The trust domain cannot stand in a SPIFFE id.
    #[error("trust domain {0:?} is not a lower-case DNS name")]
    BadTrustDomain(String),
    /// A label that Kubernetes would refuse.
    #[error("{service}: label {label:?} is not one of Kubernetes")]
    BadLabel {
        /// Whose label.
        service: String,
        /// `key=value`.
        label: String,
    },
    /// A service without labels would be selected by a policy for the whole namespace.
    #[error("{0}: labels are empty, which selects every pod of the namespace")]
    NoLabels(String),
    /// Port 0.
    #[error("{service}: port {port:?} has no number")]
    BadPort {
        /// Whose port.
        service: String,
        /// Its name.
        port: String,
    },
    /// Two services of one namespace with one name.
    #[error("{0} is declared twice")]
    Duplicate(String),
    /// Two services with one SPIFFE id: their peers cannot tell them apart.
    #[error("{service} and {other} share the service account {account}: their peers cannot tell them apart")]
    SharedIdentity {
        /// One of them.
        service: String,
        /// The other.
        other: String,
        /// The account both have.
        account: String,
    },
    /// A name that no service has.
    #[error("{service} names {named}, which is not declared")]
    UnknownService {
        /// Who names it.
        service: String,
        /// What is named.
        named: String,
    },
    /// A name that several services have.
    #[error("{service} names {named}, which is in several namespaces: write namespace/{named}")]
    AmbiguousService {
        /// Who names it.
        service: String,
        /// What is named.
        named: String,
    },
    /// The callee has no port of that name.
    #[error("{service} names port {port} of {of}, which has {}", List(.has))]
    PortMismatch {
        /// Who names it.
        service: String,
        /// The service whose port is meant.
        of: String,
        /// The port that is named.
        port: String,
        /// The ports there are.
        has: Vec<String>,
    },
    /// Several ports, and none named.
    #[error("{service} names {of} without a port, which has {}", List(.has))]
    PortNeeded {
        /// Who names it.
        service: String,
        /// The service whose port is meant.
        of: String,
        /// The ports there are.
        has: Vec<String>,
    },
    /// A service needs no policy to talk to itself over loopback, and none lets its replicas talk to each other.
    #[error("{0} calls itself")]
    SelfEdge(String),
    /// The callee lets a caller in that does not call.
    #[error("{to} lets {from} in on {port}, but {from} does not call it: no edge is made")]
    NotCalled {
        /// The caller.
        from: String,
        /// The callee.
        to: String,
        /// The callee's port.
        port: String,
    },
    /// The caller calls one that does not let it in.
    #[error("{from} calls {to} on {port}, but {to} does not let it in: no edge is made")]
    NotLetIn {
        /// The caller.
        from: String,
        /// The callee.
        to: String,
        /// The callee's port.
        port: String,
    },
    /// An end of the edge has no identity, so that packets alone decide.
    #[error("{from} -> {to}: {without} has no identity, so that only packets are checked")]
    NoIdentityRule {
        /// The caller.
        from: String,
        /// The callee.
        to: String,
        /// The end without identity.
        without: String,
    },
    /// The selector of one service also selects another.
    #[error("the labels of {service} also select {other}: its policy is wider than the graph")]
    SelectsAnother {
        /// Whose selector.
        service: String,
        /// Who is selected too.
        other: String,
    },
    /// A network outside that holds private addresses, and with them perhaps other services.
    #[error(
        "{service}: {net} holds private addresses, perhaps those of other services: the policy is wider than the graph"
    )]
    OutsideHoldsPrivate {
        /// Whose need.
        service: String,
        /// The network.
        net: String,
    },
    /// The selector matches no pod of the cluster.
    #[error("{0}: its labels select no pod of the cluster")]
    SelectsNothing(String),
    /// A pod that is selected runs under another account, and so gets another identity.
    #[error("{service}: pod {pod} runs as {account}, not as the account of the service")]
    OtherAccount {
        /// Whose pod.
        service: String,
        /// The pod.
        pod: String,
        /// Its service account.
        account: String,
    },
    /// The pods name a port otherwise than the graph.
    #[error("{service}: pod {pod} calls port {number} {is:?}, the graph {declared:?}")]
    PodPortMismatch {
        /// Whose pod.
        service: String,
        /// The pod.
        pod: String,
        /// The number of the port.
        number: u16,
        /// What the pod calls it.
        is: String,
        /// What the graph calls it.
        declared: String,
    },
    /// Policies add up: one that is not of the plan and selects a service lets in more than the graph says.
    #[error("{service}: policy {policy} of the cluster is not of this plan and selects it too: wider than the graph")]
    ForeignPolicy {
        /// Who is selected.
        service: String,
        /// `namespace/name` of the policy.
        policy: String,
    },
}

impl Finding {
    /// Whether a plan cannot be made. The others are told beside the plan.
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            Self::NotCalled { .. }
                | Self::NotLetIn { .. }
                | Self::NoIdentityRule { .. }
                | Self::SelectsAnother { .. }
                | Self::OutsideHoldsPrivate { .. }
                | Self::SelectsNothing(_)
                | Self::OtherAccount { .. }
                | Self::PodPortMismatch { .. }
                | Self::ForeignPolicy { .. }
        )
    }
}

struct List<'a>(&'a Vec<String>);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&self.0.join(", ")) }
    }
}
