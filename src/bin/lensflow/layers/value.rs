//! Values as TOML has them, and their way into the types of [`options`](crate::options): a serde deserializer that knows where each value
//! was said, so that what serde refuses is named with its place.

use super::Entry;
use crate::options::option_table::Form;
use crate::options::value_types::{ADVICE, found};
use lensflow::error::Error;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use toml::Spanned;
use toml::de::DeValue;

/// Below this likeness, two names have nothing to do with each other.
const ALIKE: f64 = 0.8;

/// A value; in a list or a table, with the line that each is on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// A text that is not UTF-8, as paths may be. Flags alone can say one.
    Os(OsString),
    Whole(i128),
    Real(f64),
    Bool(bool),
    List(Vec<(Value, usize)>),
    Table(Vec<(String, Value, usize)>),
    /// A date or a time, which no key takes.
    Time(String),
}

impl Value {
    /// Whether it is an empty text, or a list with one in it: no option means anything by that.
    pub(super) fn has_empty_text(&self) -> bool {
        self.any(&|value| matches!(value, Value::Text(text) if text.is_empty()))
    }

    /// The texts of it, or of its parts.
    pub(super) fn texts(&self) -> Vec<String> {
        match self {
            Value::Text(text) | Value::Time(text) => vec![text.clone()],
            Value::Os(text) => vec![text.to_string_lossy().into_owned()],
            Value::List(values) => values.iter().flat_map(|(value, _)| value.texts()).collect(),
            other => vec![other.to_string()],
        }
    }

    /// A list of it, or of its parts, and of those texts that it has not.
    pub(super) fn with(&self, texts: &[String]) -> Value {
        let mut list = match self {
            Value::List(list) => list.clone(),
            one => vec![(one.clone(), 1)],
        };
        let known = self.texts();
        list.extend(texts.iter().filter(|text| !known.contains(text)).map(|text| (Value::Text(text.clone()), 1)));
        Value::List(list)
    }

    /// Whether a spec can say it, which is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        !self.any(&|value| matches!(value, Value::Os(_)))
    }

    fn any(&self, is: &dyn Fn(&Value) -> bool) -> bool {
        match self {
            Value::List(values) => values.iter().any(|(value, _)| value.any(is)),
            one => is(one),
        }
    }

    /// The value of a flag's argument, for an option of this form.
    pub(super) fn of_argument(argument: &OsStr, form: Form) -> Value {
        argument.to_str().map_or_else(|| Value::Os(argument.to_owned()), |text| Value::of_flag(text, form))
    }

    /// A value of TOML, in a text that begins at the first line.
    pub(super) fn of_toml(value: &Spanned<DeValue<'_>>, text: &str) -> Value {
        let line = |span: std::ops::Range<usize>| line_of(text, span.start);
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).map_or(Value::Real(f64::NAN), Value::Whole),
            DeValue::Float(number) => Value::Real(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(is) => Value::Bool(*is),
            DeValue::Datetime(time) => Value::Time(time.to_string()),
            DeValue::Array(list) => Value::List(list.iter().map(|value| (Value::of_toml(value, text), line(value.span()))).collect()),
            DeValue::Table(table) => {
                let entry = |(key, value): (&Spanned<_>, _)| (key_of(key), Value::of_toml(value, text), line(key.span()));
                Value::Table(table.iter().map(entry).collect())
            }
        }
    }

    /// The value of a flag's text, for an option of this form. A text that is not of the form stays one, and serde refuses it.
    pub(super) fn of_flag(text: &str, form: Form) -> Value {
        let number = |text: &str| {
            let whole = text.parse().map(Value::Whole).ok();
            whole.or_else(|| text.parse().map(Value::Real).ok()).unwrap_or_else(|| Value::Text(text.to_owned()))
        };
        match form {
            Form::Number => number(text),
            Form::Numbers => Value::List(text.split(',').map(|part| (number(part), 1)).collect()),
            Form::Switch | Form::Text | Form::Texts | Form::Table => Value::Text(text.to_owned()),
        }
    }

    /// The value of a variable or of `--set`: TOML where that is of the form, else text.
    pub(super) fn of_setting(text: &str, form: Form) -> Value {
        let plain = || Value::Text(text.to_owned());
        let toml = DeValue::parse(text).map_or_else(|_| plain(), |value| Value::of_toml(&value, text));
        match (form, &toml) {
            (Form::Text | Form::Texts, Value::Whole(_) | Value::Real(_) | Value::Bool(_) | Value::Time(_)) => plain(),
            (Form::Numbers, Value::Text(_)) if text.contains(',') => Value::of_flag(text, form),
            _ => toml,
        }
    }
}

fn key_of(key: &Spanned<impl AsRef<str>>) -> String {
    key.get_ref().as_ref().to_owned()
}

/// As TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(f, "\\{c}")?,
                        c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"")
            }
            Value::Os(text) => write!(f, "{text:?}"),
            Value::Whole(number) => write!(f, "{number}"),
            Value::Real(number) => write!(f, "{number:?}"),
            Value::Bool(is) => write!(f, "{is}"),
            Value::Time(time) => f.write_str(time),
            Value::List(list) => {
                let parts: Vec<_> = list.iter().map(|(value, _)| value.to_string()).collect();
                write!(f, "[{}]", parts.join(", "))
            }
            Value::Table(table) => {
                let parts: Vec<_> = table.iter().map(|(key, value, _)| format!("{key} = {value}")).collect();
                write!(f, "{{ {} }}", parts.join(", "))
            }
        }
    }
}

