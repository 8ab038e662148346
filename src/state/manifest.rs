//! The manifest: the contents of a state, in one small file of JSON that is replaced as a whole. The manifest in place names all files of
//! its generation. Files that it does not name mean nothing.

use super::part::PartCounts;
use super::retention::DroppedBefore;
use super::sealed::{FORMAT, HASH, Record, record_fields};
use crate::base::error::{Error, Result};
use crate::model::hash::PARTITIONS;
use crate::model::note::KeptNotes;
use crate::model::reject::{OnBadRow, Reason};
use crate::model::window::{Granularity, Span};
use crate::orders::{LineSummary, OrderOptions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Values by key.
pub type Remembered = BTreeMap<String, Vec<String>>;

/// The contents of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// The version of lensflow that wrote it.
    pub lensflow: String,
    /// How often the state was changed.
    pub generation: u64,
    /// The calendar windows it is kept by.
    pub every: Granularity,
    /// The policy about bad rows.
    pub on_bad_row: OnBadRow,
    /// The hash of ids.
    pub hash: String,
    /// The number of partitions.
    pub partitions: usize,
    /// Everything taken in, in the order in which it was.
    pub inputs: Vec<Input>,
    /// Rows in all.
    pub rows_read: u64,
    /// Rows that count in any audit.
    pub rows_accepted: u64,
    /// Rows that count in none, by reason. The others are open: each audit judges them.
    pub rows_rejected: BTreeMap<Reason, u64>,
    /// The first and the last calendar window with a row, counted from the year 0.
    pub windows: Option<(u32, u32)>,
    /// From when to when there are data; none where rows were taken in by a version that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) span: Option<Span>,
    /// What was noticed about the inputs.
    #[serde(default, skip_serializing_if = "KeptNotes::is_empty")]
    pub(crate) notes: KeptNotes,
    /// How lines were grouped, and what was counted of them, where orders and line items were taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<(OrderOptions, LineSummary)>,
    /// How inputs were read, by the keys of specs: what later updates inherit. Programs decide what is in it.
    #[serde(default, skip_serializing_if = "Remembered::is_empty")]
    pub settings: Remembered,
    /// For how many seconds after they came inputs lie apart, so that they can be taken out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undo: Option<u64>,
    /// Whether it keeps the ids of its orders, to know those that come again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub order_ids: bool,
    /// Before what nothing is left but that customers existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped_before: Option<DroppedBefore>,
    /// The counts of everything that does not lie apart.
    #[serde(default)]
    pub(crate) together: PartCounts,
    /// The run files, the oldest first.
    pub runs: Vec<RunEntry>,
}

/// An input that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Input {
    /// Its name when it was taken in.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// XXH3 of its bytes, 128 bits in hexadecimal. Of a stream that never ends, the last segment that was taken in.
    pub fingerprint: String,
    /// The generation that took it in.
    pub generation: u64,
    /// XXH3 of its text without compression and carriage returns, where that differs from the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    /// When it was taken in, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<u64>,
    /// Its rows, where it came alone; of orders, its lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How many of them were rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_rejected: Option<u64>,
    /// The run file that holds it and nothing else, as long as it lies apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
}

impl Input {
    /// What tells it from others: the hash of its text, or of its bytes where these are the same.
    pub(crate) fn content(&self) -> &str {
        self.content.as_deref().unwrap_or(&self.fingerprint)
    }

    pub(crate) fn new(name: String, bytes: u64, fingerprint: String, generation: u64) -> Self {
        Input { name, bytes, fingerprint, generation, content: None, taken: None, rows: None, rows_rejected: None, run: None }
    }
}

/// A run file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunEntry {
    /// Its name in the state's folder.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The checksum of its index.
    pub checksum: String,
    /// Customers in it; one who is in several counts in each.
    pub customers: u64,
    /// Customers times the windows they bought in.
    pub entries: u64,
    /// The counts of its rows, as long as it is a part that lies apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Box<PartCounts>>,
}

