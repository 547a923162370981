//! Certificates, their authorities, and what peers are told of both (contract, section 6).
//!
//! Three dialects of one request are in customers' hands; [`IssueCertificate`] takes the words of all of them.

mod authorities;
mod words;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

pub use authorities::{
    Authority, AuthorityCertificate, AuthorityList, Bundle, CreateAuthority, NamePolicy, ReadBundle, ReadEncoded,
    RotateAuthority, SignedDenyList, SpiffeBundle, SpiffeKey, UpdateNamePolicy,
};
pub use words::{Ttl, Words};

use crate::secret::SecretText;
use crate::time::WireTime;

/// Body of `POST /certificates` and `POST /v1/pki/issue`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssueCertificate {
    /// The subject, in the order of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["CN=users-api,O=users-api,C=EU"]))]
    pub subject: Option<String>,
    /// A subject of a common name alone, in the words of another dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// Names, with `DNS:`, `IP:`, `URI:` or `EMAIL:` before them or without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_alternative_names: Option<Words>,
    /// The algorithm of the key that is made here: `ML-DSA-65` unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// The same in the words of another dialect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_type: Option<String>,
    /// Hours that it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity_hours: Option<u32>,
    /// How long it lives, in the words of another dialect: `24h`, or seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
    /// What the key may do. What the profile does not have is left out and told in `warnings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<Words>,
    /// What it is for: `ServerAuthentication`, `ClientAuthentication`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_key_usage: Option<Words>,
    /// The kind of certificate: `service-mtls-24h` unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The authority; the tenant's own unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_id: Option<Uuid>,
    /// A PKCS#10 request in PEM or base64. Then no private key is ever here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
    /// Whether to be refused what cannot be had, instead of getting the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// Query of what issues.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issuing {
    /// Whether to be refused what cannot be had, instead of getting the rest.
    pub strict: Option<bool>,
}

/// Body of `POST /certificates/{id}/renew`: the same names under a new key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenewCertificate {
    /// A PKCS#10 request in PEM or base64; without one the key is made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
    /// The algorithm of a key that is made here; the old one's unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Hours that it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity_hours: Option<u32>,
    /// How long it lives: `24h`, or seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
    /// Whether to be refused what cannot be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

/// Body of `POST /certificates/{id}/revoke`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokeCertificate {
    /// A reason of RFC 5280 5.3.1: `keyCompromise`, `superseded`, ... `unspecified` unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A certificate that was just issued.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCertificate {
    /// The certificate, for reading, renewing and revoking it.
    pub id: Uuid,
    /// Its number, in hexadecimal digits.
    pub serial_number: String,
    /// Its subject.
    pub subject: String,
    /// Its names, each with its kind.
    pub subject_alternative_names: Vec<String>,
    /// Its SPIFFE id, if it has one.
    pub spiffe_id: Option<String>,
    /// The profile it was issued by.
    pub profile: String,
    /// The algorithm of its key.
    pub algorithm: String,
    /// Whether a quantum computer leaves key and signature standing.
    pub quantum_safe: bool,
    /// It, in PEM.
    pub certificate: String,
    /// Its private key as PKCS#8 in PEM, when the key was made here. Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<SecretText>,
    /// What to send after it to peers that know the root alone.
    pub chain: String,
    /// The anchor it verifies under.
    pub ca_certificate: String,
    /// When it begins.
    pub not_before: WireTime,
    /// When it ends.
    pub not_after: WireTime,
    /// The same.
    pub expiration: WireTime,
    /// The authority.
    pub ca_id: Uuid,
    /// What keyUsage says.
    pub key_usage: Vec<String>,
    /// What extKeyUsage says.
    pub extended_key_usage: Vec<String>,
    /// What was left out or cut, in sentences.
    pub warnings: Vec<String>,
    /// The same in the words of another dialect.
    pub data: IssuedData,
}

/// The answer in the dialect of the reference code, which reads it in two casings whoever asks.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedData {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The private key in PEM, when it was made here.
    pub private_key_pem: Option<SecretText>,
    /// When it ends.
    pub expiration: WireTime,
}

/// Written as a map, so that no second casing is added to the two that it has.
impl Serialize for IssuedData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("certificate_pem", &self.certificate_pem)?;
        map.serialize_entry("certificatePem", &self.certificate_pem)?;
        if let Some(key) = &self.private_key_pem {
            map.serialize_entry("private_key_pem", key)?;
            map.serialize_entry("privateKeyPem", key)?;
        }
        map.serialize_entry("expiration", &self.expiration)?;
        map.end()
    }
}

