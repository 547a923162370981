//! The plan proved by packets: every service of the example in a network namespace of its own, and between them a router
//! that loads the compiled rules. Only addresses in namespaces of this test are touched.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::mesh::graph::{Authority, Edge, Graph, GraphFile, Service};

use super::plan::{example, planned};
use super::tools::{script, tool};
use crate::program::{both, run, say, succeed};
use crate::running::Running;

/// The services of the graph, each at an address of its own, and one namespace of somebody nobody planned.
struct Network {
    prefix: String,
    graph: Graph,
}

/// The stranger's place, after the services.
const STRANGER: &str = "stranger";

impl Network {
    fn new(graph: Graph) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let network = Self { prefix: format!("qapi-{}-{number}", std::process::id()), graph };
        network.ip(&["netns", "add", &network.router()]);
        for at in 0..=network.graph.services.len() {
            network.connect(at);
        }
        network.in_router("sh", &["-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]);
        network
    }

    /// A namespace, joined to the router by a pair of interfaces that nobody outside sees.
    fn connect(&self, at: usize) {
        let (router, name, link) = (self.router(), self.namespace(at), format!("to{at}"));
        let address = self.address(at).to_string();
        let gateway = self.gateway(at).to_string();
        self.ip(&["netns", "add", &name]);
        self.ip(&["-n", &router, "link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &name]);
        self.ip(&["-n", &router, "address", "add", &format!("{gateway}/24"), "dev", &link]);
        self.ip(&["-n", &router, "link", "set", &link, "up"]);
        self.ip(&["-n", &name, "address", "add", &format!("{address}/24"), "dev", "eth0"]);
        self.ip(&["-n", &name, "link", "set", "eth0", "up"]);
        self.ip(&["-n", &name, "route", "add", "default", "via", &gateway]);
    }

    fn ip(&self, arguments: &[&str]) {
        succeed(Command::new("ip").args(arguments));
    }

    fn router(&self) -> String {
        format!("{}-router", self.prefix)
    }

    fn namespace(&self, at: usize) -> String {
        format!("{}-{at}", self.prefix)
    }

    fn address(&self, at: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, u8::try_from(at).expect("few services"), 2))
    }

    fn gateway(&self, at: usize) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, u8::try_from(at).expect("few services"), 1))
    }

    fn in_router(&self, program: &str, arguments: &[&str]) {
        succeed(Command::new("ip").args(["netns", "exec", &self.router(), program]).args(arguments));
    }

    /// A program where a service is.
    fn at(&self, at: usize, program: &Command) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(at)]).arg(program.get_program()).args(program.get_args());
        command
    }

    /// Every port that any service has.
    fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> =
            self.graph.services.iter().flat_map(|service| service.ports.values().copied()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    fn sockets(&self, at: usize) -> Vec<SocketAddr> {
        self.ports().into_iter().map(|port| SocketAddr::new(self.address(at), port)).collect()
    }

    fn name(&self, at: usize) -> &str {
        self.graph.services.get(at).map_or(STRANGER, |service| &service.name)
    }

    /// Somebody who accepts on every port, at every service, also on ports that the service does not have: what is refused
    /// then is refused by the rules.
    fn listeners(&self) -> Vec<Running> {
        let listen = |at: usize| {
            let mut command = reach("listen");
            command.args(self.sockets(at).iter().map(ToString::to_string));
            Running::start(&mut self.at(at, &command)).listening()
        };
        (0..self.graph.services.len()).map(listen).collect()
    }

    /// What opens: from, to, port.
    fn open(&self) -> Vec<(String, String, u16)> {
        let mut open = Vec::new();
        for from in 0..=self.graph.services.len() {
            let targets: Vec<usize> = (0..self.graph.services.len()).filter(|to| *to != from).collect();
            let mut command = reach("try");
            command.args(targets.iter().flat_map(|to| self.sockets(*to)).map(|socket| socket.to_string()));
            let text = succeed(&mut self.at(from, &command));
            assert_eq!(text.lines().count(), targets.len() * self.ports().len(), "{text}");
            for to in targets {
                let verdict = |socket: &SocketAddr| text.lines().any(|line| line == format!("{socket} open"));
                let opened = self.sockets(to).into_iter().filter(verdict);
                open.extend(opened.map(|socket| (self.name(from).to_owned(), self.name(to).to_owned(), socket.port())));
            }
        }
        open.sort();
        open
    }

    /// What the graph says may open; entrances are open to everybody who may leave, and only the stranger may.
    fn declared(&self) -> Vec<(String, String, u16)> {
        let edge = |edge: &Edge| {
            let to = &self.graph.services[edge.to];
            (self.name(edge.from).to_owned(), to.name.clone(), to.ports[&edge.port])
        };
        let entrance = |service: &Service| {
            let name = service.name.clone();
            service
                .entrances
                .iter()
                .map(move |(_, port)| (STRANGER.to_owned(), name.clone(), *port))
                .collect::<Vec<_>>()
        };
        let mut declared: Vec<_> = self.graph.edges.iter().map(edge).collect();
        declared.extend(self.graph.services.iter().flat_map(entrance));
        declared.sort();
        declared
    }

    /// Lets the router filter as the plan says.
    fn load_rules(&self, folder: &Path) {
        let mut addresses = String::new();
        for (at, service) in self.graph.services.iter().enumerate() {
            let _ = writeln!(addresses, "{} = [\"{}\"]", service.name, self.address(at));
        }
        let list = folder.join("addresses.toml");
        std::fs::write(&list, addresses).expect("the folder can be written");
        let out = folder.join("plan");
        planned(&["--addresses", list.to_str().expect("a path"), "--out", out.to_str().expect("a path")]);
        self.in_router("nft", &["-f", out.join("packet-filter.nft").to_str().expect("a path")]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let names = (0..=self.graph.services.len()).map(|at| self.namespace(at));
        for name in names.chain([self.router()]) {
            let _ = Command::new("ip").args(["netns", "delete", &name]).status();
        }
    }
}

fn reach(role: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(script("reach.py")).arg(role);
    command
}

fn graph() -> Graph {
    let text = std::fs::read_to_string(example()).expect("the example can be read");
    let file: GraphFile = toml::from_str(&text).expect("the example is a graph");
    Graph::check(file).expect("the example makes sense").0
}

#[test]
fn packets_flow_where_the_graph_says_and_nowhere_else() {
    let network = Network::new(graph());
    let folder = tempfile::tempdir().unwrap();
    let services = network.graph.services.len();
    let listeners = network.listeners();
    let everything = services * services * network.ports().len();
    assert_eq!(network.open().len(), everything, "without rules everybody reaches everybody, the stranger included");
    network.load_rules(folder.path());
    let (open, declared) = (network.open(), network.declared());
    assert_eq!(open, declared);
    say(&format!("network policies: {} of {everything} connections open, as declared", open.len()));
    drop(listeners);
}

/// On every edge between services with identities: the right caller is answered, and no other.
#[test]
fn on_the_edges_only_the_right_identity_is_answered() {
    let network = Network::new(graph());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    network.load_rules(folder);
    let services = network.graph.services.iter().map(|service| format!("{}/{}", service.namespace, service.name));
    succeed(tool("python").arg("-B").arg(script("certificates.py")).arg(folder).args(services));
    let edges = network.graph.edges.iter().filter(|edge| network.graph.authority != Authority::Service(edge.to));
    let mut refused = 0;
    for edge in edges {
        let callee = &network.graph.services[edge.to];
        let address = SocketAddr::new(network.address(edge.to), callee.ports[&edge.port]);
        let caller = network.name(edge.from);
        let meet = |leaf: Option<&str>| {
            let mut server = ours("server", address, folder, &callee.name);
            server.args(["--peer", &network.graph.services[edge.from].spiffe_id("qapi.internal")]);
            let server = Running::start(&mut network.at(edge.to, &server)).listening();
            let client = match leaf {
                Some(leaf) => {
                    let mut client = ours("client", address, folder, leaf);
                    client.args(["--peer", &callee.spiffe_id("qapi.internal")]);
                    client
                }
                None => certless(address, folder),
            };
            let output = run(&mut network.at(edge.from, &client));
            let said = server.line("handshake: ", Duration::from_secs(30)).unwrap_or_default();
            (both(&output).contains("HTTP/1.1 200"), said, both(&output))
        };
        let (answered, said, wrote) = meet(Some(caller));
        assert!(answered && said.starts_with("met "), "{caller} -> {}: {said}\n{wrote}", callee.name);
        let expired = format!("{caller}-expired");
        for (leaf, reason) in [(Some("qapid"), "unwelcome"), (Some(&expired), "expired"), (None, "no_certificate")] {
            let (answered, said, wrote) = meet(leaf);
            let is_refused = !answered && said.starts_with(&format!("refused {reason} "));
            assert!(is_refused, "{leaf:?} -> {}: {said}\n{wrote}", callee.name);
            refused += 1;
        }
    }
    say(&format!("identities: {refused} of {refused} wrong callers refused on the edges"));
}

fn ours(role: &str, address: SocketAddr, folder: &Path, leaf: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesh-peer"));
    let file = |ending: &str| folder.join(format!("{leaf}.{ending}"));
    command.args([role, "--address", &address.to_string(), "--ca"]).arg(folder.join("ca.pem"));
    command.arg("--cert").arg(file("pem")).arg("--key").arg(file("key"));
    command
}

/// OpenSSL, which shows no certificate unless told.
fn certless(address: SocketAddr, folder: &Path) -> Command {
    let mut command = tool("openssl");
    command.args(["s_client", "-quiet", "-connect", &address.to_string(), "-CAfile"]).arg(folder.join("ca.pem"));
    command
}
