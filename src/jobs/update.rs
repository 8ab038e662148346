//! An update: inputs that a state has not taken in yet → its next generation.

use super::new_inputs::{Found, Known, remember_segments};
use super::part_rejects::PartRejects;
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result, Stage};
use crate::base::merge::Merge;
use crate::base::threads::with_pool;
use crate::lens::Lens;
use crate::model::line_columns::TransactionColumn;
use crate::model::note::Topic;
use crate::model::reject::{OnBadRow, Reason};
use crate::model::window::{Granularity, Windows};
use crate::orders::{LineSummary, Lines};
use crate::pipeline::Pipeline;
use crate::report::output::Output;
use crate::source::files::{Files, Format, Streamed};
use crate::spec::Spec;
use crate::state::compact::{Compacted, compact_due};
use crate::state::manifest::{Input, Manifest, Remembered, RunEntry, part_name, run_name};
use crate::state::part::{MOST_APART, PartCounts, UNDO};
use crate::state::sealed::{FORMAT, Record};
use crate::state::state_folder::{Folder, is_state, vacant};
use crate::state::{Io, RunFile, Saved, Section, State, Writer};
use crate::stats::Stats;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a state is updated.
///
/// ```
/// use lensflow::Pipeline;
/// use lensflow::jobs::Update;
/// use lensflow::model::Granularity;
/// use lensflow::state::State;
///
/// let folder = tempfile::tempdir().unwrap();
/// let state = folder.path().join("state");
/// let mut update = Update::default();
/// update.every = Some(Granularity::Quarter);
/// let updated = update.run(&state, &["examples/data/cdnow_periods.csv"], |_| ())?;
/// assert_eq!(updated.customers, 23_570);
///
/// let mut pipeline = Pipeline::builder().build()?;
/// pipeline.run_state(&State::open(&state)?)?;
/// assert_eq!(pipeline.finish()?.report.input.customers, updated.customers);
/// # Ok::<(), lensflow::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// The calendar windows of a new state; none is a month. Those of an old state cannot be changed, only repeated.
    pub every: Option<Granularity>,
    /// Columns, policy, threads and memory; its windows are ignored.
    pub spec: Spec,
    /// The inputs' format, where they do not tell.
    pub format: Option<Format>,
    /// The windows of the audits to come, if they are known. A bad row ends an update; one that crosses a boundary of the state's windows,
    /// or ends after them, is bad only for some audits: those of these windows find it now, and not when it is too late to leave it out.
    pub audited: Option<Windows>,
    /// The inputs are orders and line items. All lines of an order must come with one update.
    pub lines: Option<Lines>,
    /// Orders are looked for in each input alone, so that it makes no difference which inputs come with one update: all lines of an order
    /// must be in one of them.
    pub apart: bool,
    /// Takes in again what was taken in before.
    pub allow_duplicate: bool,
    /// Inputs take the place of earlier ones with their names, whose rows are taken out.
    pub replace: bool,
    /// Adds inputs that have the names of earlier ones, and other contents.
    pub allow_changed: bool,
    /// How the inputs are read, by the keys of specs, for the state to remember.
    pub settings: Remembered,
    /// A table of what is left out of the inputs under [`OnBadRow::Reject`], `.parquet`, `.csv`, `.jsonl` or `.arrow`.
    pub rejects: Option<PathBuf>,
    /// Whether texts in that table get an apostrophe where a spreadsheet would take them for formulas.
    pub csv_safe: bool,
    /// How long inputs can be taken out again; none is what the state has, at first 30 days. Zero keeps nothing apart.
    pub undo: Option<Duration>,
    /// Whether the state keeps the ids of its orders, to know those that come again; none is what it does, at first not. It cannot be
    /// changed once the state has inputs.
    pub order_ids: Option<bool>,
    /// The time, where it is not now.
    #[doc(hidden)]
    pub now: Option<SystemTime>,
    /// The inputs are segments of one endless stream, whose names rise: the state remembers only the last, and has taken in those before.
    pub endless: bool,
    /// Ends the update from outside.
    pub cancel: Cancel,
    /// The disk.
    #[doc(hidden)]
    pub io: Io,
}