/// The line of a place in a text, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// The known name that is most like another, if any is.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), known);
    let alike = known.map(|known| (likeness(known), known)).filter(|(like, _)| *like >= ALIKE);
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// A value that serde refuses, with its place once that is known.
#[derive(Debug)]
pub(super) struct Fault {
    what: String,
    /// Of a part of a list.
    line: Option<usize>,
    place: Option<String>,
}

impl Fault {
    fn at(mut self, entry: &Entry) -> Self {
        self.place.get_or_insert_with(|| entry.place(self.line));
        self
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        let place = fault.place.map_or(String::new(), |place| place + ": ");
        match fault.what.split_once(ADVICE) {
            Some((what, help)) => Error::usage(format!("{place}{what}")).help(help),
            None => Error::usage(place + &fault.what),
        }
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Fault { what: what.to_string(), line: None, place: None }
    }

    fn invalid_type(value: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Fault::custom(format!("{expected} is expected, not {}", found(value)))
    }

    fn invalid_value(value: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Fault::invalid_type(value, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let all = || format!("one of {}", expected.join(", "));
        let help = nearest(variant, expected.iter().copied()).map_or_else(all, |word| format!("did you mean {word:?}?"));
        Fault::custom(format!("{variant:?} is not among the choices{ADVICE}{help}"))
    }
}

/// Everything that was said, as sections in sections.
pub(super) enum Node<'a> {
    Section(Section<'a>),
    Leaf(&'a Entry),
}

/// A section, as serde reads it.
#[derive(Default)]
pub(super) struct Section<'a>(BTreeMap<&'a str, Node<'a>>);

impl<'a> Section<'a> {
    pub(super) fn of(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut root = Section::default();
        for entry in entries {
            let section = entry.row.section().split('.').try_fold(&mut root, |at, name| {
                match at.0.entry(name).or_insert_with(|| Node::Section(Section::default())) {
                    Node::Section(section) => Some(section),
                    Node::Leaf(_) => None,
                }
            });
            let node = || if entry.row.form == Form::Table { Node::Section(Section::default()) } else { Node::Leaf(entry) };
            if let Some(section) = section {
                section.0.entry(entry.row.name()).or_insert_with(node);
            }
        }
        root
    }
}

impl<'de> Deserializer<'de> for Section<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Fields { rest: self.0.into_iter(), next: None })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Fields<'a> {
    rest: std::collections::btree_map::IntoIter<&'a str, Node<'a>>,
    next: Option<Node<'a>>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, node)) = self.rest.next() else { return Ok(None) };
        self.next = Some(node);
        let key: StrDeserializer<'_, Fault> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        match self.next.take() {
            Some(Node::Section(section)) => seed.deserialize(section),
            Some(Node::Leaf(entry)) => seed.deserialize(Reader(&entry.value)).map_err(|fault| fault.at(entry)),
            None => Err(Fault::custom("a value without a key")),
        }
    }
}

/// A value, as serde reads it.
struct Reader<'a>(&'a Value);

impl Reader<'_> {
    fn unlike<T>(&self, expected: &str) -> Result<T, Fault> {
        let found = match self.0 {
            Value::Os(text) => {
                let help = "rename it: only paths of outputs, states and folders may be other bytes";
                return Err(Fault::custom(format!("{text:?} is not UTF-8{ADVICE}{help}")));
            }
            Value::Text(text) => format!("{text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
            other => other.to_string(),
        };
        Err(Fault::custom(format!("{expected} is expected, not {found}")))
    }

    fn whole<T: TryFrom<i128>>(&self) -> Result<T, Fault> {
        let Value::Whole(number) = self.0 else { return self.unlike("a whole number, such as 8,") };
        T::try_from(*number).or_else(|_| self.unlike(if *number < 0 { "a number from 0 on" } else { "a smaller number" }))
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Text(text) => visitor.visit_str(text),
            Value::Os(text) => visitor.visit_bytes(text.as_encoded_bytes()),
            Value::Whole(number) if *number < 0 => visitor.visit_i64(self.whole()?),
            Value::Whole(_) => visitor.visit_u64(self.whole()?),
            Value::Real(number) => visitor.visit_f64(*number),
            Value::Bool(is) => visitor.visit_bool(*is),
            Value::Time(time) => Err(Fault::invalid_type(Unexpected::Other(time), &visitor)),
            Value::List(_) => Err(Fault::invalid_type(Unexpected::Seq, &visitor)),
            Value::Table(_) => Err(Fault::invalid_type(Unexpected::Map, &visitor)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if let Value::Bool(is) = self.0 { visitor.visit_bool(*is) } else { self.unlike("true or false") }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u8(self.whole()?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u32(self.whole()?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u64(self.whole()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Real(number) if number.is_finite() => visitor.visit_f64(*number),
            Value::Whole(number) => visitor.visit_f64(*number as f64),
            _ => self.unlike("a number, such as 0.25,"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if let Value::Text(text) = self.0 { visitor.visit_str(text) } else { self.unlike("a text in quotes") }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let Value::Text(text) = self.0 else { return self.unlike("a text in quotes") };
        let word: StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
        visitor.visit_enum(word)
    }

    /// One alone is a list of one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::List(list) => visitor.visit_seq(Parts(list.iter())),
            one => visitor.visit_seq(Parts([(one.clone(), 0)].iter())),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u16 u128 f32 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct map struct identifier ignored_any
    }
}

struct Parts<'a>(std::slice::Iter<'a, (Value, usize)>);

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((value, line)) = self.0.next() else { return Ok(None) };
        let on_line = |fault: Fault| Fault { line: fault.line.or(Some(*line).filter(|line| *line > 0)), ..fault };
        seed.deserialize(Reader(value)).map(Some).map_err(on_line)
    }
}
