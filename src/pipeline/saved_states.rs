//! Saved states in pipelines: a state is taken in as if its inputs were read again, or comes out instead of answers.

use super::{Pipeline, Unjudged};
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::{lock, with_pool};
use crate::finalize::blocks::SavedRun;
use crate::finalize::finish::Resources;
use crate::lens::Lens;
use crate::model::note::{Notes, Topic};
use crate::model::window::{Window, Windows};
use crate::orders::Refunds;
use crate::state;
use crate::state::checkpoint_record::Checkpoint;
use crate::state::retention::{DroppedBefore, later};
use crate::state::save::{save, save_records};
use crate::state::sealed::{Record, RowCounts};
use crate::state::{OpenRows, Rollup, RunFile, Saved, Section, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

impl<L: Lens> Pipeline<L> {
    /// Takes a saved state in, as if all its inputs were read again.
    ///
    /// # Errors
    /// When it was made with another policy about bad rows, or by windows of which this run's are no unions; when it cannot be read; a row
    /// that is bad for this run's windows, under [`OnBadRow::Fail`](crate::model::reject::OnBadRow::Fail).
    pub fn run_state(&mut self, state: &State) -> Result<()> {
        state.fits(&self.spec)?;
        self.rfm_columns.check(None)?;
        self.keep_orders_of(state)?;
        let dropped = state.manifest().dropped_before.map(|before| (before, state.manifest().every));
        self.dropped = [self.dropped, dropped].into_iter().flatten().max_by_key(|(before, _)| *before);
        let manifest = state.manifest();
        let rollup = state.rollup(&self.spec.windows, self.spec.as_of)?;
        self.inputs.extend(manifest.inputs.iter().map(|input| input.name.clone()));
        // Open rows are read again, and counted then.
        let rows = RowCounts { read: manifest.rows_read - manifest.rows_open(), windows: state.keys(&self.spec), ..manifest.counts() };
        self.judged.of_states += rows.read;
        self.judged.rejected_of_states += rows.rejected.values().sum::<u64>();
        self.take_in(state.runs(), rows, rollup)?;
        if let Some((orders, lines)) = &manifest.transactions {
            self.nets_refunds |= orders.refunds == Refunds::Net;
            self.has_orders = true;
            self.add_lines(lines.clone());
        }
        let cancel = &self.poison.cancel;
        let open = OpenRows::new(state.runs().to_vec(), cancel.clone());
        self.run(open)
    }

    /// Takes in what a checkpoint of this same run holds.
    pub(crate) fn run_checkpoint(&mut self, checkpoint: &Checkpoint, runs: &[Arc<RunFile>]) -> Result<()> {
        self.inputs.extend(checkpoint.files());
        self.take_in(runs, checkpoint.counts(), Rollup::Same)
    }

    fn take_in(&mut self, runs: &[Arc<RunFile>], rows: RowCounts<'_>, rollup: Rollup) -> Result<()> {
        self.stats.count_rows(rows.read, rows.accepted);
        rows.rejected.iter().for_each(|(&reason, &count)| self.stats.count_rejects(reason, count));
        self.ledger.cover(rows.windows);
        self.ledger.extend(rows.span);
        self.stats.share_notes(rows.notes.notes());
        for file in runs {
            if let Some(kept) = &self.ledger.rejects {
                let (mut records, mut buffer) = (file.records(Section::Rejects, self.poison.cancel.clone()).read(), kept.buffer());
                while let Some(record) = records.next().map_err(|e| e.input(file.name()))? {
                    buffer.push(|out| out.extend_from_slice(record))?;
                }
            }
            self.state.resources.saved.push(Arc::new(SavedRun { file: file.clone(), rollup: rollup.clone() }));
        }
        Ok(())
    }

    /// Takes in the customers of one window of a state, as the run's window with a place in its list.
    pub(crate) fn run_window(&mut self, state: &State, window: &Window, place: u32) -> Result<()> {
        let rollup = state.rollup(&Windows::List(vec![window.clone()]), None)?.moved_to(place);
        if state.manifest().rows_open() > 0 {
            let what = "the state has rows that belong to no single window of its own, and only an audit can judge them";
            return Err(Error::data(what)
                .input(state.path().to_string_lossy())
                .help("compare sketches, which lensflow sketch makes of audits"));
        }
        let saved = state.runs().iter().map(|file| Arc::new(SavedRun { file: file.clone(), rollup: rollup.clone() }));
        self.state.resources.saved.extend(saved);
        Ok(())
    }

    /// Ends the input and writes what is known of every customer to a run file, but for what they did in periods that the state has dropped.
    pub(crate) fn save(self, to: &state::Writer) -> Result<Saved> {
        self.save_part(to).map(|(saved, _)| saved)
    }

    /// As [`save`](Pipeline::save), with what is left to be judged elsewhere.
    pub(crate) fn save_part(mut self, to: &state::Writer) -> Result<(Saved, Unjudged)> {
        self.finish_orders()?;
        if self.poison.is_set() {
            return Err(self.poison.take());
        }
        // A stretch of a run with checkpoints is judged with the whole.
        if self.ledger.open.is_some() && !self.judged_elsewhere {
            self.judge()?;
        }
        let elsewhere = self.judged_elsewhere;
        let (marks, known_in) = self.kept_orders();
        let Pipeline { spec, state, stats, ledger, poison, lines, dropped, .. } = self;
        let kept_from = dropped.map(|(DroppedBefore(at), every)| every.index(at));
        let (partitions, resources, _unfinished) = state.close(&poison)?;
        let unjudged = Unjudged::of(&ledger);
        if !elsewhere {
            super::note_ends(*lock(&ledger.ends), &stats);
        }
        let snapshot = stats.snapshot();
        let threads = if spec.finishes_in_parallel(snapshot.rows_accepted) { spec.worker_count() } else { 1 };
        let Resources { plan, store, rejects, cancel, .. } = &resources;
        let write = || {
            let (orders, amount) = save(partitions, &**store, plan.merge_memory, cancel, to, &stats, kept_from)?;
            let notes = Notes::default();
            dropped.iter().for_each(|(before, _)| notes.add_amount(Topic::DroppedPeriods, &before.to_string(), orders, amount));
            stats.share_notes(notes);
            save_records(Section::Rejects, rejects.as_deref(), to)?;
            save_records(Section::Open, ledger.open.as_deref(), to)?;
            save_records(Section::Orders, marks.as_deref(), to)
        };
        let written = catch_unwind(AssertUnwindSafe(|| with_pool(threads, write)));
        let written = written.unwrap_or_else(|panic| Err(Error::panicked(Stage::Finalize, panic)));
        poison.cancel.check()?;
        written?;
        let keys = *lock(&ledger.keys);
        let keys = kept_from.map_or(keys, |from| later(keys, from));
        let (span, refunds_until) = (*lock(&ledger.span), *lock(&ledger.refunds_until));
        Ok((Saved { keys, span, refunds_until, notes: stats.notes().kept(), rows: snapshot, lines, known_in }, unjudged))
    }
}
