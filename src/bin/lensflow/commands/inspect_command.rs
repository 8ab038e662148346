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
use std::path::PathBuf;

/// A look at a file or folder.
#[derive(Debug, Clone)]
pub(crate) struct Inspect {
    pub(crate) path: PathBuf,
}

impl Job for Inspect {
    fn summary(&self, _: Inputs) -> String {
        format!("what {} holds", self.path.display())
    }

    fn check(&self) -> Result<Inputs> {
        if self.path.exists() {
            return Ok(Inputs::default());
        }
        Err(Error::new(Kind::Io, "there is no such file or folder").input(self.path.to_string_lossy()))
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        page.say("source", "of", self.path.display());
        Inputs::default()
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        self.check()?;
        let path = self.path.as_path();
        let name = path.display();
        let text = if is_partial(path) {
            format!("{name}: {}", Lens1Partial::read(path)?)
        } else if is_run_file(path) {
            format!("{name}: {}", RunSummary::read(path, &host.signals.cancel)?)
        } else if path.is_file() {
            let bytes = std::fs::read(path).map_err(|e| Error::io("cannot read", e).input(name.to_string()))?;
            let sketch = CustomerSketch::from_bytes(&bytes).map_err(|_| {
                let error = Error::data("neither a Lens 1 partial, nor a sketch, nor a run file of a state").input(name.to_string());
                error.help("to inspect a state, name its folder")
            })?;
            let bounds = if sketch.is_exact() { "" } else { BOUNDS };
            format!("{name}: a Theta sketch, {} bytes\ncustomers: {}\n{bounds}", grouped(bytes.len()), count(sketch.customers()))
        } else {
            format!("{name}: {}", State::open(path)?.manifest())
        };
        print(host.speech.say(&text))
    }
}
