//! The records of a backup, and their bytes.

use super::Bad;
use crate::value::Value;

/// One record; a backup is a header, then each table with its rows, then the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The version of the schema the rows belong to.
    Header {
        schema: u32,
    },
    /// The rows that follow are of this table.
    Table(String),
    Row(Vec<Value>),
    /// Closes the backup: the number of rows, and the SHA-256 of every record before this one.
    End {
        rows: u64,
        digest: [u8; 32],
    },
}

const HEADER: u8 = 1;
const TABLE: u8 = 2;
const ROW: u8 = 3;
const END: u8 = 4;

const NULL: u8 = 0;
const INT: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

impl Record {
    /// A kind, the length of the rest as four bytes, the rest. Numbers are big-endian; a value is a kind and its bytes, those of
    /// text and blobs behind their length.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Header { schema } => (HEADER, schema.to_be_bytes().to_vec()),
            Self::Table(name) => (TABLE, name.as_bytes().to_vec()),
            Self::Row(values) => (ROW, values.iter().flat_map(encode_value).collect()),
            Self::End { rows, digest } => (END, [&rows.to_be_bytes()[..], digest].concat()),
        };
        [&[kind][..], &length(&body), &body].concat()
    }

    /// Takes the first record off `bytes`; `None` when they hold only a part of one.
    pub fn decode(bytes: &mut &[u8]) -> Result<Option<Self>, Bad> {
        let Some(([kind, length @ ..], rest)) = bytes.split_first_chunk::<5>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Bad::Record)?;
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        *bytes = rest;
        Self::decode_body(*kind, body).ok_or(Bad::Record).map(Some)
    }

    fn decode_body(kind: u8, mut body: &[u8]) -> Option<Self> {
        Some(match kind {
            HEADER => Self::Header { schema: u32::from_be_bytes(body.try_into().ok()?) },
            TABLE => Self::Table(String::from_utf8(body.to_vec()).ok()?),
            ROW => {
                let mut values = Vec::new();
                while !body.is_empty() {
                    values.push(decode_value(&mut body)?);
                }
                Self::Row(values)
            }
            END => {
                let (rows, digest) = body.split_first_chunk::<8>()?;
                Self::End { rows: u64::from_be_bytes(*rows), digest: digest.try_into().ok()? }
            }
            _ => return None,
        })
    }
}

fn encode_value(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![NULL],
        Value::Int(v) => [&[INT][..], &v.to_be_bytes()].concat(),
        Value::Text(v) => [&[TEXT][..], &length(v.as_bytes()), v.as_bytes()].concat(),
        Value::Blob(v) => [&[BLOB][..], &length(v), v].concat(),
    }
}

fn decode_value(bytes: &mut &[u8]) -> Option<Value> {
    let (kind, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match *kind {
        NULL => Value::Null,
        INT => {
            let (number, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Value::Int(i64::from_be_bytes(*number))
        }
        TEXT => Value::Text(String::from_utf8(part(bytes)?.to_vec()).ok()?),
        BLOB => Value::Blob(part(bytes)?.to_vec()),
        _ => return None,
    })
}

fn part<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(part)
}

/// No row comes near four gigabytes: requests are limited to far less.
fn length(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_parts_of_one_wait() {
        let records = [
            Record::Header { schema: 3 },
            Record::Table("secret".into()),
            Record::Row(vec![Value::Null, Value::Int(-1), Value::Text("é".into()), Value::Blob(vec![0, 255])]),
            Record::Row(vec![]),
            Record::End { rows: 2, digest: [7; 32] },
        ];
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        let mut rest = &bytes[..];
        for record in &records {
            let whole = record.encode();
            assert_eq!(Record::decode(&mut &whole[..whole.len() - 1]).unwrap(), None);
            assert_eq!(Record::decode(&mut rest).unwrap().as_ref(), Some(record));
        }
        assert_eq!(Record::decode(&mut rest).unwrap(), None);
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in
            [&[9, 0, 0, 0, 0][..], &[ROW, 0, 0, 0, 1, 7], &[ROW, 0, 0, 0, 5, TEXT, 0, 0, 0, 9], &[END, 0, 0, 0, 1, 1]]
        {
            assert!(Record::decode(&mut &bytes[..]).is_err(), "{bytes:?}");
        }
    }
}
