//! Sources of rows: files, folders, standard input, batches of a caller.
//!
//! A [`Source`] hands out [`Chunk`]s of undecoded input, one caller at a time; threads decode chunks side by side (`shared`). Out go
//! batches: [`PeriodBatch`]es for [`route`](crate::route), or batches of lines for [`orders`](crate::orders). The kind of rows is a parameter
//! of sources, chunks and sinks, and of the readers of all formats (`row_kind`).
//!
//! | file | owns |
//! |---|---|
//! | here | [`Source`], [`Chunk`], [`Sink`]; [`Batches`]: a caller's batches as a source |
//! | `find_inputs` | files, folders, globs, URLs → inputs |
//! | `files`, `open` | inputs one after the other; a format and a kind of rows → a reader |
//! | `objects` | inputs in object stores and on web servers, where the feature `cloud` is there |
//! | `random_access` | a file or an object that is read at any position |
//! | `globs` | patterns of file names, where the feature `glob` is there |
//! | `ahead` | what was read ahead of standard input and named pipes |
//! | `format` | formats and compressions, and how they are told |
//! | `archive`, `workbook` | the file in a ZIP; a sheet of a workbook → text |
//! | `csv`, `jsonl`, `parquet`, `ipc` | the reader of a format each |
//! | `input_limits` | how much an input may become: unpacked bytes, the length of an id |
//! | `parquet_limits`, `parquet_pages`, `thrift`, `ipc_limits` | what Parquet and Arrow files claim, held against their size before memory is taken |
//! | `text_input`, `latin1` | text in any encoding → UTF-8 with lines |
//! | `csv_head`, `json_records` | the header and the delimiter of a CSV; JSON in any layout → an object a line |
//! | `records`, `marks` | text cut into chunks between two records; single bytes found 64 at a time |
//! | `row_kind` | the kinds of rows: their columns, and how a batch is made of them |
//! | `mapping`, `column_words` | which columns of an input are which of ours; what the words of a name say |
//! | `arrow_types` | dictionaries, bytes and UUIDs → plain types |
//! | `arrow_rows`, `arrow_texts` | Arrow columns, also in structs → batches of a kind of rows; as texts where columns are made of others |
//! | `arrow_columns`, `period_rows` | Arrow columns, or text fields → [`PeriodBatch`]es |
//! | `values` | what the texts and numbers of both kinds mean: amounts, times, ids |
//! | `transactions` | the lines of orders as a kind of rows |
//! | `sniff` | a look at an input: its format, columns and first rows, and what the columns hold |
//! | `layouts` | exports of known shops, told by their columns |
//! | `portions` | inputs in portions that are read by themselves |
//! | `shared` | a source that several threads decode together |
//! | `paced`, `streamed`, `endless` | a source that pauses; fingerprints of inputs as they are read; a stream without an end |
//!
//! Invariant: a batch is aligned with its input. A row that cannot be read keeps its place and is listed in [`PeriodBatch::bad`], so
//! the row number of any row is `first_row` plus its index, and the policy about bad rows is applied in one place, by the router.

mod ahead;
mod archive;
pub mod arrow_columns;
mod arrow_rows;
mod arrow_texts;
mod arrow_types;
mod column_words;
#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "csv")]
mod csv_head;
pub(crate) mod endless;
pub mod files;
mod find_inputs;
mod format;
pub(crate) mod globs;
mod input_limits;
mod ipc;
mod ipc_limits;
#[cfg(feature = "json")]
mod json_records;
#[cfg(feature = "json")]
mod jsonl;
#[cfg(any(feature = "csv", feature = "json"))]
mod latin1;
pub mod layouts;
pub(crate) mod mapping;
mod marks;
pub(crate) mod objects;
mod open;
pub(crate) mod paced;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
#[cfg(feature = "parquet")]
mod parquet_limits;
#[cfg(feature = "parquet")]
mod parquet_pages;
pub(crate) mod period_rows;
pub mod portions;
pub(crate) mod random_access;
mod records;
pub(crate) mod row_kind;
pub(crate) mod shared;
pub mod sniff;
mod streamed;
#[cfg(any(feature = "csv", feature = "json"))]
mod text_input;
#[cfg(feature = "parquet")]
mod thrift;
pub mod transactions;
pub(crate) mod values;
mod workbook;

