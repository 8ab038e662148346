//! The kinds of rows. A [`RowKind`] knows the columns of one kind of input, how they are found, and how a batch is made of them; the readers
//! of formats are generic over it and know nothing else about rows. Period aggregations ([`Aggregations`]) are one kind, line items
//! ([`Transactions`](super::transactions)) the other.
//!
//! Invariant: equal values make equal batches, in all formats. `N` is the number of columns: rows of text are arrays of that length,
//! so that each kind has readers of its own after compilation, and the loops over fields are unrolled.

use super::arrow_columns::{Columns, accepts, wanted};
use super::arrow_rows::ArrowRows;
use super::input_limits::Ids;
use super::mapping::{Join, Located, Request, Wanted, is_among};
use super::period_rows::TextRows;
use crate::base::error::Result;
use crate::model::columns::{Column, ColumnMap};
use crate::model::note::Notes;
use crate::model::period_batch::{Origin, PeriodBatch};
use crate::model::read_options::IdFormat;
use crate::model::read_options::ReadOptions;
use crate::source::values::Values;
use crate::spec::Spec;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use chrono_tz::Tz;
use std::sync::Arc;

/// A kind of rows, in Arrow columns.
pub(crate) trait RowKind: Clone + Send + Sync + 'static {
    type Batch: Ids + 'static;
    /// The positions of the columns in a schema.
    type Columns: ArrowColumns<Batch = Self::Batch>;

    /// What is noticed about the inputs.
    fn notes(&self) -> Notes;

    /// How rows are read.
    fn reading(&self) -> &ReadOptions;

    /// Finds every column in a schema.
    ///
    /// # Errors
    /// When a required column is missing or has a type that cannot hold it.
    fn resolve(&self, schema: &Schema, origin: &Arc<Origin>) -> Result<Self::Columns>;
}

/// Columns that were found in a schema.
pub(crate) trait ArrowColumns: Clone + Send + Sync + 'static {
    type Batch;

    /// The positions to decode, ascending.
    fn projection(&self) -> Vec<usize>;

    /// The names that lead to each column to decode, where some lie in structs; none where all are columns of the schema.
    fn paths(&self) -> Option<Vec<Vec<String>>>;

    /// As they lie in a schema of the projection alone.
    #[must_use]
    fn projected(&self) -> Self;

    /// Converts a batch of the schema; its first row has this number in the input.
    ///
    /// # Errors
    /// When an array's type is not the schema's.
    fn batch(&self, batch: &RecordBatch, first_row: u64) -> Result<Self::Batch>;
}

/// Columns of a schema that are ours as they are.
pub(crate) trait TypedColumns: Clone + Send + Sync + 'static {
    type Batch;

    /// As [`ArrowColumns::batch`].
    ///
    /// # Errors
    /// When an array's type is not the schema's.
    fn batch(&self, batch: &RecordBatch, first_row: u64) -> Result<Self::Batch>;
}

/// The type of a column cannot be taken.
pub(crate) struct Unfit {
    /// The types that can be.
    pub(crate) wanted: &'static str,
    pub(crate) help: Option<&'static str>,
}

/// A kind of rows, in fields of text.
pub(crate) trait TextRowKind<const N: usize>: RowKind {
    type Rows: FieldRows<N, Batch = Self::Batch>;
    type Typed: TypedColumns<Batch = Self::Batch>;
    /// Advice about text that is not UTF-8.
    const NOT_UTF8: &'static str;
    /// Advice about ids that are numbers and not integers.
    const DECIMAL_IDS: Option<&'static str> = None;
    /// Whether columns that nothing reads are looked at, for currencies and the like.
    const WATCHES: bool = false;

    /// The columns, for messages and to look for.
    fn wanted(&self) -> [Wanted<'_>; N];

    /// Where each column lies among an input's names.
    ///
    /// # Errors
    /// When a required one is not there, or there twice, or a column has two roles.
    fn find(&self, names: &[&str], origin: &Origin) -> Result<Located<N>>;

    /// Where each column lies among the keys of an input that leaves nulls out: a column that is null in every row is not there.
    ///
    /// # Errors
    /// Those of [`find`](TextRowKind::find).
    fn find_keys(&self, keys: &[&str], origin: &Origin) -> Result<Located<N>> {
        self.find(keys, origin)
    }

    /// Writes the calendar day of a time, as the input writes it; what is no time as it is.
    fn day(&self, time: &str, out: &mut String) {
        out.push_str(time);
    }

    /// Whether an Arrow column of a type can be a column.
    ///
    /// # Errors
    /// What it takes, where it cannot.
    fn accepts(&self, column: usize, data_type: &DataType) -> std::result::Result<(), Unfit>;

    /// Columns of a batch that lie at these positions and have types that can be read.
    fn typed(&self, at: [Option<usize>; N], origin: &Arc<Origin>) -> Self::Typed;

    /// Whether texts of a column have a comma before decimals: then so must numbers that become texts.
    fn has_decimal_comma(&self, column: usize) -> bool;

    /// The columns that hold ids.
    fn ids(&self) -> &'static [usize];

    /// Whether a JSON number that is not an integer may be an id.
    fn takes_decimal_ids(&self) -> bool {
        false
    }

    /// How many of the columns that are needed are among these names, and how many are needed.
    fn known(&self, names: &[&str]) -> (usize, usize) {
        let wanted = self.wanted();
        let needed = || wanted.iter().filter(|wanted| wanted.required);
        (needed().filter(|wanted| is_among(&wanted.name, names)).count(), needed().count())
    }

    /// An empty collector of rows, with room for so many.
    fn rows(&self, capacity: usize) -> Self::Rows;
}

/// Collects rows of text fields into a batch.
pub(crate) trait FieldRows<const N: usize>: Send {
    type Batch;

