//! Canonical JSON: sorted keys, no blanks, written in one go.
//!
//! The same text as that of a `serde_json::Value` with sorted keys, without the tree: a plan of ten thousand rows hashes
//! fifty thousand stages.

use serde::Serialize;
use serde::ser;
use std::borrow::Cow;
use std::fmt;

/// The canonical text of `value`, without the fields `left_out` of the outermost record.
pub fn text<T: Serialize + ?Sized>(value: &T, left_out: &[&str]) -> String {
    let mut out = String::new();
    write(&mut out, value, left_out);
    out
}

/// Writes the canonical text of `value` at the end of `out`.
pub fn write<T: Serialize + ?Sized>(out: &mut String, value: &T, left_out: &[&str]) {
    value
        .serialize(Writer { out, left_out })
        .expect("hash: settings are plain data");
}

/// What cannot be written: keys that are no text. Settings have none.
#[derive(Debug)]
pub struct NotPlain(String);

impl fmt::Display for NotPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotPlain {}

impl ser::Error for NotPlain {
    fn custom<T: fmt::Display>(message: T) -> Self {
        NotPlain(message.to_string())
    }
}

/// Writes one value.
struct Writer<'o> {
    out: &'o mut String,
    left_out: &'o [&'o str],
}

/// A list under way.
struct List<'o> {
    out: &'o mut String,
    is_first: bool,
    closing: &'static str,
}

/// A record under way: its fields one behind the other, `"key":value`, and where each stands.
struct Fields<'o> {
    out: &'o mut String,
    left_out: &'o [&'o str],
    start: usize,
    /// Key, and where its field begins and ends in `out`.
    fields: Vec<(Cow<'static, str>, usize, usize)>,
    closing: &'static str,
}

impl<'o> Fields<'o> {
    fn new(out: &'o mut String, left_out: &'o [&'o str], closing: &'static str) -> Self {
        out.push('{');
        let start = out.len();
        Fields {
            out,
            left_out,
            start,
            fields: Vec::with_capacity(8),
            closing,
        }
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: Cow<'static, str>, value: &T) {
        if self.left_out.contains(&key.as_ref()) {
            return;
        }
        if !self.fields.is_empty() {
            self.out.push(',');
        }
        let from = self.out.len();
        quote(self.out, &key);
        self.out.push(':');
        write(self.out, value, &[]);
        self.fields.push((key, from, self.out.len()));
    }

    /// Puts the fields in the order of their keys, and closes the record.
    fn close(self) {
        let Fields {
            out,
            start,
            mut fields,
            closing,
            ..
        } = self;
        if !fields.is_sorted() {
            fields.sort();
            let written = out.split_off(start);
            for (position, (_, from, to)) in fields.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                out.push_str(&written[from - start..to - start]);
            }
        }
        out.push('}');
        out.push_str(closing);
    }
}

/// `text` in quotes, escaped as JSON wants it.
fn quote(out: &mut String, text: &str) {
    let is_plain = |c: u8| c >= b' ' && c != b'"' && c != b'\\';
    if text.bytes().all(is_plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// A whole number.
fn write_number(out: &mut String, value: impl fmt::Display) {
    use fmt::Write;
    write!(out, "{value}").expect("hash: a text takes all that is written to it");
}

/// Opens `{"variant":`, for a value that stands in it.
fn open(out: &mut String, variant: &str) {
    out.push('{');
    quote(out, variant);
    out.push(':');
}

impl<'o> ser::Serializer for Writer<'o> {
    type Ok = ();
    type Error = NotPlain;
    type SerializeSeq = List<'o>;
    type SerializeTuple = List<'o>;
    type SerializeTupleStruct = List<'o>;
    type SerializeTupleVariant = List<'o>;
    type SerializeMap = Keyed<'o>;
    type SerializeStruct = Fields<'o>;
    type SerializeStructVariant = Fields<'o>;

    fn serialize_bool(self, value: bool) -> Result<(), NotPlain> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), NotPlain> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), NotPlain> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), NotPlain> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), NotPlain> {
        write_number(self.out, value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), NotPlain> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), NotPlain> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), NotPlain> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), NotPlain> {
        write_number(self.out, value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), NotPlain> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), NotPlain> {
        self.out
            .push_str(&serde_json::Value::from(value).to_string());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), NotPlain> {
        quote(self.out, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), NotPlain> {
        quote(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), NotPlain> {
        write(self.out, value, &[]);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), NotPlain> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotPlain> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotPlain> {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotPlain> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotPlain> {
        quote(self.out, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotPlain> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), NotPlain> {
        open(self.out, variant);
        write(self.out, value, &[]);
        self.out.push('}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'o>, NotPlain> {
        self.out.push('[');
        Ok(List {
            out: self.out,
            is_first: true,
            closing: "]",
        })
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'o>, NotPlain> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<List<'o>, NotPlain> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'o>, NotPlain> {
        open(self.out, variant);
        self.out.push('[');
        Ok(List {
            out: self.out,
            is_first: true,
            closing: "]}",
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Keyed<'o>, NotPlain> {
        Ok(Keyed {
            fields: Fields::new(self.out, self.left_out, ""),
            key: String::new(),
        })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'o>, NotPlain> {
        Ok(Fields::new(self.out, self.left_out, ""))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'o>, NotPlain> {
        open(self.out, variant);
        Ok(Fields::new(self.out, &[], "}"))
    }
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
        if !std::mem::replace(&mut self.is_first, false) {
            self.out.push(',');
        }
        write(self.out, value, &[]);
        Ok(())
    }

    fn close(self) -> Result<(), NotPlain> {
        self.out.push_str(self.closing);
        Ok(())
    }
}

impl ser::SerializeSeq for List<'_> {
    type Ok = ();
    type Error = NotPlain;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
        self.item(value)
    }

    fn end(self) -> Result<(), NotPlain> {
        self.close()
    }
}

impl ser::SerializeTuple for List<'_> {
    type Ok = ();
    type Error = NotPlain;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
        self.item(value)
    }

    fn end(self) -> Result<(), NotPlain> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for List<'_> {
    type Ok = ();
    type Error = NotPlain;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
        self.item(value)
    }

    fn end(self) -> Result<(), NotPlain> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for List<'_> {
    type Ok = ();
    type Error = NotPlain;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
        self.item(value)
    }

    fn end(self) -> Result<(), NotPlain> {
        self.close()
    }
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = NotPlain;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), NotPlain> {
        self.field(key.into(), value);
        Ok(())
    }

    fn end(self) -> Result<(), NotPlain> {
        self.close();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Fields<'_> {
    type Ok = ();
    type Error = NotPlain;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), NotPlain> {
        self.field(key.into(), value);
        Ok(())
    }

    fn end(self) -> Result<(), NotPlain> {
        self.close();
        Ok(())
    }
}

/// A map under way.
struct Keyed<'o> {
    fields: Fields<'o>,
    key: String,
}

impl ser::SerializeMap for Keyed<'_> {
    type Ok = ();
    type Error = NotPlain;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotPlain> {
        let written = text(key, &[]);
        let read = serde_json::from_str(&written);
        self.key = read.map_err(|_| NotPlain(format!("{written} is a key and no text")))?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotPlain> {
        let key = std::mem::take(&mut self.key);
        self.fields.field(key.into(), value);
        Ok(())
    }

    fn end(self) -> Result<(), NotPlain> {
        self.fields.close();
        Ok(())
    }
}