/// The result of an update.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Updated {
    /// The state as it is now.
    pub manifest: Manifest,
    /// Inputs taken in.
    pub taken: Vec<Input>,
    /// The parts that they became: one each, but for inputs whose orders were grouped together.
    pub parts: usize,
    /// Inputs that were taken out, because others are in their place.
    pub replaced: Vec<Input>,
    /// Inputs left out, because the state has them.
    pub known: Vec<Known>,
    /// Rows read from the inputs taken in.
    pub rows: u64,
    /// Rows of them that were left out, by reason.
    pub rows_rejected: BTreeMap<Reason, u64>,
    /// Rows of the table of rejects, if one was asked for and anything was taken in.
    pub rejects: Option<u64>,
    /// The counts of lines, where the inputs are orders and line items: their orders are the rows.
    pub lines: Option<LineSummary>,
    /// Orders that were left out, because the state has them; only one that keeps their ids knows.
    pub known_orders: u64,
    /// Where the state keeps no ids and had orders on days that the inputs have, too, the last such day and the first day of the inputs, in
    /// microseconds since 1970: orders that came again count twice.
    pub overlap: Option<(i64, i64)>,
    /// Customers in them; one who is in several parts counts in each.
    pub customers: u64,
    /// Run files that became fewer.
    pub compacted: usize,
}

impl Update {
    /// Checks that a folder's state, which need not be there yet, can be updated so. Gives the windows it is or will be kept by.
    ///
    /// # Errors
    /// When the state was made with other windows or another policy, or is damaged; when the folder holds something else.
    pub fn check(&self, folder: &Path) -> Result<Granularity> {
        self.check_every()?;
        if is_state(folder) {
            let manifest = self.same_policies(State::open_with(folder, &self.io)?.manifest().clone(), folder)?;
            return self.keeps_ids(&manifest, folder).map(|_| manifest.every);
        }
        vacant::<Manifest>(folder)?;
        let every = self.every.unwrap_or(Granularity::Month);
        self.keeps_ids(&Manifest::new(every, self.spec.on_bad_row), folder).map(|_| every)
    }

    /// Takes in files, folders, globs or `-`; makes the state at first. Meanwhile, run files that many updates left become one. `watch` gets
    /// the counters of each input, or of inputs that are read together, before its rows are read.
    ///
    /// # Errors
    /// When the state was made with other windows or another policy; when another process writes to it; when an input has the name of one
    /// that the state has with other contents; a bad row under [`OnBadRow::Fail`]; when anything cannot be read or written. The state is
    /// then what it was.
    pub fn run<S: AsRef<str>>(&self, folder: &Path, inputs: &[S], watch: impl FnMut(Arc<Stats>)) -> Result<Updated> {
        self.run_by(folder, inputs, |folder, next, found| self.read(folder, next, found, watch))
    }

