//! An update: inputs that a state has not taken in yet → its next generation.

use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result, Stage};
use crate::base::merge::Merge;
use crate::base::threads::with_pool;
use crate::lens::Lens;
use crate::model::reject::{OnBadRow, Reason};
use crate::model::window::{Granularity, Windows};
use crate::orders::{LineSummary, Lines};
use crate::pipeline::Pipeline;
use crate::source::files::{Files, Format, STDIN, Streamed, fingerprint};
use crate::spec::Spec;
use crate::state::compact::{Compacted, compact_due};
use crate::state::manifest::{Input, Manifest, RunEntry, run_name};
use crate::state::sealed::{Record, RowCounts};
use crate::state::state_folder::{Folder, is_state, vacant};
use crate::state::{Io, Saved, State, Writer};
use crate::stats::Stats;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

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
    /// The inputs are segments of one endless stream, whose names rise: the state remembers only the last. The caller
    /// must give none twice.
    pub endless: bool,
    /// Ends the update from outside.
    pub cancel: Cancel,
    /// The disk.
    #[doc(hidden)]
    pub io: Io,
}

/// An input that changes nothing: the state has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// Its name now.
    pub name: String,
    /// Its name when it was taken in.
    pub before: String,
}

/// The result of an update.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Updated {
    /// The state as it is now.
    pub manifest: Manifest,
    /// Inputs taken in.
    pub taken: Vec<Input>,
    /// Inputs left out, because the state has them.
    pub known: Vec<Known>,
    /// Rows read from the inputs taken in.
    pub rows: u64,
    /// Rows of them that were left out, by reason.
    pub rows_rejected: BTreeMap<Reason, u64>,
    /// The counts of lines, where the inputs are orders and line items: their orders are the rows.
    pub lines: Option<LineSummary>,
    /// Distinct customers in them.
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
            let state = State::open_with(folder, &self.io)?;
            return Ok(self.same_policies(state.manifest().clone(), folder)?.every);
        }
        vacant::<Manifest>(folder)?;
        Ok(self.every.unwrap_or(Granularity::Month))
    }

    /// Takes in files, folders, globs or `-`; makes the state at first. Meanwhile, run files that many updates left become one. `watch` gets
    /// the counters before rows are read.
    ///
    /// # Errors
    /// When the state was made with other windows or another policy; when another process writes to it; a bad row under
    /// [`OnBadRow::Fail`]; when anything cannot be read or written. The state is then what it was.
    pub fn run<S: AsRef<str>>(&self, folder: &Path, inputs: &[S], watch: impl FnOnce(Arc<Stats>)) -> Result<Updated> {
        self.check_every()?;
        let (folder, there) = Folder::<Manifest>::lock(folder, &self.io)?;
        let manifest = match there {
            None => Manifest::new(self.every.unwrap_or(Granularity::Month), self.spec.on_bad_row),
            Some(manifest) => self.same_policies(manifest, folder.path())?,
        };
        let mut found = self.look(&manifest, inputs)?;
        // One thread is enough for that, and stops when there is no more use for it.
        let compacting = self.cancel.child();
        let reads = !found.paths.is_empty();
        let (read, compacted) = std::thread::scope(|scope| {
            let compacted = scope.spawn(|| match reads {
                true => with_pool(1, || compact_due(&folder, &manifest, &compacting)),
                false => Ok(None),
            });
            let read = self.read(&folder, &manifest, &mut found, watch);
            if !matches!(read, Ok(Some(_))) {
                compacting.cancel();
            }
            (read, compacted.join().unwrap_or_else(|panic| Err(Error::panicked(Stage::Finalize, panic))))
        });
        let Found { taken, known, .. } = found;
        let Some(read) = read? else {
            let none = BTreeMap::new();
            return Ok(Updated {
                manifest,
                taken: Vec::new(),
                known,
                rows: 0,
                rows_rejected: none,
                lines: None,
                customers: 0,
                compacted: 0,
            });
        };

        let mut next = Manifest { generation: manifest.generation + 1, lensflow: env!("CARGO_PKG_VERSION").to_owned(), ..manifest };
        if self.endless {
            remember_segments(&mut next.inputs, &taken);
        } else {
            next.inputs.extend(taken.iter().cloned());
        }
        next.counts_mut().add(RowCounts::of(&read.saved));
        if let (Some(wanted), Some(lines)) = (&self.lines, read.saved.lines.clone()) {
            match &mut next.transactions {
                Some((_, before)) => before.merge(lines),
                before => *before = Some((wanted.orders.clone(), lines)),
            }
        }
        let compacted = compacted?.map_or(0, |Compacted { runs, into }| {
            next.runs.truncate(next.runs.len() - runs);
            next.runs.push(into);
            runs
        });
        next.runs.extend(read.run);
        self.cancel.check()?;
        folder.commit(&next)?;
        let Read { saved: Saved { rows, lines, .. }, customers, .. } = read;
        let (rows, rows_rejected) = (rows.rows_read, rows.rows_rejected);
        Ok(Updated { manifest: next, taken, known, rows, rows_rejected, lines, customers, compacted })
    }

    fn check_every(&self) -> Result<()> {
        match self.every {
            Some(Granularity::All) => Err(Error::usage("a state is kept by calendar windows, and `every=all` is none")
                .help("keep it by `every=day` or `every=month`; audits may then use `windows.every=all`")),
            _ => Ok(()),
        }
    }

    /// Which inputs the state has, and which it has not.
    fn look<S: AsRef<str>>(&self, manifest: &Manifest, inputs: &[S]) -> Result<Found> {
        let generation = manifest.generation + 1;
        let mut found = Found::default();
        for path in self.find(inputs)?.paths() {
            // An input that can be read only once has its fingerprint when it has been read.
            if path == STDIN || !Path::new(&path).is_file() {
                found.paths.push(path);
                continue;
            }
            self.cancel.check()?;
            found.changed.push((path.clone(), changed(&path)));
            let (bytes, fingerprint) = fingerprint(&path)?;
            let input = Input { name: path.clone(), bytes, fingerprint, generation };
            match self.find_known(manifest, &found.taken, &input) {
                Some(before) => found.known.push(Known { name: path, before }),
                None => {
                    found.taken.push(input);
                    found.paths.push(path);
                }
            }
        }
        Ok(found)
    }

    fn find<S: AsRef<str>>(&self, names: &[S]) -> Result<Files> {
        Files::find(names, self.format, &self.spec)
    }

    /// Reads the inputs that the state has not into a run file; none when there are no such inputs.
    fn read(
        &self,
        folder: &Folder<Manifest>,
        manifest: &Manifest,
        found: &mut Found,
        watch: impl FnOnce(Arc<Stats>),
    ) -> Result<Option<Read>> {
        if found.paths.is_empty() {
            return Ok(None);
        }
        let generation = manifest.generation + 1;
        let spec = Spec { windows: Windows::Every(manifest.every), ..self.spec.clone() };
        let later_windows = self.audited.clone().filter(|_| self.spec.on_bad_row == OnBadRow::Fail);
        let mut pipeline = Pipeline::builder().spec(spec).cancel(self.cancel.clone()).saving().later_windows(later_windows).build()?;
        let stats = pipeline.stats();
        watch(stats.clone());
        let spool = self.spec.spill_dir.clone();
        let mut streamed = Vec::new();
        match &self.lines {
            None => {
                let files = self.find(&found.paths)?.spool_in(spool);
                streamed.push(files.streamed());
                pipeline.run(files)?;
            }
            Some(lines) => {
                for paths in found.paths.chunks(if self.apart { 1 } else { found.paths.len().max(1) }) {
                    let files = lines.find_sales(paths, self.format, self.spec.batch_rows)?.spool_in(spool.clone());
                    streamed.push(files.streamed());
                    pipeline.run_transactions(files, lines)?;
                }
            }
        }
        if let Some((name, _)) = found.changed.iter().find(|(name, before)| changed(name) != *before) {
            let error = Error::data("the file changed while it was read").input(name).stage(Stage::Source);
            return Err(error.help("take it in when it is written completely"));
        }
        for (name, bytes, fingerprint) in streamed.iter().flat_map(Streamed::take) {
            let input = Input { name, bytes, fingerprint, generation };
            match self.find_known(manifest, &found.taken, &input) {
                Some(before) if found.paths.len() == 1 => {
                    found.known.push(Known { name: input.name, before });
                    return Ok(None);
                }
                Some(before) => {
                    let what = format!("its rows were taken in before, from {before}, and cannot be told from the other inputs' any more");
                    return Err(Error::data(what).input(input.name).help("leave it out, or say `allow_duplicate`"));
                }
                None => found.taken.push(input),
            }
        }
        let (saved, run) = save_run(pipeline, folder, generation)?;
        Ok(Some(Read { run, saved, customers: stats.snapshot().customers }))
    }

    /// The name of an input when it was taken in, if the state has it.
    fn find_known(&self, manifest: &Manifest, taken: &[Input], input: &Input) -> Option<String> {
        let same = |other: &&Input| (other.bytes, &other.fingerprint) == (input.bytes, &input.fingerprint);
        let found = manifest.inputs.iter().chain(taken).find(same);
        found.filter(|_| !self.allow_duplicate && !self.endless).map(|before| before.name.clone())
    }

    /// The manifest of a state that was made as this update wants it.
    fn same_policies(&self, manifest: Manifest, folder: &Path) -> Result<Manifest> {
        let refuse = |what: String, help: String| Err(Error::usage(what).input(folder.to_string_lossy()).help(help));
        if let Some(every) = self.every.filter(|&every| every != manifest.every) {
            let what = format!("the state is kept by {}, not by {every}", manifest.every);
            return refuse(what, format!("leave `every={every}` out, or make another state"));
        }
        self.lines.iter().try_for_each(|lines| manifest.groups_alike(&lines.orders, folder))?;
        if self.spec.on_bad_row != manifest.on_bad_row {
            let (was, is) = (manifest.on_bad_row.name(), self.spec.on_bad_row.name());
            return refuse(
                format!("the state was made with `on_bad_row={was}`, not {is}"),
                format!("say `on_bad_row={was}`, or make another state"),
            );
        }
        Ok(manifest)
    }
}

