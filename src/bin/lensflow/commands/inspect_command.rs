//! `lensflow inspect`: what a file or folder of ours holds.

use super::Job;
use super::compare_command::{BOUNDS, count};
use crate::page::{Inputs, Page};
use crate::talk::{Host, print};
use lensflow::Result;
use lensflow::error::{Error, Kind};
use lensflow::lens::sketch::CustomerSketch;
use lensflow::partials::{Lens1Partial, is_partial};
use lensflow::state::{RunSummary, State, is_run_file};
use lensflow::text::grouped;
use lensflow::text::visible;
use std::path::PathBuf;

/// A look at a file or folder.
#[derive(Debug, Clone)]
pub(crate) struct Inspect {
    pub(crate) path: PathBuf,
    pub(crate) json: bool,
}

/// A file or folder of ours.
enum Found {
    Partial(Box<Lens1Partial>),
    /// It is as long as its customers are many, and read last.
    Run,
    /// With its size in bytes.
    Sketch(CustomerSketch, usize),
    State(Box<State>),
}

impl Inspect {
    /// Opens it, and reads it where it is small.
    ///
    /// # Errors
    /// Nothing is there, or nothing of ours.
    fn found(&self) -> Result<Found> {
        let path = self.path.as_path();
        let name = path.to_string_lossy();
        if !path.exists() {
            return Err(Error::new(Kind::Io, "there is no such file or folder").input(name));
        }
        if is_partial(path) {
            return Lens1Partial::read(path).map(|partial| Found::Partial(Box::new(partial)));
        }
        if is_run_file(path) {
            return Ok(Found::Run);
        }
        if !path.is_file() {
            return State::open(path).map(|state| Found::State(Box::new(state)));
        }
        let bytes = std::fs::read(path).map_err(|e| Error::io("cannot read", e).input(&*name))?;
        let sketch = CustomerSketch::from_bytes(&bytes).map_err(|_| {
            let error = Error::data("neither a Lens 1 partial, nor a sketch, nor a run file of a state").input(&*name);
            error.help("to inspect a state, name its folder")
        })?;
        Ok(Found::Sketch(sketch, bytes.len()))
    }
}

impl Job for Inspect {
    fn summary(&self, _: Inputs) -> String {
        format!("what {} holds", self.path.display())
    }

    fn check(&self) -> Result<Inputs> {
        self.found().map(|_| Inputs::default())
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        page.say("source", "of", self.path.display());
        Inputs::default()
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        let found = self.found()?;
        if self.json {
            return match found {
                Found::State(state) => print(&state.manifest().to_json()?),
                Found::Run => print(&RunSummary::read(&self.path, &host.signals.cancel)?.to_json()?),
                _ => Err(Error::usage("only states and run files are told as JSON")
                    .input(self.path.to_string_lossy())
                    .help("leave `inspect.json` out")),
            };
        }
        let text = match found {
            Found::Partial(partial) => partial.to_string(),
            Found::Run => RunSummary::read(&self.path, &host.signals.cancel)?.to_string(),
            Found::Sketch(sketch, bytes) => {
                let bounds = if sketch.is_exact() { "" } else { BOUNDS };
                format!("a Theta sketch, {} bytes\ncustomers: {}\n{bounds}", grouped(bytes), count(sketch.customers()))
            }
            Found::State(state) => state.manifest().to_string(),
        };
        print(visible(&host.speech.say(&format!("{}: {text}", self.path.display()))).as_bytes())
    }
}
