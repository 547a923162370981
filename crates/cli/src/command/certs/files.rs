//! Certificates and revocation lists out of files: PEM with one or many blocks, or the DER of one.

use std::path::Path;

use crypto::x509::{Certificate, Crl, Malformed, pem};

use crate::failure::Failure;
use crate::input;

/// The certificates of a file, in order. What stands in a certificate's place and is none is told, not left out.
pub fn certificates(path: &Path) -> Result<Vec<Result<Certificate, Malformed>>, Failure> {
    Ok(elements(path, &["CERTIFICATE", "X509 CERTIFICATE"])?.iter().map(|der| Certificate::parse(der)).collect())
}

/// The revocation lists of a file, in order.
pub fn revocation_lists(path: &Path) -> Result<Vec<Result<Crl, Malformed>>, Failure> {
    Ok(elements(path, &["X509 CRL", "CRL"])?.iter().map(|der| Crl::parse(der)).collect())
}

/// The DER of every block with one of these labels; of a file that is not PEM, all of it.
fn elements(path: &Path, labels: &[&str]) -> Result<Vec<Vec<u8>>, Failure> {
    let unusable = |what: &str| {
        let advice = "a file with certificates or lists in PEM or DER";
        Failure::unusable(format!("{}: {what}", path.display()), advice)
    };
    let bytes = input::bytes(Some(path))?;
    if bytes.len() > MAX_LENGTH {
        return Err(unusable("larger than 32 MiB"));
    }
    if !pem::is_pem(&bytes) {
        // DER of either kind is a SEQUENCE.
        return if bytes.first() == Some(&0x30) {
            Ok(vec![bytes.to_vec()])
        } else {
            Err(unusable("neither PEM nor DER"))
        };
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("PEM that is not text"))?;
    let blocks = pem::blocks(text).map_err(|error| unusable(&error.to_string()))?;
    let wanted = blocks.into_iter().filter(|block| labels.contains(&block.label.as_str()));
    let wanted: Vec<Vec<u8>> = wanted.map(|block| block.der).collect();
    if wanted.is_empty() { Err(unusable("no block of the kind that is asked for")) } else { Ok(wanted) }
}

const MAX_LENGTH: usize = 32 << 20;
