use super::*;
use crate::algorithm::Algorithm;
use crate::key::PrivateKey;
use crate::random::{Random as _, Seeded};

const NOT_BEFORE: i64 = 1_764_000_000;
const DAY: i64 = 86_400;

fn key(algorithm: Algorithm, seed: &[u8]) -> PrivateKey {
    PrivateKey::generate(algorithm, &Seeded::new(seed)).unwrap()
}

fn leaf(key: &PrivateKey) -> Statement {
    Statement {
        serial_number: SerialNumber::draw(&Seeded::new(b"serial")),
        issuer: "CN=Issuing,O=qapi".parse().unwrap(),
        subject: "CN=users-api,O=users-api,C=EU".parse().unwrap(),
        not_before: NOT_BEFORE,
        not_after: NOT_BEFORE + DAY,
        key: key.public_key().unwrap(),
        role: Role::EndEntity,
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        purposes: vec![Purpose::ServerAuth, Purpose::ClientAuth],
        alt_names: ["users-api", "IP:10.0.0.1", "URI:spiffe://qapi.internal/ns/default/sa/users-api", "a@example.org"]
            .map(|name| name.parse().unwrap())
            .to_vec(),
        permitted_dns: Vec::new(),
        policies: Vec::new(),
        no_rev_avail: true,
        crl_urls: Vec::new(),
        issuer_urls: vec!["https://qapi.example/api/v1/ca/certificate".to_owned()],
    }
}

fn authority(key: &PrivateKey) -> Statement {
    Statement {
        subject: "CN=Issuing,O=qapi".parse().unwrap(),
        not_after: NOT_BEFORE + 400 * DAY,
        role: Role::Authority { path_len: Some(0) },
        key_usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
        purposes: Vec::new(),
        alt_names: Vec::new(),
        permitted_dns: vec!["users-api".to_owned(), "svc.cluster.local".to_owned()],
        no_rev_avail: false,
        crl_urls: vec!["https://qapi.example/api/v1/cas/1/crl".to_owned()],
        policies: vec!["1.3.6.1.4.1.62253.1".parse().unwrap()],
        ..leaf(key)
    }
}