    /// An update whose new inputs are read by a function.
    pub(super) fn run_by<S: AsRef<str>>(
        &self,
        folder: &Path,
        inputs: &[S],
        read: impl FnOnce(&Folder<Manifest>, &Manifest, &mut Found) -> Result<Vec<Part>>,
    ) -> Result<Updated> {
        self.check_every()?;
        let (folder, there) = Folder::<Manifest>::lock(folder, &self.io)?;
        let manifest = match there {
            None => Manifest::new(self.every.unwrap_or(Granularity::Month), self.spec.on_bad_row),
            Some(manifest) => self.same_policies(manifest, folder.path())?,
        };
        let order_ids = self.keeps_ids(&manifest, folder.path())?;
        let of_lines = self.lines.is_some();
        let create = |path: &PathBuf| PartRejects::create(path, of_lines, self.csv_safe, &self.cancel, &self.io);
        let rejects = self.rejects.as_ref().map(create).transpose()?;
        let mut found = Found::look(self, &manifest, self.find(inputs)?.paths(), folder.path())?;
        // What is changed already when rows are read.
        let now = self.now.unwrap_or_else(SystemTime::now).duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut next = Manifest { together: manifest.counts_together(), order_ids, ..manifest.clone() };
        (next.format, next.lensflow, next.generation) = (FORMAT, env!("CARGO_PKG_VERSION").to_owned(), manifest.generation + 1);
        next.undo = Some(self.undo.map_or(manifest.undo.unwrap_or(UNDO.as_secs()), |undo| undo.as_secs()));
        next.settings.extend(self.settings.clone());
        let replaced = next.take_out(&found.replaced, folder.path())?;
        // One thread is enough for that, and stops when there is no more use for it.
        let compacting = self.cancel.child();
        // Without a name, there are rows that are no files.
        let (reads, joined) = (!found.paths.is_empty() || inputs.is_empty(), next.joined(now));
        let (read, compacted) = std::thread::scope(|scope| {
            let compacted = scope.spawn(|| match reads {
                true => with_pool(1, || compact_due(&folder, next.generation, &next.runs[..joined], &compacting)),
                false => Ok(None),
            });
            let read = read(&folder, &next, &mut found);
            if !matches!(&read, Ok(parts) if !parts.is_empty()) {
                compacting.cancel();
            }
            (read, compacted.join().unwrap_or_else(|panic| Err(Error::panicked(Stage::Finalize, panic))))
        });
        let parts = read?;
        if parts.is_empty() {
            // Known inputs may be removed now: the state has to have them after a crash, too.
            folder.settle()?;
            return Ok(Updated::of(manifest, found.known));
        }
        let before = manifest.span;
        let mut updated = Updated { replaced, ..Updated::of(manifest, found.known) };
        if let Some(Compacted { runs, into }) = compacted? {
            next.join(joined - runs..joined, into);
            updated.compacted = runs;
        }
        for part in parts {
            lacks_nothing(&next, &part)?;
            updated.count(&part);
            if self.lines.is_some() && !order_ids && !self.endless {
                updated.overlaps(before, part.saved.span);
            }
            self.take_in(&mut next, part, now);
        }
        next.forget_known();
        next.add_up();
        let rejects = rejects.map(|table| self.write_rejects(table, &folder, &next)).transpose()?;
        self.cancel.check()?;
        folder.commit(&next)?;
        if let Some((output, rows)) = rejects {
            updated.rejects = Some(rows);
            output.commit()?;
        }
        updated.manifest = next;
        Ok(updated)
    }

    /// Writes what the generation to come has left out of its inputs.
    fn write_rejects(&self, mut table: PartRejects, folder: &Folder<Manifest>, next: &Manifest) -> Result<(Output, u64)> {
        let own = run_name(next.generation);
        let own = own.trim_end_matches(".lfst");
        for run in next.runs.iter().filter(|run| run.file.starts_with(own)) {
            table.add(&folder.path().join(&run.file), folder.io())?;
        }
        table.finish()
    }

    /// Adds a part to a state.
    fn take_in(&self, state: &mut Manifest, Part { saved, run, mut inputs, .. }: Part, now: u64) {
        let counts = PartCounts::of(&saved);
        if let (None, Some(lines), Some(_)) = (&state.transactions, &self.lines, &counts.lines) {
            state.transactions = Some((lines.orders.clone(), LineSummary::default()));
        }
        if self.endless {
            remember_segments(&mut state.inputs, &inputs);
            state.together.merge(counts);
            state.runs.extend(run);
            return;
        }
        let lies_apart = state.undo.is_some_and(|undo| undo > 0) && run.is_some();
        for input in &mut inputs {
            input.taken = Some(now);
            input.run = run.as_ref().map(|run| run.file.clone()).filter(|_| lies_apart);
        }
        if let [input] = &mut inputs[..] {
            let of_lines = counts.lines.as_ref().map(|lines| (lines.lines, lines.lines_rejected.values().sum()));
            let (rows, rejected) = of_lines.unwrap_or((counts.rows_read, counts.rows_rejected.values().sum()));
            (input.rows, input.rows_rejected) = (Some(rows), Some(rejected));
        }
        state.inputs.extend(inputs);
        match run {
            Some(run) if lies_apart => state.runs.push(RunEntry { counts: Some(Box::new(counts)), ..run }),
            run => {
                state.together.merge(counts);
                state.runs.extend(run);
            }
        }
    }

