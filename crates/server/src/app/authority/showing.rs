//! Certificates and authorities as the wire has them.

use api::certificates as wire;
use api::secret::SecretText;
use crypto::algorithm::Algorithm;
use crypto::hash::sha256;
use crypto::x509::{AltName, pem};
use domain::time::{SECOND_MS, Timestamp};
use store::certificates::StoredCertificate;

use super::issuing::Issued;
use super::loaded::{Loaded, LoadedAuthority};
use crate::problem::{Outcome, Problem};

/// In which form a certificate or a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Text.
    Pem,
    /// Bytes.
    Der,
    /// An object around the text.
    Json,
}

impl Encoding {
    /// What the query says, and otherwise what `Accept` does: PEM when neither says anything.
    pub fn of(format: Option<&str>, accept: Option<&str>) -> Outcome<Self> {
        match format.map(str::to_ascii_lowercase).as_deref() {
            Some("pem") => Ok(Self::Pem),
            Some("der") => Ok(Self::Der),
            Some("json") => Ok(Self::Json),
            Some(_) => Err(Problem::invalid("format is pem, der or json.")),
            None => Ok(accept.map_or(Self::Pem, Self::accepted)),
        }
    }

    fn accepted(accept: &str) -> Self {
        let accept = accept.to_ascii_lowercase();
        let is_der = ["application/pkix-cert", "application/pkix-crl", "application/x-x509-ca-cert"];
        if accept.contains("application/json") {
            Self::Json
        } else if is_der.iter().any(|media| accept.contains(media)) {
            Self::Der
        } else {
            Self::Pem
        }
    }
}

impl Issued {
    /// The answer, with the private key if it was made here.
    pub(super) fn shown(self) -> Outcome<wire::IssuedCertificate> {
        let issuer = self.loaded.get(self.issuer);
        let issuer = issuer.ok_or_else(|| Problem::internal("showing a certificate", "its authority is gone"))?;
        let private = self.private.as_ref().map(private_pem).transpose()?;
        let expiration = at(self.statement.not_after).into();
        let certificate = pem::encode(pem::CERTIFICATE, &self.der);
        let data = wire::IssuedData {
            certificate_pem: certificate.clone(),
            private_key_pem: private.as_ref().map(|text| SecretText::copy_from(text.expose())),
            expiration,
        };
        let algorithm = self.statement.key.algorithm();
        Ok(wire::IssuedCertificate {
            id: self.id.uuid(),
            serial_number: self.statement.serial_number.to_string(),
            subject: self.statement.subject.to_string(),
            spiffe_id: self.statement.alt_names.iter().find_map(identity),
            subject_alternative_names: self.statement.alt_names.iter().map(ToString::to_string).collect(),
            profile: self.profile,
            algorithm: algorithm.to_string(),
            quantum_safe: algorithm.is_post_quantum() && issuer.algorithm.is_post_quantum(),
            certificate,
            private_key: private,
            chain: issuer.pem().chain.clone(),
            ca_certificate: issuer.pem().certificate.clone(),
            not_before: at(self.statement.not_before).into(),
            not_after: expiration,
            expiration,
            ca_id: issuer.row.id.uuid(),
            key_usage: self.statement.key_usage.names().map(str::to_owned).collect(),
            extended_key_usage: self.statement.purposes.iter().map(ToString::to_string).collect(),
            warnings: self.warnings,
            data,
        })
    }
}

/// The key as PKCS#8 with its seed, which every reader takes. The text is wiped where it is dropped.
fn private_pem(private: &crypto::key::PrivateKey) -> Outcome<SecretText> {
    let pem = private.to_pem()?;
    let text = std::str::from_utf8(pem.expose()).map_err(|error| Problem::internal("writing a key", error))?;
    Ok(SecretText::copy_from(text))
}

