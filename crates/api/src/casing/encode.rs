//! Writing an answer: JSON, with struct fields in one casing or two.
//!
//! The writer is ours for two reasons. A struct's fields have to be told from a map's keys, which are the user's; and the texts
//! in answers are base64 and PEM by the kilobyte, in which looking for something to escape byte by byte, as `serde_json` does,
//! was a tenth of a batch. What is rare is left to `serde_json`: numbers with a point, and keys that are no texts.

use serde::ser::{Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde::ser::{SerializeTuple, SerializeTupleStruct};
use serde_json::Error;

/// Which spellings of a field an answer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Casing {
    /// `keyVersion`.
    #[default]
    Camel,
    /// `keyVersion` and `key_version`.
    Both,
    /// `keyVersion` and `KeyVersion`.
    Pascal,
}

/// Writes a body with the fields spelled as `casing` says, at every level down to the user's own data.
pub fn to_vec<T: Serialize + ?Sized>(value: &T, casing: Casing) -> Result<Vec<u8>, Error> {
    to_vec_of(FIRST_LEN, value, casing)
}

/// The same with room for so many bytes from the start: a long answer is else copied every time that it has doubled.
pub fn to_vec_of<T: Serialize + ?Sized>(room: usize, value: &T, casing: Casing) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(room);
    value.serialize(Writer { out: &mut out, casing })?;
    Ok(out)
}

/// Room for most answers.
const FIRST_LEN: usize = 512;

impl Casing {
    /// The second spelling of a camelCase name, when there is one that differs.
    fn twin(self, name: &'static str) -> Option<String> {
        let twin = match self {
            Self::Camel => return None,
            Self::Both => snake(name),
            Self::Pascal => pascal(name),
        };
        (twin != name).then_some(twin)
    }
}

fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn pascal(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Writes one value.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    casing: Casing,
}

macro_rules! numbers {
    ($($method:ident($of:ty))+) => {$(
        fn $method(self, value: $of) -> Result<(), Error> {
            serde_json::to_writer(self.out, &value)
        }
    )+};
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Impossible<(), Error>;

    numbers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_u8(u8) serialize_u16(u16)
        serialize_u32(u32) serialize_u64(u64) serialize_f32(f32) serialize_f64(f64)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        write_text(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    /// The name of a variant is a word of its own, not a field: it has no twin.
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut items = Items::open(self, b'{', b'}');
        items.entry(variant, value)?;
        items.close()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(Items::open(self, b'[', b']'))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Items<'a>, Error> {
        Ok(Items::open(self, b'[', b']'))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Items<'a>, Error> {
        Ok(Items::open(self, b'[', b']'))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(Error::custom(NO_BODY))
    }

    /// A map is the user's data: its keys and everything below them stay as they are.
    fn serialize_map(self, _len: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(Items::open(Self { casing: Casing::Camel, ..self }, b'{', b'}'))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Items<'a>, Error> {
        Ok(Items::open(self, b'{', b'}'))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(Error::custom(NO_BODY))
    }
}

const NO_BODY: &str = "no body has variants with several fields";

/// What stands between a pair of brackets.
struct Items<'a> {
    out: &'a mut Vec<u8>,
    casing: Casing,
    end: u8,
    is_first: bool,
}

impl<'a> Items<'a> {
    fn open(writer: Writer<'a>, start: u8, end: u8) -> Self {
        writer.out.push(start);
        Self { out: writer.out, casing: writer.casing, end, is_first: true }
    }

    fn close(self) -> Result<(), Error> {
        self.out.push(self.end);
        Ok(())
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        value.serialize(Writer { out: self.out, casing: self.casing })
    }

    fn entry<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        self.separate();
        write_text(self.out, name);
        self.out.push(b':');
        value.serialize(Writer { out: self.out, casing: self.casing })
    }
}

macro_rules! items {
    ($($of:ident $method:ident)+) => {$(
        impl $of for Items<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )+};
}

items! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
}

/// Each field under its name and its twin's.
impl SerializeStruct for Items<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.entry(name, value)?;
        match self.casing.twin(name) {
            Some(twin) => self.entry(&twin, value),
            None => Ok(()),
        }
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.separate();
        // A key of JSON is a text; what is written without quotes, as a number is, gets them.
        let start = self.out.len();
        key.serialize(Writer { out: self.out, casing: Casing::Camel })?;
        match self.out.get(start) {
            Some(b'"') => Ok(()),
            Some(b'{' | b'[') | None => Err(Error::custom("a key that is no text")),
            Some(_) => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
                Ok(())
            }
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        value.serialize(Writer { out: self.out, casing: self.casing })
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

/// So many bytes are looked at together, by instructions that look at all of them at once.
const BLOCK: usize = 32;

/// Writes a text between quotes, with what JSON wants escaped (RFC 8259, section 7).
fn write_text(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + text.len() / BLOCK + 2);
    out.push(b'"');
    let mut bytes = text.as_bytes();
    // The next block begins behind what was escaped: so a line of PEM is two blocks and its end, and nothing is looked at twice.
    while let Some((block, rest)) = bytes.split_first_chunk::<BLOCK>() {
        if block.iter().fold(false, |found, byte| found | is_escaped(*byte)) {
            bytes = write_to_escape(out, bytes);
        } else {
            out.extend_from_slice(block);
            bytes = rest;
        }
    }
    while !bytes.is_empty() {
        bytes = write_to_escape(out, bytes);
    }
    out.push(b'"');
}

/// Writes up to the first byte that has to be escaped, and that; answers with what follows it.
fn write_to_escape<'a>(out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
    let place = bytes.iter().position(|byte| is_escaped(*byte)).unwrap_or(bytes.len());
    let (plain, rest) = bytes.split_at(place);
    out.extend_from_slice(plain);
    let Some((escaped, rest)) = rest.split_first() else { return &[] };
    write_escape(out, *escaped);
    rest
}

fn is_escaped(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        8 => b'b',
        12 => b'f',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