use self::open::{As, Open};
use self::transactions::{TransactionOptions, Transactions};
use crate::base::error::{Error, Result, Stage};
use crate::model::columns::ColumnMap;
use crate::model::line_batch::TransactionBatch;
use crate::model::line_columns::TransactionColumns;
use crate::model::note::Notes;
use crate::model::period_batch::{Origin, PeriodBatch};
use crate::spec::Spec;
use arrow::array::RecordBatch;
use chrono_tz::Tz;
use std::sync::Arc;

/// A supplier of input, of period aggregations unless it says otherwise.
///
/// [`Batches`] makes one of Arrow batches:
///
/// ```
/// use lensflow::Pipeline;
/// use lensflow::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use lensflow::model::ColumnMap;
/// use lensflow::source::Batches;
/// use std::sync::Arc;
///
/// let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
/// let batch = RecordBatch::try_from_iter([
///     ("customer_id", text("C-1")),
///     ("period_start", text("2024-01-01")),
///     ("period_end", text("2024-04-01")),
///     ("total_orders", Arc::new(Int64Array::from(vec![3])) as ArrayRef),
///     ("total_spend", text("59.70")),
/// ])
/// .unwrap();
/// let mut pipeline = Pipeline::builder().build()?;
/// pipeline.run(Batches::new("a batch", ColumnMap::default(), [batch].into_iter()))?;
/// assert_eq!(pipeline.finish()?.report.input.customers, 1);
/// # Ok::<(), lensflow::Error>(())
/// ```
pub trait Source<B = PeriodBatch>: Send {
    /// The names of the inputs, for reports.
    fn inputs(&self) -> Vec<String>;

    /// The size of the input in bytes, where it is known.
    fn size_bytes(&self) -> Option<u64> {
        None
    }

    /// What is noticed about the inputs; it is complete when they have been read.
    fn notes(&self) -> Notes {
        Notes::default()
    }

    /// Tells how many threads decode its chunks at the same time: a source may cut large ones, so that all have work up to the end.
    fn share(&mut self, _threads: usize) {}

    /// The next chunk, or none at the end. Called under a lock: read here, decode in the chunk.
    ///
    /// # Errors
    /// When the input cannot be read, or is not what it claims to be.
    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>>;
}

impl<B> Source<B> for Box<dyn Source<B>> {
    fn inputs(&self) -> Vec<String> {
        (**self).inputs()
    }

    fn size_bytes(&self) -> Option<u64> {
        (**self).size_bytes()
    }

    fn notes(&self) -> Notes {
        (**self).notes()
    }

    fn share(&mut self, threads: usize) {
        (**self).share(threads);
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        (**self).next_chunk()
    }
}

/// A piece of input that one thread decodes.
pub trait Chunk<B = PeriodBatch>: Send {
    /// The bytes it takes up in the input, for progress.
    fn bytes(&self) -> u64 {
        0
    }

    /// Decodes it and gives `sink` one batch after the other.
    ///
    /// # Errors
    /// When the bytes cannot be decoded, or an error of the sink.
    fn decode(self: Box<Self>, sink: &mut Sink<'_, B>) -> Result<()>;
}

/// Takes decoded batches.
pub type Sink<'a, B = PeriodBatch> = dyn FnMut(B) -> Result<()> + 'a;

/// Runs a reader that panics on some malformed files: to a user that is a damaged file like any other.
fn guarded<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    origin: &Origin,
    what: &str,
    read: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    let fault = || Error::data(what).input(&origin.name).stage(Stage::Source);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|e| fault().cause(told(e.into()))),
        Err(_) => Err(fault()),
    }
}

