//! Streams of rows: which rows of which blocks go into which batch. Batches begin and end where the rows alone say.
//!
//! A stream makes a pass over the [`Blocks`]: blocks are made, scored, turned into batches and forgotten, on any thread, in parts that
//! come in order. A lens may observe the blocks on the way. [`Sorted`] rows are all sorted before the first comes.

use super::rows::{Rows, plain};
use super::table::RowStream;
use crate::base::error::{Error, Result};
use crate::base::memory::append;
use crate::base::merge::Merge;
use crate::base::threads::{lock, parallel_fold};
use crate::finalize::blocks::{Blocks, Span, Workspace};
use crate::lens::Lens;
use crate::spill::{Merged, Sorter, Sorting};
use arrow::array::RecordBatch;
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Mutex;

/// Rows in a batch.
pub(super) const BATCH: usize = 8_192;

/// The rows of one kind in the engine's order.
pub(crate) struct Stream<P, R: Rows, L: Lens = (), F = fn(usize)> {
    /// Borrowed, or its own.
    blocks: P,
    rows: R,
    lens: L,
    /// Told the number of a part's block when the part is built.
    built: F,
    spans: Mutex<std::vec::IntoIter<Span>>,
    /// Each thread's memory: taken while a part is built, then put back.
    scratch: Mutex<Vec<Scratch<R, L>>>,
}

/// The memory that a thread builds parts with.
struct Scratch<R: Rows, L: Lens> {
    workspace: Workspace,
    columns: R::Columns,
    partial: L::Partial,
}

impl<P: Deref<Target = Blocks>, R: Rows, L: Lens, F: Fn(usize)> Stream<P, R, L, F> {
    /// In spans of so many rows, a multiple of [`BATCH`]. The lens observes every block once; `built` is called for every part of a block,
    /// with the block's number.
    pub(crate) fn new(blocks: P, rows: R, lens: L, built: F, spans: Vec<Span>) -> Self {
        Stream { blocks, rows, lens, built, spans: Mutex::new(spans.into_iter()), scratch: Mutex::new(Vec::new()) }
    }

    /// The lens's partial of all blocks of the parts that were built.
    pub(crate) fn into_partial(self) -> L::Partial {
        let scratch = self.scratch.into_inner().unwrap_or_default();
        let all = self.lens.empty(&self.blocks.finalizer().windows);
        scratch.into_iter().fold(all, |mut all, scratch| {
            all.merge(scratch.partial);
            all
        })
    }

    fn scratch(&self) -> Scratch<R, L> {
        let idle = self.scratch.lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| Scratch {
            workspace: Workspace::default(),
            columns: R::Columns::default(),
            partial: self.lens.empty(&self.blocks.finalizer().windows),
        })
    }
}

impl<P: Deref<Target = Blocks> + Sync, R: Rows, L: Lens, F: Fn(usize) + Sync> RowStream for Stream<P, R, L, F> {
    type Part = Span;

    fn next_part(&self) -> Result<Option<Span>> {
        Ok(lock(&self.spans).next())
    }

    fn build(&self, span: &Span, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let Scratch { mut workspace, mut columns, mut partial } = self.scratch();
        let mut filled = 0;
        span.blocks(&self.blocks, &mut workspace, |at, block, mut rows, first| {
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
            (self.built)(at);
            Ok(())
        })?;
        if filled > 0 {
            sink(self.rows.take(&mut columns)?)?;
        }
        if let Ok(mut idle) = self.scratch.lock() {
            idle.push(Scratch { workspace, columns, partial });
        }
        Ok(())
    }
}

