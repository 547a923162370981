use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use super::finding::Finding;
use super::graph::{Graph, GraphFile, Labels};
use super::policy::{Endpoint, Peer, Port, Protocol, allows, policies};
use super::{cluster, identity, manifest, packet_filter, yaml};

/// The example: gateway -> users-api -> notifications, users-api -> database, and everybody -> qapid.
fn sample() -> GraphFile {
    file(json!([
        {"name": "qapid", "namespace": "qapi", "ports": {"https": 8443}},
        {"name": "gateway", "namespace": "edge", "ports": {"https": 8443}, "calls": ["users-api"],
            "ingress": [{"net": "0.0.0.0/0", "port": "https"}]},
        {"name": "users-api", "namespace": "users", "ports": {"https": 8443}, "callers": ["gateway"],
            "calls": ["notifications", "database:postgres"]},
        {"name": "notifications", "namespace": "users", "ports": {"https": 8443}, "callers": ["users-api"],
            "egress": [{"net": "203.0.113.25/32", "port": 587}]},
        {"name": "database", "namespace": "data", "ports": {"postgres": 5432}, "callers": ["users-api"]},
    ]))
}

fn file(services: serde_json::Value) -> GraphFile {
    let ca = json!({"service": "qapid"});
    serde_json::from_value(json!({"trust_domain": "qapi.internal", "ca": ca, "service": services})).unwrap()
}

fn checked(file: GraphFile) -> Graph {
    let (graph, findings) = Graph::check(file).unwrap();
    assert_eq!(findings, []);
    graph
}

/// A pod of every service, at 10.0.0.N.
fn endpoints(graph: &Graph) -> Vec<Endpoint> {
    let pod = |(at, service): (usize, &super::graph::Service)| Endpoint {
        namespace: service.namespace.clone(),
        labels: service.labels.clone(),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, u8::try_from(at).unwrap() + 1)),
    };
    graph.services.iter().enumerate().map(pod).collect()
}

#[test]
fn policies_allow_what_the_graph_has_and_nothing_else() {
    let graph = checked(sample());
    let policies = policies(&graph);
    let pods = endpoints(&graph);
    let mut allowed = 0;
    for (from, source) in pods.iter().enumerate() {
        for (to, target) in pods.iter().enumerate().filter(|(to, _)| *to != from) {
            for (name, &number) in graph.services.iter().flat_map(|service| &service.ports) {
                let has_port = graph.services[to].ports.get(name) == Some(&number);
                let is_edge = graph.edges.iter().any(|edge| (edge.from, edge.to, &edge.port) == (from, to, name));
                // The gateway is open to every address, and to the pods among them as far as their own half lets them.
                let port = Port { protocol: Protocol::Tcp, number };
                assert_eq!(allows(&policies, source, target, port), is_edge && has_port, "{from} -> {to}:{number}");
                allowed += usize::from(is_edge && has_port);
            }
        }
    }
    assert_eq!(allowed, graph.edges.len() * 4 - 3, "https has the same number everywhere");
}

#[test]
fn every_edge_has_both_halves_and_every_service_dns() {
    let graph = checked(sample());
    let policies = policies(&graph);
    assert_eq!(policies.len(), 4 + 5, "a denial for each namespace, a policy for each service");
    for edge in &graph.edges {
        let (from, to) = (&graph.services[edge.from], &graph.services[edge.to]);
        let policy = |name: &str| policies.iter().find(|policy| policy.name == format!("service-{name}")).unwrap();
        let meets = |peer: &Peer, other: &super::graph::Service| {
            *peer == Peer::Pods { namespace: other.namespace.clone(), labels: other.labels.clone() }
        };
        assert!(policy(&from.name).egress.iter().any(|rule| meets(&rule.peer, to)), "{from} -> {to}");
        assert!(policy(&to.name).ingress.iter().any(|rule| meets(&rule.peer, from)), "{from} -> {to}");
    }
    let resolves = |policy: &&super::policy::Policy| {
        policy.egress.iter().any(|rule| rule.ports.iter().any(|port| port.number == 53))
    };
    assert_eq!(policies.iter().filter(resolves).count(), 5);
}

#[test]
fn a_service_nobody_planned_reaches_nobody_planned() {
    let graph = checked(sample());
    let stranger = Endpoint {
        namespace: "users".to_owned(),
        labels: Labels::from([("app".to_owned(), "stranger".to_owned())]),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 99)),
    };
    let port = Port { protocol: Protocol::Tcp, number: 8443 };
    for pod in endpoints(&graph) {
        assert!(!allows(&policies(&graph), &stranger, &pod, port), "{pod:?}");
        assert!(!allows(&policies(&graph), &pod, &stranger, port), "{pod:?}");
    }
}

