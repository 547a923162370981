//! Reading a query string: the same any-case fields, values parsed by the type that wants them.

use std::fmt;

use serde::de::value::{MapDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::decode::{DecodeError, Fault, Step, Trace};
use super::same_name;

/// Reads a query whose names may have any casing. A name without a value counts as absent; unknown names are ignored.
pub fn from_query_any_case<T: DeserializeOwned>(query: &str) -> Result<T, DecodeError> {
    let trace = Trace::default();
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(name)?, decoded(value)?))
    });
    let pairs: Result<Vec<(String, String)>, Malformed> = pairs.collect();
    let pairs = pairs.map_err(|error| trace.refusal(&error.to_string()))?;
    T::deserialize(Query { pairs, trace: &trace }).map_err(|error| trace.refusal(&error.to_string()))
}

/// Percent-decoding as forms do it: a plus is a space.
fn decoded(text: &str) -> Result<String, Malformed> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(Malformed::custom("")),
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(Malformed::custom)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What a reader said about the query; kept only until the refusal is made of it.
#[derive(Debug)]
struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl Error for Malformed {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Query<'t> {
    pairs: Vec<(String, String)>,
    trace: &'t Trace,
}

impl<'de> Deserializer<'de> for Query<'_> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        let trace = self.trace;
        let mut known: Vec<(&'static str, Text<'_>)> = Vec::new();
        for (name, value) in self.pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            let Some(field) = fields.iter().find(|field| same_name(field, &name)) else { continue };
            if known.iter().any(|(seen, _)| seen == field) {
                return Err(trace.refused(Fault::Duplicate, Step::Field(field)));
            }
            known.push((field, Text { value, field, trace }));
        }
        visitor.visit_map(MapDeserializer::new(known.into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// One value, parsed on demand.
struct Text<'t> {
    value: String,
    field: &'static str,
    trace: &'t Trace,
}

impl<'de> IntoDeserializer<'de, Malformed> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Text<'_> {
    fn parsed<T: std::str::FromStr>(&self, expected: &'static str) -> Result<T, Malformed> {
        let wrong = |_| Malformed(format!("invalid value, expected {expected}"));
        self.trace.within(Step::Field(self.field), || self.value.parse().map_err(wrong))
    }

    fn read<T>(&self, read: impl FnOnce(&str) -> Result<T, Malformed>) -> Result<T, Malformed> {
        self.trace.within(Step::Field(self.field), || read(&self.value))
    }
}

macro_rules! parse_then {
    ($($method:ident $visit:ident $expected:literal)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
            visitor.$visit(self.parsed($expected)?)
        }
    )+};
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Malformed;

    parse_then! {
        deserialize_i8 visit_i8 "a whole number"
        deserialize_i16 visit_i16 "a whole number"
        deserialize_i32 visit_i32 "a whole number"
        deserialize_i64 visit_i64 "a whole number"
        deserialize_u8 visit_u8 "a whole number that is not negative"
        deserialize_u16 visit_u16 "a whole number that is not negative"
        deserialize_u32 visit_u32 "a whole number that is not negative"
        deserialize_u64 visit_u64 "a whole number that is not negative"
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Malformed> {
        self.value.make_ascii_lowercase();
        visitor.visit_bool(self.parsed("true or false")?)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.read(|text| visitor.visit_str(text))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.read(|text| visitor.visit_enum(StrDeserializer::new(text)))
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
