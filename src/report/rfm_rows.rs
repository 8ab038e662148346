//! RFM rows: how customers of blocks become batches of the [columns](super::rfm_columns) that are asked for.
//!
//! All columns of a row are kept until a batch is made; the times of orders only where a column needs them, as blocks and records do.

use super::rfm_columns::{RfmColumn, RfmValue, schema_of};
use super::rows::{Ids, Rows, dictionary, money, packed, put_key, texts};
use crate::base::bytes::sort_key::{put_number, put_signed, take_bytes, take_number, take_signed, take_text};
use crate::base::error::{Error, Result};
use crate::base::time::DAY;
use crate::finalize::Block;
use crate::finalize::blocks::Blocks;
use crate::model::period_batch::NO_TIMESTAMP;
use crate::model::segments::{SegmentValues, Segments};
use crate::model::window::Window;
use crate::spill::SortBuffer;
use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt8Array};
use arrow::datatypes::SchemaRef;
use std::ops::Range;
use std::sync::Arc;

/// RFM rows: one per customer and window.
#[derive(Debug)]
pub(crate) struct Rfm {
    columns: Vec<RfmColumn>,
    names: ArrayRef,
    ends: ArrayRef,
    scores: ArrayRef,
    /// The last day observed of each window, in days since 1970.
    last_days: Vec<i64>,
    /// With their names.
    segments: Option<(Segments, ArrayRef)>,
}

/// A score has one digit, not 0.
const DIGITS: u16 = 9;

/// Three scores as one number, by which they are in the dictionary.
fn joined(&[r, f, m]: &[u8; 3]) -> u16 {
    (u16::from(r - 1) * DIGITS + u16::from(f - 1)) * DIGITS + u16::from(m - 1)
}

/// One of them: recency is at power 2, frequency at 1.
fn digit(score: u16, power: u32) -> u16 {
    score / DIGITS.pow(power) % DIGITS + 1
}

/// The day of a time, since 1970.
fn day(time: i64) -> i64 {
    time.div_euclid(DAY)
}

impl Rfm {
    pub(crate) fn new(windows: &[Window], columns: &[RfmColumn], segments: Option<&Segments>) -> Self {
        let score = |score| format!("{}{}{}", digit(score, 2), digit(score, 1), digit(score, 0));
        Rfm {
            columns: columns.to_vec(),
            names: texts(windows.iter().map(|w| w.name.clone())),
            ends: Arc::new(TimestampMicrosecondArray::from_iter_values(windows.iter().map(|w| w.observation_end))),
            scores: texts((0..DIGITS.pow(3)).map(score)),
            last_days: windows.iter().map(|w| day(w.observation_end - 1)).collect(),
            segments: segments.map(|segments| (segments.clone(), texts(segments.names().iter().cloned()))),
        }
    }

    fn needs_last(&self) -> bool {
        self.columns.iter().any(|column| column.value.needs_last())
    }

    fn needs_first(&self) -> bool {
        self.columns.iter().any(|column| column.value.needs_first())
    }

    /// A column of a batch.
    fn array(&self, value: RfmValue, columns: &mut RfmBuffers) -> Result<ArrayRef> {
        let times = |times: &[i64]| Arc::new(TimestampMicrosecondArray::from(times.to_vec()));
        Ok(match value {
            RfmValue::Window => dictionary(columns.windows.clone(), &self.names)?,
            RfmValue::CustomerId => columns.ids.array()?,
            RfmValue::RecencyDays => Arc::new(Int32Array::from(columns.recency.clone())),
            RfmValue::Frequency => Arc::new(Int64Array::from(columns.frequency.clone())),
            RfmValue::Monetary => money(&columns.monetary)?,
            RfmValue::TotalSpend => money(&columns.spend)?,
            RfmValue::ObservationStart => times(&columns.starts),
            RfmValue::ObservationEnd => dictionary(columns.windows.clone(), &self.ends)?,
            RfmValue::Score(at) => Arc::new(UInt8Array::from(columns.scores[at].clone())),
            RfmValue::RfmScore => dictionary(columns.score.clone(), &self.scores)?,
            RfmValue::Segment => {
                let (segments, names) = self.segments.as_ref().ok_or_else(|| Error::internal("no segments to write"))?;
                dictionary(columns.segments(segments), names)?
            }
            RfmValue::LastOrder => Arc::new(TimestampMicrosecondArray::from(columns.last_orders.clone())),
            RfmValue::FirstOrder => times(&columns.first_orders),
            RfmValue::LastOrderDay => {
                Arc::new(Date32Array::from_iter(columns.last_orders.iter().map(|last| last.map(|last| day(last) as i32))))
            }
            RfmValue::Repeats => Arc::new(Int64Array::from_iter_values(columns.frequency.iter().map(|orders| orders - 1))),
            RfmValue::DaysActive => {
                let days = columns.orders().map(|(first, last)| (day(last) - day(first)) as i32);
                Arc::new(Int32Array::from_iter_values(days))
            }
            RfmValue::Age => Arc::new(columns.ages(&self.last_days)),
        })
    }
}

/// The columns of a batch under construction. They keep their memory for the next batch, and arrays have copies, but for many long ids.
#[derive(Default)]
pub(crate) struct RfmBuffers {
    windows: Vec<u16>,
    ids: Ids,
    recency: Vec<i32>,
    frequency: Vec<i64>,
    monetary: Vec<i64>,
    spend: Vec<i64>,
    starts: Vec<i64>,
    scores: [Vec<u8>; 3],
    score: Vec<u16>,
    /// As the block has them: empty where no column needs them.
    last_orders: Vec<Option<i64>>,
    first_orders: Vec<i64>,
}

