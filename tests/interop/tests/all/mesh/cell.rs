//! One cell of the matrix: which stack, in which role, and what is wrong with it.

use super::peers::Peer;

/// A row of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// A foreign stack. Ours is at the other end, and has to refuse what is wrong.
    Foreign(Peer),
    /// Ours in a program of its own. It has to refuse what is wrong at the other end, which is ours too where ours can be
    /// made to do it, else OpenSSL.
    Sdk,
    /// Ours beside a program.
    Agent,
}

/// What the row's stack does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Ok,
    Expired,
    NotYetValid,
    WrongCa,
    WrongId,
    NoCertificate,
    ForbiddenUsage,
    BelowFloor,
    Tls12,
    ClassicalGroup,
    Denied,
}

pub const STACKS: [(Stack, &str); 9] = [
    (Stack::Foreign(Peer::OpenSsl), "OpenSSL"),
    (Stack::Foreign(Peer::Node), "Node"),
    (Stack::Foreign(Peer::Nginx), "nginx"),
    (Stack::Foreign(Peer::HaProxy), "HAProxy"),
    (Stack::Foreign(Peer::Envoy), "Envoy"),
    (Stack::Foreign(Peer::PyOpenSsl), "pyOpenSSL"),
    (Stack::Foreign(Peer::Go), "Go"),
    (Stack::Sdk, "our SDK"),
    (Stack::Agent, "our agent"),
];

pub const ROLES: [(Role, &str); 2] = [(Role::Client, "client"), (Role::Server, "server")];

pub const CASES: [(Case, &str); 11] = [
    (Case::Ok, "ok"),
    (Case::Expired, "expired"),
    (Case::NotYetValid, "not yet valid"),
    (Case::WrongCa, "wrong CA"),
    (Case::WrongId, "wrong SPIFFE id"),
    (Case::NoCertificate, "no certificate"),
    (Case::ForbiddenUsage, "forbidden usage"),
    (Case::BelowFloor, "ML-DSA-44 under 65"),
    (Case::Tls12, "TLS 1.2"),
    (Case::ClassicalGroup, "classical group"),
    (Case::Denied, "denied"),
];

/// A cell of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub stack: Stack,
    pub role: Role,
    pub case: Case,
}

impl Cell {
    /// All of them, row by row.
    pub fn all() -> Vec<Self> {
        let rows = STACKS.iter().flat_map(|(stack, _)| ROLES.iter().map(|(role, _)| (*stack, *role)));
        rows.flat_map(|(stack, role)| CASES.iter().map(move |(case, _)| Self { stack, role, case: *case })).collect()
    }

    pub fn name(&self) -> String {
        let stack = STACKS.iter().find(|(stack, _)| *stack == self.stack).map_or("", |(_, name)| name);
        let role = ROLES.iter().find(|(role, _)| *role == self.role).map_or("", |(_, name)| name);
        let case = CASES.iter().find(|(case, _)| *case == self.case).map_or("", |(_, name)| name);
        format!("{stack} as {role}: {case}")
    }
}

impl Case {
    /// The certificate that the wrong end shows, among those of `certificates.py`.
    pub fn leaf(self) -> &'static str {
        match self {
            Self::Ok | Self::NoCertificate | Self::Tls12 | Self::ClassicalGroup => "ok",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongCa => "wrong-ca",
            Self::WrongId => "wrong-id",
            Self::ForbiddenUsage => "forbidden-usage",
            Self::BelowFloor => "ml-dsa-44",
            Self::Denied => "denied",
        }
    }

    pub fn version(self) -> &'static str {
        if self == Self::Tls12 { "1.2" } else { "1.3" }
    }

    pub fn group(self) -> &'static str {
        // TLS 1.2 knows no hybrid groups: Envoy would send an empty list.
        if matches!(self, Self::ClassicalGroup | Self::Tls12) { "X25519" } else { "X25519MLKEM768" }
    }

    /// What our end has to give as its reason. What is settled before certificates are shown reaches a client as an alert.
    pub fn reasons(self, ours: Role) -> &'static [&'static str] {
        match (self, ours) {
            (Self::Ok, _) => &[],
            (Self::Expired, _) => &["expired"],
            (Self::NotYetValid, _) => &["not_yet_valid"],
            (Self::WrongCa, _) => &["no_path", "bad_signature"],
            (Self::WrongId, _) => &["unwelcome"],
            (Self::NoCertificate, _) => &["no_certificate"],
            (Self::ForbiddenUsage, _) => &["forbidden_key_usage"],
            (Self::BelowFloor, _) => &["algorithm_refused"],
            (Self::Tls12, Role::Server) => &["version"],
            (Self::Tls12, Role::Client) => &["version", "refused_by_peer"],
            (Self::ClassicalGroup, Role::Server) => &["group"],
            (Self::ClassicalGroup, Role::Client) => &["group", "refused_by_peer"],
            (Self::Denied, _) => &["denied"],
        }
    }
}
