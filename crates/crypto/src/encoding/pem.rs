//! PEM (RFC 7468): one block, the strict form with line ends and blanks around it tolerated.

use zeroize::Zeroizing;

use crate::{Error, base64};

pub(crate) const PRIVATE: &str = "PRIVATE KEY";
pub(crate) const PUBLIC: &str = "PUBLIC KEY";
pub(crate) const SEC1: &str = "EC PRIVATE KEY";

/// One block, decoded.
pub(crate) struct Block<'a> {
    pub(crate) label: &'a str,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Whether a text says of itself that it is PEM.
pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(BEGIN.as_bytes())
}

pub(crate) fn decode(text: &str) -> Result<Block<'_>, Error> {
    let (label, body) = frame(text)?;
    let mut joined = Zeroizing::new(String::with_capacity(body.len()));
    join(body, &mut joined)?;
    let der = Zeroizing::new(base64::decode(joined.as_bytes()).ok_or(MALFORMED)?);
    Ok(Block { label, der })
}

/// As [`decode`] for what is no secret: wiping it takes longer than reading it.
pub(crate) fn decode_public(text: &str) -> Result<(&str, Vec<u8>), Error> {
    let (label, body) = frame(text)?;
    let mut joined = String::with_capacity(body.len());
    join(body, &mut joined)?;
    Ok((label, base64::decode(joined.as_bytes()).ok_or(MALFORMED)?))
}

pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<String> {
    let mut body = Zeroizing::new(String::with_capacity(der.len() * 4 / 3 + 4));
    base64::encode_into(der, &mut body);
    Zeroizing::new(framed(label, &body))
}

/// As [`encode`] for what is no secret.
pub(crate) fn encode_public(label: &str, der: &[u8]) -> String {
    framed(label, &base64::encode(der))
}

/// The label and what stands between the lines with it.
fn frame(text: &str) -> Result<(&str, &str), Error> {
    let (label, rest) = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.split_once(DASHES)).ok_or(MALFORMED)?;
    let (body, end) = rest.split_once(END).ok_or(MALFORMED)?;
    if end.strip_suffix(DASHES) == Some(label) { Ok((label, body)) } else { Err(MALFORMED) }
}

/// Appends the lines of a body without their ends. Lines are at most 64 characters, and every character is one of base64 or of a
/// line's end.
fn join(body: &str, joined: &mut String) -> Result<(), Error> {
    for line in body.lines() {
        let line = line.trim();
        if line.len() > 76 {
            return Err(MALFORMED);
        }
        joined.push_str(line);
    }
    Ok(())
}

/// The block of a body in base64. Room for all of it is there from the start, so that nothing is left behind in memory.
fn framed(label: &str, body: &str) -> String {
    let mut text = String::with_capacity(body.len() * 66 / 64 + 2 * label.len() + 64);
    for part in [BEGIN, label, DASHES, "\n"] {
        text.push_str(part);
    }
    let mut rest = body;
    while !rest.is_empty() {
        let (line, more) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    for part in [END, label, DASHES, "\n"] {
        text.push_str(part);
    }
    text
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
const MALFORMED: Error = Error::MalformedKey("not the expected PEM");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for length in [0, 1, 47, 48, 49, 500] {
            let der = vec![0xa5; length];
            let text = encode(PUBLIC, &der);
            let block = decode(&text).unwrap();
            assert_eq!((block.label, block.der.as_slice()), (PUBLIC, der.as_slice()));
            assert_eq!(encode_public(PUBLIC, &der), *text);
            assert_eq!(decode_public(&text), Ok((PUBLIC, der)));
            assert!(decode(&text.replace('\n', "\r\n")).is_ok());
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = encode(PUBLIC, b"some bytes");
        for bad in [
            "".to_owned(),
            "-----BEGIN -----".to_owned(),
            good.replace("END PUBLIC", "END PRIVATE"),
            good.replace("c29t", "c2*t"),
            format!("{}x", good.as_str()),
            good.replace("-----END PUBLIC KEY-----\n", ""),
            good.replace('=', ""),
        ] {
            assert!(decode(&bad).is_err() && decode_public(&bad).is_err(), "{bad}");
        }
    }
}
