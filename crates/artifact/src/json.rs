//! JSON from outside, read strictly: a member that stands twice is refused at every level, because two readers could take two
//! different values of it for the signed one; so is what is nested too deeply or is longer than its reader expects.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::{Map, Number, Value};

/// How deep objects and arrays may be nested.
const MOST_NESTED: usize = 64;

/// The text is not JSON that has one meaning.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is longer than what it should hold.
    #[error("it has {length} bytes, and more than {limit} are not read")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that is read.
        limit: usize,
    },
    /// It is no JSON, or a member stands twice, or it has another shape.
    #[error("it is not usable JSON")]
    Json(#[source] serde_json::Error),
}

/// Reads a value of `T` from at most `limit` bytes.
pub fn read<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, Malformed> {
    serde_json::from_value(value(bytes, limit)?).map_err(Malformed::Json)
}

/// Reads any value from at most `limit` bytes.
pub fn value(bytes: &[u8], limit: usize) -> Result<Value, Malformed> {
    if bytes.len() > limit {
        return Err(Malformed::TooLong { length: bytes.len(), limit });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { nested: 0 }.deserialize(&mut reader).map_err(Malformed::Json)?;
    reader.end().map_err(Malformed::Json)?;
    Ok(value)
}

/// A value at some depth.
#[derive(Clone, Copy)]
struct Strict {
    nested: usize,
}

impl Strict {
    fn inside<E: de::Error>(self) -> Result<Self, E> {
        if self.nested == MOST_NESTED {
            return Err(E::custom("nested too deeply"));
        }
        Ok(Self { nested: self.nested + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inside)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_two_meanings_is_refused() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for (text, is_read) in [
            (r#"{"a":1,"b":{"a":2}}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"[{"x":{"a":1,"a":null}}]"#, false),
            (r#"{} {}"#, false),
            ("\u{feff}{}", false),
            (&deep(MOST_NESTED), true),
            (&deep(MOST_NESTED + 1), false),
        ] {
            assert_eq!(value(text.as_bytes(), 1_000).is_ok(), is_read, "{text}");
        }
        assert!(matches!(value(b"[1,2]", 4), Err(Malformed::TooLong { length: 5, limit: 4 })));
    }
}