impl Manifest {
    /// The manifest of an empty state.
    pub(crate) fn new(every: Granularity, on_bad_row: OnBadRow) -> Self {
        Manifest {
            format: FORMAT,
            lensflow: env!("CARGO_PKG_VERSION").to_owned(),
            generation: 0,
            every,
            on_bad_row,
            hash: HASH.to_owned(),
            partitions: PARTITIONS,
            inputs: Vec::new(),
            rows_read: 0,
            rows_accepted: 0,
            rows_rejected: BTreeMap::new(),
            windows: None,
            span: None,
            notes: KeptNotes::default(),
            transactions: None,
            settings: Remembered::new(),
            undo: None,
            order_ids: false,
            dropped_before: None,
            together: PartCounts::default(),
            runs: Vec::new(),
        }
    }

    /// Refuses lines that are grouped otherwise than those before them; `folder` is the state's.
    pub(crate) fn groups_alike(&self, orders: &OrderOptions, folder: &Path) -> Result<()> {
        if self.transactions.as_ref().is_none_or(|(before, _)| before == orders) {
            return Ok(());
        }
        let what = "the state was made of lines that were grouped otherwise: with other `refunds`, `anonymous`, `duplicates` or `timezone`";
        let help = "say what was said then (lensflow inspect tells), or make another state";
        Err(Error::usage(what).input(folder.to_string_lossy()).help(help))
    }

    /// Rows that each audit judges by its own windows.
    pub fn rows_open(&self) -> u64 {
        self.rows_read - self.rows_accepted - self.rows_rejected.values().sum::<u64>()
    }
}

impl Record for Manifest {
    const FILE: &'static str = "MANIFEST";
    const WHAT: &'static str = "state";
    const DAMAGED_HELP: &'static str = super::DAMAGED_HELP;
    const IS_ALL_THERE_IS: bool = true;

    record_fields!();

    /// Rows that are not judged are open.
    fn is_sound(&self) -> bool {
        let mut added_up = self.clone();
        if self.format > 1 {
            added_up.add_up();
        }
        self.counts().judged().is_some_and(|judged| judged <= self.rows_read) && added_up == *self
    }
}

/// The name of the run file that a generation made of others.
pub(crate) fn compacted_name(generation: u64) -> String {
    format!("compacted-{generation:08}.lfst")
}

/// The name of a generation's run file.
pub(crate) fn run_name(generation: u64) -> String {
    format!("run-{generation:08}.lfst")
}

/// The name of one of the run files of a generation that has several.
pub(crate) fn part_name(generation: u64, part: usize) -> String {
    if part == 0 { run_name(generation) } else { format!("run-{generation:08}-{part:02}.lfst") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::state::sealed::{decode, encode};
    use std::path::Path;

    fn sample() -> Manifest {
        let mut manifest = Manifest::new(Granularity::Month, OnBadRow::Reject);
        manifest.generation = 3;
        manifest.inputs.push(Input::new("a\"b.csv".to_owned(), 5, "00ff".to_owned(), 3));
        (manifest.together.rows_read, manifest.together.rows_accepted) = (10, 7);
        manifest.together.rows_rejected.insert(Reason::BadNumber, 2);
        manifest.together.windows = Some((24_276, 24_280));
        manifest.add_up();
        manifest
    }

    #[test]
    fn manifests_come_back() {
        let text = encode(&sample()).unwrap();
        assert_eq!(decode::<Manifest>(&text, Path::new("m")).unwrap(), sample());
        assert_eq!(sample().rows_open(), 1);
    }

    #[test]
    fn no_byte_may_change() {
        let text = encode(&sample()).unwrap();
        for at in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(decode::<Manifest>(&changed, Path::new("m")).is_err(), "byte {at}");
            assert!(decode::<Manifest>(&text[..at], Path::new("m")).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn notes_of_later_versions_are_passed_over() {
        let kept: KeptNotes =
            serde_json::from_str(r#"[["a_topic_to_come", "x", {"count":1,"amount":"0.00","first":null,"most":0}]]"#).unwrap();
        assert!(kept.notes().texts().is_empty());
    }

    #[test]
    fn a_later_format_is_named() {
        let mut manifest = sample();
        manifest.format = 7;
        let error = decode::<Manifest>(&encode(&manifest).unwrap(), Path::new("m")).unwrap_err();
        assert_eq!(error.to_string(), "m: a state of format 7, and this lensflow reads formats 1 to 3");
    }
}
