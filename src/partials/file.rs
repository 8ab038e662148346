//! The file of a partial, version 2, or version 3 with cohorts.
//!
//! ```text
//! ┌────────┬─────────┬─────┬────────────┬────────────┬──────────┬─────────────────────────────────────────────────┬──────────┐
//! │ "LFPT" │ version │ 0   │ length of  │ length of  │ head     │ Arrow IPC streams, one after the other          │ checksum │
//! │        │ u16     │ u16 │ file, u64  │ head, u64  │ JSON     │ amounts             pairs              sketches │ u64      │
//! └────────┴─────────┴─────┴────────────┴────────────┴──────────┴─────────────────────────────────────────────────┴──────────┘
//!
//! amounts: window u32, total_spend i64, customers u64                 by window, then by cents
//! pairs:   window u32, recency_days i32, frequency i64, customers u64, total_spend decimal(38, 0), in cents
//!                                                                     by window, then by days, then by orders
//! sketches: sketch, large binary                                      a row a window, compact and ordered
//!
//! in version 3, after these:
//! members: cohort u32, left_censored, size u64, repeat_customers u64, repeat_orders decimal(38, 0)
//! cells:   cohort u32, window u32, active u64, orders decimal(38, 0), revenue decimal(38, 0), in cents
//! seconds: cohort u32, distance u32, customers u64                    all three sorted by what they begin with
//! ```
//!
//! All numbers are little endian. A window is its place in the head's list, which is in time order: name, start, end, observation end,
//! and customers left out by reason. The head also says how many rows there were, and whether each customer is known to be counted once.
//! A cohort is 0 for those who came before the first window, or the place of its window plus 1; a distance of 0 is never.
//! Version 1 had no `total_spend` in its pairs. It is read, and written where a partial of version 1 was merged in. The checksum is rapidhash V3 (seed `0x4c465054`) of all bytes before it. Whatever changes the bytes makes a new version, and a reader
//! refuses versions that it does not know.

use super::{Counted, Lens1Partial, Partials, Rows, Tally, WindowPartial, encode};
use crate::base::bytes::positional::begins_with;
use crate::base::error::{Error, Result};
use crate::lens::{PortableLens, cohorts};
use crate::model::reject::Reason;
use crate::model::window::{Window, Windows};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::Path;

const MAGIC: [u8; 4] = *b"LFPT";
/// What is written, with cohorts or without, and what is read: from the one whose pairs have no spend.
const WITH_COHORTS: u16 = 3;
const VERSION: u16 = 2;
const WITHOUT_SPEND: u16 = 1;
/// Magic, version, two zeros, the length of the file, the length of the head.
const HEADER: usize = 24;
const CHECKSUM: usize = 8;
/// Of an Arrow stream.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0x4c46_5054);
const DAMAGED_HELP: &str = "copy it again from where it was written, or write it anew with `partial_out` of an audit";

/// The part of the file that is not in columns.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    counted: Counted,
    rows: Rows,
    windows: Vec<HeadWindow>,
}

#[derive(Serialize, Deserialize)]
struct HeadWindow {
    #[serde(flatten)]
    window: Window,
    customers_rejected: BTreeMap<Reason, u64>,
}

/// Whether a file begins as a partial does.
pub fn is_partial(path: &Path) -> bool {
    begins_with(path, MAGIC)
}

