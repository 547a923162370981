use super::*;

const LEAST: &str = "
[webhook]
listen = \"0.0.0.0:8443\"
[tls]
certificate_file = \"a.pem\"
key_file = \"a.key\"
[status]
listen = \"127.0.0.1:9464\"
[policy]
file = \"policy.yaml\"
";

#[test]
fn the_least_that_has_to_be_said_is_enough() {
    let config = Config::parse(LEAST).unwrap();
    assert_eq!(config.pin, Pin::Pods);
    assert_eq!(config.webhook.budget, Duration::from_secs(8));
    let Tls::Files(files) = config.tls else { panic!("certificates come from files") };
    assert!(files.classical.is_none());
}

#[test]
fn the_platforms_certificates_are_asked_for_by_names() {
    let files = "certificate_file = \"a.pem\"\nkey_file = \"a.key\"\n";
    let names = "names = [\"a.b.svc\"]\nanchors_file = \"anchors.pem\"\n";
    let platform = "[platform]\nurl = \"https://vault.example\"\nkey_file = \"key\"\n";
    let read = |tls: &str, more: &str| Config::parse(&format!("{}{more}", LEAST.replacen(files, tls, 1)));
    let Tls::Own(own) = read(names, platform).unwrap().tls else { panic!("certificates come from the platform") };
    assert_eq!((own.names.as_slice(), own.danger_classical), (&["a.b.svc".to_owned()][..], false));
    for (tls, more, why) in [
        (names.to_owned(), "", "there is no [platform]"),
        (format!("{names}{files}"), platform, "two places for one certificate"),
        ("names = [\"a.b.svc\"]\n".to_owned(), platform, "without anchors_file"),
        (String::new(), platform, "neither names"),
        (format!("{files}danger_classical = true\n"), platform, "of certificates that the platform issues"),
        ("certificate_file = \"a.pem\"\n".to_owned(), platform, "go together"),
    ] {
        let error = format!("{:#}", read(&tls, more).unwrap_err());
        assert!(error.contains(why), "{tls}: {error}");
    }
}

#[test]
fn the_sample_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    Config::load(&root.join("deploy/admission/admission.toml")).unwrap();
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (more, why) in [
        ("[webhooks]", "unknown field"),
        ("[cache]\nfresh_s = 10\nstale_s = 5", "stale_s is less"),
        ("[cache]\nrefused_s = 10\nfresh_s = 5", "refused_s is more"),
        ("[cache]\nstale_s = 1000000", "more than a week"),
        ("[cache]\nentries = 0", "entries is 0"),
        ("[cache]\nmemory_bytes = 0", "memory_bytes is 0"),
        ("[registry]\nlookups = 0", "lookups is 0"),
        ("[mutation]\npin = \"deployments\"", "unknown variant"),
        ("[[kinds]]\ngroup = \"apps\"\nkind = \"Deployment\"\npods = []", "of a group of Kubernetes itself"),
        ("[[kinds]]\ngroup = \"x.example\"\nkind = \"A\"\npods = [\"spec\"]", "no JSON pointer"),
        ("[[kinds]]\ngroup = \"x.example\"\nkind = \"A\"", "missing field `pods`"),
    ] {
        let error = format!("{:#}", Config::parse(&format!("{LEAST}{more}\n")).unwrap_err());
        assert!(error.contains(why), "{more}: {error}");
    }
    for (line, instead, why) in [
        ("listen = \"0.0.0.0:8443\"", "listen = \"0.0.0.0:8443\"\nbudget_ms = 30000", "budget_ms"),
        ("listen = \"0.0.0.0:8443\"", "listen = \"0.0.0.0:8443\"\nbody_bytes = 1000", "body_bytes"),
        ("listen = \"0.0.0.0:8443\"", "listen = \"0.0.0.0:8443\"\nmemory_bytes = 1000", "memory_bytes"),
        ("key_file", "classical_key_file = \"b\"\nkey_file", "go together"),
    ] {
        let error = format!("{:#}", Config::parse(&LEAST.replacen(line, instead, 1)).unwrap_err());
        assert!(error.contains(why), "{instead}: {error}");
    }
}
