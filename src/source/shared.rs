//! A source that several threads decode together.
//!
//! In comes a [`Source`]; out go its batches, to a [`BatchTaker`] for each thread. Chunks are taken in turn under a lock, and decoded without
//! it. They are numbered from 1 in the order of the input, so that of several faults the one in the earliest chunk ends the run, whichever
//! thread is faster: see [`Poison`].
//!
//! Cost: the lock and the catching of panics are per chunk, the check of the poison is per batch, nothing is per row.

use super::{Chunk, Source};
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::Poison;
use crate::stats::Stats;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// Takes the batches that one thread decodes.
pub(crate) trait BatchTaker<B> {
    /// Tells that the batches of another chunk follow.
    fn begin_chunk(&mut self, _number: u64) {}

    /// Takes a batch.
    fn take(&mut self, batch: B) -> Result<()>;

    /// Ends the work of this thread; called once, when the source has ended without a fault that stops this thread.
    fn finish(&mut self) -> Result<()>;
}

/// A source with numbered chunks, shared by threads.
pub(crate) struct SharedSource<S, B> {
    source: Mutex<Numbered<S>>,
    poison: Arc<Poison>,
    stats: Arc<Stats>,
    batches: PhantomData<fn() -> B>,
}

/// A source, and the number of the chunk that was taken last.
struct Numbered<S> {
    chunk: u64,
    source: S,
}

impl<B, S: Source<B>> SharedSource<S, B> {
    pub(crate) fn new(source: S, poison: Arc<Poison>, stats: Arc<Stats>) -> Self {
        SharedSource { source: Mutex::new(Numbered { chunk: 0, source }), poison, stats, batches: PhantomData }
    }

    /// Decodes one chunk after the other on this thread, until the source or the run ends. A fault or a panic goes to the poison, with the
    /// number of its chunk.
    pub(crate) fn decode(&self, taker: &mut impl BatchTaker<B>) {
        let mut chunk = 0;
        match catch_unwind(AssertUnwindSafe(|| self.decode_chunks(taker, &mut chunk))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.poison.set_in_chunk(chunk, error),
            Err(panic) => self.poison.set_in_chunk(chunk, Error::panicked(Stage::Source, panic)),
        }
    }

    /// Decodes chunks; `number` is that of the chunk at hand, also after a fault.
    fn decode_chunks(&self, taker: &mut impl BatchTaker<B>, number: &mut u64) -> Result<()> {
        let at_source = |e: Error| e.stage(Stage::Source);
        while let Some(chunk) = self.next_chunk(number).map_err(at_source)? {
            let bytes = chunk.bytes();
            taker.begin_chunk(*number);
            let mut sink = |batch| {
                if self.poison.stops(*number) {
                    return Err(Error::ended(Stage::Source));
                }
                taker.take(batch)
            };
            chunk.decode(&mut sink).map_err(at_source)?;
            self.stats.count_bytes(bytes);
        }
        taker.finish()
    }

    /// Takes the next chunk, and says its number.
    fn next_chunk(&self, number: &mut u64) -> Result<Option<Box<dyn Chunk<B>>>> {
        // A source that has panicked is of no more use.
        let mut shared = self.source.lock().map_err(|_| Error::ended(Stage::Source))?;
        shared.chunk += 1;
        *number = shared.chunk;
        if self.poison.stops(*number) {
            return Err(Error::ended(Stage::Source));
        }
        shared.source.next_chunk()
    }
}
