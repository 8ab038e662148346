//! Streams of rows: which rows of which blocks go into which batch. Batches begin and end where the rows alone say.
//!
//! A stream makes a pass over the [`Pieces`]: blocks are made, scored, turned into batches and forgotten, on any thread, in parts that
//! come in order. Who wants to see the blocks on the way gives a lens; whoever wants the rows sorted pays with memory for all of them.

use super::rows::{Rows, plain};
use super::table::RowStream;
use crate::error::{Error, Result};
use crate::lens::Lens;
use crate::merge::Merge;
use crate::pieces::{Pieces, Span, Workspace};
use arrow::array::{AsArray, RecordBatch, StringViewArray};
use arrow::compute::interleave_record_batch;
use rayon::prelude::*;
use std::collections::VecDeque;
use std::sync::Mutex;

/// Rows in a batch.
pub(super) const BATCH: usize = 8_192;

/// The rows of one kind in the engine's order.
pub(crate) struct Stream<'a, R: Rows, L: Lens = ()> {
    pieces: &'a Pieces,
    rows: R,
    lens: L,
    spans: std::vec::IntoIter<Span>,
    /// What each thread works with: taken while a part is built, then put back.
    desks: Mutex<Vec<Desk<R, L>>>,
}

struct Desk<R: Rows, L: Lens> {
    workspace: Workspace,
    columns: R::Columns,
    partial: L::Partial,
}

impl<'a, R: Rows, L: Lens> Stream<'a, R, L> {
    /// In parts of so many rows, a multiple of [`BATCH`]; the lens observes every block once.
    pub(crate) fn new(pieces: &'a Pieces, rows: R, lens: L, spans: Vec<Span>) -> Self {
        Stream { pieces, rows, lens, spans: spans.into_iter(), desks: Mutex::new(Vec::new()) }
    }

    /// The lens's partial of all blocks of the parts that were built.
    pub(crate) fn into_partial(self) -> L::Partial {
        let desks = self.desks.into_inner().unwrap_or_default();
        let all = self.lens.empty(&self.pieces.finalizer().windows);
        desks.into_iter().fold(all, |mut all, desk| {
            all.merge(desk.partial);
            all
        })
    }

    fn desk(&self) -> Desk<R, L> {
        let idle = self.desks.lock().ok().and_then(|mut desks| desks.pop());
        idle.unwrap_or_else(|| Desk {
            workspace: Workspace::default(),
            columns: R::Columns::default(),
            partial: self.lens.empty(&self.pieces.finalizer().windows),
        })
    }
}

impl<R: Rows, L: Lens> RowStream for Stream<'_, R, L> {
    type Part = Span;

    fn next_part(&mut self) -> Option<Span> {
        self.spans.next()
    }

    fn build(&self, span: &Span, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let Desk { mut workspace, mut columns, mut partial } = self.desk();
        let mut filled = 0;
        span.blocks(self.pieces, &mut workspace, |block, mut rows, first| {
            if first {
                self.lens.observe(&mut partial, block);
            }
            while !rows.is_empty() {
                let to = rows.end.min(rows.start + BATCH - filled);
                self.rows.append(block, rows.start..to, &mut columns);
                filled += to - rows.start;
                if filled == BATCH {
                    sink(self.rows.take(&mut columns)?)?;
                    filled = 0;
                }
                rows.start = to;
            }
            Ok(())
        })?;
        if filled > 0 {
            sink(self.rows.take(&mut columns)?)?;
        }
        if let Ok(mut desks) = self.desks.lock() {
            desks.push(Desk { workspace, columns, partial });
        }
        Ok(())
    }
}

/// Rows of one kind by window (of migrations, by pair), then by id as bytes.
pub(crate) struct Sorted {
    batches: Vec<RecordBatch>,
    /// Batch and row.
    order: Vec<(u32, u32)>,
    next: usize,
}

/// Rows of a part of [`Sorted`].
const SORTED_PART: usize = 8 * BATCH;

