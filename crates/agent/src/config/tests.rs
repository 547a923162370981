use super::*;

const PLATFORM: &str = "[platform]\nurl = \"https://vault.example\"\n[status]\nlisten = \"127.0.0.1:9464\"\n";

fn inbound(lines: &str) -> String {
    format!("{PLATFORM}[[inbound]]\nname = \"web\"\nlisten = \"0.0.0.0:8443\"\n{lines}")
}

fn outbound(lines: &str) -> String {
    format!("{PLATFORM}[[outbound]]\nname = \"mail\"\n{lines}")
}

fn files(lines: &str) -> String {
    format!("{PLATFORM}[files]\n{lines}")
}

#[test]
fn the_samples_are_accepted() {
    let sidecar = Config::parse(include_str!("../../../../deploy/agent/sidecar.toml")).unwrap();
    assert_eq!((sidecar.inbound.len(), sidecar.outbound.len()), (1, 1));
    assert!(sidecar.files.is_none());
    let files = Config::parse(include_str!("../../../../deploy/agent/files.toml")).unwrap().files.unwrap();
    assert_eq!(files.medium, Medium::Memory);
    assert!(!files.reload.is_empty() && !files.secrets.is_empty());
}

#[test]
fn table_of_accepted_and_refused_configurations() {
    let allow = "allow = [\"spiffe://td/ns/a/sa/b\"]\n";
    let expect = "expect = [\"spiffe://td/ns/a/sa/b\"]\nlisten = \"127.0.0.1:9001\"\n";
    let rows = [
        (inbound(&format!("forward = \"127.0.0.1:80\"\n{allow}")), None),
        (inbound(&format!("forward = \"[::1]:80\"\n{allow}")), None),
        (inbound(&format!("forward = \"10.0.0.1:80\"\n{allow}")), Some("leave this machine")),
        (inbound("forward = \"127.0.0.1:80\"\nallow = []"), Some("nobody")),
        (inbound("forward = \"127.0.0.1:80\"\nallow = [\"td/a\"]"), Some("spiffe://")),
        (inbound("forward = \"127.0.0.1:80\""), Some("missing field")),
        (inbound(&format!("forward = \"127.0.0.1:80\"\n{allow}alow = []")), Some("unknown field")),
        (outbound(&format!("{expect}connect = \"mail.example:8443\"")), None),
        (outbound(&format!("{expect}connect = \"mail.example\"")), Some("host:port")),
        (outbound(&format!("{expect}connect = \":8443\"")), Some("host:port")),
        (outbound(&format!("{}connect = \"a:1\"", expect.replace("127.0.0.1", "0.0.0.0"))), Some("others would reach")),
        (files("directory = \"/run/qapi\""), None),
        (files("directory = \"run\""), Some("not absolute")),
        (files("directory = \"/run/qapi\"\nidentity_file = \"../key\""), Some("not the name of a file")),
        (files("directory = \"/run/qapi\"\nidentity_file = \"bundle.pem\""), Some("stands twice")),
        (files("directory = \"/run/qapi\"\nreload = [\"nginx\", \"-s\", \"reload\"]"), Some("no shell")),
        (PLATFORM.to_owned(), Some("nothing to do")),
        (
            files("directory = \"/run/qapi\"").replace("[status]", "key_file = \"a\"\nkey_env = \"B\"\n[status]"),
            Some("two places"),
        ),
        (files("directory = \"/run/qapi\"").replace("127.0.0.1:9464", "0.0.0.0:9464"), Some("reached by others")),
    ];
    for (text, refusal) in rows {
        let found = Config::parse(&text).err().map(|error| format!("{error:#}"));
        match (&found, refusal) {
            (None, None) => {}
            (Some(found), Some(refusal)) => assert!(found.contains(refusal), "{found}\n{text}"),
            _ => panic!("{found:?}\n{text}"),
        }
    }
}

#[test]
fn a_name_of_two_ports_is_refused() {
    let ports = inbound("forward = \"127.0.0.1:80\"\nallow = [\"spiffe://td/a\"]\n");
    let twice = format!("{ports}{}", ports.trim_start_matches(PLATFORM));
    assert!(format!("{:#}", Config::parse(&twice).unwrap_err()).contains("stands twice"));
}
