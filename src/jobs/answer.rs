//! An audit whose answers stay in memory: no file is written, and the rows behind the answers can be read as often as they are wanted.

use super::audit::AuditJob;
use super::new_inputs::are_new;
use super::{Host, lines_fit, no_input_is_written, with_states};
use crate::base::error::Result;
use crate::lens::Lens;
use crate::model::line_batch::TransactionBatch;
use crate::orders::Lines;
use crate::pipeline::{Audit, Pipeline};
use crate::source::Source;
use crate::source::files::Files;
use crate::spec::Spec;
use crate::state::State;
use crate::synthetic::{Generator, Synthetic};

/// The inputs of an audit, found and ready to be read.
pub(super) struct Ready<'a> {
    pub(super) spec: Spec,
    pub(super) states: Vec<State>,
    pub(super) periods: Files,
    generator: Option<Generator>,
    sales: Option<(Files<TransactionBatch>, &'a Lines)>,
}

impl Ready<'_> {
    /// Reads them into a pipeline.
    pub(super) fn feed<L: Lens>(self, pipeline: &mut Pipeline<L>) -> Result<()> {
        self.states.iter().try_for_each(|state| pipeline.run_state(state))?;
        self.generator.map_or(Ok(()), |generator| pipeline.run(generator.source()))?;
        match self.sales {
            Some((files, lines)) => pipeline.run_transactions(files, lines),
            None => pipeline.run(self.periods),
        }
    }
}

impl AuditJob {
    /// Finds the inputs, and checks the options with what they are.
    pub(super) fn ready(&self) -> Result<Ready<'_>> {
        let (states, inputs) = with_states(&self.inputs)?;
        let generator = self.synthetic.as_ref().map(Synthetic::generator).transpose()?;
        let spec = self.spec_of(&states)?;
        lines_fit(self.lines.as_ref(), &states, &inputs)?;
        let spool = spec.spill_dir.clone();
        let (periods, sales) = match &self.lines {
            Some(lines) => (&[][..], Some((lines.find_sales(&inputs, self.format, spec.batch_rows)?.spool_in(spool.clone()), lines))),
            None => (&inputs[..], None),
        };
        let periods = Files::find(periods, self.format, &spec)?.spool_in(spool);
        let found = [periods.inputs(), sales.iter().flat_map(|(files, _)| files.inputs()).collect()].concat();
        no_input_is_written(self.outputs.paths(), &found)?;
        are_new(&states, &found)?;
        Ok(Ready { spec, states, periods, generator, sales })
    }

    /// Does it in memory: its files are not written, and its checkpoint is not kept.
    ///
    /// ```
    /// use lensflow::Spec;
    /// use lensflow::jobs::AuditJob;
    /// use lensflow::pipeline::Order;
    ///
    /// let audit = AuditJob::new(["examples/data/cdnow_periods.csv"]).spec(Spec::default()).answer(&mut ())?;
    /// assert_eq!(audit.report.input.customers, 23_570);
    /// assert!(audit.rfm(Order::Sorted)?.next().is_some());
    /// # Ok::<(), lensflow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](AuditJob::run), but for outputs.
    pub fn answer(&self, host: &mut dyn Host) -> Result<Audit> {
        let ready = self.ready()?;
        self.answer_of(ready.spec.clone(), host, |pipeline| ready.feed(pipeline))
    }

    /// As [`answer`](AuditJob::answer), with rows that the caller feeds to the pipeline in the place of the inputs.
    ///
    /// # Errors
    /// Those of [`answer`](AuditJob::answer), and those of `feed`.
    pub fn answer_with(&self, host: &mut dyn Host, feed: impl FnOnce(&mut Pipeline) -> Result<()>) -> Result<Audit> {
        self.answer_of(self.spec_of(&[])?, host, feed)
    }

    fn answer_of(&self, spec: Spec, host: &mut dyn Host, feed: impl FnOnce(&mut Pipeline) -> Result<()>) -> Result<Audit> {
        let builder = Pipeline::builder().spec(spec).rfm_columns(self.outputs.rfm_columns.clone()).cancel(self.cancel.clone());
        let mut pipeline = builder.build()?;
        host.watch(pipeline.stats());
        feed(&mut pipeline)?;
        pipeline.finish()
    }
}