#[test]
fn identities_mirror_the_edges() {
    let lists = identity::allow_lists(&checked(sample()));
    let of = |name: &str| lists.iter().find(|list| list.service == name).unwrap();
    assert_eq!(lists.len(), 4, "the authority is called with API keys");
    assert_eq!(of("users-api").spiffe_id, "spiffe://qapi.internal/ns/users/sa/users-api");
    assert_eq!(of("users-api").accepts[0].spiffe_ids, ["spiffe://qapi.internal/ns/edge/sa/gateway"]);
    assert_eq!(of("gateway").accepts[0].spiffe_ids, [""; 0]);
    let called: Vec<_> = of("users-api").calls.iter().map(|call| (call.host.as_str(), call.port)).collect();
    assert_eq!(called, [("notifications.users.svc.cluster.local", 8443), ("database.data.svc.cluster.local", 5432)]);
    assert_eq!(of("database").calls, []);
}

#[test]
fn an_agent_gets_the_ports_and_the_ids_of_its_service() {
    let services = json!([
        {"name": "qapid", "namespace": "qapi", "ports": {"https": 8443}},
        {"name": "gateway", "namespace": "edge", "calls": ["users-api"]},
        {"name": "users-api", "namespace": "users", "ports": {"https": 8443}, "forward": {"https": 8080},
            "callers": ["gateway"]},
        {"name": "bare", "namespace": "users", "ports": {"https": 8443}},
    ]);
    let lists = identity::allow_lists(&checked(file(services)));
    let sections = |name: &str| {
        let list = lists.iter().find(|list| list.service == name).unwrap();
        list.agent_sections().map(|sections| serde_json::to_value(sections).unwrap())
    };
    let (gateway, users) = (sections("gateway").unwrap(), sections("users-api").unwrap());
    assert_eq!(
        users["inbound"],
        json!([{"name": "https", "listen": "0.0.0.0:8443", "forward": "127.0.0.1:8080",
        "allow": ["spiffe://qapi.internal/ns/edge/sa/gateway"]}])
    );
    assert_eq!(
        gateway["outbound"],
        json!([{"name": "users-api", "listen": "127.0.0.1:15100",
        "connect": "users-api.users.svc.cluster.local:8443", "expect": ["spiffe://qapi.internal/ns/users/sa/users-api"]}])
    );
    assert_eq!(gateway["identity"]["spiffe_id"], "spiffe://qapi.internal/ns/edge/sa/gateway");
    assert!(sections("bare").is_none(), "nobody said where its port is forwarded to");
}

#[test]
fn what_makes_no_sense_is_refused_and_what_is_odd_is_told() {
    let ca = json!({"name": "qapid", "namespace": "qapi", "ports": {"https": 8443}});
    let a = json!({"name": "a", "namespace": "x", "ports": {"https": 1}});
    let with = |services: serde_json::Value| {
        let all = [vec![ca.clone()], services.as_array().unwrap().clone()].concat();
        match Graph::check(file(json!(all))) {
            Ok((_, findings)) => (false, findings),
            Err(findings) => (true, findings),
        }
    };
    let b = |more: serde_json::Value| {
        let mut b = json!({"name": "b", "namespace": "x", "ports": {"https": 2}});
        b.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        b
    };
    let rows = [
        (json!([a, b(json!({"calls": ["c"]}))]), true, "x/b names c, which is not declared"),
        (json!([a, a]), true, "x/a is declared twice"),
        (json!([a, b(json!({"calls": ["b"]}))]), true, "x/b calls itself"),
        (json!([a, b(json!({"calls": ["a:http"]}))]), true, "x/b names port http of x/a, which has https"),
        (json!([a, b(json!({"ports": {}, "callers": ["a"]}))]), true, "x/b names x/b without a port, which has none"),
        (json!([a, b(json!({"ports": {"p": 1, "q": 2}, "callers": ["a"]}))]), true, "without a port, which has p, q"),
        (json!([a, b(json!({"namespace": "y", "name": "a"})), b(json!({"calls": ["a"]}))]), true, "write namespace/a"),
        (json!([a, b(json!({"name": "B"}))]), true, "service \"B\" is not a DNS label"),
        (json!([a, b(json!({"labels": {}}))]), true, "labels are empty"),
        (json!([a, b(json!({"labels": {"app": "-"}}))]), true, "label \"app=-\" is not one"),
        (json!([a, b(json!({"ports": {"https": 0}}))]), true, "port \"https\" has no number"),
        (json!([a, b(json!({"service_account": "a"}))]), true, "share the service account a"),
        (json!([a, b(json!({"ingress": [{"net": "::/0", "port": "http"}]}))]), true, "names port http of x/b"),
        (json!([a, b(json!({"forward": {"http": 80}}))]), true, "names port http of x/b"),
        (json!([a, b(json!({"calls": ["a"]}))]), false, "x/b calls x/a on https, but x/a does not let it in"),
        (json!([a, b(json!({"callers": ["a"]}))]), false, "x/b lets x/a in on https, but x/a does not call it"),
        (json!([a, b(json!({"egress": [{"net": "0.0.0.0/0", "port": 443}]}))]), false, "0.0.0.0/0 holds private"),
        (json!([a, b(json!({"labels": {"app": "a", "tier": "1"}}))]), false, "the labels of x/a also select x/b"),
    ];
    for (services, fatal, words) in rows {
        let (refused, findings) = with(services.clone());
        assert_eq!(refused, fatal, "{services} {findings:?}");
        assert!(findings.iter().any(|finding| finding.to_string().contains(words)), "{words}: {findings:?}");
        assert_eq!(findings.iter().any(Finding::is_fatal), fatal);
    }
    let silent =
        json!([b(json!({"callers": ["c"], "identity": "none"})), {"name": "c", "namespace": "x", "calls": ["b"]}]);
    let told = with(silent).1;
    assert!(matches!(told.as_slice(), [Finding::NoIdentityRule { .. }]), "{told:?}");
}

