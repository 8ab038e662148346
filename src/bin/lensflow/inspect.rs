//! The job of `lensflow inspect`: what a file or folder of ours holds.

use crate::args::Inspect;
use crate::print;
use crate::signals::Job;
use crate::sketches::{BOUNDS, count};
use lensflow::Result;
use lensflow::error::{Error, Kind};
use lensflow::lens::sketch::CustomerSketch;
use lensflow::partials::{Lens1Partial, is_partial};
use lensflow::state::{RunSummary, State, is_run_file};
use lensflow::text::grouped;

/// Says what it is and what it holds.
pub(crate) fn run(args: &Inspect, job: &Job) -> Result<()> {
    let (path, name) = (args.path.as_path(), args.path.display());
    let text = if is_partial(path) {
        format!("{name}: {}", Lens1Partial::read(path)?)
    } else if is_run_file(path) {
        format!("{name}: {}", RunSummary::read(path, &job.cancel)?)
    } else if path.is_file() {
        let bytes = std::fs::read(path).map_err(|e| Error::io("cannot read", e).input(name.to_string()))?;
        let sketch = CustomerSketch::from_bytes(&bytes).map_err(|_| {
            let error = Error::data("neither a Lens 1 partial, nor a sketch, nor a run file of a state").input(name.to_string());
            error.help("to inspect a state, name its folder")
        })?;
        let bounds = if sketch.is_exact() { "" } else { BOUNDS };
        format!("{name}: a Theta sketch, {} bytes\ncustomers: {}\n{bounds}", grouped(bytes.len()), count(sketch.customers()))
    } else if !path.exists() {
        return Err(Error::new(Kind::Io, "there is no such file or folder").input(name.to_string()));
    } else {
        format!("{name}: {}", State::open(path)?.manifest())
    };
    print(text.as_bytes())
}
