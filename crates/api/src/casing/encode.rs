//! Writing an answer: a wrapper around the JSON serializer that repeats struct fields in a second casing.

use serde::ser::{
    Serialize, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

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
pub fn to_vec<T: Serialize + ?Sized>(value: &T, casing: Casing) -> Result<Vec<u8>, serde_json::Error> {
    match casing {
        Casing::Camel => serde_json::to_vec(value),
        casing => serde_json::to_vec(&Twinned { value, casing }),
    }
}

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

/// A value whose fields are written twice.
struct Twinned<'a, T: ?Sized> {
    value: &'a T,
    casing: Casing,
}

impl<T: Serialize + ?Sized> Serialize for Twinned<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(TwinSerializer { inner: serializer, casing: self.casing })
    }
}

struct TwinSerializer<S> {
    inner: S,
    casing: Casing,
}

macro_rules! forward {
    ($($method:ident($of:ty))+) => {$(
        fn $method(self, value: $of) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )+};
}

impl<S: Serializer> Serializer for TwinSerializer<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = TwinSerializer<S::SerializeSeq>;
    type SerializeTuple = TwinSerializer<S::SerializeTuple>;
    type SerializeTupleStruct = TwinSerializer<S::SerializeTupleStruct>;
    type SerializeTupleVariant = TwinSerializer<S::SerializeTupleVariant>;
    type SerializeMap = S::SerializeMap;
    type SerializeStruct = Fields<S::SerializeMap>;
    type SerializeStructVariant = S::SerializeStructVariant;

    forward! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_u8(u8)
        serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_f32(f32) serialize_f64(f64)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8]) serialize_unit_struct(&'static str)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Twinned { value, casing: self.casing })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Twinned { value, casing: self.casing })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_variant(name, index, variant, &Twinned { value, casing: self.casing })
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Ok(TwinSerializer { inner: self.inner.serialize_seq(len)?, casing: self.casing })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        Ok(TwinSerializer { inner: self.inner.serialize_tuple(len)?, casing: self.casing })
    }

    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        Ok(TwinSerializer { inner: self.inner.serialize_tuple_struct(name, len)?, casing: self.casing })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let inner = self.inner.serialize_tuple_variant(name, index, variant, len)?;
        Ok(TwinSerializer { inner, casing: self.casing })
    }

    /// A map is the user's data: its keys and everything below them stay as they are.
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.inner.serialize_map(len)
    }

    /// Written as a map, because a struct's fields cannot be named at run time.
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Self::SerializeStruct, S::Error> {
        Ok(Fields { inner: self.inner.serialize_map(None)?, casing: self.casing })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.inner.serialize_struct_variant(name, index, variant, len)
    }
}

macro_rules! forward_elements {
    ($($of:ident $method:ident)+) => {$(
        impl<S: $of> $of for TwinSerializer<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.inner.$method(&Twinned { value, casing: self.casing })
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.inner.end()
            }
        }
    )+};
}

forward_elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// The fields of a struct, each under its name and its twin's.
struct Fields<M> {
    inner: M,
    casing: Casing,
}

impl<M: serde::ser::SerializeMap> SerializeStruct for Fields<M> {
    type Ok = M::Ok;
    type Error = M::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), M::Error> {
        let value = Twinned { value, casing: self.casing };
        self.inner.serialize_entry(name, &value)?;
        match self.casing.twin(name) {
            Some(twin) => self.inner.serialize_entry(&twin, &value),
            None => Ok(()),
        }
    }

    fn end(self) -> Result<M::Ok, M::Error> {
        self.inner.end()
    }
}
