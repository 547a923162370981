//! `qapi certs verify`: the platform's own judge of certificates (`tls::path`), offline.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use crypto::x509::{Certificate, KeyUsage, Malformed, Purpose};
use domain::time::Timestamp;
use serde_json::json;
use tls::path::{Expectation, Floor, MAX_INTERMEDIATES, Name, Reason, Refusal, Rigor, Trust, Verified};

use super::files;
use super::inspect::instant;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::print::Printer;

#[derive(Args)]
pub struct VerifyInputs {
    /// The certificate; further ones in the same file are taken as intermediates; `-` for standard input
    leaf: PathBuf,
    /// Certificates to trust, roots or others
    #[arg(long, value_name = "FILE", required = true)]
    anchor: Vec<PathBuf>,
    /// Certificates that may stand between
    #[arg(long, value_name = "FILE")]
    intermediate: Vec<PathBuf>,
    /// Revocation lists
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,
    /// A name it must have: dns:NAME, ip:ADDRESS or spiffe:URI; all that are given
    #[arg(long, value_name = "KIND:NAME")]
    name: Vec<String>,
    /// What it is used for; anything unless given
    #[arg(long, value_enum)]
    purpose: Option<PurposeWord>,
    /// The time to judge at, RFC 3339; now unless given
    #[arg(long, value_name = "WHEN")]
    time: Option<String>,
    /// Intermediates at most
    #[arg(long, value_name = "N", default_value_t = MAX_INTERMEDIATES)]
    max_depth: usize,
    /// The weakest algorithm to accept
    #[arg(long, value_enum, default_value_t = FloorWord::MlDsa44)]
    floor: FloorWord,
    /// Accept elliptic curves, which a quantum computer breaks
    #[arg(long, conflicts_with = "floor")]
    danger_classical: bool,
    /// Also apply the rules of the public web, and what RFC 5280 only recommends
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum PurposeWord {
    /// A server's
    Server,
    /// A client's
    Client,
}

#[derive(Clone, Copy, ValueEnum)]
enum FloorWord {
    #[value(name = "ml-dsa-44")]
    MlDsa44,
    #[value(name = "ml-dsa-65")]
    MlDsa65,
    #[value(name = "ml-dsa-87")]
    MlDsa87,
}

/// Judges a certificate and says why.
pub fn verify(inputs: &VerifyInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    inputs.refuse_two_standard_inputs()?;
    let expectation = inputs.expectation()?;
    let now = inputs.now()?;
    match inputs.judge(&expectation, now)? {
        Ok(verified) => accepted(&verified, printer),
        Err(refusal) => refused(&refusal, printer),
    }
}

impl VerifyInputs {
    fn refuse_two_standard_inputs(&self) -> Result<(), Failure> {
        let lists = [self.anchor.as_slice(), &self.intermediate, &self.crl, std::slice::from_ref(&self.leaf)];
        let dashes = lists.into_iter().flatten().filter(|path| path.as_path() == Path::new("-")).count();
        if dashes <= 1 {
            return Ok(());
        }
        Err(Failure::unusable("standard input can be only one of the files", "a file for the others"))
    }

    fn expectation(&self) -> Result<Expectation, Failure> {
        let names = self.name.iter().map(|text| name(text)).collect::<Result<_, _>>()?;
        let purpose = self.purpose.map(|word| match word {
            PurposeWord::Server => Purpose::ServerAuth,
            PurposeWord::Client => Purpose::ClientAuth,
        });
        // Whether the key may sign handshakes is for the handshake to ask, and for whoever wants to know everything.
        let usage = if self.strict { KeyUsage::DIGITAL_SIGNATURE } else { KeyUsage::default() };
        Ok(Expectation { purpose, usage, names, max_intermediates: self.max_depth })
    }

    /// In seconds: certificates know no fractions, and an instant within a second is in it.
    fn now(&self) -> Result<i64, Failure> {
        let at = match &self.time {
            None => clock::now(),
            Some(text) => Timestamp::parse_rfc3339(text).map_err(|_| {
                Failure::unusable(format!("{text} is not a time"), "RFC 3339, like 2027-01-31T00:00:00Z")
            })?,
        };
        Ok(at.millis().div_euclid(1000))
    }