#[test]
fn what_is_stated_reads_back_under_every_signing_algorithm() {
    let random = Seeded::new(b"sign");
    for algorithm in
        [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87, Algorithm::EcdsaP256, Algorithm::EcdsaP384]
    {
        let (issuer, subject) = (key(algorithm, b"issuer"), key(algorithm, b"subject"));
        let stated = leaf(&subject);
        let certificate = Certificate::parse(&stated.sign(&issuer, &random).unwrap()).unwrap();
        assert_eq!(certificate.signature_algorithm(), Some(algorithm));
        assert!(certificate.is_signed_by(&issuer.public_key().unwrap()));
        assert!(!certificate.is_signed_by(&subject.public_key().unwrap()));
        assert_eq!(certificate.serial_number(), &stated.serial_number);
        assert_eq!(certificate.subject().to_string(), "CN=users-api,O=users-api,C=EU");
        assert_eq!(certificate.issuer(), &stated.issuer);
        assert_eq!((certificate.not_before(), certificate.not_after()), (stated.not_before, stated.not_after));
        assert_eq!(certificate.public_key(), Some(&stated.key));
        let names: Vec<_> = certificate.alt_names().iter().filter_map(GeneralName::as_alt_name).collect();
        assert_eq!(names, stated.alt_names);
        let extensions = certificate.extensions();
        assert_eq!(certificate.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
        assert_eq!(extensions.purposes.as_ref().unwrap().value, stated.purposes);
        assert!(extensions.no_rev_avail.is_some() && !certificate.is_ca());
        assert_eq!(extensions.issuer_urls.as_ref().unwrap().value, stated.issuer_urls);
        assert_eq!(certificate.authority_key_id(), Some(&KeyId::of(&issuer.public_key().unwrap())));
        assert_eq!(certificate.subject_key_id(), Some(&KeyId::of(&stated.key)));
        assert!(!extensions.alt_names.as_ref().unwrap().critical);
    }
}

#[test]
fn an_authority_is_limited_in_depth_and_names() {
    let issuer = key(Algorithm::MlDsa87, b"root");
    let stated = authority(&key(Algorithm::MlDsa65, b"issuing"));
    let certificate = Certificate::parse(&stated.sign(&issuer, &Seeded::new(b"")).unwrap()).unwrap();
    let extensions = certificate.extensions();
    let constraints = extensions.basic_constraints.as_ref().unwrap();
    assert!(constraints.critical);
    assert_eq!(constraints.value, BasicConstraints { is_ca: true, path_len: Some(0) });
    let names = extensions.name_constraints.as_ref().unwrap();
    assert!(names.critical);
    let permitted: Vec<_> = names.value.permitted.iter().map(ToString::to_string).collect();
    assert_eq!(permitted, ["DNS:users-api", "DNS:svc.cluster.local"]);
    assert_eq!(extensions.crl_urls.as_ref().unwrap().value, stated.crl_urls);
    assert_eq!(extensions.policies.as_ref().unwrap().value, stated.policies);
}

#[test]
fn statements_that_no_standard_allows_are_not_signed() {
    let issuer = key(Algorithm::MlDsa65, b"issuer");
    let good = leaf(&issuer);
    let ca = authority(&issuer);
    let bad = [
        Statement { key_usage: KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT, ..good.clone() },
        Statement { key_usage: KeyUsage::default(), ..good.clone() },
        Statement { key_usage: KeyUsage::KEY_CERT_SIGN, ..good.clone() },
        Statement { key_usage: KeyUsage::DIGITAL_SIGNATURE, ..ca.clone() },
        Statement { subject: DistinguishedName::default(), ..ca.clone() },
        Statement { issuer: DistinguishedName::default(), ..good.clone() },
        Statement { subject: DistinguishedName::default(), alt_names: Vec::new(), ..good.clone() },
        Statement { no_rev_avail: true, ..ca },
        Statement { crl_urls: vec!["https://a.example/crl".to_owned()], ..good.clone() },
        Statement { permitted_dns: vec!["a".to_owned()], ..good.clone() },
        Statement { not_after: good.not_before - 1, ..good.clone() },
        Statement { serial_number: SerialNumber::from_bytes(&[0]), ..good.clone() },
        Statement { serial_number: SerialNumber::from_bytes(&[0x80; 16]), ..good.clone() },
        Statement { serial_number: SerialNumber::from_bytes(&[1; 21]), ..good.clone() },
        Statement { issuer_urls: vec!["not a url".to_owned()], ..good.clone() },
    ];
    for (place, statement) in bad.iter().enumerate() {
        assert!(statement.sign(&issuer, &Seeded::new(b"")).is_err(), "row {place}");
    }
    let nameless = Statement { subject: DistinguishedName::default(), ..good };
    let certificate = Certificate::parse(&nameless.sign(&issuer, &Seeded::new(b"")).unwrap()).unwrap();
    assert!(certificate.extensions().alt_names.as_ref().unwrap().critical);
}

#[test]
fn a_revocation_list_reads_back() {
    let issuer = key(Algorithm::MlDsa65, b"issuer");
    let revoked = |serial: u8, reason| Revoked {
        serial_number: SerialNumber::from_bytes(&[serial; 16]),
        revoked_at: NOT_BEFORE,
        reason,
    };
    for entries in [vec![], vec![revoked(1, Reason::Unspecified), revoked(2, Reason::KeyCompromise)]] {
        let stated = RevocationList {
            issuer: "CN=Issuing".parse().unwrap(),
            this_update: NOT_BEFORE,
            next_update: NOT_BEFORE + DAY,
            number: 300,
            revoked: entries,
        };
        let list = Crl::parse(&stated.sign(&issuer, &Seeded::new(b"")).unwrap()).unwrap();
        assert!(list.is_signed_by(&issuer.public_key().unwrap()));
        assert_eq!(list.revoked(), stated.revoked);
        assert_eq!((list.this_update(), list.next_update()), (stated.this_update, Some(stated.next_update)));
        assert_eq!(list.number(), Some([1, 44].as_slice()));
        assert_eq!((list.scope(), list.unknown().len()), (CrlScope::Full, 0));
        assert_eq!(list.authority_key_id(), Some(&KeyId::of(&issuer.public_key().unwrap())));
        assert_eq!(list.entry(&SerialNumber::from_bytes(&[2; 16])).is_some(), !stated.revoked.is_empty());
        assert!(RevocationList { next_update: NOT_BEFORE, ..stated }.sign(&issuer, &Seeded::new(b"")).is_err());
    }
}

#[test]
fn a_request_reads_back_and_proves_possession() {
    for algorithm in [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87, Algorithm::EcdsaP256] {
        let private = key(algorithm, b"subject");
        let asked = Request {
            subject: "CN=users-api".parse().unwrap(),
            alt_names: vec!["DNS:users-api".parse().unwrap()],
            key_usage: KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT,
            purposes: vec![Purpose::ClientAuth],
        };
        let der = asked.sign(&private, &Seeded::new(b"")).unwrap();
        let request = SigningRequest::parse(&der).unwrap();
        assert_eq!(request.public_key(), &private.public_key().unwrap());
        assert_eq!(request.subject(), &asked.subject);
        assert_eq!(request.key_usage(), Some(asked.key_usage));
        assert_eq!(request.purposes(), asked.purposes);
        assert_eq!(request.alt_names(), [GeneralName::Dns("users-api".to_owned())]);
        assert!(request.ignored().is_empty());
        let forged: Vec<u8> = der
            .windows(9)
            .position(|w| w == b"users-api")
            .map(|at| {
                let mut forged = der.clone();
                forged[at] = b'x';
                forged
            })
            .unwrap();
        assert_eq!(SigningRequest::parse(&forged).unwrap_err().clause, "RFC 2986 4.2");
        let bare = SigningRequest::parse(&Request::default().sign(&private, &Seeded::new(b"")).unwrap()).unwrap();
        assert!(bare.subject().is_empty() && bare.alt_names().is_empty() && bare.key_usage().is_none());
    }
}

/// Every parser, fed good encodings with bytes changed, cut, added and doubled: a verdict each time, never a panic, and
/// nothing that was changed keeps its signature.
#[test]
fn mutated_encodings_are_refused_or_lose_their_signature() {
    let issuer = key(Algorithm::EcdsaP256, b"issuer");
    let public = issuer.public_key().unwrap();
    let list = RevocationList {
        issuer: "CN=Issuing".parse().unwrap(),
        this_update: NOT_BEFORE,
        next_update: NOT_BEFORE + DAY,
        number: 1,
        revoked: vec![Revoked {
            serial_number: SerialNumber::from_bytes(&[9]),
            revoked_at: NOT_BEFORE,
            reason: Reason::Superseded,
        }],
    };
    let request =
        Request { subject: "CN=a".parse().unwrap(), alt_names: vec!["a".parse().unwrap()], ..Request::default() };
    let random = Seeded::new(b"mutations");
    let originals = [
        leaf(&issuer).sign(&issuer, &random).unwrap(),
        authority(&issuer).sign(&issuer, &random).unwrap(),
        list.sign(&issuer, &random).unwrap(),
        request.sign(&issuer, &random).unwrap(),
    ];
    for original in &originals {
        for _ in 0..4000 {
            let mutated = mutate(original, &random);
            let signed = Certificate::parse(&mutated).is_ok_and(|certificate| certificate.is_signed_by(&public));
            let listed = Crl::parse(&mutated).is_ok_and(|list| list.is_signed_by(&public));
            let asked = SigningRequest::parse(&mutated).is_ok();
            assert!(mutated == *original || !(signed || listed || asked), "{mutated:02x?}");
        }
    }
}

fn mutate(original: &[u8], random: &Seeded) -> Vec<u8> {
    let mut draw = [0; 8];
    random.fill(&mut draw);
    let [kind, count, high, low, value, ..] = draw;
    let mut bytes = original.to_vec();
    let mut at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
    match kind % 5 {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, value),
        2 => bytes.extend_from_slice(&original[at..]),
        3 => drop(bytes.remove(at)),
        _ => {
            for step in 0..=count % 4 {
                bytes[at] ^= value.max(1).rotate_left(step.into());
                at = (at * 31 + 7) % bytes.len();
            }
        }
    }
    bytes
}

