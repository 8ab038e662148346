//! How much an input may become: bytes that are unpacked of it, and the length of an id. What an input claims is held against its own size
//! before memory is taken for it.

use super::{Chunk, Sink, Source};
use crate::base::error::{Error, Result, Stage};
use crate::base::text::size;
use crate::model::line_batch::TransactionBatch;
use crate::model::period_batch::{Origin, PeriodBatch};
use crate::model::read_options::ReadOptions;
use arrow::array::{RecordBatch, StringViewArray};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest id where nothing is said.
pub(crate) const MAX_FIELD: u64 = 1 << 20;

/// Bytes that a byte of an input may become. Gzip cannot make more of it; what people keep comes nowhere near.
const PER_BYTE: u64 = 1024;

/// Beside them, so many times the longest id.
const FIELDS: u64 = 64;

/// Counts what is unpacked of an input.
#[derive(Debug)]
pub(super) struct Unpacked {
    bytes: AtomicU64,
    /// Bytes that are granted whatever the input's size.
    free: u64,
}

impl Unpacked {
    pub(super) fn new(options: &ReadOptions) -> Self {
        Unpacked { bytes: AtomicU64::new(0), free: longest(options).saturating_mul(FIELDS) }
    }

    /// Grants more bytes of an input of which so many bytes are there.
    ///
    /// # Errors
    /// When an input of that size has no business with so many.
    pub(super) fn grant(&self, more: u64, there: u64) -> std::result::Result<(), String> {
        let before = self.bytes.fetch_add(more.min(1 << 48), Ordering::Relaxed);
        let (wanted, most) = (before.saturating_add(more), self.free.saturating_add(there.saturating_mul(PER_BYTE)));
        if wanted <= most {
            return Ok(());
        }
        Err(format!(
            "{} of it claim to unpack to {}, which no honest file does; `max_field` is how to allow more",
            size(there),
            size(wanted)
        ))
    }
}

/// The longest id that is read.
pub(super) fn longest(options: &ReadOptions) -> u64 {
    options.max_field.unwrap_or(MAX_FIELD)
}

/// Batches with ids.
pub(crate) trait Ids {
    /// The columns of ids, by what they are called.
    fn ids(&self) -> Vec<(&'static str, &StringViewArray)>;

    /// The row and the line of a row of the batch.
    fn place(&self, row: usize) -> (u64, Option<u64>);
}

impl Ids for PeriodBatch {
    fn ids(&self) -> Vec<(&'static str, &StringViewArray)> {
        vec![("customer_id", &self.ids)]
    }

    fn place(&self, row: usize) -> (u64, Option<u64>) {
        (self.first_row + row as u64, self.first_line.map(|line| line + row as u64))
    }
}

impl Ids for TransactionBatch {
    fn ids(&self) -> Vec<(&'static str, &StringViewArray)> {
        let mut ids = vec![("order_id", &self.orders), ("customer_id", &self.customers)];
        ids.extend(self.products.as_ref().map(|products| ("product_id", products)));
        ids
    }

    fn place(&self, row: usize) -> (u64, Option<u64>) {
        (self.first_row + row as u64, self.first_line.map(|line| line + row as u64))
    }
}

/// Batches of any columns, which only a look at an input makes.
impl Ids for RecordBatch {
    fn ids(&self) -> Vec<(&'static str, &StringViewArray)> {
        Vec::new()
    }

    fn place(&self, row: usize) -> (u64, Option<u64>) {
        (row as u64 + 1, None)
    }
}

/// A source, or a chunk of one, whose ids are no longer than what is read.
pub(super) struct Capped<T> {
    inner: T,
    most: u64,
    origin: Arc<Origin>,
}

impl<T> Capped<T> {
    pub(super) fn new(inner: T, options: &ReadOptions, origin: &Arc<Origin>) -> Self {
        Capped { inner, most: longest(options), origin: origin.clone() }
    }
}

impl<B: Ids + 'static, S: Source<B>> Source<B> for Capped<S> {
    fn inputs(&self) -> Vec<String> {
        self.inner.inputs()
    }

    fn share(&mut self, threads: usize) {
        self.inner.share(threads);
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        let chunk = self.inner.next_chunk()?;
        Ok(chunk.map(|inner| Box::new(Capped { inner, most: self.most, origin: self.origin.clone() }) as Box<dyn Chunk<B>>))
    }
}

impl<B: Ids + 'static> Chunk<B> for Capped<Box<dyn Chunk<B>>> {
    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_, B>) -> Result<()> {
        let Capped { inner, most, origin } = *self;
        inner.decode(&mut |batch| {
            check_ids(&batch, most, &origin)?;
            sink(batch)
        })
    }
}

/// Refuses ids that are longer than what is read.
///
/// # Errors
/// When a batch has one.
fn check_ids(batch: &impl Ids, most: u64, origin: &Origin) -> Result<()> {
    for (column, ids) in batch.ids() {
        // Short ones lie in their views, and most batches have no other.
        if ids.data_buffers().is_empty() || ids.views().iter().all(|view| u64::from(*view as u32) <= most) {
            continue;
        }
        let Some(row) = ids.views().iter().position(|view| u64::from(*view as u32) > most) else { continue };
        let length = u64::from(ids.views()[row] as u32);
        let what = format!("{column} has {}, and the longest id that is read has {}", size(length), size(most));
        let (row, line) = batch.place(row);
        let error = Error::data(what).input(&origin.name).row(row).line(line).stage(Stage::Source);
        return Err(error.help("this is rarely an id: check the column and the quotes; `max_field=16MiB` allows longer ones"));
    }
    Ok(())
}
