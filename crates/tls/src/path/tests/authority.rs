//! Authorities and certificates for tests, and one way to judge them.

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Seeded;
use crypto::x509::{
    Certificate, Crl, DistinguishedName, KeyUsage, Purpose, RevocationList, Revoked, Role, SerialNumber, Statement,
};

use super::super::{Expectation, Reason, Trust, Verified, verify};

pub(super) const NOW: i64 = 1_764_000_000;
pub(super) const DAY: i64 = 86_400;

/// A key with a name that can issue.
pub(super) struct Issuer {
    pub(super) key: PrivateKey,
    pub(super) name: DistinguishedName,
}

impl Issuer {
    pub(super) fn new(name: &str) -> Self {
        Self::of(Algorithm::MlDsa65, name)
    }

    pub(super) fn of(algorithm: Algorithm, name: &str) -> Self {
        let key = PrivateKey::generate(algorithm, &Seeded::new(name.as_bytes())).unwrap();
        Self { key, name: format!("CN={name}").parse().unwrap() }
    }

    /// What this one says of another authority, or of itself.
    pub(super) fn authority(&self, subject: &Issuer) -> Statement {
        Statement {
            subject: subject.name.clone(),
            key: subject.key.public_key().unwrap(),
            role: Role::Authority { path_len: None },
            key_usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
            purposes: Vec::new(),
            alt_names: Vec::new(),
            no_rev_avail: false,
            ..self.leaf(&subject.key)
        }
    }

    /// What this one says of a service.
    pub(super) fn leaf(&self, key: &PrivateKey) -> Statement {
        Statement {
            serial_number: SerialNumber::draw(&Seeded::new(b"serial")),
            issuer: self.name.clone(),
            subject: "CN=users-api".parse().unwrap(),
            not_before: NOW - DAY,
            not_after: NOW + DAY,
            key: key.public_key().unwrap(),
            role: Role::EndEntity,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            purposes: vec![Purpose::ServerAuth, Purpose::ClientAuth],
            alt_names: ["users-api", "users-api.users.svc", "IP:10.0.0.1", "URI:spiffe://td/ns/users/sa/users-api"]
                .map(|name| name.parse().unwrap())
                .to_vec(),
            permitted_dns: Vec::new(),
            policies: Vec::new(),
            no_rev_avail: true,
            crl_urls: Vec::new(),
            issuer_urls: Vec::new(),
        }
    }

    pub(super) fn sign(&self, statement: &Statement) -> Certificate {
        Certificate::parse(&statement.sign(&self.key, &Seeded::new(b"")).unwrap()).unwrap()
    }

    pub(super) fn root(&self) -> Certificate {
        self.sign(&self.authority(self))
    }

    pub(super) fn revocation_list(&self, revoked: Vec<Revoked>, this_update: i64) -> Crl {
        let list = RevocationList {
            issuer: self.name.clone(),
            this_update,
            next_update: this_update + DAY,
            number: 1,
            revoked,
        };
        Crl::parse(&list.sign(&self.key, &Seeded::new(b"")).unwrap()).unwrap()
    }
}

/// Root, issuing authority and a service below it.
pub(super) struct Chain {
    pub(super) root: Issuer,
    pub(super) issuing: Issuer,
    pub(super) service: Issuer,
}

impl Chain {
    pub(super) fn new() -> Self {
        let root = Issuer::of(Algorithm::MlDsa87, "root");
        Self { root, issuing: Issuer::new("issuing"), service: Issuer::new("service") }
    }

    pub(super) fn intermediate(&self) -> Certificate {
        self.root.sign(&self.root.authority(&self.issuing))
    }

    pub(super) fn leaf(&self) -> Certificate {
        self.issuing.sign(&self.issuing.leaf(&self.service.key))
    }

    pub(super) fn trust(&self) -> Trust {
        Trust { anchors: vec![self.root.root()], ..Trust::default() }
    }
}

pub(super) fn expectation() -> Expectation {
    Expectation::peer(Purpose::ServerAuth)
}

/// The verdict, reduced to the word of its reason.
pub(super) fn reason(
    leaf: &Certificate,
    intermediates: &[Certificate],
    trust: &Trust,
    expectation: &Expectation,
) -> Result<Verified, Reason> {
    verify(leaf, intermediates, trust, expectation, NOW).map_err(|refusal| {
        assert!(!refusal.clause.is_empty() && !refusal.detail.is_empty());
        refusal.reason
    })
}
