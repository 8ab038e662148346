//! JSONL: an object a line, as `json_records` makes it of any layout. A number is read from its own digits, so `0.1` is exactly 0.1; an absent key is a null.

use super::json_records::{array_key, key_advice, object_a_line};
use super::records::{CHUNK, RecordSplitter, TextChunk};
use super::row_kind::{FieldRows, TextRowKind};
use super::{Chunk, Sink, Source};
use crate::base::error::{Error, Result, Stage};
use crate::model::period_batch::Origin;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::sync::Arc;

/// The columns are looked for among the keys of this many first lines, of those that begin in the first [`CHUNK`] bytes: writers leave
/// nulls out.
const LINES_WITH_KEYS: usize = 1_000;

pub(super) struct JsonlSource<S, const N: usize> {
    lines: RecordSplitter,
    first: Option<TextChunk>,
    layout: Arc<Layout<S, N>>,
}

struct Layout<S, const N: usize> {
    kind: S,
    origin: Arc<Origin>,
    /// The name in the input of each column that is read.
    names: [Option<String>; N],
    batch_rows: usize,
}

impl<S: TextRowKind<N>, const N: usize> JsonlSource<S, N> {
    pub(super) fn open(reader: Box<dyn Read + Send>, origin: Arc<Origin>, kind: &S, batch_rows: usize) -> Result<Self> {
        let (reader, is_cut) = object_a_line(reader, &origin)?;
        let lines = RecordSplitter::new(reader, origin.clone());
        let mut lines = if is_cut { lines.without_lines() } else { lines };
        lines.peek_line()?;
        let first = lines.first_chunk(LINES_WITH_KEYS as u64)?;
        let wanted = kind.wanted();
        let mut names = std::array::from_fn(|column| kind.reads(column).then(|| wanted[column].name.to_owned()));
        let keys = first.as_ref().map(first_keys).unwrap_or_default();
        if !keys.is_empty() {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let found = kind.find_keys(&keys, &origin).map_err(|error| {
                // All rows may be in an array of one object.
                let text = first.as_ref().map_or(&[][..], |first| &first.bytes);
                let key = std::str::from_utf8(text).ok().and_then(array_key);
                match key {
                    Some(key) => Error::data(format!("the object has not the columns; {}", key_advice(&key)))
                        .input(&origin.name)
                        .stage(Stage::Source)
                        .cause(error),
                    None => error,
                }
            })?;
            names.iter_mut().zip(found).for_each(|(name, at)| *name = at.map(|at| keys[at].to_owned()).or(name.take()));
        }
        Ok(JsonlSource { lines, first, layout: Arc::new(Layout { kind: kind.clone(), origin, names, batch_rows }) })
    }
}

/// The keys among which columns are looked for.
fn first_keys(first: &TextChunk) -> BTreeSet<String> {
    let mut next = 0;
    let begins_early = |line: &&[u8]| {
        let start = next;
        next += line.len() + 1;
        start < CHUNK
    };
    let lines = first.bytes.trim_ascii_start().split(|&b| b == b'\n').take_while(begins_early).filter(|l| !l.trim_ascii().is_empty());
    // A line that is no object is reported with its number when it is decoded.
    let objects = lines.take(LINES_WITH_KEYS).flat_map(serde_json::from_slice::<BTreeMap<String, IgnoredAny>>);
    objects.flat_map(BTreeMap::into_keys).collect()
}

impl<S: TextRowKind<N>, const N: usize> Source<S::Batch> for JsonlSource<S, N> {
    fn inputs(&self) -> Vec<String> {
        vec![self.layout.origin.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<S::Batch>>>> {
        let chunk = match self.first.take() {
            Some(first) => Some(first),
            None => self.lines.next_chunk()?,
        };
        Ok(chunk.map(|text| Box::new(JsonlChunk { text, layout: self.layout.clone() }) as Box<dyn Chunk<S::Batch>>))
    }
}

struct JsonlChunk<S, const N: usize> {
    text: TextChunk,
    layout: Arc<Layout<S, N>>,
}

impl<S: TextRowKind<N>, const N: usize> Chunk<S::Batch> for JsonlChunk<S, N> {
    fn decode(self: Box<Self>, sink: &mut Sink<'_, S::Batch>) -> Result<()> {
        let Layout { kind, origin, names, batch_rows } = &*self.layout;
        let mut rows = kind.rows(0);
        let (mut first_row, mut first_line) = (self.text.first_record, self.text.first_line);
        for line in self.text.bytes.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
            let fault = |what: String| {
                let (row, line) = (first_row + rows.len() as u64, first_line.map(|l| l + rows.len() as u64));
                Error::data(what).input(&origin.name).row(row).line(line).stage(Stage::Source)
            };
            let mut json = serde_json::Deserializer::from_slice(line);
            let raws = Object(names).deserialize(&mut json).and_then(|raws| json.end().map(|()| raws));
            let raws = raws.map_err(|e| {
                // serde_json counts lines from here; ours are counted from the file's beginning.
                let error = fault(format!("the line is not a JSON object: {}", e.to_string().replace("at line 1 column", "at column")));
                if std::str::from_utf8(line).is_err() { error.help(S::NOT_UTF8) } else { error }
            })?;
            let mut texts = [const { None::<Cow<'_, str>> }; N];
            for (text, raw) in texts.iter_mut().zip(raws) {
                let raw = raw.map(RawValue::get).filter(|raw| *raw != "null");
                *text = raw.map(unquoted).transpose().map_err(|e| fault("a text cannot be read".to_owned()).cause(e))?;
            }
            for &column in kind.ids() {
                let id = raws[column].map_or("", RawValue::get);
                let integer = id.strip_prefix('-').unwrap_or(id).bytes().all(|b| b.is_ascii_digit());
                if !(id.starts_with('"') || id == "null" || integer || kind.takes_decimal_ids() && !id.starts_with(['{', '[', 't', 'f'])) {
                    let error = fault(format!("{} is {id}: it must be text or an integer", kind.wanted()[column].column));
                    let is_whole = serde_json::from_str::<f64>(id).is_ok_and(|number| number.fract() == 0.0);
                    return Err(match S::DECIMAL_IDS {
                        Some(help) if is_whole => error.help(help),
                        _ => error,
                    });
                }
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

/// Finds the raw values of the columns of these names in an object.
struct Object<'m, const N: usize>(&'m [Option<String>; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Object<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Object<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut raws = [None; N];
        while let Some(key) = map.next_key_seed(Key(self.0))? {
            if !key.contains(&true) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let raw: &RawValue = map.next_value()?;
            for column in (0..N).filter(|column| key[*column]) {
                if raws[column].replace(raw).is_some() {
                    return Err(serde::de::Error::custom(format!("{:?} is there twice", self.0[column].as_deref().unwrap_or_default())));
                }
            }
        }
        Ok(raws)
    }
}

/// Tells which columns a key is, without copying it; a map may give one key to several.
struct Key<'m, const N: usize>(&'m [Option<String>; N]);

impl<'de, const N: usize> DeserializeSeed<'de> for Key<'_, N> {
    type Value = [bool; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Key<'_, N> {
    type Value = [bool; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.each_ref().map(|name| name.as_deref() == Some(key)))
    }
}