/// The inputs of an update.
#[derive(Default)]
struct Found {
    /// To be read.
    paths: Vec<String>,
    /// Their lengths and fingerprints, where they could be read beforehand.
    taken: Vec<Input>,
    /// When files were changed before they were looked at: they must be the same when they have been read.
    changed: Vec<(String, Option<(u64, SystemTime)>)>,
    known: Vec<Known>,
}

/// The rows that were read, saved.
struct Read {
    run: Option<RunEntry>,
    saved: Saved,
    customers: u64,
}

/// Ends the input of a pipeline and writes what it has read to the run file of a generation. There is no file where there are no rows.
pub(super) fn save_run<L: Lens, R: Record>(
    pipeline: Pipeline<L>,
    folder: &Folder<R>,
    generation: u64,
) -> Result<(Saved, Option<RunEntry>)> {
    let name = run_name(generation);
    let writer = Writer::create(&folder.path().join(&name), folder.io())?;
    let saved = pipeline.save(&writer)?;
    let run = if saved.rows.rows_read > 0 { Some(RunEntry::new(name, writer.finish()?)) } else { None };
    Ok((saved, run))
}

/// A file's length, and when it was last changed.
fn changed(path: &str) -> Option<(u64, SystemTime)> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.len(), about.modified().ok()?))
}

