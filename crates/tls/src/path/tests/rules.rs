use crypto::algorithm::Algorithm;
use crypto::random::{Random as _, Seeded};
use crypto::x509::{Certificate, KeyId, KeyUsage, Purpose, Reason as Why, Revoked, Role, Statement};

use super::super::{Floor, MAX_INTERMEDIATES, Name, Reason, Trust, verify};
use super::authority::{Chain, DAY, Issuer, NOW, expectation, reason};

#[test]
fn a_path_leads_to_a_root_or_to_any_trusted_authority() {
    let chain = Chain::new();
    let (leaf, intermediate) = (chain.leaf(), chain.intermediate());
    let trust = chain.trust();
    let verified = reason(&leaf, std::slice::from_ref(&intermediate), &trust, &expectation()).unwrap();
    assert_eq!(verified.path, [leaf.clone(), intermediate.clone(), trust.anchors[0].clone()]);
    assert_eq!(verified.spiffe_id.unwrap().as_str(), "spiffe://td/ns/users/sa/users-api");
    assert_eq!(verified.dns_names, ["users-api", "users-api.users.svc"]);
    for anchor in [intermediate.clone(), chain.issuing.root()] {
        let trust = Trust { anchors: vec![anchor.clone()], ..Trust::default() };
        assert_eq!(reason(&leaf, &[], &trust, &expectation()).unwrap().path, [leaf.clone(), anchor]);
    }
    let other = Trust { anchors: vec![Issuer::new("other").root()], ..Trust::default() };
    assert_eq!(reason(&leaf, &[intermediate], &other, &expectation()).unwrap_err(), Reason::NoPath);
    assert_eq!(reason(&leaf, &[], &Trust::default(), &expectation()).unwrap_err(), Reason::NoPath);
}

#[test]
fn the_same_name_with_another_key_is_no_issuer() {
    let chain = Chain::new();
    let impostor = Issuer { key: Issuer::new("impostor").key, name: chain.issuing.name.clone() };
    let trust = Trust { anchors: vec![impostor.root()], ..Trust::default() };
    assert_eq!(reason(&chain.leaf(), &[], &trust, &expectation()).unwrap_err(), Reason::BadSignature);
    let trust = Trust { anchors: vec![impostor.root(), chain.issuing.root()], ..Trust::default() };
    assert!(reason(&chain.leaf(), &[], &trust, &expectation()).is_ok());
}

#[test]
fn table_of_service_certificates() {
    let chain = Chain::new();
    let good = || chain.issuing.leaf(&chain.service.key);
    let rows: Vec<(Statement, Reason)> = vec![
        (Statement { not_after: NOW - 1, ..good() }, Reason::Expired),
        (Statement { not_before: NOW + 1, ..good() }, Reason::NotYetValid),
        (Statement { purposes: vec![Purpose::ClientAuth], ..good() }, Reason::WrongPurpose),
        (Statement { purposes: vec![Purpose::ServerAuth, Purpose::Any], ..good() }, Reason::WrongPurpose),
        (Statement { key_usage: KeyUsage::NON_REPUDIATION, ..good() }, Reason::WrongKeyUsage),
        (Statement { alt_names: vec!["DNS:a_b.example".parse().unwrap()], ..good() }, Reason::NotConforming),
    ];
    for (statement, expected) in rows {
        let verdict = reason(&chain.issuing.sign(&statement), &[chain.intermediate()], &chain.trust(), &expectation());
        assert_eq!(verdict.unwrap_err(), expected);
    }
    for edge in [Statement { not_after: NOW, ..good() }, Statement { not_before: NOW, ..good() }] {
        assert!(reason(&chain.issuing.sign(&edge), &[chain.intermediate()], &chain.trust(), &expectation()).is_ok());
    }
}