#[test]
fn unknown_words_in_a_graph_are_refused() {
    for text in [
        json!({"trust_domain": "a", "ca": {"service": "s"}, "services": []}),
        json!({"trust_domain": "a", "ca": {"service": "s", "port": 1}}),
        json!({"trust_domain": "a", "ca": {"service": "s"}, "service": [{"name": "a", "namespace": "b", "port": 1}]}),
        json!({"trust_domain": "a"}),
    ] {
        assert!(serde_json::from_value::<GraphFile>(text.clone()).is_err(), "{text}");
    }
}

#[test]
fn a_cluster_that_differs_from_the_plan_is_told() {
    let graph = checked(sample());
    let pod = |name: &str, namespace: &str, account: &str, port: &str| {
        json!({"kind": "Pod", "metadata": {"name": format!("{name}-1"), "namespace": namespace, "labels": {"app": name}},
            "spec": {"serviceAccountName": account, "containers": [{"ports": [{"name": port, "containerPort": 8443}]}]}})
    };
    let all = [("qapid", "qapi"), ("gateway", "edge"), ("users-api", "users"), ("notifications", "users")];
    let mut items: Vec<_> = all.iter().map(|(name, namespace)| pod(name, namespace, name, "https")).collect();
    items.push(pod("database", "data", "database", "pg"));
    let compare = |items: &Vec<serde_json::Value>| {
        let cluster = serde_json::from_value(json!({"kind": "List", "items": items})).unwrap();
        cluster::compare(&graph, &cluster).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(compare(&items), "");
    items[2] = pod("users-api", "users", "default", "http");
    items[4] = pod("database", "elsewhere", "database", "pg");
    let policy = |name: &str, planned: &str| {
        json!({"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "edge",
            "labels": {"app.kubernetes.io/managed-by": planned}}, "spec": {"podSelector": {}}})
    };
    items.extend([policy("default-deny", "qapi-mesh"), policy("open", "hand"), json!({"kind": "Service"})]);
    let told = compare(&items);
    for words in [
        "pod users-api-1 runs as default",
        "calls port 8443 \"http\"",
        "data/database: its labels select no pod",
        "edge/gateway: policy edge/open",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("default-deny"), "{told}");
}

#[test]
fn yaml_quotes_what_could_be_taken_for_something_else() {
    let value = json!({"a": "plain-word_1.x/y", "b": "yes", "c": "1", "d": "a: b", "e": "", "f": {}, "g": [], "h": [{"i": [1, "x"], "j": true}],
        "k": "line 1\nline 2\n", "l": [[1]], "n": "no\n\n", "No": null});
    let expected = "---\n\"No\": null\na: plain-word_1.x/y\nb: \"yes\"\nc: \"1\"\nd: \"a: b\"\ne: \"\"\nf: {}\ng: []\nh:\n  - i:\n      - 1\n      - x\n    j: true\nk: |\n  line 1\n  line 2\nl:\n  -\n    - 1\n\"n\": \"no\\n\\n\"\n";
    assert_eq!(yaml::document(&value), expected);
}

#[test]
fn a_policy_is_written_as_kubernetes_reads_it() {
    let graph = checked(sample());
    let policies = policies(&graph);
    let gateway = policies.iter().find(|policy| policy.name == "service-gateway").unwrap();
    let object = manifest::network_policy(gateway);
    assert_eq!(object["spec"]["podSelector"], json!({"matchLabels": {"app": "gateway"}}));
    assert_eq!(
        object["spec"]["ingress"],
        json!([{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 8443}]}])
    );
    let both = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "users"}},
        "podSelector": {"matchLabels": {"app": "users-api"}}}]);
    assert!(object["spec"]["egress"].as_array().unwrap().iter().any(|rule| rule["to"] == both), "{object}");
    let denial = manifest::network_policy(&policies[0]);
    assert_eq!(denial["spec"], json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    assert_eq!(manifest::authorities(&graph, "pem\n").len(), 4);
}

#[test]
fn packet_rules_name_only_addresses_of_the_plan() {
    let graph = checked(sample());
    let text = packet_filter::compile(&policies(&graph), &endpoints(&graph));
    for line in [
        "ip daddr 10.0.0.3/32 tcp dport 8443 return",
        "ip saddr 10.0.0.2/32 tcp dport 8443 return",
        "ip saddr 10.0.0.5 jump from_4",
        "ip daddr 203.0.113.25/32 tcp dport 587 return",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("dport 53"), "nobody resolves names here: {text}");
    assert_eq!(text.matches("reject with icmpx type admin-prohibited").count(), 10);
}