/// Rows of one kind by window (of migrations, by pair), then by id as bytes.
///
/// Every thread puts the rows of its blocks into a [`Sorter`]; the thread that asks for the next part merges what comes out, and any thread
/// turns it into batches.
///
/// Memory: the blocks' states stay where they are, and may hold all of the budget. While rows are sorted nothing else goes on, so each thread
/// sorts in what it merged partitions with, which the budget does not count; then one merge reads in what all threads had for theirs,
/// beside the row groups that are encoded. Sorted rows stay in memory as far as these states have left room in the budget. Several streams
/// at the same time share that room, but each sorts and merges in memory of its own.
pub(crate) struct Sorted<R: Rows> {
    rows: R,
    /// The rows to come, and the bytes of the last part.
    rest: Mutex<(Merged, usize)>,
    /// Columns that are not in use.
    idle: Mutex<Vec<R::Columns>>,
}

/// The rows of a batch as records, one after the other.
pub(crate) struct SortedPart {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl<R: Rows> Sorted<R> {
    /// Sorts all rows of the blocks, on the threads of the current pool.
    pub(crate) fn new(blocks: &Blocks, rows: R, sorting: Sorting) -> Result<Self> {
        let sorter = Sorter::new(sorting);
        let start = || (Workspace::default(), sorter.buffer());
        parallel_fold(blocks.len(), start, |(workspace, buffer), at| rows.sort(blocks.scored(at, workspace)?, buffer))?;
        let merged = sorter.finish()?.read();
        Ok(Sorted { rows, rest: Mutex::new((merged, 0)), idle: Mutex::default() })
    }
}

impl<R: Rows> RowStream for Sorted<R> {
    type Part = SortedPart;

    fn next_part(&self) -> Result<Option<SortedPart>> {
        let mut rest = lock(&self.rest);
        let (merged, expected) = &mut *rest;
        // A little more than last time: having to grow would take twice of it.
        let bytes = Vec::with_capacity(*expected + *expected / 8);
        let mut part = SortedPart { bytes, ends: Vec::with_capacity(BATCH) };
        while part.ends.len() < BATCH
            && let Some(record) = merged.next()?
        {
            append(&mut part.bytes, record);
            part.ends.push(part.bytes.len());
        }
        *expected = part.bytes.len();
        Ok((!part.ends.is_empty()).then_some(part))
    }

    fn parts_per_group(&self, rows: usize) -> usize {
        rows / BATCH
    }

    fn build(&self, part: &SortedPart, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let (mut columns, mut begin) = (idle.unwrap_or_default(), 0);
        for &end in &part.ends {
            let read = self.rows.read(&part.bytes[begin..end], &mut columns);
            read.ok_or_else(|| Error::internal("a sorted row cannot be read back"))?;
            begin = end;
        }
        sink(self.rows.take(&mut columns)?)?;
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(columns);
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
            let built = self.stream.next_part().transpose()?.and_then(|part| self.stream.batches(&part));
            match built {
                Ok(batches) => self.waiting.extend(batches),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A stream in either order.
pub(crate) enum Ordered<P, R: Rows> {
    Engine(Stream<P, R>),
    Sorted(Box<Sorted<R>>),
}

/// A part of [`Ordered`].
pub(crate) enum OrderedPart {
    Engine(Span),
    Sorted(SortedPart),
}

impl<P: Deref<Target = Blocks> + Sync, R: Rows> RowStream for Ordered<P, R> {
    type Part = OrderedPart;

    fn next_part(&self) -> Result<Option<OrderedPart>> {
        Ok(match self {
            Ordered::Engine(stream) => stream.next_part()?.map(OrderedPart::Engine),
            Ordered::Sorted(sorted) => sorted.next_part()?.map(OrderedPart::Sorted),
        })
    }

    fn parts_per_group(&self, rows: usize) -> usize {
        match self {
            Ordered::Engine(stream) => stream.parts_per_group(rows),
            Ordered::Sorted(sorted) => sorted.parts_per_group(rows),
        }
    }

    fn build(&self, part: &OrderedPart, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        match (self, part) {
            (Ordered::Engine(stream), OrderedPart::Engine(span)) => stream.build(span, sink),
            (Ordered::Sorted(sorted), OrderedPart::Sorted(part)) => sorted.build(part, sink),
            _ => Err(Error::internal("a part of another stream")),
        }
    }
}
