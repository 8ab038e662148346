//! JSONL: an object a line. A number is read from its own digits, so `0.1` is exactly 0.1; an absent key is a null.

use super::columns::find;
use super::lines::{Lines, TextChunk};
use super::text::TextRows;
use super::{Chunk, Column, ColumnMap, Origin, Sink, Source};
use crate::error::{Error, Result, Stage};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::sync::Arc;

/// The columns are looked for among the keys of this many first lines: writers leave nulls out.
const LINES_WITH_KEYS: usize = 1_000;

pub(super) struct JsonlSource {
    lines: Lines,
    first: Option<TextChunk>,
    layout: Arc<Layout>,
}

struct Layout {
    origin: Arc<Origin>,
    map: ColumnMap,
    batch_rows: usize,
}

impl JsonlSource {
    pub(super) fn open(reader: Box<dyn Read + Send>, origin: Arc<Origin>, map: &ColumnMap, batch_rows: usize) -> Result<Self> {
        let mut lines = Lines::new(reader, origin.clone());
        lines.peek_line()?;
        let first = lines.next_chunk()?;
        if let Some(first) = &first {
            let mut keys = BTreeSet::new();
            for line in first.bytes.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty()).take(LINES_WITH_KEYS) {
                // A line that is no object is reported with its number when it is decoded.
                let object = serde_json::from_slice::<std::collections::BTreeMap<String, IgnoredAny>>(line);
                keys.extend(object.into_iter().flat_map(|o| o.into_keys()));
            }
            if !keys.is_empty() {
                find(&keys.iter().map(String::as_str).collect::<Vec<_>>(), map, &origin)?;
            }
        }
        Ok(JsonlSource { lines, first, layout: Arc::new(Layout { origin, map: map.clone(), batch_rows }) })
    }
}

impl Source for JsonlSource {
    fn inputs(&self) -> Vec<String> {
        vec![self.layout.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let chunk = match self.first.take() {
            Some(first) => Some(first),
            None => self.lines.next_chunk()?,
        };
        Ok(chunk.map(|text| Box::new(JsonlChunk { text, layout: self.layout.clone() }) as Box<dyn Chunk>))
    }
}

struct JsonlChunk {
    text: TextChunk,
    layout: Arc<Layout>,
}

impl Chunk for JsonlChunk {
    fn decode(self: Box<Self>, sink: &mut Sink<'_>) -> Result<()> {
        let Layout { origin, map, batch_rows } = &*self.layout;
        let mut rows = TextRows::default();
        let (mut first_row, mut first_line) = (self.text.first_record, self.text.first_line);
        for line in self.text.bytes.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
            let fault = |what: String| {
                let (row, line) = (first_row + rows.len() as u64, first_line.map(|l| l + rows.len() as u64));
                Error::data(what).input(&origin.name).row(row).line(line).stage(Stage::Source)
            };
            let mut json = serde_json::Deserializer::from_slice(line);
            let raws = Object(map).deserialize(&mut json).and_then(|raws| json.end().map(|()| raws));
            let raws = raws.map_err(|e| {
                // serde_json counts lines from here; ours are counted from the file's beginning.
                fault(format!("the line is not a JSON object: {}", e.to_string().replace("at line 1 column", "at column")))
            })?;
            let mut texts: [Option<Cow<'_, str>>; 6] = Default::default();
            for (text, raw) in texts.iter_mut().zip(raws) {
                let raw = raw.map(RawValue::get).filter(|raw| *raw != "null");
                *text = raw.map(unquoted).transpose().map_err(|e| fault("a text cannot be read".to_owned()).cause(e))?;
            }
            let id = raws[Column::CustomerId as usize].map_or("", RawValue::get);
            let integer = id.strip_prefix('-').unwrap_or(id).bytes().all(|b| b.is_ascii_digit());
            if !(id.starts_with('"') || id == "null" || integer) {
                return Err(fault(format!("customer_id is {id}: it must be text or an integer")));
            }
            rows.push(texts.each_ref().map(|t| t.as_deref().filter(|t| !t.is_empty())));
            if rows.len() == *batch_rows {
                let n = rows.len() as u64;
                sink(rows.take(origin, first_row, first_line))?;
                first_row += n;
                first_line = first_line.map(|l| l + n);
            }
        }
        if rows.len() > 0 { sink(rows.take(origin, first_row, first_line)) } else { Ok(()) }
    }
}

/// A JSON text's content, or any other value as it is written.
fn unquoted(raw: &str) -> serde_json::Result<Cow<'_, str>> {
    match raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str(raw).map(Cow::Owned),
        None => Ok(Cow::Borrowed(raw)),
    }
}

/// Finds the raw values of the six columns in an object.
struct Object<'m>(&'m ColumnMap);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = [Option<&'de RawValue>; 6];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = [Option<&'de RawValue>; 6];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut raws = [None; 6];
        while let Some(key) = map.next_key_seed(Key(self.0))? {
            if !key.contains(&true) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let raw: &RawValue = map.next_value()?;
            for column in Column::ALL.into_iter().filter(|c| key[*c as usize]) {
                if raws[column as usize].replace(raw).is_some() {
                    return Err(serde::de::Error::custom(format!("{:?} is there twice", self.0.name(column))));
                }
            }
        }
        Ok(raws)
    }
}

/// Tells which columns a key is, without copying it; a map may give one key to several.
struct Key<'m>(&'m ColumnMap);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = [bool; 6];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = [bool; 6];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Column::ALL.map(|column| self.0.name(column) == key))
    }
}