#[test]
fn table_of_authorities() {
    let chain = Chain::new();
    let good = || chain.root.authority(&chain.issuing);
    let service = |statement| Statement { role: Role::EndEntity, key_usage: KeyUsage::DIGITAL_SIGNATURE, ..statement };
    let rows: Vec<(Statement, Result<(), Reason>)> = vec![
        (good(), Ok(())),
        (Statement { not_after: NOW - 1, ..good() }, Err(Reason::Expired)),
        (service(good()), Err(Reason::NotAnAuthority)),
        (Statement { purposes: vec![Purpose::ClientAuth], ..good() }, Err(Reason::WrongPurpose)),
        (Statement { purposes: vec![Purpose::ServerAuth], ..good() }, Ok(())),
        (Statement { permitted_dns: vec!["users-api".into(), "svc".into()], ..good() }, Ok(())),
        (Statement { permitted_dns: vec!["users-api".into()], ..good() }, Err(Reason::NameConstraint)),
        (Statement { permitted_dns: vec!["api".into(), "svc".into()], ..good() }, Err(Reason::NameConstraint)),
    ];
    for (statement, expected) in rows {
        let intermediate = chain.root.sign(&statement);
        let verdict = reason(&chain.leaf(), &[intermediate], &chain.trust(), &expectation());
        assert_eq!(verdict.map(drop), expected, "{statement:?}");
    }
    let root = Statement { role: Role::Authority { path_len: Some(0) }, ..chain.root.authority(&chain.root) };
    let trust = Trust { anchors: vec![chain.root.sign(&root)], ..Trust::default() };
    let verdict = reason(&chain.leaf(), &[chain.intermediate()], &trust, &expectation());
    assert_eq!(verdict.unwrap_err(), Reason::PathTooLong);
}

#[test]
fn table_of_expected_names() {
    let chain = Chain::new();
    let wildcard = Statement {
        alt_names: vec!["*.example.org".parse().unwrap(), "DNS:*.com".parse().unwrap()],
        ..chain.issuing.leaf(&chain.service.key)
    };
    let (plain, wild) = (chain.leaf(), chain.issuing.sign(&wildcard));
    let dns = |name: &str| vec![Name::Dns(name.to_owned())];
    let spiffe = |id: &str| vec![Name::Spiffe(id.parse().unwrap())];
    let rows = [
        (&plain, dns("users-api"), true),
        (&plain, dns("Users-API."), true),
        (&plain, dns("users"), false),
        (&plain, dns("10.0.0.1"), false),
        (&plain, dns(""), false),
        (&plain, vec![Name::Ip("10.0.0.1".parse().unwrap())], true),
        (&plain, vec![Name::Ip("10.0.0.2".parse().unwrap())], false),
        (&plain, spiffe("spiffe://td/ns/users/sa/users-api"), true),
        (&plain, spiffe("spiffe://td/ns/users/sa/Users-api"), false),
        (&plain, vec![Name::TrustDomain("td".parse().unwrap())], true),
        (&plain, vec![Name::TrustDomain("t".parse().unwrap())], false),
        (&plain, [dns("users-api"), spiffe("spiffe://td/ns/users/sa/users-api")].concat(), true),
        (&plain, [dns("users-api"), spiffe("spiffe://td/other")].concat(), false),
        (&wild, dns("a.example.org"), true),
        (&wild, dns("a.b.example.org"), false),
        (&wild, dns("example.org"), false),
        (&wild, dns("a.com"), false),
        (&wild, dns("*.example.org"), false),
        (&wild, spiffe("spiffe://td/a"), false),
    ];
    let trust = Trust { anchors: vec![chain.issuing.root()], ..Trust::default() };
    for (leaf, names, accepted) in rows {
        let expectation = super::super::Expectation { names: names.clone(), ..expectation() };
        assert_eq!(reason(leaf, &[], &trust, &expectation).is_ok(), accepted, "{names:?}");
    }
}

#[test]
fn a_service_has_one_uri_and_is_no_authority() {
    let chain = Chain::new();
    let trust = Trust { anchors: vec![chain.issuing.root()], ..Trust::default() };
    let wanted = Name::TrustDomain("td".parse().unwrap());
    let expectation = super::super::Expectation { names: vec![wanted], usage: KeyUsage::default(), ..expectation() };
    let two = Statement {
        alt_names: vec!["URI:spiffe://td/a".parse().unwrap(), "URI:spiffe://td/b".parse().unwrap()],
        ..chain.issuing.leaf(&chain.service.key)
    };
    assert_eq!(reason(&chain.issuing.sign(&two), &[], &trust, &expectation).unwrap_err(), Reason::WrongName);
    let authority =
        Statement { alt_names: vec!["URI:spiffe://td/a".parse().unwrap()], ..chain.issuing.authority(&chain.service) };
    assert_eq!(reason(&chain.issuing.sign(&authority), &[], &trust, &expectation).unwrap_err(), Reason::WrongKeyUsage);
}

