//! PEM (RFC 7468) of certificates, lists and requests, which are no secrets: one block or many, with text between them ignored.

use crate::Error;
use crate::encoding::pem;

/// The label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a revocation list.
pub const CRL: &str = "X509 CRL";
/// The label of a request.
pub const REQUEST: &str = "CERTIFICATE REQUEST";

/// One block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// What it says it is.
    pub label: String,
    /// The DER in it.
    pub der: Vec<u8>,
}

/// The block of some DER.
pub fn encode(label: &str, der: &[u8]) -> String {
    pem::encode_public(label, der)
}

/// Whether there is a block in these bytes.
pub fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

/// All blocks of a text, in order. A block that is damaged or has no end is an error, not something to be skipped.
pub fn blocks(text: &str) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let from = rest.get(start..).unwrap_or_default();
        let end = from.find(END).ok_or(UNENDED)?;
        let after = from.get(end + END.len()..).unwrap_or_default();
        let close = after.find(DASHES).ok_or(UNENDED)? + end + END.len() + DASHES.len();
        let (label, der) = pem::decode_public(from.get(..close).unwrap_or_default())?;
        blocks.push(Block { label: label.to_owned(), der });
        if blocks.len() > MAX_BLOCKS {
            return Err(Error::BadArgument("more PEM blocks than anybody needs"));
        }
        rest = from.get(close..).unwrap_or_default();
    }
    Ok(blocks)
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const MAX_BLOCKS: usize = 10_000;
const UNENDED: Error = Error::BadArgument("a PEM block without an end");
