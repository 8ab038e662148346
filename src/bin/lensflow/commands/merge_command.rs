//! `lensflow merge`: states become a new one, and an audit of it may follow; or Lens 1 partials become a new partial. Which of the two it
//! is, is seen by what the inputs are. Whether customers of partials are known to be counted once, or only said to be, is told.

use super::Job;
use super::update_command::audit_fits;
use crate::page::{self, Inputs, Page};
use crate::talk::Host;
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::audit::{create_partial, write_partial};
use lensflow::jobs::{AuditJob, in_a_folder, no_input_is_written, real};
use lensflow::partials::{Counted, Lens1Partial, MergedPartial, is_partial};
use lensflow::state::{self, Io, State};
use lensflow::text::counted;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A merge.
#[derive(Debug, Clone)]
pub(crate) struct Merge {
    pub(crate) out: PathBuf,
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) allow_duplicate: bool,
    /// Whether it is said that no customer is in two partials.
    pub(crate) disjoint: bool,
    pub(crate) audit: Option<Box<AuditJob>>,
}

impl Merge {
    /// Whether partials are merged.
    ///
    /// # Errors
    /// Inputs that do not go together, or options that are for the others.
    fn is_of_partials(&self) -> Result<bool> {
        if !self.inputs.iter().any(|path| is_partial(path)) {
            if self.disjoint {
                return Err(Error::usage("`state.disjoint` is for partials: states may share customers").help("leave it out"));
            }
            return match self.inputs.iter().find(|path| path.is_file()) {
                Some(file) => Err(Error::data("neither a state nor a Lens 1 partial").input(file.to_string_lossy())),
                None => Ok(false),
            };
        }
        if let Some(other) = self.inputs.iter().find(|path| !is_partial(path)) {
            let error = Error::usage("not a Lens 1 partial, as others are").input(other.to_string_lossy());
            return Err(error.help("merge partials with partials, and states with states"));
        }
        if self.allow_duplicate {
            return Err(Error::usage("`allow_duplicate` is for states: partials do not say what they were made of").help("leave it out"));
        }
        if self.audit.is_some() {
            return Err(
                Error::usage("partials are merged, and an audit is of states").help("leave out what is said of windows and answers")
            );
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.inputs.iter().find(|path| !seen.insert(real(path))) {
            return Err(Error::usage(format!("{} is given twice: its customers would count twice", twice.display())));
        }
        no_input_is_written([&self.out].into_iter(), &self.inputs)?;
        Ok(true)
    }

    fn states(&self) -> Result<Vec<State>> {
        self.inputs.iter().map(|path| State::open(path)).collect()
    }

    fn merge_partials(&self, host: &Host<'_>) -> Result<()> {
        let output = create_partial(&self.out, &host.signals.cancel)?;
        let parts = self.inputs.iter().map(|path| Lens1Partial::read(path)).collect::<Result<Vec<_>>>()?;
        let count = parts.len();
        let MergedPartial { partial, at_most, .. } = Lens1Partial::merge(parts, self.disjoint)?;
        let mut output = write_partial(output, &partial)?;
        output.complete()?;
        host.signals.undisturbed(|| output.commit())?;
        let (parts, windows) = (counted(count, "partial", "partials"), counted(partial.windows().len(), "window", "windows"));
        let known = match (at_most, partial.counted()) {
            (Some(at_most), _) => {
                let at_most = counted(at_most, "customer", "customers");
                format!("that they share no customer was said, not found: up to {at_most} of a window may count twice (95 %)")
            }
            (None, Counted::Assumed) => "they share no customer, but of the parts of one of them that was said, not found".to_owned(),
            (None, Counted::Once) => "they share no customer of a window".to_owned(),
        };
        host.tell(&format!("{}: {parts} merged, {windows}; {known}", self.out.display()));
        Ok(())
    }
}

impl Job for Merge {
    fn check(&self) -> Result<Inputs> {
        if self.is_of_partials()? {
            return in_a_folder(&self.out).map(|()| Inputs::default());
        }
        let merged = state::check_merge(&self.out, &self.states()?, self.allow_duplicate)?.manifest;
        self.audit.as_ref().map_or(Ok(()), |audit| audit_fits(audit, merged.every, merged.on_bad_row, &self.out))?;
        Ok(Inputs { files: 0, states: self.inputs.len() })
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        if self.is_of_partials()? {
            return self.merge_partials(host);
        }
        if self.audit.is_some() {
            self.check()?;
        }
        let states = self.states()?;
        let merged = state::merge(&self.out, &states, self.allow_duplicate, &host.signals.cancel, &Io::default())?;
        merged.duplicates.iter().for_each(|name| host.tell(&format!("{name}: several states had it; its rows count several times")));
        let (states, inputs) = (counted(states.len(), "state", "states"), merged.manifest.inputs.len());
        host.tell(&format!("{}: {states} merged, {}", self.out.display(), counted(inputs, "input", "inputs")));
        self.audit.as_ref().map_or(Ok(()), |audit| super::audit_command::run(audit, host).map(drop))
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        for path in &self.inputs {
            if is_partial(path) { page.say("source", "partials", path.display()) } else { page.state(path, "states") }
        }
        page.say("source", "into", self.out.display());
        if !self.inputs.iter().any(|path| is_partial(path)) {
            page.say("source", "inputs twice", if self.allow_duplicate { "count twice" } else { "are refused" });
        }
        Inputs { files: 0, states: self.inputs.len() }
    }

    fn summary(&self, _: Inputs) -> String {
        let inputs = self.inputs.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        format!("merge of {} into {}{}", inputs.join(" and "), self.out.display(), page::then(self.audit()))
    }

    fn audit(&self) -> Option<&AuditJob> {
        self.audit.as_deref()
    }
}
