//! `lensflow sketch`: a window's customers as a sketch.

use super::Job;
use crate::allocator::keep_to_limit;
use crate::page::{self, Inputs, Page};
use crate::signals::Signals;
use crate::talk::Host;
use lensflow::error::Error;
use lensflow::jobs::audit::bad_rows;
use lensflow::jobs::{files, in_a_folder, lines_fit, with_states};
use lensflow::lens::sketch::{CustomerSketch, Sketches};
use lensflow::model::OnBadRow;
use lensflow::orders::Lines;
use lensflow::report::output::Output;
use lensflow::source::files::{Files, Format};
use lensflow::spec::Spec;
use lensflow::state::State;
use lensflow::{Pipeline, Result};
use std::io::Write;
use std::path::PathBuf;

/// A sketch of a window.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    pub(crate) inputs: Vec<String>,
    pub(crate) format: Option<Format>,
    /// The policy for bad rows; none is that of the states.
    pub(crate) on_bad_row: Option<OnBadRow>,
    pub(crate) lines: Option<Lines>,
    /// With the window.
    pub(crate) spec: Spec,
    pub(crate) lg_k: u8,
    pub(crate) out: PathBuf,
}

impl Sketch {
    /// The states, other inputs, and the spec with what is done about bad rows.
    fn opened(&self) -> Result<(Vec<State>, Vec<String>, Spec)> {
        let (states, inputs) = with_states(&self.inputs)?;
        let on_bad_row = bad_rows(self.on_bad_row, states.first(), OnBadRow::default());
        let spec = self.spec.clone().with_on_bad_row(on_bad_row);
        spec.validate()?;
        lines_fit(self.lines.as_ref(), &states, &inputs)?;
        Ok((states, inputs, spec))
    }
}

impl Job for Sketch {
    fn check(&self) -> Result<Inputs> {
        in_a_folder(&self.out)?;
        let (states, inputs, spec) = self.opened()?;
        states.iter().try_for_each(|state| state.fits(&spec))?;
        let files = files(&inputs, self.format, self.lines.as_ref(), &spec, true)?;
        Ok(Inputs { files: files.len(), states: states.len() })
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        let (states, inputs, spec) = self.opened()?;
        keep_to_limit(&spec);
        let (batch_rows, spool) = (spec.batch_rows, spec.spill_dir.clone());
        let mut output = Output::create_with(&self.out, &host.signals.cancel)?;
        let lens = Sketches::new(self.lg_k)?;
        let made = match &self.lines {
            Some(lines) => {
                let files = lines.find_sales(&inputs, self.format, batch_rows)?.spool_in(spool);
                sketches(spec, lens, &states, host.signals, |pipeline| pipeline.run_transactions(files, lines))?
            }
            None => {
                let files = Files::find(&inputs, self.format, &spec)?.spool_in(spool);
                sketches(spec, lens, &states, host.signals, |pipeline| pipeline.run(files))?
            }
        };
        let [sketch] = &made[..] else {
            return Err(Error::internal("a sketch for each window"));
        };
        output.write_all(&sketch.to_bytes()).map_err(|e| Error::io("cannot write the sketch", e))?;
        output.complete()?;
        host.signals.undisturbed(|| output.commit())
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        page.inputs(&self.inputs, self.format, self.lines.as_ref(), &self.spec, self.on_bad_row)
    }

    fn tell_outputs(&self, page: &mut Page) {
        page.windows(&self.spec.windows);
        page.say("lens", "sketch", format!("up to 2^{} hashes", self.lg_k));
        page.say("report", "sketch", page::named(&self.out));
    }

    fn summary(&self, _: Inputs) -> String {
        format!("sketch of {} into {}", self.inputs.join(" and "), page::named(&self.out))
    }

    fn spec(&self) -> Option<&Spec> {
        Some(&self.spec)
    }

    fn lines(&self) -> Option<&Lines> {
        self.lines.as_ref()
    }
}

/// Sketches of states, and of what else is taken in.
pub(crate) fn sketches(
    spec: Spec,
    lens: Sketches,
    states: &[State],
    signals: &Signals,
    more: impl FnOnce(&mut Pipeline<((), Sketches)>) -> Result<()>,
) -> Result<Vec<CustomerSketch>> {
    let mut pipeline = Pipeline::builder().spec(spec).lens(lens).cancel(signals.cancel.clone()).keep_rejects(false).build()?;
    states.iter().try_for_each(|state| pipeline.run_state(state))?;
    more(&mut pipeline)?;
    let ((), sketches) = pipeline.finish()?.custom;
    Ok(sketches)
}