#[test]
fn table_of_names() {
    for (text, shown) in [
        ("DNS:Users-API", Some("DNS:users-api")),
        ("users-api.svc", Some("DNS:users-api.svc")),
        ("*.example.org", Some("DNS:*.example.org")),
        ("a_b.example", Some("DNS:a_b.example")),
        ("10.0.0.1", Some("IP:10.0.0.1")),
        ("ip:::1", Some("IP:::1")),
        ("::1", Some("IP:::1")),
        ("spiffe://td/ns/a", Some("URI:spiffe://td/ns/a")),
        ("a@Example.org", Some("EMAIL:a@example.org")),
        ("", None),
        ("a..b", None),
        ("a.", None),
        (".a", None),
        ("-a", None),
        ("*", None),
        ("a.*.b", None),
        ("f*o.example", None),
        ("DNS:größe", None),
        ("DNS:a b", None),
        ("IP:1.2.3", None),
        ("URI:no", None),
        ("URI:a://b c", None),
        ("@example.org", None),
        ("EMAIL:a@b@c", None),
    ] {
        assert_eq!(text.parse::<AltName>().ok().map(|name| name.to_string()).as_deref(), shown, "{text}");
    }
}

#[test]
fn table_of_distinguished_names() {
    for (text, shown) in [
        ("CN=users-api,O=users-api,C=EU", Some("CN=users-api,O=users-api,C=EU")),
        ("C=DE, O=Größe \\, GmbH ,CN=a", Some("C=DE,O=Größe \\, GmbH,CN=a")),
        ("E=a@b.example", Some("emailAddress=a@b.example")),
        ("", Some("")),
        ("CN", None),
        ("CN=", None),
        ("X=1", None),
        ("C=EUR", None),
        ("C=E1", None),
        ("CN=a\u{7}b", None),
    ] {
        let name = text.parse::<DistinguishedName>().ok();
        assert_eq!(name.map(|name| name.to_string()).as_deref(), shown, "{text}");
    }
    let name = |text: &str| text.parse::<DistinguishedName>().unwrap();
    assert!(name("CN=Some  Name,O=X").matches(&name("CN=some name,O=x")));
    assert!(!name("CN=a,O=b").matches(&name("O=b,CN=a")));
    assert!(name("O=x,CN=y").is_within(&name("O=x")));
    assert!(!name("O=x").is_within(&name("O=x,CN=y")));
}