    fn len(&self) -> usize;

    /// Takes a row: its fields in the order of the columns; none where the field is null, empty or absent.
    fn push(&mut self, fields: [Option<&str>; N]);

    /// Takes a row that a filter leaves out.
    fn skip(&mut self);

    /// Takes a row that lies in a text: the bounds of each field. A field that is absent is empty.
    fn push_plain(&mut self, text: &str, bounds: [(usize, usize); N]);

    /// Takes a row that has not as many fields as it should; the text says how many.
    fn push_ragged(&mut self, fields: String);

    /// Takes the rows so far as a batch.
    fn take(&mut self, origin: &Arc<Origin>, first_row: u64, first_line: Option<u64>) -> Self::Batch;
}

/// Period aggregations.
#[derive(Clone, Default)]
pub(crate) struct Aggregations {
    columns: ColumnMap,
    values: Values,
    notes: Notes,
}

impl Aggregations {
    /// With these names of columns, and values as this crate writes them.
    pub(crate) fn plain(columns: ColumnMap) -> Self {
        Aggregations { columns, ..Self::default() }
    }

    /// Those that a spec describes.
    ///
    /// # Errors
    /// When the options of reading are not right.
    pub(crate) fn of(spec: &Spec) -> Result<Self> {
        let values = Values::new(&spec.reading, Tz::UTC, &[])?;
        let aggregations = Aggregations { values, ..Self::plain(spec.columns.clone()) };
        aggregations.notes.told(spec.reading.told.as_ref());
        Ok(aggregations)
    }
}

impl RowKind for Aggregations {
    type Batch = PeriodBatch;
    type Columns = ArrowRows<Self, 6>;

    fn notes(&self) -> Notes {
        self.notes.clone()
    }

    fn reading(&self) -> &ReadOptions {
        self.values.options()
    }

    fn resolve(&self, schema: &Schema, origin: &Arc<Origin>) -> Result<ArrowRows<Self, 6>> {
        ArrowRows::resolve(self, schema, origin)
    }
}

impl TypedColumns for Columns {
    type Batch = PeriodBatch;

    fn batch(&self, batch: &RecordBatch, first_row: u64) -> Result<PeriodBatch> {
        Columns::batch(self, batch, first_row)
    }
}

impl TextRowKind<6> for Aggregations {
    type Rows = TextRows;
    type Typed = Columns;
    const NOT_UTF8: &'static str =
        "if a spreadsheet wrote it, run with `encoding=latin1`; or convert the file to UTF-8 first, with iconv for example";

    fn wanted(&self) -> [Wanted<'_>; 6] {
        Column::ALL.map(|column| {
            let given = self.columns.0.contains_key(&column);
            let join = if column == Column::CustomerId { Join::Id } else { Join::Never };
            let (name, required) = (self.columns.name(column).into(), !column.is_optional() || given);
            Wanted { column: column.name(), name, required, read: true, join }
        })
    }

    fn find(&self, names: &[&str], origin: &Origin) -> Result<Located<6>> {
        let (nulls, options) = (self.values.nulls(), self.values.options());
        Request { wanted: self.wanted(), nulls, options, worth: &[Column::TotalSpend as usize], notes: &self.notes }.locate(names, origin)
    }

    fn accepts(&self, column: usize, data_type: &DataType) -> std::result::Result<(), Unfit> {
        let column = Column::ALL[column];
        if accepts(column, data_type, &self.values) { Ok(()) } else { Err(Unfit { wanted: wanted(column), help: None }) }
    }

    fn typed(&self, at: [Option<usize>; 6], origin: &Arc<Origin>) -> Columns {
        Columns::new(at, &self.values, &self.notes, origin.clone())
    }

    fn has_decimal_comma(&self, column: usize) -> bool {
        matches!(Column::ALL[column], Column::TotalOrders | Column::TotalSpend) && self.values.have_decimal_comma()
    }

    fn ids(&self) -> &'static [usize] {
        &[Column::CustomerId as usize]
    }

    fn takes_decimal_ids(&self) -> bool {
        self.values.id_format() == IdFormat::Integer
    }

    fn rows(&self, capacity: usize) -> TextRows {
        TextRows::new(&self.values, &self.notes, capacity)
    }
}

impl FieldRows<6> for TextRows {
    type Batch = PeriodBatch;

    fn len(&self) -> usize {
        TextRows::len(self)
    }

    fn push(&mut self, fields: [Option<&str>; 6]) {
        TextRows::push(self, fields);
    }

    fn skip(&mut self) {
        TextRows::skip(self);
    }

    #[inline]
    fn push_plain(&mut self, text: &str, bounds: [(usize, usize); 6]) {
        let [id, start, end, orders, spend, last] = bounds;
        let part = |(begin, end): (usize, usize)| &text.as_bytes()[begin..end];
        self.push_texts(&text[id.0..id.1], [part(start), part(end), part(orders), part(spend), part(last)]);
    }

    fn push_ragged(&mut self, fields: String) {
        TextRows::push_ragged(self, fields);
    }

    fn take(&mut self, origin: &Arc<Origin>, first_row: u64, first_line: Option<u64>) -> PeriodBatch {
        TextRows::take(self, origin, first_row, first_line)
    }
}