impl Lens1Partial {
    /// Reads a file, whose name the partial takes.
    ///
    /// # Errors
    /// When it cannot be read, or what [`from_bytes`](Lens1Partial::from_bytes) fails with.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.to_string_lossy();
        let bytes = std::fs::read(path).map_err(|e| Error::io("cannot read", e).input(&*name))?;
        Self::from_bytes(&bytes).map(|partial| partial.named(&*name)).map_err(|e| e.input(&*name))
    }

    /// The bytes of a file: a function of rows and windows alone.
    ///
    /// # Errors
    /// Never, in practice: every partial has such a form.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let window = |w: &WindowPartial| HeadWindow { window: w.window.clone(), customers_rejected: w.customers_rejected.clone() };
        let head = Head { counted: self.counted, rows: self.rows.clone(), windows: self.windows.iter().map(window).collect() };
        let head = serde_json::to_vec(&head).map_err(|e| Error::internal("a partial's head has no JSON form").cause(e))?;
        let mut batches = Vec::new();
        encode(self.windows.iter().map(|w| &w.tally), &mut batches)?;
        self.cohorts.as_ref().map_or(Ok(()), |sums| cohorts::encode(sums, &mut batches))?;
        let mut bytes = MAGIC.to_vec();
        let spend_known = self.windows.iter().all(|w| w.tally.pairs.spend_known());
        let version = match (&self.cohorts, spend_known) {
            (Some(_), _) => WITH_COHORTS,
            (None, true) => VERSION,
            (None, false) => WITHOUT_SPEND,
        };
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&head);
        for batch in batches {
            append(&batch, &mut bytes).map_err(|e| Error::internal("a partial cannot be encoded").cause(e))?;
        }
        let length = (bytes.len() + CHECKSUM) as u64;
        bytes[8..16].copy_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[0; CHECKSUM]);
        seal(&mut bytes);
        Ok(bytes)
    }

    /// Takes back what [`to_bytes`](Lens1Partial::to_bytes) gave.
    ///
    /// # Errors
    /// When the bytes are no partial, one of another version, or not those that were written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = |what: &str| Error::data(format!("the partial is damaged: {what}")).help(DAMAGED_HELP);
        if !bytes.starts_with(&MAGIC) {
            return Err(Error::data("not a Lens 1 partial").help("an audit writes one to its `partial_out`"));
        }
        if bytes.len() < HEADER + CHECKSUM {
            return Err(damaged("it is cut off"));
        }
        let version = u16::from_le_bytes([bytes[4], bytes[5]]);
        if !(WITHOUT_SPEND..=WITH_COHORTS).contains(&version) {
            let what = format!("a partial of version {version}, and this lensflow reads versions {WITHOUT_SPEND} to {WITH_COHORTS}");
            return Err(Error::data(what).help("use the lensflow that wrote it, or a newer one"));
        }
        let number = |at: usize| bytes[at..at + 8].iter().rev().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
        if number(8) != bytes.len() as u64 {
            return Err(damaged("it is not as long as it says"));
        }
        let (sealed, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if rapidhash_v3_seeded(sealed, &SECRETS).to_le_bytes() != checksum {
            return Err(damaged("its checksum is not that of its bytes"));
        }
        let rest = &sealed[HEADER..];
        let (head, streams) =
            usize::try_from(number(16)).ok().and_then(|at| rest.split_at_checked(at)).ok_or_else(|| damaged("its head"))?;
        let head: Head = serde_json::from_slice(head).map_err(|e| damaged("its head").cause(e))?;
        // Arrow panics where a schema makes no sense; a forged file can have a right checksum.
        let read = catch_unwind(|| batches(streams)).map_err(|_| damaged("its columns"))?;
        let mut batches = read.map_err(|e| damaged("its columns").cause(e))?.into_iter();
        let tallies = Partials.decode(&mut batches).map_err(|e| damaged("its columns").cause(e))?;
        let of_cohorts =
            || cohorts::decode(&mut batches).filter(|sums| sums.windows() == tallies.len()).ok_or_else(|| damaged("its cohorts"));
        let cohorts = (version == WITH_COHORTS).then(of_cohorts).transpose()?;
        let list: Vec<Window> = head.windows.iter().map(|w| w.window.clone()).collect();
        if batches.next().is_some() || tallies.len() != list.len() || !(list.is_empty() || Windows::List(list).validate().is_ok()) {
            return Err(damaged("its windows"));
        }
        if tallies.iter().any(|tally| tally.pairs.spend_known() != (version != WITHOUT_SPEND)) {
            return Err(damaged("its columns"));
        }
        let window = |(w, tally): (HeadWindow, Tally)| WindowPartial { window: w.window, customers_rejected: w.customers_rejected, tally };
        Ok(Lens1Partial {
            name: "the partial".to_owned(),
            counted: head.counted,
            rows: head.rows,
            cohorts,
            windows: head.windows.into_iter().zip(tallies).map(window).collect(),
        })
    }
}

/// Reads a partial that was made to look right: with right lengths and checksum. For fuzzing.
///
/// # Errors
/// Whatever is wrong with it.
#[cfg(any(test, feature = "testing"))]
pub fn forged_partial(bytes: &[u8]) -> Result<()> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len() as u64;
    if let Some(place) = bytes.get_mut(8..16) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    seal(&mut bytes);
    let partial = Lens1Partial::from_bytes(&bytes)?;
    partial.to_bytes().map(drop)
}

/// Puts the checksum of all that comes before it in its place.
pub(super) fn seal(bytes: &mut [u8]) {
    if let Some((sealed, checksum)) = bytes.split_last_chunk_mut::<CHECKSUM>() {
        *checksum = rapidhash_v3_seeded(sealed, &SECRETS).to_le_bytes();
    }
}

fn append(batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), ArrowError> {
    let mut writer = StreamWriter::try_new(bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()
}

/// The batches of streams that lie one after the other, each of one batch. Nothing is allocated for what only says that it is there.
fn batches(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut rest = Buffer::from(bytes);
    let mut all = Vec::new();
    while !rest.is_empty() {
        let batch = StreamDecoder::new().decode(&mut rest)?;
        let (Some(batch), true) = (batch, rest.starts_with(&END)) else {
            return Err(ArrowError::IpcError("a stream without an end".to_owned()));
        };
        rest.advance(END.len());
        all.push(batch);
    }
    Ok(all)
}