    /// The inner verdict is the certificate's, the outer failure the files'.
    fn judge(&self, expectation: &Expectation, now: i64) -> Result<Result<Verified, Refusal>, Failure> {
        let mut leaves = files::certificates(&self.leaf)?.into_iter();
        let leaf = leaves.next();
        let mut given = Given::default();
        let anchors = given.read(&self.anchor)?;
        let mut intermediates = given.readable(leaves);
        intermediates.extend(given.read(&self.intermediate)?);
        let mut crls = Vec::new();
        for path in &self.crl {
            for list in files::revocation_lists(path)? {
                match list {
                    Ok(list) => crls.push(list),
                    Err(malformed) => return Ok(Err(malformed.into())),
                }
            }
        }
        let leaf = match leaf {
            Some(Ok(leaf)) => leaf,
            Some(Err(malformed)) => return Ok(Err(malformed.into())),
            None => return Err(Failure::unusable("no certificate", "a file with one")),
        };
        let trust = Trust { anchors, crls, floor: self.floor(), rigor: self.rigor(), ..Trust::default() };
        let verdict = tls::path::verify(&leaf, &intermediates, &trust, expectation, now);
        Ok(verdict.map_err(|refusal| given.explain(refusal)))
    }

    fn floor(&self) -> Floor {
        match self.floor {
            _ if self.danger_classical => Floor::DangerClassical,
            FloorWord::MlDsa44 => Floor::MlDsa44,
            FloorWord::MlDsa65 => Floor::MlDsa65,
            FloorWord::MlDsa87 => Floor::MlDsa87,
        }
    }

    fn rigor(&self) -> Rigor {
        if self.strict { Rigor::Pedantic } else { Rigor::Standard }
    }
}

/// What was given beside the certificate in question. One that cannot be read cannot stand in a path, and is the likely reason
/// when there is none.
#[derive(Default)]
struct Given {
    unreadable: Option<Malformed>,
}

impl Given {
    fn read(&mut self, paths: &[PathBuf]) -> Result<Vec<Certificate>, Failure> {
        let mut all = Vec::new();
        for path in paths {
            all.extend(self.readable(files::certificates(path)?.into_iter()));
        }
        Ok(all)
    }

    fn readable(&mut self, read: impl Iterator<Item = Result<Certificate, Malformed>>) -> Vec<Certificate> {
        let keep = |certificate: Result<Certificate, Malformed>| {
            certificate.map_err(|malformed| self.unreadable.get_or_insert(malformed).to_owned()).ok()
        };
        read.filter_map(keep).collect()
    }

    fn explain(&self, refusal: Refusal) -> Refusal {
        match self.unreadable {
            Some(malformed) if refusal.reason == Reason::NoPath => {
                let detail = format!("an authority that was given cannot be read: {}", malformed.what);
                Refusal::new(Reason::Malformed, malformed.clause, detail)
            }
            _ => refusal,
        }
    }
}

/// `dns:`, `ip:` or `spiffe:` and the name; without a kind, an IPv4 address or a DNS name. Whether a DNS name is one is part of the verdict.
fn name(text: &str) -> Result<Name, Failure> {
    let unusable = || {
        Failure::unusable(format!("{text} is not a name"), "dns:users-api, ip:10.0.0.1 or spiffe:spiffe://domain/path")
    };
    if text.starts_with("spiffe://") {
        return text.parse().map(Name::Spiffe).map_err(|_| unusable());
    }
    let (kind, value) =
        text.split_once(':').unwrap_or((if text.parse::<IpAddr>().is_ok() { "ip" } else { "dns" }, text));
    match kind.to_ascii_lowercase().as_str() {
        "dns" if !value.is_empty() => Ok(Name::Dns(value.to_owned())),
        "ip" => value.parse().map(Name::Ip).map_err(|_| unusable()),
        "spiffe" | "uri" => value.parse().map(Name::Spiffe).map_err(|_| unusable()),
        _ => Err(unusable()),
    }
}

fn accepted(verified: &Verified, printer: &mut Printer) -> Result<Exit, Failure> {
    let path = verified.path.iter().map(|certificate| {
        json!({
            "subject": certificate.subject().to_string(),
            "serialNumber": certificate.serial_number().to_string(),
            "notAfter": instant(certificate.not_after()),
            "signatureAlgorithm": certificate.signature_algorithm().map(|algorithm| algorithm.to_string()),
        })
    });
    let body = json!({
        "accepted": true,
        "path": path.collect::<Vec<_>>(),
        "spiffeId": verified.spiffe_id.as_ref().map(ToString::to_string),
        "dnsNames": verified.dns_names,
    });
    let names: Vec<String> = verified.path.iter().map(|certificate| certificate.subject().to_string()).collect();
    printer.body(&body, |_| format!("accepted: {}", names.join(" <- ")))
}

fn refused(refusal: &Refusal, printer: &mut Printer) -> Result<Exit, Failure> {
    let body = json!({
        "accepted": false,
        "reason": refusal.reason.code(),
        "clause": refusal.clause,
        "detail": refusal.detail,
        "subject": refusal.subject,
    });
    printer.body(&body, |_| format!("refused: {refusal}"))?;
    Ok(Exit::Failed)
}