#[test]
fn the_floor_holds_for_every_key_of_the_path() {
    let rows = [
        (Algorithm::MlDsa65, Algorithm::MlDsa44, Floor::MlDsa65, false),
        (Algorithm::MlDsa44, Algorithm::MlDsa65, Floor::MlDsa65, false),
        (Algorithm::MlDsa44, Algorithm::MlDsa65, Floor::MlDsa44, true),
        (Algorithm::MlDsa87, Algorithm::MlDsa87, Floor::MlDsa87, true),
        (Algorithm::MlDsa87, Algorithm::MlDsa65, Floor::MlDsa87, false),
        (Algorithm::EcdsaP256, Algorithm::EcdsaP256, Floor::MlDsa44, false),
        (Algorithm::EcdsaP384, Algorithm::EcdsaP256, Floor::DangerClassical, true),
    ];
    for (issuer, subject, floor, accepted) in rows {
        let (issuer, subject) = (Issuer::of(issuer, "issuer"), Issuer::of(subject, "subject"));
        let leaf = issuer.sign(&issuer.leaf(&subject.key));
        let trust = Trust { anchors: vec![issuer.root()], floor, ..Trust::default() };
        let verdict = reason(&leaf, &[], &trust, &expectation()).map(drop);
        assert_eq!(verdict, if accepted { Ok(()) } else { Err(Reason::AlgorithmRefused) }, "{floor:?}");
    }
}

#[test]
fn what_was_taken_back_is_refused() {
    let chain = Chain::new();
    let stated = Statement { no_rev_avail: false, ..chain.issuing.leaf(&chain.service.key) };
    let (leaf, short_lived) = (chain.issuing.sign(&stated), chain.leaf());
    let revoked = |certificate: &Certificate| Revoked {
        serial_number: certificate.serial_number().clone(),
        revoked_at: NOW,
        reason: Why::KeyCompromise,
    };
    let impostor = Issuer { key: Issuer::new("impostor").key, name: chain.issuing.name.clone() };
    let good = chain.issuing.revocation_list(Vec::new(), NOW);
    let rows = [
        (&leaf, vec![good.clone()], Ok(())),
        (&leaf, vec![], Ok(())),
        (&leaf, vec![chain.issuing.revocation_list(vec![revoked(&leaf)], NOW)], Err(Reason::Revoked)),
        (&leaf, vec![good.clone(), chain.issuing.revocation_list(vec![revoked(&leaf)], NOW)], Err(Reason::Revoked)),
        (&leaf, vec![chain.issuing.revocation_list(Vec::new(), NOW - DAY - 1)], Err(Reason::RevocationUnknown)),
        (&leaf, vec![chain.issuing.revocation_list(Vec::new(), NOW + 1)], Err(Reason::RevocationUnknown)),
        (&leaf, vec![chain.root.revocation_list(Vec::new(), NOW)], Err(Reason::RevocationUnknown)),
        (&leaf, vec![impostor.revocation_list(vec![revoked(&leaf)], NOW)], Err(Reason::RevocationUnknown)),
        (&leaf, vec![good, impostor.revocation_list(vec![revoked(&leaf)], NOW)], Ok(())),
        (&short_lived, vec![chain.root.revocation_list(Vec::new(), NOW)], Ok(())),
        (
            &leaf,
            vec![chain.root.revocation_list(vec![revoked(&chain.intermediate())], NOW)],
            Err(Reason::RevocationUnknown),
        ),
        (
            &short_lived,
            vec![chain.root.revocation_list(vec![revoked(&chain.intermediate())], NOW)],
            Err(Reason::Revoked),
        ),
    ];
    for (place, (leaf, crls, expected)) in rows.into_iter().enumerate() {
        let trust = Trust { crls, ..chain.trust() };
        let verdict = reason(leaf, &[chain.intermediate()], &trust, &expectation()).map(drop);
        assert_eq!(verdict, expected, "row {place}");
    }
}

