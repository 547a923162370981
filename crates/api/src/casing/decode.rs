//! Reading a body: a wrapper around the JSON deserializer that matches struct fields in any casing.
//!
//! Only structs are matched so; a map's keys belong to the user. The wrapper counts nesting, refuses a name that
//! stands twice in an object, and remembers where it is, so that a refusal names the field without quoting its value.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::same_name;
use crate::limits::JSON_DEPTH;

/// Why a body or a query could not be read. The text is for the caller and never repeats a value.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// What kind of refusal it is.
    pub fault: Fault,
    message: String,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON at all.
    Syntax,
    /// Nested deeper than [`JSON_DEPTH`].
    TooDeep,
    /// A name stands twice in one object, perhaps in two casings.
    Duplicate,
    /// A field is missing or of the wrong form.
    Shape,
}

/// Reads a body whose field names may have any casing. An empty body is an empty object.
pub fn from_slice_any_case<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, DecodeError> {
    from_slice_noting_snake(bytes).map(|(value, _)| value)
}

/// The same, and whether any field was spelled in snake_case: its sender reads answers so, too.
pub fn from_slice_noting_snake<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, bool), DecodeError> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let trace = Trace::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    T::deserialize(AnyCase { inner: &mut json, trace: &trace, depth: JSON_DEPTH })
        .and_then(|value| json.end().map(|()| (value, trace.snake.get())))
        .map_err(|error| trace.json_refusal(&error))
}

/// Where the reader is, and what it refused itself.
#[derive(Default)]
pub(super) struct Trace {
    path: RefCell<Vec<Step>>,
    fault: Cell<Option<Fault>>,
    snake: Cell<bool>,
}

/// One step from the outermost value to the one being read.
pub(super) enum Step {
    Field(&'static str),
    Entry,
    Index(usize),
}

impl Trace {
    /// Runs `read` one step further in. The step stays when reading fails: it says where.
    pub(super) fn within<T, E>(&self, step: Step, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.path.borrow_mut().push(step);
        let value = read()?;
        self.path.borrow_mut().pop();
        Ok(value)
    }

    fn refuse<E: Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    /// A refusal of our own at one step further in.
    pub(super) fn refused<E: Error>(&self, fault: Fault, step: Step) -> E {
        self.path.borrow_mut().push(step);
        self.refuse(fault)
    }

    fn json_refusal(&self, error: &serde_json::Error) -> DecodeError {
        if self.fault.get().is_none() && !error.is_data() {
            let message = format!("not JSON: line {}, column {}", error.line(), error.column());
            return DecodeError { fault: Fault::Syntax, message };
        }
        self.refusal(&error.to_string())
    }

    /// The refusal for a deserializer's error text, of which only the parts that are ours are kept.
    pub(super) fn refusal(&self, text: &str) -> DecodeError {
        let place = self.place();
        let at = if place.is_empty() { String::new() } else { format!(" at `{place}`") };
        let fault = self.fault.get().unwrap_or(Fault::Shape);
        let message = match fault {
            Fault::TooDeep => format!("more than {JSON_DEPTH} levels of nesting"),
            Fault::Duplicate => format!("a field is given twice{at}"),
            Fault::Syntax | Fault::Shape => format!("{}{at}", blameless(text)),
        };
        DecodeError { fault, message }
    }

    fn place(&self) -> String {
        let mut place = String::new();
        for step in self.path.borrow().iter() {
            match step {
                Step::Field(name) if place.is_empty() => place.push_str(name),
                Step::Field(name) => place.extend([".", name]),
                Step::Entry => place.push_str("[..]"),
                Step::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        place
    }
}

/// What of a deserializer's message comes from our types and not from the sender.
fn blameless(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    if text.starts_with("missing field `") {
        return text.to_owned();
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "invalid value".to_owned(),
    }
}

/// A deserializer, or a visitor, that matches struct fields in any casing from here on inwards.
struct AnyCase<'t, D> {
    inner: D,
    trace: &'t Trace,
    depth: usize,
}

macro_rules! forward {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(AnyCaseVisitor { visitor, trace: self.trace, depth: self.depth, fields: None })
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for AnyCase<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq
        deserialize_map deserialize_identifier
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let fields = Some(fields);
        self.inner.deserialize_map(AnyCaseVisitor { visitor, trace: self.trace, depth: self.depth, fields })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = AnyCaseVisitor { visitor, trace: self.trace, depth: self.depth, fields: None };
        self.inner.deserialize_enum(name, variants, visitor)
    }