    fn find<S: AsRef<str>>(&self, names: &[S]) -> Result<Files> {
        Files::find(names, self.format, &self.spec)
    }

    /// Whether orders are looked for in each input alone. Where ids are kept, an order that comes in two inputs of one update has come again.
    fn are_apart(&self, next: &Manifest) -> bool {
        self.apart || next.order_ids
    }

    /// Inputs that become a part each; those whose orders are grouped together become one.
    pub(super) fn apart(&self, paths: &[String], next: &Manifest) -> Vec<Vec<String>> {
        let grouped = self.lines.as_ref().is_some_and(|lines| !lines.options.one_row_per_order) && !self.are_apart(next);
        if self.endless || grouped || next.undo == Some(0) || paths.len() > MOST_APART {
            return if paths.is_empty() { Vec::new() } else { vec![paths.to_vec()] };
        }
        paths.iter().map(|path| vec![path.clone()]).collect()
    }

    /// Reads the inputs that the state has not into run files.
    fn read(&self, folder: &Folder<Manifest>, next: &Manifest, found: &mut Found, mut watch: impl FnMut(Arc<Stats>)) -> Result<Vec<Part>> {
        let open = |file: &str| RunFile::open(&folder.path().join(file), folder.io()).map(Arc::new);
        let known = next.runs.iter().filter(|_| next.order_ids).map(|run| open(&run.file));
        let (mut parts, mut known) = (Vec::<Part>::new(), known.collect::<Result<Vec<_>>>()?);
        for paths in self.apart(&found.paths, next) {
            let name = part_name(next.generation, parts.len());
            let part = self.read_part(folder, (next, &known), found, &paths, &name, &mut watch)?;
            if let Some(run) = part.as_ref().and_then(|part| part.run.as_ref()).filter(|_| next.order_ids) {
                known.push(open(&run.file)?);
            }
            parts.extend(part);
        }
        Ok(parts)
    }

    /// The windows that judge open rows now.
    pub(super) fn later_windows(&self) -> Option<Windows> {
        let is_asked = |windows: &Windows| self.spec.on_bad_row == OnBadRow::Fail && windows.have_ends();
        self.audited.clone().filter(is_asked)
    }

    /// Reads some inputs into one run file; none when the state turns out to have them. With the manifest come the files that have the ids of
    /// known orders.
    fn read_part(
        &self,
        folder: &Folder<Manifest>,
        (next, known): (&Manifest, &[Arc<RunFile>]),
        found: &mut Found,
        paths: &[String],
        run: &str,
        watch: &mut impl FnMut(Arc<Stats>),
    ) -> Result<Option<Part>> {
        let spec = Spec { windows: Windows::Every(next.every), ..self.spec.clone() };
        let later_windows = self.later_windows();
        let mut pipeline = Pipeline::builder().spec(spec).cancel(self.cancel.clone()).saving().later_windows(later_windows).build()?;
        pipeline.dropped = next.dropped_before.map(|before| (before, next.every));
        if next.order_ids {
            pipeline.keep_orders(known);
        }
        let stats = pipeline.stats();
        watch(stats.clone());
        let spool = self.spec.spill_dir.clone();
        let mut streamed = Vec::new();
        match &self.lines {
            None => {
                let files = self.find(paths)?.spool_in(spool);
                streamed.push(files.streamed());
                pipeline.run(files)?;
            }
            Some(lines) => {
                for paths in paths.chunks(if self.are_apart(next) { 1 } else { paths.len() }) {
                    let files = lines.find_sales(paths, self.format, self.spec.batch_rows)?.spool_in(spool.clone());
                    streamed.push(files.streamed());
                    pipeline.run_transactions(files, lines)?;
                }
            }
        }
        found.check_unchanged()?;
        let mut inputs: Vec<Input> = found.taken.iter().filter(|input| paths.contains(&input.name)).cloned().collect();
        for (name, fingerprint) in streamed.iter().flat_map(Streamed::take) {
            let input = Input { generation: next.generation, ..found.input(name, fingerprint, next) };
            match self.find_known(next, &found.taken, &input) {
                Some(before) if paths.len() == 1 => {
                    found.known.push(Known { name: input.name, before });
                    return Ok(None);
                }
                Some(before) => {
                    let what = format!("its rows were taken in before, from {before}, and cannot be told from the other inputs' any more");
                    return Err(Error::data(what).input(input.name).help("leave it out, or say `allow_duplicate`"));
                }
                None => {
                    found.taken.push(input.clone());
                    inputs.push(input);
                }
            }
        }
        let (saved, run) = save_run(pipeline, folder, run)?;
        Ok(Some(Part { run, saved, inputs, customers: stats.snapshot().customers }))
    }
}