#[test]
fn the_deny_list_has_the_last_word() {
    let chain = Chain::new();
    let key_id = KeyId::of(&chain.issuing.key.public_key().unwrap());
    let other = KeyId::of(&chain.root.key.public_key().unwrap());
    let serial = chain.leaf().serial_number().clone();
    for (id, expected) in [(key_id, Err(Reason::Denied)), (other, Ok(()))] {
        // Root and issuing certificates have the same number here: only together with the issuer is it one certificate's.
        let second = chain.root.sign(&Statement {
            serial_number: crypto::x509::SerialNumber::draw(&Seeded::new(b"another")),
            ..chain.root.authority(&chain.issuing)
        });
        let trust = Trust { denied: [(id, serial.clone())].into_iter().collect(), ..chain.trust() };
        assert_eq!(reason(&chain.leaf(), &[second], &trust, &expectation()).map(drop), expected);
    }
}

#[test]
fn loops_depth_and_work_are_limited() {
    let chain = Chain::new();
    let (a, b) = (Issuer::new("a"), Issuer::new("b"));
    let leaf = a.sign(&a.leaf(&chain.service.key));
    let ring = [a.sign(&a.authority(&b)), b.sign(&b.authority(&a))];
    assert_eq!(reason(&leaf, &ring, &chain.trust(), &expectation()).unwrap_err(), Reason::NoPath);

    let line: Vec<Issuer> = (0..=MAX_INTERMEDIATES + 1).map(|place| Issuer::new(&format!("line {place}"))).collect();
    let links: Vec<Certificate> = line.windows(2).map(|pair| pair[0].sign(&pair[0].authority(&pair[1]))).collect();
    let last = line.last().unwrap();
    let leaf = last.sign(&last.leaf(&chain.service.key));
    let trust = Trust { anchors: vec![line[0].root()], ..Trust::default() };
    assert_eq!(reason(&leaf, &links, &trust, &expectation()).unwrap_err(), Reason::TooDeep);
    let near = Trust { anchors: vec![line[1].root()], ..Trust::default() };
    assert!(reason(&leaf, &links[1..], &near, &expectation()).is_ok());

    // Many certificates of one name: each costs a signature.
    let many: Vec<Certificate> = (0..120u32)
        .map(|place| {
            let impostor = Issuer { key: Issuer::new(&format!("impostor {place}")).key, name: a.name.clone() };
            impostor.root()
        })
        .collect();
    let leaf = a.sign(&a.leaf(&chain.service.key));
    assert_eq!(reason(&leaf, &many, &chain.trust(), &expectation()).unwrap_err(), Reason::TooMuchWork);
    let copies = vec![many[0].clone(); 201];
    assert_eq!(reason(&leaf, &copies, &chain.trust(), &expectation()).unwrap_err(), Reason::TooMuchWork);
}

/// Whatever stands in a certificate, and however a chain is put together: a verdict, never a panic, and none accepted that was
/// changed.
#[test]
fn mutated_chains_are_refused() {
    let chain = Chain {
        root: Issuer::of(Algorithm::EcdsaP256, "root"),
        issuing: Issuer::of(Algorithm::EcdsaP256, "issuing"),
        ..Chain::new()
    };
    let statement =
        Statement { permitted_dns: vec!["users-api".into(), "svc".into()], ..chain.root.authority(&chain.issuing) };
    let originals = [chain.leaf(), chain.root.sign(&statement)];
    let trust = Trust { floor: Floor::DangerClassical, ..chain.trust() };
    let random = Seeded::new(b"mutations");
    let mut parsed = 0;
    for _ in 0..6000 {
        let mut draw = [0; 4];
        random.fill(&mut draw);
        let [which, high, low, value] = draw;
        let mut mutated = originals.clone().map(|certificate| certificate.der().to_vec());
        let bytes = &mut mutated[usize::from(which % 2)];
        let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
        bytes[at] ^= value.max(1);
        let read = mutated.map(|bytes| Certificate::parse(&bytes));
        let [Ok(leaf), Ok(intermediate)] = read else { continue };
        parsed += 1;
        assert!(verify(&leaf, &[intermediate], &trust, &expectation(), NOW).is_err());
    }
    assert!(parsed > 500, "{parsed}");
    let [leaf, intermediate] = originals;
    assert!(verify(&leaf, &[intermediate], &trust, &expectation(), NOW).is_ok());
}
