//! Inputs in portions that are read by themselves, on other machines: row groups of a Parquet file, records of a CSV; other inputs whole.
//!
//! A portion knows where its rows are in the input, so that its rows have the numbers and the lines that they have when the whole is read. A
//! CSV is read once to find where records end, as the reader of the whole finds it; that is as quick as its bytes come.

use super::files::{Files, Format};
use super::format::{compression, read_head};
use super::{Chunk, Sink, Source};
use crate::base::error::{Error, Result, Stage};
use crate::model::note::Topic;
use crate::model::period_batch::Origin;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A part of an input that is read by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Portion {
    /// All of it.
    Whole,
    /// Row groups of a Parquet file, `to` excluded.
    RowGroups {
        /// The first.
        from: usize,
        /// The one after the last.
        to: usize,
    },
    /// Records of a CSV.
    Records(TextPart),
}

impl Portion {
    /// Whether the input begins with it.
    pub(crate) fn is_first(&self) -> bool {
        match self {
            Portion::Whole => true,
            Portion::RowGroups { from, .. } => *from == 0,
            // The header is a record.
            Portion::Records(part) => part.records <= 1,
        }
    }
}

/// Records of a text: where they lie, and what lies before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPart {
    /// The first byte.
    pub(super) from: u64,
    /// The byte after the last.
    pub(super) to: u64,
    /// Bytes from there on that the reader of the whole had when it came here, and how many it asked for next: so it is cut into the same chunks.
    pub(super) ahead: usize,
    pub(super) block: usize,
    /// Records and lines before it.
    pub(super) records: u64,
    pub(super) lines: u64,
}

/// The numbers of portions, and the least of those that had a fault.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    pub(super) portions: Vec<(u64, Portion)>,
    least: Arc<AtomicU64>,
}

impl Numbered {
    /// Notes a fault of a portion, unless it is only how another's was noticed.
    pub(super) fn fault(&self, number: u64, error: &Error) {
        if !error.is_echo() {
            self.least.fetch_min(number, Ordering::AcqRel);
        }
    }

    /// The least number of a portion that had a fault.
    pub(crate) fn least(&self) -> Option<u64> {
        Some(self.least.load(Ordering::Acquire)).filter(|least| *least < u64::MAX)
    }
}

/// The error for an input that is not what it was when it was divided.
pub(super) fn changed(origin: &Origin) -> Error {
    let error = Error::data("the file changed while it was read").input(&origin.name).stage(Stage::Source);
    error.help("take it in when it is written completely")
}

/// A text from a part's first byte to its last.
pub(super) fn part_of(mut file: File, part: TextPart, origin: &Origin) -> Result<Box<dyn Read + Send>> {
    let fail = |e| Error::io("cannot read", e).input(&origin.name).stage(Stage::Source);
    if file.metadata().map_err(fail)?.len() < part.to {
        return Err(changed(origin));
    }
    file.seek(SeekFrom::Start(part.from)).map_err(fail)?;
    Ok(Box::new(file.take(part.to - part.from)))
}

