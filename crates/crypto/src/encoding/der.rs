//! As much of DER as keys need, read strictly: definite lengths in their shortest form, nothing left over.

use zeroize::Zeroizing;

use crate::Error;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;

/// What is left to read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn read(&mut self, tag: u8) -> Result<&'a [u8], Error> {
        let (&[found, first], rest) = self.0.split_first_chunk().ok_or(MALFORMED)?;
        if found != tag {
            return Err(MALFORMED);
        }
        let (length, rest) = length(first, rest)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(content)
    }

    /// The content of the next element if it has this tag.
    pub(crate) fn read_optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Error> {
        if self.0.first() == Some(&tag) { self.read(tag).map(Some) } else { Ok(None) }
    }

    /// Ends reading: nothing may be left.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(MALFORMED) }
    }
}

/// The one element that `bytes` consist of.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Result<&[u8], Error> {
    let mut reader = Reader::new(bytes);
    let content = reader.read(tag)?;
    reader.end()?;
    Ok(content)
}

/// The bytes of a BIT STRING without unused bits.
pub(crate) fn bits(content: &[u8]) -> Result<&[u8], Error> {
    match content.split_first() {
        Some((0, bits)) => Ok(bits),
        _ => Err(MALFORMED),
    }
}

/// One element around the parts. Wiped on drop, because the parts may be secret.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(public_element(tag, parts))
}

/// One element around parts that are no secret. It is written where it has room, so that no part stays behind.
pub(crate) fn public_element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 10);
    out.push(tag);
    let bytes = length.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    match bytes.get(zeros..).unwrap_or_default() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Keys are small: lengths of more than two bytes are refused.
fn length(first: u8, rest: &[u8]) -> Result<(usize, &[u8]), Error> {
    match (first, rest) {
        (0..=0x7f, rest) => Ok((first.into(), rest)),
        (0x81, [length @ 0x80..=0xff, rest @ ..]) => Ok(((*length).into(), rest)),
        (0x82, [high @ 1..=0xff, low, rest @ ..]) => Ok((u16::from_be_bytes([*high, *low]).into(), rest)),
        _ => Err(MALFORMED),
    }
}

const MALFORMED: Error = Error::MalformedKey("not the expected DER");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for length in [0, 1, 127, 128, 255, 256, 5000, 65_535] {
            let content = vec![7; length];
            let (left, right) = content.split_at(length / 2);
            assert_eq!(only(&element(SEQUENCE, &[left, right]), SEQUENCE), Ok(content.as_slice()), "{length}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let bad: &[&[u8]] = &[
            &[],
            &[4],
            &[4, 2, 1],
            &[4, 1, 1, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 1],
            &[4, 0x82, 0, 1, 1],
            &[4, 0x83, 0, 0, 1, 1],
            &[4, 0xff],
            &[3, 1, 1],
        ];
        for bytes in bad {
            assert!(only(bytes, OCTET_STRING).is_err(), "{bytes:?}");
        }
        assert!(bits(&[1, 2]).is_err());
        assert!(bits(&[]).is_err());
    }
}