/// The name of the stream in a state.
const STREAM: &str = "stdin";
/// Before the name of a stream's last segment, where another input has its fingerprint.
const SEGMENT: &str = "segment ";

/// The last segment of a stream that a state has taken in: the name of its file, without extensions.
pub(crate) fn last_segment(manifest: &Manifest) -> Option<String> {
    manifest.inputs.iter().filter_map(|input| input.fingerprint.strip_prefix(SEGMENT)).max().map(str::to_owned)
}

/// Adds segments to the input that stands for their stream.
fn remember_segments(inputs: &mut Vec<Input>, taken: &[Input]) {
    let stem = |name: &str| Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let Some(last) = taken.iter().map(|input| stem(&input.name)).max() else { return };
    let (bytes, generation) = (taken.iter().map(|input| input.bytes).sum::<u64>(), taken[0].generation);
    let streams = inputs.iter_mut().filter(|input| input.fingerprint.starts_with(SEGMENT));
    let fingerprint = format!("{SEGMENT}{last}");
    match streams.max_by(|a, b| a.fingerprint.cmp(&b.fingerprint)) {
        Some(stream) => {
            let fingerprint = fingerprint.max(stream.fingerprint.clone());
            *stream = Input { name: STREAM.to_owned(), bytes: stream.bytes + bytes, fingerprint, generation };
        }
        None => inputs.push(Input { name: STREAM.to_owned(), bytes, fingerprint, generation }),
    }
}