impl RfmBuffers {
    fn clear(&mut self) {
        self.windows.clear();
        self.ids.clear();
        self.recency.clear();
        self.frequency.clear();
        self.monetary.clear();
        self.spend.clear();
        self.starts.clear();
        self.scores.iter_mut().for_each(Vec::clear);
        self.score.clear();
        self.last_orders.clear();
        self.first_orders.clear();
    }

    /// The place of each row's segment among their names.
    fn segments(&self, segments: &Segments) -> Vec<u16> {
        let of = |row: usize| {
            let values = SegmentValues {
                scores: [0, 1, 2].map(|at: usize| self.scores[at][row]),
                orders: self.frequency[row],
                recency_days: self.recency[row].into(),
                total_spend: self.spend[row],
                monetary: self.monetary[row],
            };
            segments.of(&values) as u16
        };
        (0..self.frequency.len()).map(of).collect()
    }

    /// The times of the first and the last order of each row. A row of orders has both.
    fn orders(&self) -> impl Iterator<Item = (i64, i64)> {
        self.first_orders.iter().zip(&self.last_orders).map(|(&first, last)| (first, last.unwrap_or(first)))
    }

    /// The days from each first order to the last day observed. An order at the observation end itself was observed, too, and so was its day.
    fn ages(&self, last_days: &[i64]) -> Int32Array {
        let age = |(&window, (first, last)): (&u16, (i64, i64))| last_days[usize::from(window)].max(day(last)) - day(first);
        Int32Array::from_iter_values(self.windows.iter().zip(self.orders()).map(age).map(|days| days as i32))
    }
}

impl Rows for Rfm {
    type Columns = RfmBuffers;
    const COUNTS_ARE_KNOWN: bool = true;

    fn schema(&self) -> SchemaRef {
        schema_of(&self.columns)
    }

    fn counts(&self, blocks: &Blocks) -> Result<Vec<usize>> {
        Ok(blocks.rows())
    }

    fn append(&self, block: &Block, rows: Range<usize>, columns: &mut RfmBuffers) {
        columns.windows.extend(block.window[rows.clone()].iter().map(|&w| w as u16));
        block.customer[rows.clone()].iter().for_each(|&customer| columns.ids.push(block, customer));
        columns.recency.extend_from_slice(&block.recency_days[rows.clone()]);
        columns.frequency.extend_from_slice(&block.frequency[rows.clone()]);
        columns.monetary.extend_from_slice(&block.monetary[rows.clone()]);
        columns.spend.extend_from_slice(&block.total_spend[rows.clone()]);
        columns.starts.extend_from_slice(&block.observation_start[rows.clone()]);
        columns.last_orders.extend_from_slice(block.last_order.get(rows.clone()).unwrap_or_default());
        columns.first_orders.extend_from_slice(block.first_order.get(rows.clone()).unwrap_or_default());
        let scores = &block.scores[rows];
        for (at, column) in columns.scores.iter_mut().enumerate() {
            column.extend(scores.iter().map(|score| score[at]));
        }
        columns.score.extend(scores.iter().map(joined));
    }

    fn sort(&self, block: &Block, buffer: &mut SortBuffer<'_>) -> Result<()> {
        (0..block.len()).try_for_each(|row| {
            buffer.push(|out| {
                put_key(block.window[row] as u16, block, block.customer[row], out);
                put_signed(block.recency_days[row].into(), out);
                put_signed(block.frequency[row], out);
                put_signed(block.monetary[row], out);
                put_signed(block.total_spend[row], out);
                put_signed(block.observation_start[row], out);
                put_number(joined(&block.scores[row]).into(), out);
                // Whether these are there, all records of a run have in common.
                block.first_order.get(row).into_iter().for_each(|&first| put_signed(first, out));
                block.last_order.get(row).into_iter().for_each(|last| put_signed(last.unwrap_or(NO_TIMESTAMP), out));
            })
        })
    }

    fn read(&self, mut record: &[u8], columns: &mut RfmBuffers) -> Option<()> {
        let bytes = &mut record;
        columns.windows.push(u16::from_be_bytes(take_bytes(bytes)?));
        columns.ids.push_bytes(&take_text(bytes)?);
        columns.recency.push(take_signed(bytes)?.try_into().ok()?);
        columns.frequency.push(take_signed(bytes)?);
        columns.monetary.push(take_signed(bytes)?);
        columns.spend.push(take_signed(bytes)?);
        columns.starts.push(take_signed(bytes)?);
        let score = take_number(bytes)? as u16;
        columns.score.push(score);
        columns.scores.iter_mut().zip([2, 1, 0]).for_each(|(column, power)| column.push(digit(score, power) as u8));
        if self.needs_first() {
            columns.first_orders.push(take_signed(bytes)?);
        }
        if self.needs_last() {
            columns.last_orders.push(Some(take_signed(bytes)?).filter(|&last| last != NO_TIMESTAMP));
        }
        Some(())
    }

    fn take(&self, columns: &mut RfmBuffers) -> Result<RecordBatch> {
        let arrays = self.columns.iter().map(|column| self.array(column.value, columns)).collect::<Result<_>>()?;
        columns.clear();
        packed(&self.schema(), arrays)
    }
}
