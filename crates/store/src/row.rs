//! A row of an answer, whose columns are read by position.

use crate::error::{Error, Result};
use crate::value::Value;

/// One row of an answer; columns are read by position. A column of another kind than asked for is corruption, never a default.
#[derive(Clone, Debug)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    pub fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| null(column))
    }

    pub fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.value(column)? {
            Value::Int(v) => Ok(Some(*v)),
            Value::Null => Ok(None),
            _ => Err(kind(column, "an integer")),
        }
    }

    /// A number that was stored from a `u32`.
    pub fn u32(&self, column: usize) -> Result<u32> {
        u32::try_from(self.int(column)?).map_err(|_| kind(column, "a 32-bit number"))
    }

    /// A flag stored as 0 or 1.
    pub fn flag(&self, column: usize) -> Result<bool> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(kind(column, "a flag")),
        }
    }

    pub fn text(&self, column: usize) -> Result<&str> {
        self.opt_text(column)?.ok_or_else(|| null(column))
    }

    pub fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self.value(column)? {
            Value::Text(v) => Ok(Some(v)),
            Value::Null => Ok(None),
            _ => Err(kind(column, "text")),
        }
    }

    pub fn blob(&self, column: usize) -> Result<&[u8]> {
        self.opt_blob(column)?.ok_or_else(|| null(column))
    }

    pub fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>> {
        match self.value(column)? {
            Value::Blob(v) => Ok(Some(v)),
            Value::Null => Ok(None),
            _ => Err(kind(column, "bytes")),
        }
    }

    /// Takes the bytes out of the row, which holds nothing there any more.
    pub(crate) fn take_blob(&mut self, column: usize) -> Result<Vec<u8>> {
        match self.0.get_mut(column).map(|value| std::mem::replace(value, Value::Null)) {
            Some(Value::Blob(v)) => Ok(v),
            _ => Err(kind(column, "bytes")),
        }
    }

    /// Bytes of a fixed length, such as an id or a hash.
    pub fn array<const N: usize>(&self, column: usize) -> Result<[u8; N]> {
        self.opt_array(column)?.ok_or_else(|| null(column))
    }

    pub fn opt_array<const N: usize>(&self, column: usize) -> Result<Option<[u8; N]>> {
        self.opt_blob(column)?
            .map(|bytes| bytes.try_into().map_err(|_| kind(column, "of its fixed length")))
            .transpose()
    }

    pub fn value(&self, column: usize) -> Result<&Value> {
        self.0.get(column).ok_or_else(|| Error::corrupt(format!("column {column} is missing")))
    }

    pub fn into_values(self) -> Vec<Value> {
        self.0
    }
}

/// A word of a closed set.
pub(crate) fn word<T: std::str::FromStr>(row: &Row, column: usize) -> Result<T> {
    opt_word(row, column)?.ok_or_else(|| null(column))
}

pub(crate) fn opt_word<T: std::str::FromStr>(row: &Row, column: usize) -> Result<Option<T>> {
    row.opt_text(column)?.map(|text| text.parse().map_err(|_| kind(column, "a word of its set"))).transpose()
}

fn null(column: usize) -> Error {
    Error::corrupt(format!("column {column} is null"))
}

fn kind(column: usize, wanted: &str) -> Error {
    Error::corrupt(format!("column {column} is not {wanted}"))
}