    /// What nobody reads is walked all the same: depth and duplicates count there too.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }
}

struct AnyCaseVisitor<'t, V> {
    visitor: V,
    trace: &'t Trace,
    depth: usize,
    fields: Option<&'static [&'static str]>,
}

impl<V> AnyCaseVisitor<'_, V> {
    fn depth_inside<E: Error>(&self) -> Result<usize, E> {
        self.depth.checked_sub(1).ok_or_else(|| self.trace.refuse(Fault::TooDeep))
    }
}

macro_rules! forward_visit {
    ($($method:ident($of:ty))+) => {$(
        fn $method<E: Error>(self, value: $of) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for AnyCaseVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fields {
            Some(_) => f.write_str("an object"),
            None => self.visitor.expecting(f),
        }
    }

    forward_visit! {
        visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_borrowed_str(&'de str)
        visit_string(String) visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(AnyCase { inner, trace: self.trace, depth: self.depth })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(AnyCase { inner, trace: self.trace, depth: self.depth })
    }

    /// Derived readers would take an array for a struct, by position; an object is meant.
    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        if self.fields.is_some() {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        let depth = self.depth_inside()?;
        self.visitor.visit_seq(Items { inner, trace: self.trace, depth, index: 0 })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let depth = self.depth_inside()?;
        let names = Names { fields: self.fields, known: 0, others: HashSet::new(), trace: self.trace };
        self.visitor.visit_map(Entries { inner, names, depth, field: None })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(inner)
    }
}

struct Items<'t, A> {
    inner: A,
    trace: &'t Trace,
    depth: usize,
    index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let step = Step::Index(self.index);
        self.index += 1;
        let (trace, depth, inner) = (self.trace, self.depth, &mut self.inner);
        trace.within(step, || inner.next_element_seed(AnyCase { inner: seed, trace, depth }))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for AnyCase<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(AnyCase { inner, trace: self.trace, depth: self.depth })
    }
}

struct Entries<'t, A> {
    inner: A,
    names: Names<'t>,
    depth: usize,
    field: Option<&'static str>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(name) = self.inner.next_key_seed(&mut self.names)? else { return Ok(None) };
        self.field = match &name {
            Name::Field(field) => Some(*field),
            Name::Other(_) => None,
        };
        let text = match &name {
            Name::Field(field) => field,
            Name::Other(text) => text.as_str(),
        };
        seed.deserialize(StrDeserializer::new(text)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let step = self.field.map_or(Step::Entry, Step::Field);
        let (trace, depth, inner) = (self.names.trace, self.depth, &mut self.inner);
        trace.within(step, || inner.next_value_seed(AnyCase { inner: seed, trace, depth }))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The names of one object: which field each one means, and which have been seen.
struct Names<'t> {
    fields: Option<&'static [&'static str]>,
    /// One bit a field; no body has more than 128.
    known: u128,
    others: HashSet<String>,
    trace: &'t Trace,
}

enum Name {
    Field(&'static str),
    Other(String),
}

impl Names<'_> {
    fn name<E: Error>(&mut self, text: &str) -> Result<Name, E> {
        let fields = self.fields.unwrap_or_default();
        let exact = fields.iter().position(|field| *field == text);
        let found = exact.or_else(|| fields.iter().position(|field| same_name(field, text)));
        let Some((index, field)) = found.and_then(|index| Some((index, *fields.get(index)?))) else {
            let fresh = self.others.insert(text.to_owned());
            return if fresh { Ok(Name::Other(text.to_owned())) } else { Err(self.trace.refuse(Fault::Duplicate)) };
        };
        let bit = 1_u128.checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or_default();
        if self.known & bit != 0 {
            return Err(self.trace.refuse(Fault::Duplicate));
        }
        self.known |= bit;
        if text.contains('_') && !field.contains('_') {
            self.trace.snake.set(true);
        }
        Ok(Name::Field(field))
    }
}

impl<'de> DeserializeSeed<'de> for &mut Names<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for &mut Names<'_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
        self.name(text)
    }
}
