//! Rows with whatever columns an input has, as texts: a kind of rows, so that the readers of all formats give them.
//!
//! Limit: the first [`COLUMNS`] columns. Structs and objects are their fields, by dotted names.

use crate::base::error::{Error, Result, Stage};
use crate::base::threads::lock;
use crate::model::note::Notes;
use crate::model::period_batch::{Origin, beginning};
use crate::model::read_options::{Encoding, ReadOptions};
use crate::source::arrow_rows::ArrowRows;
use crate::source::arrow_texts::Texts;
use crate::source::mapping::{Join, Located, NOTHING, Plain, Wanted};
use crate::source::row_kind::{FieldRows, RowKind, TextRowKind, TypedColumns, Unfit};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Columns that are looked at.
pub(crate) const COLUMNS: usize = 128;

/// The columns of an input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Header {
    /// Their names, in the input's order.
    pub(crate) names: Vec<String>,
    /// Their types, where the format has types.
    pub(crate) types: Vec<Option<String>>,
}

/// Rows of any columns, as texts.
#[derive(Clone)]
pub(crate) struct AnyColumns(Arc<Reading>);

struct Reading {
    options: ReadOptions,
    headers: Mutex<BTreeMap<String, Header>>,
    /// The most columns of an input so far.
    width: AtomicUsize,
    notes: Notes,
}

impl AnyColumns {
    pub(crate) fn new(options: ReadOptions) -> Self {
        AnyColumns(Arc::new(Reading { options, headers: Mutex::default(), width: AtomicUsize::new(0), notes: Notes::default() }))
    }

    /// The columns of an input that was opened.
    pub(crate) fn header(&self, input: &str) -> Header {
        lock(&self.0.headers).get(input).cloned().unwrap_or_default()
    }

    fn note_header(&self, origin: &Origin, header: Header) {
        self.0.width.fetch_max(header.names.len().min(COLUMNS), Ordering::Relaxed);
        // Formats that are read by parts show the header of a part, too: it has the same columns.
        lock(&self.0.headers).entry(origin.name.clone()).or_insert(header);
    }

    fn positions(&self, names: &[&str], origin: &Origin) -> [Option<usize>; COLUMNS] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let width = names.len();
        self.note_header(origin, Header { types: vec![None; width], names });
        std::array::from_fn(|column| (column < width).then_some(column))
    }
}

impl RowKind for AnyColumns {
    type Batch = RecordBatch;
    type Columns = ArrowRows<Self, COLUMNS>;

    fn notes(&self) -> Notes {
        self.0.notes.clone()
    }

    fn reading(&self) -> &ReadOptions {
        &self.0.options
    }

    fn resolve(&self, schema: &Schema, origin: &Arc<Origin>) -> Result<ArrowRows<Self, COLUMNS>> {
        let mut leaves = Vec::new();
        schema.fields().iter().for_each(|field| flat_names(field, "", &mut leaves));
        let (names, types) = leaves.into_iter().map(|(name, data_type)| (name, Some(data_type))).unzip();
        self.note_header(origin, Header { names, types });
        ArrowRows::resolve(self, schema, origin)
    }
}

/// The names and types of the columns in a field.
fn flat_names(field: &Field, prefix: &str, leaves: &mut Vec<(String, String)>) {
    let name = format!("{prefix}{}", field.name());
    match field.data_type() {
        DataType::Struct(fields) => fields.iter().for_each(|inner| flat_names(inner, &format!("{name}."), leaves)),
        other => leaves.push((name, other.to_string())),
    }
}

/// Columns of an Arrow schema at some positions.
#[derive(Clone)]
pub(crate) struct AnyArrow {
    at: Vec<usize>,
    origin: Arc<Origin>,
}

impl TypedColumns for AnyArrow {
    type Batch = RecordBatch;

    fn batch(&self, batch: &RecordBatch, _first_row: u64) -> Result<RecordBatch> {
        let unfit = |e| Error::data("a column has no text").cause(e).input(&self.origin.name).stage(Stage::Source);
        let mut columns = Vec::new();
        for &at in &self.at {
            let mut builder = StringBuilder::new();
            let mut column = Texts::new(batch.column(at), false, false).map_err(unfit)?;
            for row in 0..batch.num_rows() {
                column.read(row).map_err(unfit)?;
                builder.append_option(column.text().map(beginning));
            }
            columns.push((batch.schema().field(at).name().clone(), builder.finish()));
        }
        texts(columns, batch.num_rows(), &self.origin)
    }
}

