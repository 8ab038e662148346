//! A look at inputs before an audit: what they are, what their columns seem to be, and what an audit would meet in them.
//!
//! The first input's beginning is read as texts, and what its columns hold is told ([`sniff`](crate::source::sniff)). Then its rows are read
//! as an audit reads them, under policies that leave nothing out silently, up to [`SAMPLE`] bytes or to the end: the counts are those of
//! an audit, and there is no second way to count. `readings` tells the options that an audit needs, in more than one way where values could
//! mean two things, and `peek_text` lays it all out for people.
//!
//! Invariant: nothing is written, and memory is bounded as an audit's is.

mod peek_text;
mod readings;

pub use self::peek_text::render;
pub use self::readings::PeekedReading;

use super::recognize::{Recognition, Recognized, RowsAre};
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::text::counted;
use crate::base::time::format_timestamp;
use crate::model::columns::Column;
use crate::model::line_columns::{ORDER_TS, TransactionColumn};
use crate::model::note::{Notes, OF, Topic};
use crate::model::reject::OnBadRow;
use crate::model::row_filter::RowFilter;
use crate::model::window::{Granularity, Windows};
use crate::orders::{Anonymous, Duplicates, LineSummary, Lines, Refunds, special_lines};
use crate::pipeline::Pipeline;
use crate::report::Report;
use crate::source::files::{Files, Format};
use crate::source::layouts::plain;
use crate::source::mapping::{is_like_currency, is_void};
use crate::source::sniff::{ColumnProfile, Sample, SampleSize};
use crate::source::{Chunk, Source};
use crate::spec::Spec;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of the inputs that are read where not all is.
pub const SAMPLE: u64 = 8 << 20;

/// What stands before the causes of an error about too many bad rows.
const TOO_MANY: &str = " lets be left out: ";

/// A look at inputs.
#[derive(Debug, Clone, Default)]
pub struct PeekJob {
    /// What is known of the inputs.
    pub recognition: Recognition,
    /// What their columns told.
    pub recognized: Recognized,
    /// Where the rows are orders and line items, how they are read.
    pub lines: Option<Lines>,
    /// The options of reading, and limits.
    pub spec: Spec,
    /// Whether all is read.
    pub all: bool,
    /// Ends the job.
    pub cancel: Cancel,
}

/// A column, and what it seems to be.
#[derive(Debug, Clone, Serialize)]
pub struct PeekedColumn {
    /// Our name of the column, if it is read.
    pub role: Option<String>,
    /// What it holds.
    #[serde(flatten)]
    pub profile: ColumnProfile,
}

/// What was seen.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Peeked {
    /// The input that was looked at.
    pub input: String,
    /// More inputs.
    pub more_inputs: usize,
    /// `csv`, `parquet` and so on.
    pub format: Option<Format>,
    /// The compression of the whole.
    pub compression: Option<&'static str>,
    /// What bytes mean, where they are text.
    pub encoding: Option<&'static str>,
    /// The delimiter of a CSV.
    pub delimiter: Option<char>,
    /// The line of its header.
    pub header_line: Option<u64>,
    /// The size in bytes.
    pub bytes: Option<u64>,
    /// `periods` or `transactions`; `auto` where nothing tells.
    pub rows: RowsAre,
    /// The layout.
    pub layout: Option<&'static str>,
    /// Whether all rows were counted, or those of a sample.
    pub all: bool,
    /// Rows that were counted.
    pub rows_read: u64,
    /// Distinct customers in them.
    pub customers: u64,
    /// The counts of lines, where rows are lines.
    pub lines: Option<LineSummary>,
    /// The first day in the sample, ISO 8601.
    pub first_day: Option<String>,
    /// The last day in it.
    pub last_day: Option<String>,
    /// Currencies with their rows in the sample, of the column that holds them.
    pub currencies: BTreeMap<String, u64>,
    /// The columns, in the input's order.
    pub columns: Vec<PeekedColumn>,
    /// What is to know before an audit.
    pub notes: Vec<String>,
    /// Whether lines were seen that a shop's policies are for.
    pub needs_policy: bool,
    /// Filters of rows that mostly do not count: of cancelled and voided orders.
    pub leaves_out: Vec<RowFilter>,
    /// The ways to read the input; several where values could mean two things.
    pub readings: Vec<PeekedReading>,
}

impl PeekJob {
    /// Looks.
    ///
    /// # Errors
    /// When the inputs cannot be opened.
    pub fn run(&self) -> Result<Peeked> {
        let (sample, inputs) = self.recognition.look(SampleSize::default())?;
        let mut job = self.clone();
        job.look_at(&sample, inputs)
    }