/// What a reader says of a fault, without the names of its layers.
fn told(cause: Box<dyn std::error::Error + Send + Sync>) -> Box<dyn std::error::Error + Send + Sync> {
    const LAYERS: [&str; 6] =
        ["External: ", "External error: ", "Parquet argument error: ", "Parquet error: ", "Parser error: ", "Ipc error: "];
    let whole = cause.to_string();
    let mut text = &whole[..];
    while let Some(inner) = LAYERS.iter().find_map(|layer| text.strip_prefix(layer)) {
        text = inner;
    }
    if text.len() < whole.len() { text.into() } else { cause }
}

/// Arrow batches from a caller's iterator of batches or of results (any Arrow reader is one), with the columns of
/// [`Column`](crate::model::columns::Column) in any accepted type; or with those of
/// [`TransactionColumn`](crate::model::line_columns::TransactionColumn), by [`Batches::transactions`].
pub struct Batches<I, B = PeriodBatch> {
    origin: Arc<Origin>,
    kind: Box<dyn Open<B>>,
    iter: I,
    next_row: u64,
}

impl<I> Batches<I> {
    /// A source that is called `name` in reports and errors.
    pub fn new(name: impl Into<String>, map: ColumnMap, iter: I) -> Self {
        Self::of(name, As(row_kind::Aggregations::plain(map)), iter)
    }

    /// As [`Batches::new`], with columns and values that are read as a spec says.
    ///
    /// # Errors
    /// When the options of reading are not right.
    pub fn reading(name: impl Into<String>, spec: &Spec, iter: I) -> Result<Self> {
        Ok(Self::of(name, As(row_kind::Aggregations::of(spec)?), iter))
    }
}

impl<I> Batches<I, TransactionBatch> {
    /// As [`Batches::new`], for orders or line items.
    ///
    /// # Errors
    /// When the options are not right.
    pub fn transactions(name: impl Into<String>, columns: TransactionColumns, options: &TransactionOptions, iter: I) -> Result<Self> {
        Ok(Self::of(name, As(Transactions::new(columns, options, Tz::UTC)?), iter))
    }

    /// Of a kind of lines that was made before.
    pub(crate) fn of_lines(name: impl Into<String>, kind: Transactions, iter: I) -> Self {
        Self::of(name, As(kind), iter)
    }
}

impl<I, B> Batches<I, B> {
    fn of(name: impl Into<String>, kind: impl Open<B> + 'static, iter: I) -> Self {
        Batches { origin: Arc::new(Origin { name: name.into() }), kind: Box::new(kind), iter, next_row: 1 }
    }
}

/// A batch, or the error of a reader.
pub trait IntoBatch {
    /// The batch, or the failure as an error of this crate.
    ///
    /// # Errors
    /// The error of the reader.
    fn into_batch(self) -> Result<RecordBatch>;
}

impl IntoBatch for RecordBatch {
    fn into_batch(self) -> Result<RecordBatch> {
        Ok(self)
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> IntoBatch for std::result::Result<RecordBatch, E> {
    fn into_batch(self) -> Result<RecordBatch> {
        self.map_err(|e| Error::data("no batch can be read").cause(e))
    }
}

impl<T: IntoBatch, I: Iterator<Item = T> + Send, B> Source<B> for Batches<I, B> {
    fn inputs(&self) -> Vec<String> {
        vec![self.origin.name.clone()]
    }

    fn notes(&self) -> Notes {
        self.kind.notes()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        let Some(batch) = self.iter.next() else { return Ok(None) };
        let batch = batch.into_batch().map_err(|e| e.input(&self.origin.name).stage(Stage::Source))?;
        let first_row = self.next_row;
        self.next_row += batch.num_rows() as u64;
        self.kind.arrow_batch(batch, &self.origin, first_row).map(Some)
    }
}