fn texts(columns: Vec<(String, StringArray)>, rows: usize, origin: &Origin) -> Result<RecordBatch> {
    let (fields, arrays): (Vec<_>, Vec<_>) =
        columns.into_iter().map(|(name, array)| (Field::new(name, DataType::Utf8, true), Arc::new(array) as ArrayRef)).unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let made = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
    made.map_err(|e| Error::internal("columns of texts make no batch").cause(e).input(&origin.name).stage(Stage::Source))
}

impl TextRowKind<COLUMNS> for AnyColumns {
    type Rows = AnyRows;
    type Typed = AnyArrow;
    const NOT_UTF8: &'static str = "if a spreadsheet wrote it, run with `encoding=latin1`";

    fn wanted(&self) -> [Wanted<'_>; COLUMNS] {
        std::array::from_fn(|_| Wanted { column: "a column", name: "".into(), required: false, read: false, join: Join::Never })
    }

    fn find(&self, names: &[&str], origin: &Origin) -> Result<Located<COLUMNS>> {
        Ok(Located::Plain(Plain { at: self.positions(names, origin), watched: NOTHING }))
    }

    fn accepts(&self, _column: usize, _data_type: &DataType) -> std::result::Result<(), Unfit> {
        Ok(())
    }

    fn typed(&self, at: [Option<usize>; COLUMNS], origin: &Arc<Origin>) -> AnyArrow {
        AnyArrow { at: at.into_iter().flatten().collect(), origin: origin.clone() }
    }

    fn ids(&self) -> &'static [usize] {
        &[]
    }

    fn has_decimal_comma(&self, _column: usize) -> bool {
        false
    }

    fn rows(&self, _capacity: usize) -> AnyRows {
        let width = self.0.width.load(Ordering::Relaxed);
        AnyRows { kind: self.clone(), columns: (0..width).map(|_| StringBuilder::new()).collect(), rows: 0 }
    }
}

impl AnyColumns {
    /// These, with other bytes of texts.
    pub(crate) fn encoded(&self, encoding: Encoding) -> Self {
        AnyColumns::new(self.0.options.clone().with_encoding(encoding))
    }
}

/// Collects texts into a batch.
pub(crate) struct AnyRows {
    kind: AnyColumns,
    columns: Vec<StringBuilder>,
    rows: usize,
}

impl FieldRows<COLUMNS> for AnyRows {
    type Batch = RecordBatch;

    fn len(&self) -> usize {
        self.rows
    }

    fn push(&mut self, fields: [Option<&str>; COLUMNS]) {
        for (column, field) in self.columns.iter_mut().zip(fields) {
            column.append_option(field.filter(|text| !text.is_empty()).map(beginning));
        }
        self.rows += 1;
    }

    fn skip(&mut self) {
        self.push([None; COLUMNS]);
    }

    fn push_ragged(&mut self, _fields: String) {
        self.push([None; COLUMNS]);
    }

    fn push_plain(&mut self, text: &str, bounds: [(usize, usize); COLUMNS]) {
        for (column, (begin, end)) in self.columns.iter_mut().zip(bounds) {
            column.append_option(Some(&text[begin..end]).filter(|text| !text.is_empty()).map(beginning));
        }
        self.rows += 1;
    }

    fn take(&mut self, origin: &Arc<Origin>, _first_row: u64, _first_line: Option<u64>) -> RecordBatch {
        let header = self.kind.header(&origin.name);
        let rows = std::mem::take(&mut self.rows);
        let arrays = self.columns.iter_mut().map(StringBuilder::finish);
        let columns = header.names.into_iter().zip(arrays).collect();
        // All columns have a text or a null for each row.
        texts(columns, rows, origin).unwrap_or_else(|_| RecordBatch::new_empty(Arc::new(Schema::empty())))
    }
}