/// Inputs that were read, saved.
pub(super) struct Part {
    pub(super) run: Option<RunEntry>,
    pub(super) saved: Saved,
    pub(super) inputs: Vec<Input>,
    pub(super) customers: u64,
}

impl Updated {
    /// The result of an update that takes nothing in.
    fn of(manifest: Manifest, known: Vec<Known>) -> Self {
        let (taken, replaced, rows_rejected, rejects, lines) = Default::default();
        let (parts, rows, known_orders, overlap, customers, compacted) = Default::default();
        Updated {
            manifest,
            taken,
            parts,
            replaced,
            known,
            rows,
            rows_rejected,
            rejects,
            lines,
            known_orders,
            overlap,
            customers,
            compacted,
        }
    }

    fn count(&mut self, Part { saved, inputs, customers, .. }: &Part) {
        self.parts += 1;
        self.taken.extend(inputs.iter().cloned());
        self.rows += saved.rows.rows_read;
        Merge::merge(&mut self.rows_rejected, saved.rows.rows_rejected.clone());
        self.lines.merge(saved.lines.clone());
        self.known_orders += saved.notes.notes().counts(Topic::KnownOrders).iter().map(|(_, orders)| orders).sum::<u64>();
        self.customers += customers;
    }
}

/// Refuses inputs that lack a column which earlier ones had, and without which their rows would count for something else: it has another name
/// now, more likely than not.
fn lacks_nothing(state: &Manifest, part: &Part) -> Result<()> {
    let before = state.counts_all().notes.notes().counts(Topic::ColumnRead);
    let now = part.saved.notes.notes().counts(Topic::ColumnRead);
    let most = now.iter().map(|(_, inputs)| *inputs).max().unwrap_or_default();
    let is_worth = |column: &str| TransactionColumn::WORTH.iter().any(|worth| worth.name() == column);
    let known = before.iter().chain(&now).map(|(column, _)| column);
    let lacking = known.filter(|column| is_worth(column)).find(|column| {
        let had = now.iter().find(|(name, _)| name == *column).map_or(0, |(_, inputs)| *inputs);
        most > 0 && had < most
    });
    let (Some(column), Some(input)) = (lacking, part.inputs.first()) else { return Ok(()) };
    let what = match part.inputs.len() {
        1 => format!("there is no column {column}, which earlier inputs of the state had"),
        _ => format!("one of the inputs has no column {column}, which others have"),
    };
    let help = format!("is it called otherwise now? Then name it with `columns.{column}=NAME`; else make another state of such inputs");
    Err(Error::data(what).input(&input.name).help(help))
}

/// Ends the input of a pipeline and writes what it has read to a run file. There is no file where there are no rows.
pub(super) fn save_run<L: Lens, R: Record>(pipeline: Pipeline<L>, folder: &Folder<R>, name: &str) -> Result<(Saved, Option<RunEntry>)> {
    let writer = Writer::create(&folder.path().join(name), folder.io())?;
    let saved = pipeline.save(&writer)?;
    // A part of known orders alone holds that it left them out.
    let is_needed = saved.rows.rows_read > 0 || !saved.known_in.is_empty() || writer.has(Section::Orders);
    let run = if is_needed { Some(RunEntry::new(name.to_owned(), writer.finish()?)) } else { None };
    Ok((saved, run))
}
