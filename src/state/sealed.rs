//! Sealed records: JSON, and a line with its checksum. One such record says which files of a folder count: a state's [`Manifest`], or the
//! record of a checkpoint.
//!
//! [`Manifest`]: super::Manifest

use super::manifest::RunEntry;
use super::save::Saved;
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::model::hash::PARTITIONS;
use crate::model::note::KeptNotes;
use crate::model::reject::Reason;
use crate::model::window::Span;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0x4c46_4d46);
const SEAL: &str = "checksum ";
/// The version of the format, of records and all that they name.
pub(crate) const FORMAT: u32 = 3;
/// The versions that are read: the first had no parts, the second no ids of orders.
const READ: std::ops::RangeInclusive<u32> = 1..=FORMAT;
/// The hash that names partitions and sorts customers, with its seed.
pub(crate) const HASH: &str = "rapidhash-v3 6c656e73666c6f77";

/// The record of a folder of run files. Its JSON has a field `format`.
pub(crate) trait Record: Clone + Serialize + DeserializeOwned {
    /// The file that it is in.
    const FILE: &'static str;
    /// The word for the folder in messages.
    const WHAT: &'static str;
    /// The advice where it cannot be read.
    const DAMAGED_HELP: &'static str;
    /// Whether nothing else has what its run files hold.
    const IS_ALL_THERE_IS: bool;

    /// How often it was changed, and the run files that count.
    fn runs(&self) -> (u64, &[RunEntry]);

    /// The generation and the run files, to be changed.
    fn runs_mut(&mut self) -> (&mut u64, &mut Vec<RunEntry>);

    /// The hash of ids and the number of partitions that its run files were written with.
    fn partitioning(&self) -> (&str, usize);

    /// The counts of rows.
    fn counts(&self) -> RowCounts<'_>;

    /// The counts of rows, to be added to.
    fn counts_mut(&mut self) -> RowCountsMut<'_>;

    /// Whether its counts agree with each other.
    fn is_sound(&self) -> bool;
}

/// The accessors of [`Record`] for a type that has the fields by these names: both records keep them side by side with their own, in the
/// order of their JSON.
macro_rules! record_fields {
    () => {
        fn runs(&self) -> (u64, &[$crate::state::manifest::RunEntry]) {
            (self.generation, &self.runs)
        }

        fn runs_mut(&mut self) -> (&mut u64, &mut Vec<$crate::state::manifest::RunEntry>) {
            (&mut self.generation, &mut self.runs)
        }

        fn partitioning(&self) -> (&str, usize) {
            (&self.hash, self.partitions)
        }

        fn counts(&self) -> $crate::state::sealed::RowCounts<'_> {
            let Self { rows_read, rows_accepted, rows_rejected, windows, span, notes, .. } = self;
            let (read, accepted, windows, span) = (*rows_read, *rows_accepted, *windows, *span);
            $crate::state::sealed::RowCounts { read, accepted, rejected: rows_rejected, windows, span, notes }
        }

        fn counts_mut(&mut self) -> $crate::state::sealed::RowCountsMut<'_> {
            let Self { rows_read, rows_accepted, rows_rejected, windows, span, notes, .. } = self;
            $crate::state::sealed::RowCountsMut { read: rows_read, accepted: rows_accepted, rejected: rows_rejected, windows, span, notes }
        }
    };
}
pub(crate) use record_fields;

/// Counted rows, and the first and the last window with one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowCounts<'a> {
    pub(crate) read: u64,
    pub(crate) accepted: u64,
    pub(crate) rejected: &'a BTreeMap<Reason, u64>,
    pub(crate) windows: Option<(u32, u32)>,
    pub(crate) span: Option<Span>,
    pub(crate) notes: &'a KeptNotes,
}

impl<'a> RowCounts<'a> {
    /// The counts of what was just saved.
    pub(crate) fn of(saved: &'a Saved) -> Self {
        let Saved { keys, span, rows, notes, .. } = saved;
        RowCounts { read: rows.rows_read, accepted: rows.rows_accepted, rejected: &rows.rows_rejected, windows: *keys, span: *span, notes }
    }

    /// Rows that were accepted or rejected: all but open ones. `None` where that is no number.
    pub(crate) fn judged(&self) -> Option<u64> {
        self.rejected.values().try_fold(self.accepted, |sum, &count| sum.checked_add(count))
    }
}

/// The fields of a record that count rows.
#[derive(Debug)]
pub(crate) struct RowCountsMut<'a> {
    pub(crate) read: &'a mut u64,
    pub(crate) accepted: &'a mut u64,
    pub(crate) rejected: &'a mut BTreeMap<Reason, u64>,
    pub(crate) windows: &'a mut Option<(u32, u32)>,
    pub(crate) span: &'a mut Option<Span>,
    pub(crate) notes: &'a mut KeptNotes,
}

impl RowCountsMut<'_> {
    /// Adds what was counted of other rows.
    pub(crate) fn add(self, more: RowCounts<'_>) {
        self.span.merge(more.span);
        self.notes.add(more.notes);
        *self.read += more.read;
        *self.accepted += more.accepted;
        Merge::merge(self.rejected, more.rejected.clone());
        *self.windows = match (*self.windows, more.windows) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}

/// A record as a file.
pub(crate) fn encode<R: Record>(record: &R) -> Result<String> {
    let mut text = serde_json::to_string_pretty(record).map_err(|e| Error::internal("the record has no JSON form").cause(e))?;
    text.push('\n');
    Ok(sealed(text))
}

/// A text with its checksum.
pub(super) fn sealed(text: String) -> String {
    let checksum = rapidhash_v3_seeded(text.as_bytes(), &SECRETS);
    format!("{text}{SEAL}{checksum:016x}\n")
}

/// Reads a record.
pub(crate) fn decode<R: Record>(text: &str, path: &Path) -> Result<R> {
    let damaged = || Error::data(format!("the {}'s record is damaged", R::WHAT)).input(path.to_string_lossy()).help(R::DAMAGED_HELP);
    let (json, checksum) = text.trim_end_matches('\n').rsplit_once('\n').ok_or_else(damaged)?;
    let json = &text[..json.len() + 1];
    let sum = format!("{:016x}", rapidhash_v3_seeded(json.as_bytes(), &SECRETS));
    if checksum.strip_prefix(SEAL) != Some(&sum) {
        return Err(damaged());
    }
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    // A later version may have other fields.
    let Version { format } = serde_json::from_str(json).map_err(|e| damaged().cause(e))?;
    if !READ.contains(&format) {
        let what = format!("a {} of format {format}, and this lensflow reads formats 1 to {FORMAT}", R::WHAT);
        return Err(Error::data(what).input(path.to_string_lossy()).help("use the lensflow that wrote it, or a newer one"));
    }
    let record: R = serde_json::from_str(json).map_err(|e| damaged().cause(e))?;
    if record.partitioning() == (HASH, PARTITIONS) && record.is_sound() { Ok(record) } else { Err(damaged()) }
}
