//! A source that pauses: it ends for one reader, and goes on for the next. It pauses between two chunks, so a place in the input is a number
//! of chunks; an input is always cut into equal chunks. Every reader gets one chunk at least.

use super::{Chunk, Source};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::lock;
use crate::model::note::Notes;
use std::sync::{Arc, Mutex};

/// A source for several readers, one after the other, which share its place in the input.
pub(crate) struct Paced<S> {
    place: Arc<Mutex<Progress<S>>>,
    /// How many chunks were read when this reader began.
    from: u64,
    pause: Arc<dyn Fn() -> bool + Send + Sync>,
}

struct Progress<S> {
    source: S,
    chunks: u64,
    bytes: u64,
    ended: bool,
}

impl<S: Source> Progress<S> {
    fn next(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let chunk = self.source.next_chunk()?;
        match &chunk {
            Some(chunk) => {
                self.chunks += 1;
                self.bytes += chunk.bytes();
            }
            None => self.ended = true,
        }
        Ok(chunk)
    }
}

impl<S: Source> Paced<S> {
    pub(crate) fn new(source: S) -> Self {
        let place = Progress { source, chunks: 0, bytes: 0, ended: false };
        Paced { place: Arc::new(Mutex::new(place)), from: 0, pause: Arc::new(|| false) }
    }

    /// The source for its next reader, until it should pause.
    pub(crate) fn until(&self, pause: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Paced { place: self.place.clone(), from: self.place().0, pause: Arc::new(pause) }
    }

    /// Goes on to a place where it was before, without decoding anything.
    ///
    /// # Errors
    /// When there is no such place in the input.
    pub(crate) fn skip_to(&self, (chunks, bytes): (u64, u64), cancel: &Cancel) -> Result<()> {
        let mut place = lock(&self.place);
        while place.chunks < chunks && !place.ended {
            cancel.check()?;
            place.next().map_err(|e| e.stage(Stage::Source))?;
        }
        if (place.chunks, place.bytes) == (chunks, bytes) {
            return Ok(());
        }
        let names = place.source.inputs().join(", ");
        Err(Error::data("the place that was reached before is not found again").input(names).stage(Stage::Source))
    }

    /// How far it has come, in chunks and bytes.
    pub(crate) fn place(&self) -> (u64, u64) {
        let place = lock(&self.place);
        (place.chunks, place.bytes)
    }

    /// Forgets what was noticed so far: it has been kept elsewhere.
    pub(crate) fn forget_notes(&self) {
        lock(&self.place).source.notes().forget();
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.place).ended
    }
}

impl<S: Source> Source for Paced<S> {
    fn inputs(&self) -> Vec<String> {
        lock(&self.place).source.inputs()
    }

    fn size_bytes(&self) -> Option<u64> {
        lock(&self.place).source.size_bytes()
    }

    fn notes(&self) -> Notes {
        lock(&self.place).source.notes()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk>>> {
        let mut place = lock(&self.place);
        let pauses = place.chunks > self.from && (self.pause)();
        if place.ended || pauses { Ok(None) } else { place.next() }
    }
}
