//! An update whose inputs are read by the tasks of an engine, on many machines. Everything else is the update of one process, and so are its
//! results, to the byte.

use super::new_inputs::{Found, Known};
use super::update::{Part, Update, Updated};
use crate::base::error::{Error, Kind, Result};
use crate::model::window::Windows;
use crate::source::files::STDIN;
use crate::spec::Spec;
use crate::state::frames::{fingerprint, gather};
use crate::state::manifest::{Input, Manifest, RunEntry, part_name};
use crate::state::state_folder::Folder;
use crate::state::{RunFile, Saved, Writer};
use crate::stats::Snapshot;
use crate::tasks::{EngineJob, Gathered, Limits, TaskMessage, WorkUnit, merge, splits};
use std::path::Path;

impl Update {
    /// As [`run`](Update::run), but an engine reads the inputs, which must be files that all of its machines see. `engine` gets the job and
    /// work units of about so many bytes, has [`accumulate`](crate::tasks::accumulate) and [`merge`](crate::tasks::merge) run for them, into the
    /// folder that is the state's, and gives all messages.
    ///
    /// The inputs are read here, too: for their fingerprints, and large CSVs once more to divide them.
    ///
    /// # Errors
    /// Those of [`run`](Update::run), and those of the engine; orders and line items, which engines do not read yet; an input that is no file.
    pub fn run_on<S: AsRef<str>>(
        &self,
        folder: &Path,
        inputs: &[S],
        bytes: u64,
        engine: impl FnOnce(&EngineJob, Vec<WorkUnit>) -> Result<Vec<TaskMessage>>,
    ) -> Result<Updated> {
        if self.lines.is_some() {
            let error = Error::usage("engines do not read orders and line items yet");
            return Err(error.help("make period aggregations of them first: lensflow periods"));
        }
        self.run_by(folder, inputs, |folder, next, found| self.read_on(folder, next, found, bytes, engine))
    }

    /// Takes rows in that are no files, as one input of a name: `merged` are the rows that [`merge_frames`](crate::tasks::merge_frames) has
    /// handed on. The same rows again, however they were divided, are known.
    ///
    /// # Errors
    /// Those of [`run_on`](Update::run_on); rows that are not what was sent.
    pub fn run_frames<B: AsRef<[u8]>>(
        &self,
        folder: &Path,
        name: &str,
        job: &EngineJob,
        merged: impl IntoIterator<Item = Result<(u32, B)>>,
    ) -> Result<Updated> {
        let nothing: [&str; 0] = [];
        self.run_by(folder, &nothing, |folder, next, found| {
            let limits = Limits { memory: self.spec.memory_limit, workers: None, spill_dir: self.spec.spill_dir.clone() };
            let job = EngineJob { generation: next.generation, ..job.clone() };
            if job.spec.windows != Windows::Every(next.every) {
                let what = format!("the rows were read for other windows than those that the state is kept by, {}", next.every);
                return Err(Error::usage(what).input(folder.path().to_string_lossy()).help(format!("say `every={}`", next.every)));
            }
            let mut gathered = Gathered::default();
            let messages = merge(&job, merged, folder.path(), &limits, &self.cancel)?;
            messages.into_iter().for_each(|message| gathered.add(message));
            let part = self.part_of(folder, next, found, &[], &mut gathered, 0)?;
            gathered.check_units(0)?;
            let Some(run) = &part.run else { return Ok(Vec::new()) };
            let content = fingerprint(&RunFile::open(&folder.path().join(&run.file), folder.io())?, &self.cancel)?;
            let input = Input::new(name.to_owned(), run.bytes, content, next.generation);
            if let Some(before) = self.find_known(next, &found.taken, &input) {
                found.known.push(Known { name: input.name, before });
                return Ok(Vec::new());
            }
            found.taken.push(input.clone());
            Ok(vec![Part { inputs: vec![input], ..part }])
        })
    }

    /// Has the inputs read that the state has not.
    fn read_on(
        &self,
        folder: &Folder<Manifest>,
        next: &Manifest,
        found: &mut Found,
        bytes: u64,
        engine: impl FnOnce(&EngineJob, Vec<WorkUnit>) -> Result<Vec<TaskMessage>>,
    ) -> Result<Vec<Part>> {
        let is_file = |path: &str| path != STDIN && Path::new(path).is_file();
        if let Some(pipe) = found.paths.iter().find(|path| !is_file(path)) {
            let error = Error::new(Kind::Usage, "an engine reads files, and this is none").input(pipe);
            return Err(error.help("write it into a file that all machines see"));
        }
        let spec = Spec { windows: Windows::Every(next.every), ..self.spec.clone() };
        let parts = self.apart(&found.paths, next);
        let units = splits(&parts, self.format, &spec, bytes)?;
        let (count, dropped) = (units.len() as u64, next.dropped_before.map(|before| (before, next.every)));
        let (format, later_windows, generation) = (self.format, self.later_windows(), next.generation);
        let job = EngineJob { spec, format, dropped, later_windows, generation };
        let mut gathered = Gathered::default();
        if count > 0 {
            engine(&job, units)?.into_iter().for_each(|message| gathered.add(message));
        }
        self.cancel.check()?;
        let mut read = Vec::new();
        for (number, paths) in (0..).zip(&parts) {
            read.push(self.part_of(folder, next, found, paths, &mut gathered, number)?);
        }
        gathered.check_units(count)?;
        found.check_unchanged()?;
        Ok(read)
    }

    /// A part as its tasks left it: their files become one.
    fn part_of(
        &self,
        folder: &Folder<Manifest>,
        next: &Manifest,
        found: &Found,
        paths: &[String],
        gathered: &mut Gathered,
        number: u32,
    ) -> Result<Part> {
        let part = gathered.take(number, &self.spec)?;
        let inputs: Vec<Input> = found.taken.iter().filter(|input| paths.contains(&input.name)).cloned().collect();
        let open = |file: &String| RunFile::open(&folder.path().join(file), folder.io());
        let pieces = part.pieces.iter().map(|piece| open(&piece.file)).collect::<Result<Vec<_>>>()?;
        let name = part_name(next.generation, number as usize);
        // There is no file where there are no rows, as in one process.
        let run = match part.counts.rows_read {
            0 => None,
            _ => {
                let writer = Writer::create(&folder.path().join(&name), folder.io())?;
                gather(&pieces, &writer, &self.cancel)?;
                Some(RunEntry::new(name, writer.finish()?))
            }
        };
        let counts = part.counts;
        let rows = Snapshot {
            rows_read: counts.rows_read,
            rows_accepted: counts.rows_accepted,
            rows_rejected: counts.rows_rejected,
            customers: part.customers,
            ..Snapshot::default()
        };
        let saved = Saved {
            keys: counts.windows,
            span: counts.span,
            refunds_until: counts.refunds_until.filter(|&until| until > crate::base::time::MIN_TIMESTAMP),
            notes: counts.notes,
            rows,
            lines: counts.lines,
            known_in: counts.known_in,
        };
        Ok(Part { run, saved, inputs, customers: part.customers })
    }
}