impl Sorted {
    /// Takes all rows of a stream, whose first column is the window and whose column number `id` is the id, and sorts them.
    pub(crate) fn new<S: RowStream>(mut stream: S, id: usize) -> Result<Self> {
        let parts: Vec<S::Part> = std::iter::from_fn(|| stream.next_part()).collect();
        let built = &stream;
        let batches: Vec<Vec<RecordBatch>> = parts.par_iter().map(|part| built.batches(part)).collect::<Result<_>>()?;
        let batches: Vec<RecordBatch> = batches.into_iter().flatten().collect();
        let columns = |batch: &RecordBatch| {
            let windows = batch.column(0).as_any_dictionary_opt()?.normalized_keys();
            Some((windows, batch.column(id).as_string_view_opt()?.clone()))
        };
        let columns: Option<Vec<(Vec<usize>, StringViewArray)>> = batches.iter().map(columns).collect();
        let columns = columns.ok_or_else(|| Error::internal("rows without window or id"))?;
        // The window and the first eight bytes decide most comparisons.
        let keys = |(b, (windows, ids)): (usize, &(Vec<usize>, StringViewArray))| {
            let key = |row: usize| {
                let id = ids.value(row).as_bytes();
                let mut prefix = [0; 8];
                let n = id.len().min(8);
                prefix[..n].copy_from_slice(&id[..n]);
                (windows[row] as u32, u64::from_be_bytes(prefix), (b as u32, row as u32))
            };
            (0..windows.len()).map(key).collect::<Vec<_>>()
        };
        let mut keys: Vec<(u32, u64, (u32, u32))> = columns.par_iter().enumerate().flat_map_iter(keys).collect();
        let id = |(b, row): (u32, u32)| columns[b as usize].1.value(row as usize);
        keys.par_sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| id(a.2).cmp(id(b.2))));
        let order = keys.into_iter().map(|(_, _, at)| at).collect();
        Ok(Sorted { batches, order, next: 0 })
    }
}

impl RowStream for Sorted {
    type Part = std::ops::Range<usize>;

    fn next_part(&mut self) -> Option<Self::Part> {
        let from = self.next;
        self.next = (from + SORTED_PART).min(self.order.len());
        (from < self.next).then_some(from..self.next)
    }

    fn parts_per_group(&self) -> usize {
        super::table::GROUP / SORTED_PART
    }

    fn build(&self, part: &Self::Part, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        for rows in self.order[part.clone()].chunks(BATCH) {
            let at: Vec<(usize, usize)> = rows.iter().map(|&(batch, row)| (batch as usize, row as usize)).collect();
            let batch = interleave_record_batch(&batches, &at);
            sink(batch.map_err(|e| Error::internal("rows cannot be put into a batch").cause(e))?)?;
        }
        Ok(())
    }
}

/// A stream as plain batches, one after the other.
pub(crate) struct Batches<S> {
    stream: S,
    declared: arrow::datatypes::SchemaRef,
    waiting: VecDeque<RecordBatch>,
}

impl<S> Batches<S> {
    pub(crate) fn new(stream: S, declared: arrow::datatypes::SchemaRef) -> Self {
        Batches { stream, declared, waiting: VecDeque::new() }
    }
}

impl<S: RowStream> Iterator for Batches<S> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.waiting.pop_front() {
                return Some(plain(&batch, &self.declared).map_err(|e| Error::internal("rows cannot be put into a batch").cause(e)));
            }
            let part = self.stream.next_part()?;
            match self.stream.batches(&part) {
                Ok(batches) => self.waiting.extend(batches),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A stream in either order.
pub(crate) enum Ordered<'a, R: Rows> {
    Engine(Stream<'a, R>),
    Sorted(Sorted),
}

/// A part of [`Ordered`].
pub(crate) enum OrderedPart {
    Engine(Span),
    Sorted(std::ops::Range<usize>),
}

impl<R: Rows> RowStream for Ordered<'_, R> {
    type Part = OrderedPart;

    fn next_part(&mut self) -> Option<OrderedPart> {
        match self {
            Ordered::Engine(stream) => stream.next_part().map(OrderedPart::Engine),
            Ordered::Sorted(sorted) => sorted.next_part().map(OrderedPart::Sorted),
        }
    }

    fn parts_per_group(&self) -> usize {
        match self {
            Ordered::Engine(stream) => stream.parts_per_group(),
            Ordered::Sorted(sorted) => sorted.parts_per_group(),
        }
    }

    fn build(&self, part: &OrderedPart, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        match (self, part) {
            (Ordered::Engine(stream), OrderedPart::Engine(span)) => stream.build(span, sink),
            (Ordered::Sorted(sorted), OrderedPart::Sorted(rows)) => sorted.build(rows, sink),
            _ => Err(Error::internal("a part of another stream")),
        }
    }
}