    fn look_at(&mut self, sample: &Sample, inputs: usize) -> Result<Peeked> {
        let profiles = sample.profiles();
        let named = self.complete(sample);
        let (readings, doubt) = self.readings(sample, &profiles, &named);
        for reading in readings.iter().take(1) {
            let is_only = readings.len() == 1;
            reading.apply(&mut self.spec.reading, is_only);
            self.lines.iter_mut().for_each(|lines| reading.apply(&mut lines.options.reading, is_only));
        }
        let mut peeked = self.of_sample(sample, profiles, inputs);
        // Where all columns were found, there is nothing to be said of their names.
        let is_complete = self.lines.is_some() && readings.iter().all(|reading| reading.lacking.is_empty());
        peeked.notes.extend(self.recognized.seen.clone().filter(|_| !is_complete));
        peeked.readings = readings;
        peeked.notes.extend(doubt);
        if self.recognized.rows == RowsAre::Auto && self.lines.is_none() {
            return Ok(peeked);
        }
        let is_cut = Arc::new(AtomicBool::new(false));
        match self.count(sample, is_cut.clone()) {
            Ok((report, notes)) => peeked.add(&report, &notes, !is_cut.load(Ordering::Relaxed)),
            Err(error) => {
                let what = error.to_string();
                // Bad rows are left out here, and would end an audit.
                let what = what.split_once(TOO_MANY).map_or(what.as_str(), |(_, causes)| causes);
                peeked.notes.push(format!("an audit would end: {what}"));
                let advice = error.advice().map(|advice| advice.split("; `max_rejects").next().unwrap_or(advice));
                peeked.notes.extend(advice.map(|advice| format!("to go on: {}", advice.trim_start_matches("go on with "))));
            }
        }
        Ok(peeked)
    }

    fn of_sample(&self, sample: &Sample, profiles: Vec<ColumnProfile>, inputs: usize) -> Peeked {
        let roles = self.roles(&sample.names);
        let time = roles.iter().find(|(_, role)| [TransactionColumn::EventTs.name(), Column::PeriodStart.name()].contains(&role.as_str()));
        let time = time.and_then(|(name, _)| profiles.iter().find(|profile| name.split('+').any(|part| part == profile.name)));
        let dates = time.and_then(|time| time.dates.first());
        let day = |at: i64| format_timestamp(at).split('T').next().unwrap_or_default().to_owned();
        let currencies = profiles.iter().filter(|profile| is_like_currency(&profile.name));
        let currencies: BTreeMap<String, u64> = currencies.flat_map(|profile| profile.counts.clone()).collect();
        let text = matches!(sample.format, Some(Format::Csv | Format::Jsonl) | None);
        let mut notes = Vec::new();
        notes.extend(self.recognized.told.iter().map(|told| told.sentence.clone()));
        notes.extend(self.recognized.doubts.clone());
        notes.extend(sample.fault.clone());
        if currencies.len() > 1 {
            let shown: Vec<String> = currencies.iter().map(|(currency, rows)| format!("{currency} {rows}")).collect();
            notes.push(format!("several currencies: {}; their amounts are not to be added up", shown.join(", ")));
        }
        Peeked {
            input: sample.input.clone(),
            more_inputs: inputs - 1,
            format: sample.format,
            compression: sample.compression,
            encoding: text.then_some(match sample.encoding {
                crate::model::read_options::Encoding::Latin1 => "latin1",
                _ => "utf8",
            }),
            delimiter: sample.header.map(|(delimiter, _)| delimiter),
            header_line: sample.header.map(|(_, line)| line),
            bytes: sample.size,
            rows: self.recognized.rows,
            layout: self.recognized.layout,
            rows_read: sample.row_count() as u64,
            first_day: dates.map(|dates| day(dates.first)),
            last_day: dates.map(|dates| day(dates.last)),
            currencies,
            columns: profiles
                .into_iter()
                .map(|profile| {
                    let role = roles.iter().find(|(name, _)| *name == profile.name || name.split('+').any(|part| part == profile.name));
                    PeekedColumn { role: role.map(|(_, role)| role.clone()), profile }
                })
                .collect(),
            notes,
            ..Peeked::default()
        }
    }

    /// The input's names of the columns that are read, with ours.
    fn roles(&self, names: &[String]) -> Vec<(String, String)> {
        let mut roles: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, role: &str| {
            let alternatives: Vec<&str> = name.split('|').collect();
            let there = alternatives.iter().find(|name| names.iter().any(|known| known == *name) || name.contains('+'));
            let alike = || names.iter().find(|known| plain(known) == plain(name)).map(String::as_str);
            if let Some(name) = there.copied().or_else(alike) {
                roles.push((name.to_owned(), role.to_owned()));
            }
        };
        match &self.lines {
            Some(lines) => {
                for column in TransactionColumn::ALL {
                    add(lines.columns.name(column), column.name());
                }
                if !lines.columns.0.contains_key(&TransactionColumn::EventTs) {
                    add(ORDER_TS, TransactionColumn::EventTs.name());
                }
            }
            None => Column::ALL.into_iter().for_each(|column| add(self.spec.columns.name(column), column.name())),
        }
        // A column that is joined with others is first its own role's.
        roles.sort_by_key(|(name, _)| name.contains('+'));
        roles
    }