impl<B: 'static> Files<B> {
    /// Portions of inputs, each with its number, in ascending order. `several` says that they are of several inputs, of which one may be empty.
    pub(crate) fn of_portions(mut self, portions: Vec<(u64, String, Portion)>, several: bool) -> (Self, Numbered) {
        let inputs = portions.iter().map(|(_, input, _)| input.clone()).collect();
        let portions = portions.into_iter().map(|(number, _, portion)| (number, portion)).collect();
        let numbered = Numbered { portions, least: Arc::new(AtomicU64::new(u64::MAX)) };
        (self.inputs, self.size, self.several, self.numbered) = (inputs, None, several, Some(numbered.clone()));
        (self, numbered)
    }

    /// Whether there are several inputs, and some have a byte.
    pub(crate) fn are_several(&self) -> bool {
        self.several
    }

    /// The inputs in portions of so many bytes, about.
    pub(crate) fn portions(&self, bytes: u64) -> Vec<(String, Portion)> {
        let of = |name: String| {
            // What cannot be divided, because it is damaged for example, is read whole: that tells what is wrong as ever.
            let portions = self.portions_of(&name, bytes.max(1)).unwrap_or_default();
            let whole = || vec![Portion::Whole];
            let portions = if portions.len() > 1 { portions } else { whole() };
            portions.into_iter().map(move |portion| (name.clone(), portion)).collect::<Vec<_>>()
        };
        self.paths().into_iter().flat_map(of).collect()
    }

    fn portions_of(&self, name: &str, bytes: u64) -> Result<Vec<Portion>> {
        let fail = |e| Error::io("cannot read", e).input(name).stage(Stage::Source);
        let mut file = File::open(name).map_err(fail)?;
        let about = file.metadata().map_err(fail)?;
        if !about.is_file() || about.len() <= bytes {
            return Ok(Vec::new());
        }
        let head = read_head(&mut file).map_err(fail)?;
        file.rewind().map_err(fail)?;
        let format = self.format.or(Format::of_path(Path::new(name))).or_else(|| Format::of_first_bytes(&head));
        let origin = Arc::new(Origin { name: name.to_owned() });
        match format {
            _ if compression(&head).is_some() => Ok(Vec::new()),
            Some(Format::Parquet) => Ok(grouped(&self.kind.row_groups(file, origin)?, bytes)),
            Some(Format::Csv) => Ok(self.kind.text_parts(Box::new(file), origin, bytes)?.into_iter().map(Portion::Records).collect()),
            _ => Ok(Vec::new()),
        }
    }
}

impl<B: 'static> Files<B> {
    /// The number of the portion that is read now.
    fn number(&self) -> u64 {
        let portion = self.numbered.as_ref().and_then(|all| all.portions.get(self.next.checked_sub(1)?));
        portion.map_or(0, |(number, _)| *number)
    }

    /// Opens the input whose turn it is, or a portion of it.
    pub(super) fn open_next(&self, name: &str) -> Result<Box<dyn Source<B>>> {
        let portion = self.numbered.as_ref().and_then(|all| all.portions.get(self.next - 1)).map(|(_, portion)| portion);
        let Some(portion) = portion.filter(|portion| !portion.is_first()) else {
            return self.open(name, portion.unwrap_or(&Portion::Whole));
        };
        // The columns of an input are counted once, with its first portion.
        let notes = self.kind.notes();
        let counts = notes.counts(Topic::ColumnRead);
        let opened = self.open(name, portion);
        notes.put_back(Topic::ColumnRead, &counts);
        opened
    }

    /// Notes a fault of the portion that is read now.
    pub(super) fn fault(&self, error: &Error) {
        self.numbered.iter().for_each(|all| all.fault(self.number(), error));
    }

    /// A chunk, whose faults are those of the portion that is read now.
    pub(super) fn of_portion(&self, chunk: Box<dyn Chunk<B>>) -> Box<dyn Chunk<B>> {
        match &self.numbered {
            Some(numbered) => Box::new(OfPortion { chunk, numbered: numbered.clone(), number: self.number() }),
            None => chunk,
        }
    }
}

/// A chunk of a portion, whose faults are the portion's.
struct OfPortion<B> {
    chunk: Box<dyn Chunk<B>>,
    numbered: Numbered,
    number: u64,
}

impl<B> Chunk<B> for OfPortion<B> {
    fn bytes(&self) -> u64 {
        self.chunk.bytes()
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_, B>) -> Result<()> {
        let OfPortion { chunk, numbered, number } = *self;
        chunk.decode(sink).inspect_err(|e| numbered.fault(number, e))
    }
}

/// Row groups of these sizes, put together up to so many bytes.
fn grouped(sizes: &[u64], bytes: u64) -> Vec<Portion> {
    let (mut portions, mut from, mut sum) = (Vec::new(), 0, 0u64);
    for (group, size) in sizes.iter().enumerate() {
        if group > from && sum.saturating_add(*size) > bytes {
            portions.push(Portion::RowGroups { from, to: group });
            (from, sum) = (group, 0);
        }
        sum = sum.saturating_add(*size);
    }
    if from < sizes.len() {
        portions.push(Portion::RowGroups { from, to: sizes.len() });
    }
    portions
}
