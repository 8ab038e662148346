//! JSONL: an object a line, as `json_records` makes it of any layout. A number is read from its own digits, so `0.1` is exactly 0.1; an
//! absent key is a null.

use super::json_records::{array_key, key_advice, object_a_line};
use super::mapping::{Located, Scratch, Watch};
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
    /// The values of an object that are read.
    keys: Keys,
    /// Where the columns lie among these values.
    at: Located<N>,
    /// The values that are ids, and whose.
    ids: Vec<(usize, usize)>,
    /// The values whose texts have a comma before decimals, as numbers have not.
    commas: Vec<usize>,
    batch_rows: usize,
}

impl<S: TextRowKind<N>, const N: usize> JsonlSource<S, N> {
    pub(super) fn open(reader: Box<dyn Read + Send>, origin: Arc<Origin>, kind: &S, batch_rows: usize) -> Result<Self> {
        let (reader, is_cut) = object_a_line(reader, &origin)?;
        let lines = RecordSplitter::new(reader, origin.clone());
        let mut lines = if is_cut { lines.without_lines() } else { lines };
        lines.peek_line()?;
        let first = lines.first_chunk(LINES_WITH_KEYS as u64)?;
        let mut paths = first.as_ref().map(first_keys).unwrap_or_default();
        let mut at = Located::NONE;
        if !paths.is_empty() {
            let dotted: Vec<String> = paths.iter().map(|path| path.join(".")).collect();
            let names: Vec<&str> = dotted.iter().map(String::as_str).collect();
            at = kind.find_keys(&names, &origin).map_err(|error| within_array(error, first.as_ref(), &origin))?;
        }
        // Later lines may have what the first ones leave out.
        if S::WATCHES {
            let is_there = |name: &str| paths.iter().any(|path| matches!(&path[..], [key] if key == name));
            let later = at.watch_later(paths.len(), is_there);
            paths.extend(later.into_iter().map(|name| vec![name.to_owned()]));
        }
        for (column, wanted) in kind.wanted().iter().enumerate() {
            if wanted.read && !at.has(column) {
                at.add(column, paths.len());
                paths.push(vec![wanted.first_name().to_owned()]);
            }
        }
        let keys = Keys::of(&at.fields().into_iter().map(|field| paths[field].clone()).collect::<Vec<_>>());
        let at = at.compact();
        let ids = kind.ids().iter().flat_map(|&column| at.fields_of(column).into_iter().map(move |value| (value, column))).collect();
        let commas = (0..N).filter(|&column| kind.has_decimal_comma(column)).flat_map(|column| at.fields_of(column)).collect();
        Ok(JsonlSource { lines, first, layout: Arc::new(Layout { kind: kind.clone(), origin, keys, at, ids, commas, batch_rows }) })
    }
}

/// The error of an object without the columns: all rows may be in an array of one object.
fn within_array(error: Error, first: Option<&TextChunk>, origin: &Origin) -> Error {
    let text = first.map_or(&[][..], |first| &first.bytes);
    let line = text.trim_ascii_start().split(|&b| b == b'\n').next().unwrap_or_default();
    match std::str::from_utf8(line).ok().and_then(array_key) {
        Some(key) => {
            let what = format!("the first object has not the columns; {}", key_advice(&key));
            Error::data(what).input(&origin.name).stage(Stage::Source).cause(error)
        }
        None => error,
    }
}

/// Keys in keys deeper than this name no column.
const MAX_DEPTH: usize = 64;
/// Nor do paths longer than this, in bytes.
const MAX_PATH: usize = 1 << 10;
/// The most columns among which ours are looked for.
const MAX_COLUMNS: usize = 1 << 16;

/// The paths to the values among which columns are looked for: a key, or keys of objects in objects.
fn first_keys(first: &TextChunk) -> Vec<Vec<String>> {
    let mut next = 0;
    let begins_early = |line: &&[u8]| {
        let start = next;
        next += line.len() + 1;
        start < CHUNK
    };
    let lines = first.bytes.trim_ascii_start().split(|&b| b == b'\n').take_while(begins_early).filter(|l| !l.trim_ascii().is_empty());
    let mut paths = BTreeSet::new();
    for line in lines.take(LINES_WITH_KEYS) {
        // A line that is no object is reported with its number when it is decoded.
        if let Ok(line) = std::str::from_utf8(line) {
            add_keys(&[], line, &mut paths);
        }
    }
    paths.into_iter().collect()
}

