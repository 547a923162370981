//! `qapi certs inspect`: what certificates say, in words, and what is wrong with each by itself.

use std::path::PathBuf;

use clap::Args;
use crypto::algorithm::Algorithm;
use crypto::x509::{Certificate, SubjectKey};
use domain::time::Timestamp;
use serde_json::{Value, json};

use super::files;
use crate::failure::{Exit, Failure};
use crate::print::{Printer, record};

#[derive(Args)]
pub struct InspectInputs {
    /// Certificates in PEM or DER; `-` for standard input
    file: PathBuf,
}

/// Shows every certificate of a file. One that cannot be read is shown as such, and the exit status is 1.
pub fn inspect(inputs: &InspectInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let read = files::certificates(&inputs.file)?;
    let all_read = read.iter().all(Result::is_ok);
    let shown: Vec<(Value, String)> = read
        .iter()
        .map(|certificate| match certificate {
            Ok(certificate) => (body(certificate), text(certificate)),
            Err(malformed) => {
                let body = json!({ "malformed": malformed.what, "clause": malformed.clause });
                (body, format!("malformed: {malformed}\n"))
            }
        })
        .collect();
    let (bodies, texts): (Vec<Value>, Vec<String>) = shown.into_iter().unzip();
    printer.body(&json!({ "certificates": bodies }), |_| texts.join("\n"))?;
    Ok(if all_read { Exit::Done } else { Exit::Failed })
}

fn body(certificate: &Certificate) -> Value {
    let extensions = certificate.extensions();
    let lints = tls::path::breaches(certificate);
    let lints =
        lints.iter().map(|lint| json!({ "reason": lint.reason.code(), "clause": lint.clause, "detail": lint.detail }));
    json!({
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "serialNumber": certificate.serial_number().to_string(),
        "notBefore": instant(certificate.not_before()),
        "notAfter": instant(certificate.not_after()),
        "subjectAltNames": certificate.alt_names().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "keyAlgorithm": key_algorithm(certificate),
        "signatureAlgorithm": certificate.signature_algorithm().map(|algorithm| algorithm.to_string()),
        "quantumSafe": is_quantum_safe(certificate),
        "isCa": certificate.is_ca(),
        "pathLength": extensions.basic_constraints.as_ref().and_then(|constraints| constraints.value.path_len),
        "keyUsage": certificate.key_usage().map(|usage| usage.names().collect::<Vec<_>>()),
        "purposes": extensions.purposes.as_ref().map(|purposes| words(&purposes.value)),
        "permittedNames": extensions.name_constraints.as_ref().map(|names| words(&names.value.permitted)),
        "excludedNames": extensions.name_constraints.as_ref().map(|names| words(&names.value.excluded)),
        "policies": extensions.policies.as_ref().map(|policies| words(&policies.value)),
        "crlUrls": extensions.crl_urls.as_ref().map(|urls| urls.value.clone()),
        "issuerUrls": extensions.issuer_urls.as_ref().map(|urls| urls.value.clone()),
        "noRevocation": extensions.no_rev_avail.is_some(),
        "subjectKeyId": certificate.subject_key_id().map(ToString::to_string),
        "authorityKeyId": certificate.authority_key_id().map(ToString::to_string),
        "sha256": hexadecimal(&certificate.fingerprint()),
        "lints": lints.collect::<Vec<_>>(),
    })
}

fn text(certificate: &Certificate) -> String {
    let extensions = certificate.extensions();
    let list = |words: Vec<String>| words.join(", ");
    let lints = tls::path::breaches(certificate);
    let lints: Vec<String> = lints.iter().map(|lint| format!("{} [{}]", lint.detail, lint.clause)).collect();
    let quantum_safe = if is_quantum_safe(certificate) { "yes" } else { "no" };
    let authority = match extensions.basic_constraints.as_ref().map(|constraints| constraints.value) {
        Some(constraints) if constraints.is_ca => match constraints.path_len {
            Some(limit) => format!("yes, with {limit} after it at most"),
            None => "yes".to_owned(),
        },
        _ => "no".to_owned(),
    };
    let permitted = extensions.name_constraints.as_ref().map(|names| list(words(&names.value.permitted)));
    let excluded = extensions.name_constraints.as_ref().map(|names| list(words(&names.value.excluded)));
    record(&[
        ("subject", certificate.subject().to_string()),
        ("issuer", certificate.issuer().to_string()),
        ("serial number", certificate.serial_number().to_string()),
        ("not before", instant(certificate.not_before())),
        ("not after", instant(certificate.not_after())),
        ("names", list(words(certificate.alt_names()))),
        ("key", key_algorithm(certificate)),
        (
            "signed with",
            certificate.signature_algorithm().map_or("another algorithm".to_owned(), |known| known.to_string()),
        ),
        ("quantum-safe", quantum_safe.to_owned()),
        ("authority", authority),
        ("key usage", certificate.key_usage().map(|usage| usage.to_string()).unwrap_or_default()),
        ("purposes", extensions.purposes.as_ref().map(|purposes| list(words(&purposes.value))).unwrap_or_default()),
        ("permitted names", permitted.unwrap_or_default()),
        ("excluded names", excluded.unwrap_or_default()),
        ("sha256", hexadecimal(&certificate.fingerprint())),
        ("not conforming", lints.join("; ")),
    ])
}

fn words<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn key_algorithm(certificate: &Certificate) -> String {
    match certificate.key() {
        SubjectKey::Known(key) => key.algorithm().to_string(),
        SubjectKey::Unusable(oid) => format!("not offered ({oid})"),
    }
}

/// Both halves have to be: a key that lasts under a signature that does not is no better than that signature.
fn is_quantum_safe(certificate: &Certificate) -> bool {
    let key = certificate.public_key().is_some_and(|key| key.algorithm().is_post_quantum());
    key && certificate.signature_algorithm().is_some_and(Algorithm::is_post_quantum)
}

/// Seconds since the Unix epoch, in RFC 3339.
pub(super) fn instant(unix_s: i64) -> String {
    Timestamp::from_millis(unix_s.saturating_mul(1000)).to_rfc3339()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