#[test]
fn serial_numbers_are_positive_of_one_length_and_read_back() {
    let random = Seeded::new(b"numbers");
    for _ in 0..100 {
        let number = SerialNumber::draw(&random);
        assert!(number.is_conforming() && number.as_bytes().len() == 16);
        assert_eq!(number.to_string().parse(), Ok(number));
    }
    for bad in ["", "1", "xy", "00:1", &"ff".repeat(22)] {
        assert!(bad.parse::<SerialNumber>().is_err(), "{bad}");
    }
    assert_eq!("0A:ff".parse(), Ok(SerialNumber::from_bytes(&[10, 255])));
}

#[test]
fn serial_numbers_in_order_rise_with_time_and_differ_within_a_moment() {
    let random = Seeded::new(b"numbers");
    let times = [i64::MIN, 0, 1, 1_764_000_000_000, 1_764_000_000_001, (1 << 46) - 1, i64::MAX];
    let drawn: Vec<_> = times.iter().map(|millis| SerialNumber::in_order(*millis, &random)).collect();
    // All are written in as many octets and digits: no first octet is a zero or a sign, no first digit a zero.
    assert!(drawn.iter().all(|number| number.is_conforming() && number.as_bytes().len() == 16));
    assert!(drawn.iter().all(|number| (0x40..0x80).contains(&number.as_bytes()[0])));
    assert!((1..5).all(|place| drawn[place] < drawn[place + 1]));
    let same = SerialNumber::in_order(1_764_000_000_000, &random);
    assert_eq!((&same.as_bytes()[..6], same != drawn[3]), (&drawn[3].as_bytes()[..6], true));
}

#[test]
fn table_of_usages() {
    assert_eq!("DigitalSignature".parse(), Ok(KeyUsage::DIGITAL_SIGNATURE));
    assert_eq!("key_encipherment".parse(), Ok(KeyUsage::KEY_ENCIPHERMENT));
    assert_eq!("contentCommitment".parse(), Ok(KeyUsage::NON_REPUDIATION));
    assert!("everything".parse::<KeyUsage>().is_err());
    let both = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT;
    assert_eq!(both.forbidden_for_ml_dsa().to_string(), "keyEncipherment");
    assert_eq!(both.without(KeyUsage::KEY_ENCIPHERMENT), KeyUsage::DIGITAL_SIGNATURE);
    assert_eq!("ServerAuth".parse(), Ok(Purpose::ServerAuth));
    assert_eq!("1.3.6.1.5.5.7.3.2".parse(), Ok(Purpose::ClientAuth));
}

#[test]
fn a_bundle_of_pem_blocks_is_read_whole_or_not_at_all() {
    let text = format!("first\n{}between\n{}", pem::encode(pem::CERTIFICATE, b"one"), pem::encode(pem::CRL, b"two"));
    let blocks = pem::blocks(&text).unwrap();
    assert_eq!(blocks.iter().map(|block| block.der.as_slice()).collect::<Vec<_>>(), [b"one", b"two"]);
    assert!(pem::blocks(&text.replace("-----END X509 CRL-----", "")).is_err());
    assert!(pem::blocks(&text.replace("b25l", "b2*l")).is_err());
    assert_eq!(pem::blocks("nothing").unwrap(), []);
}

#[test]
fn certificates_behind_each_other_are_read_or_none_is() {
    let random = Seeded::new(b"sign");
    let issuer = key(Algorithm::MlDsa65, b"issuer");
    let certificates = [leaf(&issuer), authority(&issuer)].map(|stated| stated.sign(&issuer, &random).unwrap());
    let read =
        |bytes: &[u8]| Certificate::parse_all(bytes).map(|all| all.iter().map(|one| one.der().to_vec()).collect());
    assert_eq!(read(&[]), Ok(Vec::<Vec<u8>>::new()));
    assert_eq!(read(&certificates[0]), Ok(vec![certificates[0].clone()]));
    let both = certificates.concat();
    assert_eq!(read(&both), Ok(certificates.to_vec()));
    for wrong in [&both[..both.len() - 1], &[both.as_slice(), &[0]].concat(), &[both.as_slice(), &[0x30, 0]].concat()] {
        assert!(read(wrong).is_err());
    }
}