/// A certificate as it is kept.
pub(super) fn certificate(row: &StoredCertificate, now: Timestamp) -> Outcome<wire::Certificate> {
    let algorithm: Algorithm =
        row.algorithm.parse().map_err(|_| Problem::internal("showing a certificate", "its algorithm"))?;
    let der = row.certificate.as_ref().ok_or_else(|| Problem::internal("showing a certificate", "it is not there"))?;
    Ok(wire::Certificate {
        id: row.id.uuid(),
        serial_number: hex::encode(&row.serial),
        subject: row.subject.clone(),
        spiffe_id: row.names.iter().filter_map(|name| name.parse().ok()).find_map(|name| identity(&name)),
        subject_alternative_names: row.names.clone(),
        profile: row.profile.clone(),
        algorithm: row.algorithm.clone(),
        quantum_safe: algorithm.is_post_quantum(),
        status: status(row, now).to_owned(),
        certificate: pem::encode(pem::CERTIFICATE, der),
        not_before: row.not_before.into(),
        not_after: row.not_after.into(),
        ca_id: row.ca.uuid(),
        server_made_key: row.is_server_made,
        requested_by: row.requested_by.clone(),
        renewed_from: row.renewed_from.map(|id| id.uuid()),
        revoked_at: row.revoked_at.map(Into::into),
        revocation_reason: row.reason.clone(),
        created_at: row.created_at.into(),
    })
}

/// `active`, `expired` or `revoked`.
pub(super) fn status(row: &StoredCertificate, now: Timestamp) -> &'static str {
    if row.revoked_at.is_some() {
        "revoked"
    } else if row.not_after <= now {
        "expired"
    } else {
        "active"
    }
}

/// An authority's key.
pub(super) fn authority(loaded: &Loaded, key: &LoadedAuthority, now: Timestamp) -> wire::Authority {
    wire::Authority {
        id: key.row.id.uuid(),
        name: key.row.name.clone(),
        kind: key.kind.as_str().to_owned(),
        generation: key.row.generation,
        status: loaded.phase(key, now).as_str().to_owned(),
        algorithm: key.row.algorithm.clone(),
        quantum_safe: key.algorithm.is_post_quantum(),
        subject: key.row.subject.clone(),
        key_id: hex::encode(&key.row.key_identifier),
        certificate: key.pem().certificate.clone(),
        intermediate: Some(key.pem().chain.clone()).filter(|chain| !chain.is_empty()),
        not_before: key.row.not_before.into(),
        not_after: key.row.not_after.into(),
        active_from: key.row.active_from.into(),
        retires_at: key.row.retires_at.map(Into::into),
        retired_at: key.row.retired_at.map(Into::into),
    }
}

/// An authority's self-signed certificate as JSON.
pub(super) fn anchor(key: &LoadedAuthority) -> wire::AuthorityCertificate {
    wire::AuthorityCertificate {
        ca_id: key.row.id.uuid(),
        subject: key.row.subject.clone(),
        algorithm: key.row.algorithm.clone(),
        key_id: hex::encode(&key.row.key_identifier),
        fingerprint: hex::encode(sha256(&[&key.row.certificate])),
        certificate: key.pem().certificate.clone(),
        not_after: key.row.not_after.into(),
    }
}

fn identity(name: &AltName) -> Option<String> {
    match name {
        AltName::Uri(uri) => Some(uri.clone()),
        _ => None,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(SECOND_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_goes_before_the_header_and_pem_before_silence() {
        for (format, accept, encoding) in [
            (None, None, Encoding::Pem),
            (None, Some("*/*"), Encoding::Pem),
            (None, Some("application/pkix-cert"), Encoding::Der),
            (None, Some("application/json, text/plain"), Encoding::Json),
            (Some("DER"), Some("application/json"), Encoding::Der),
            (Some("pem"), Some("application/pkix-crl"), Encoding::Pem),
        ] {
            assert_eq!(Encoding::of(format, accept).unwrap(), encoding, "{format:?} {accept:?}");
        }
        assert!(Encoding::of(Some("xml"), None).is_err());
    }
}