    /// Reads rows as an audit does, and counts what it would meet.
    fn count(&self, sample: &Sample, is_cut: Arc<AtomicBool>) -> Result<(Report, Notes)> {
        let Recognition { inputs, format, .. } = &self.recognition;
        let spec = self.spec.clone().with_windows(Windows::Every(Granularity::Year)).with_on_bad_row(OnBadRow::Reject);
        let rows = spec.batch_rows;
        let mut pipeline = Pipeline::builder().spec(spec).cancel(self.cancel.clone()).build()?;
        let left = if self.all { u64::MAX } else { SAMPLE };
        // Where all is read, it is read for the last time; else only the beginning, which can be read again.
        let all = self.all || sample.whole;
        match &self.lines {
            Some(lines) => {
                let mut lines = lines.clone();
                lines.orders = lines.orders.clone().with_refunds(Refunds::Net).with_anonymous(Anonymous::Report);
                if lines.orders.duplicates == Duplicates::Fail {
                    lines.orders = lines.orders.with_duplicates(Duplicates::Drop);
                }
                let files = lines.find_sales(inputs, *format, rows)?;
                let files = if all { files } else { files.looking() };
                pipeline.run_transactions(Beginning { source: files, left, is_cut }, &lines)?;
            }
            None => {
                let files = Files::find(inputs, *format, &self.spec)?;
                let files = if all { files } else { files.looking() };
                pipeline.run(Beginning { source: files, left, is_cut })?;
            }
        }
        let stats = pipeline.stats().clone();
        Ok((pipeline.finish()?.report, stats.notes()))
    }
}

impl Peeked {
    fn add(&mut self, report: &Report, seen: &Notes, all: bool) {
        self.all = all;
        let input = &report.input;
        self.customers = input.customers;
        self.rows_read = input.rows_read;
        if let (Some(first), Some(last)) = (input.first_day, input.last_day) {
            (self.first_day, self.last_day) = (Some(first.to_string()), Some(last.to_string()));
        }
        if let Some(lines) = &input.transactions {
            self.rows_read = lines.lines;
            self.needs_policy = lines.refund_lines > 0 || lines.anonymous_lines > 0 || lines.duplicate_lines > 0;
            self.notes.extend(special_lines(lines));
            self.lines = Some(lines.clone());
        }
        for (reason, count) in &input.rows_rejected {
            self.notes.push(format!("rows that an audit would refuse, {reason}: {count}"));
        }
        for (subject, rows) in seen.counts(Topic::UnreadStatus) {
            let Some((column, status)) = subject.split_once(OF).filter(|(_, status)| is_void(status)) else { continue };
            let (rows, are) = (counted(rows, "row has", "rows have"), if rows == 1 { "is" } else { "are" });
            self.notes.push(format!("{rows} {status:?} in {column:?}, and {are} left out by the command"));
            self.leaves_out.push(RowFilter { column: column.to_owned(), values: vec![status.to_owned()] });
        }
        let is_left_out = |warning: &String| self.leaves_out.iter().any(|filter| warning.contains(&format!("`except={filter}`")));
        let warnings: Vec<&String> = report.warnings.iter().filter(|warning| !is_left_out(warning)).collect();
        for warning in warnings {
            if !self.notes.contains(warning) {
                self.notes.push(warning.clone());
            }
        }
    }
}

/// The beginning of a source: its chunks, until so many bytes were handed out.
struct Beginning<S> {
    source: S,
    left: u64,
    /// Set where there is more.
    is_cut: Arc<AtomicBool>,
}

impl<B, S: Source<B>> Source<B> for Beginning<S> {
    fn inputs(&self) -> Vec<String> {
        self.source.inputs()
    }

    fn notes(&self) -> crate::model::note::Notes {
        self.source.notes()
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        let chunk = self.source.next_chunk()?;
        if self.left == 0 {
            self.is_cut.fetch_or(chunk.is_some(), Ordering::Relaxed);
            return Ok(None);
        }
        let bytes = chunk.as_ref().map_or(0, |chunk| chunk.bytes().max(1));
        self.left = self.left.saturating_sub(bytes);
        Ok(chunk)
    }
}