impl JsonSchema for IssuedData {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IssuedData".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = generator.subschema_for::<WireTime>();
        schemars::json_schema!({
            "type": "object",
            "description": "The answer in the dialect of the reference code, in both casings.",
            "properties": {
                "certificate_pem": { "type": "string" },
                "certificatePem": { "type": "string" },
                "private_key_pem": { "type": "string", "format": "password" },
                "privateKeyPem": { "type": "string", "format": "password" },
                "expiration": time,
            },
            "required": ["certificate_pem", "certificatePem", "expiration"],
        })
    }
}

/// A certificate as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The certificate.
    pub id: Uuid,
    /// Its number, in hexadecimal digits.
    pub serial_number: String,
    /// Its subject.
    pub subject: String,
    /// Its names, each with its kind.
    pub subject_alternative_names: Vec<String>,
    /// Its SPIFFE id, if it has one.
    pub spiffe_id: Option<String>,
    /// The profile it was issued by.
    pub profile: String,
    /// The algorithm of its key.
    pub algorithm: String,
    /// Whether a quantum computer leaves key and signature standing.
    pub quantum_safe: bool,
    /// `active`, `expired` or `revoked`.
    pub status: String,
    /// It, in PEM.
    pub certificate: String,
    /// When it begins.
    pub not_before: WireTime,
    /// When it ends.
    pub not_after: WireTime,
    /// The authority.
    pub ca_id: Uuid,
    /// Whether its private key was made here, and shown once.
    pub server_made_key: bool,
    /// Who asked for it.
    pub requested_by: String,
    /// The one it renews.
    pub renewed_from: Option<Uuid>,
    /// When it was revoked.
    pub revoked_at: Option<WireTime>,
    /// Why.
    pub revocation_reason: Option<String>,
    /// When it was issued.
    pub created_at: WireTime,
}

/// Query of `GET /certificates`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListCertificates {
    /// From 1.
    #[schemars(range(min = 1))]
    pub page: Option<u32>,
    /// 50 unless told.
    #[schemars(range(min = 1))]
    pub page_size: Option<u32>,
    /// Only `active`, `expired` or `revoked` ones.
    pub status: Option<String>,
    /// Only with this in the subject or a name, in any case.
    pub search: Option<String>,
    /// Only of this authority.
    pub ca_id: Option<Uuid>,
}

/// Answer of `GET /certificates`, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateList {
    /// This page's.
    pub certificates: Vec<Certificate>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casing::{Casing, from_slice_any_case, to_vec};

    #[test]
    fn every_dialect_reads_as_the_same_wish() {
        let articles = br#"{"Subject":"CN=users-api","SubjectAlternativeNames":["DNS:users-api"],"Algorithm":"ML-DSA-65",
            "ValidityHours":24,"KeyUsage":"DigitalSignature, KeyEncipherment","ExtendedKeyUsage":["ClientAuthentication"]}"#;
        let wish: IssueCertificate = from_slice_any_case(articles).unwrap();
        assert_eq!(wish.key_usage.unwrap().0, ["DigitalSignature", "KeyEncipherment"]);
        assert_eq!((wish.validity_hours, wish.extended_key_usage.unwrap().0.len()), (Some(24), 1));
        let reference = br#"{"common_name":"users-api","ttl":"24h","key_type":"ml-dsa-65"}"#;
        let wish: IssueCertificate = from_slice_any_case(reference).unwrap();
        assert_eq!((wish.common_name.as_deref(), wish.key_type.as_deref()), (Some("users-api"), Some("ml-dsa-65")));
        assert_eq!(wish.ttl.unwrap().0, "24h");
        let seconds: IssueCertificate = from_slice_any_case(br#"{"ttl":3600}"#).unwrap();
        assert_eq!(seconds.ttl.unwrap().0, "3600");
        assert!(from_slice_any_case::<IssueCertificate>(br#"{"keyUsage":{"a":1}}"#).is_err());
    }

    #[test]
    fn the_reference_dialect_has_both_casings_once() {
        let data = IssuedData {
            certificate_pem: "c".to_owned(),
            private_key_pem: Some(SecretText::copy_from("k")),
            expiration: "2026-11-24T02:00:00Z".parse().unwrap(),
        };
        for casing in [Casing::Camel, Casing::Both] {
            let text = String::from_utf8(to_vec(&data, casing).unwrap()).unwrap();
            assert_eq!(text.matches("\"certificate_pem\"").count(), 1, "{text}");
            assert_eq!(text.matches("\"privateKeyPem\"").count(), 1, "{text}");
        }
    }
}