/// Adds the paths to the values of an object.
fn add_keys(above: &[String], object: &str, paths: &mut BTreeSet<Vec<String>>) {
    let Ok(values) = serde_json::from_str::<BTreeMap<String, &RawValue>>(object) else { return };
    let length: usize = above.iter().map(String::len).sum();
    for (key, value) in values {
        if length + key.len() > MAX_PATH || paths.len() >= MAX_COLUMNS {
            continue;
        }
        let path = [above, &[key]].concat();
        match value.get() {
            inner if inner.starts_with('{') && path.len() < MAX_DEPTH => add_keys(&path, inner, paths),
            _ => {
                paths.insert(path);
            }
        }
    }
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
        let Layout { kind, origin, keys, at, ids, commas, batch_rows } = &*self.layout;
        let (mut scratch, mut watch) = (Scratch::default(), Watch::default());
        let mut rows = kind.rows(0);
        let (mut first_row, mut first_line) = (self.text.first_record, self.text.first_line);
        for line in self.text.bytes.split(|&b| b == b'\n').filter(|l| !l.trim_ascii().is_empty()) {
            let fault = |what: String| {
                let (row, line) = (first_row + rows.len() as u64, first_line.map(|l| l + rows.len() as u64));
                Error::data(what).input(&origin.name).row(row).line(line).stage(Stage::Source)
            };
            let mut json = serde_json::Deserializer::from_slice(line);
            let mut raws = vec![None; keys.values];
            let read = Object { keys, values: &mut raws }.deserialize(&mut json).and_then(|()| json.end());
            read.map_err(|e| {
                // serde_json counts lines from here; ours are counted from the file's beginning.
                let error = fault(format!("the line is not a JSON object: {}", e.to_string().replace("at line 1 column", "at column")));
                if std::str::from_utf8(line).is_err() { error.help(S::NOT_UTF8) } else { error }
            })?;
            let mut texts: Vec<Option<Cow<'_, str>>> = Vec::with_capacity(raws.len());
            for raw in &raws {
                let raw = raw.map(RawValue::get).filter(|raw| *raw != "null");
                texts.push(raw.map(unquoted).transpose().map_err(|e| fault("a text cannot be read".to_owned()).cause(e))?);
            }
            for &value in commas {
                let is_number = raws[value].is_some_and(|raw| !raw.get().starts_with('"'));
                texts[value] = texts[value].take().map(|text| if is_number { text.replace('.', ",").into() } else { text });
            }
            for &(value, column) in ids {
                let id = raws[value].map_or("", RawValue::get);
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
            let text = |value: usize| texts[value].as_deref().filter(|text| !text.is_empty());
            match at {
                Located::Plain(plain) => {
                    rows.push(plain.at.map(|at| at.and_then(text)));
                    watch.see(&plain.watched, text);
                }
                Located::Derived(derive) => {
                    let fields: Vec<_> = (0..texts.len()).map(text).collect();
                    match derive.texts(&fields, &mut scratch, |time, out| kind.day(time, out)) {
                        Some(texts) => rows.push(texts),
                        None => rows.skip(),
                    }
                }
            }
            if rows.len() == *batch_rows {
                let n = rows.len() as u64;
                sink(rows.take(origin, first_row, first_line))?;
                first_row += n;
                first_line = first_line.map(|l| l + n);
            }
        }
        match at {
            Located::Derived(derive) => derive.tell(&mut scratch, &kind.notes()),
            Located::Plain(plain) => watch.tell(&plain.watched, &kind.notes()),
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

/// The values that are read of an object, by key; those of objects in it, too.
#[derive(Default)]
struct Keys {
    entries: Vec<Entry>,
    /// How many values there are, also in objects.
    values: usize,
}

struct Entry {
    key: String,
    /// The place among the values.
    value: Option<usize>,
    /// What is read of an object that is the value.
    inner: Keys,
}

impl Keys {
    /// The values at these paths, in their order.
    fn of(paths: &[Vec<String>]) -> Keys {
        let mut keys = Keys { values: paths.len(), ..Keys::default() };
        for (value, path) in paths.iter().enumerate() {
            keys.add(path, value);
        }
        keys
    }

    fn add(&mut self, path: &[String], value: usize) {
        let Some((key, rest)) = path.split_first() else { return };
        let at = self.entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
            self.entries.push(Entry { key: key.clone(), value: None, inner: Keys::default() });
            self.entries.len() - 1
        });
        match rest {
            [] => self.entries[at].value = Some(value),
            _ => self.entries[at].inner.add(rest, value),
        }
    }
}

/// Finds the raw values of an object.
struct Object<'k, 'v, 'de> {
    keys: &'k Keys,
    values: &'v mut [Option<&'de RawValue>],
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Object { keys, values } = self;
        while let Some(entry) = map.next_key_seed(Key(keys))? {
            let Some(entry) = entry else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw: &RawValue = map.next_value()?;
            if entry.value.is_some_and(|value| values[value].replace(raw).is_some()) {
                return Err(serde::de::Error::custom(format!("{:?} is there twice", entry.key)));
            }
            if entry.inner.entries.is_empty() || raw.get() == "null" {
                continue;
            }
            let mut inner = serde_json::Deserializer::from_str(raw.get());
            let read = Object { keys: &entry.inner, values }.deserialize(&mut inner);
            read.map_err(|e| serde::de::Error::custom(format!("in {:?}: {e}", entry.key)))?;
        }
        Ok(())
    }
}

/// Tells which entry a key is, without copying it.
struct Key<'k>(&'k Keys);

impl<'de, 'k> DeserializeSeed<'de> for Key<'k> {
    type Value = Option<&'k Entry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'k> Visitor<'_> for Key<'k> {
    type Value = Option<&'k Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.entries.iter().find(|entry| entry.key == key))
    }
}
