//! The jobs of `lensflow sketch` and `compare`; two partials are compared in [`partials`](crate::partials).

use crate::args::{Compare, Sketch};
use crate::inputs::{keep_to_limit, lines_fit, with_states};
use crate::signals::Job;
use crate::{partials, print};
use lensflow::error::Error;
use lensflow::jobs::Side;
use lensflow::lens::sketch::{CustomerSketch, Estimate, Overlap, Share, Sketches};
use lensflow::model::Window;
use lensflow::partials::{Lens1Partial, is_partial};
use lensflow::report::output::Output;
use lensflow::report::text_tables::{Style, render};
use lensflow::source::files::Files;
use lensflow::spec::Spec;
use lensflow::state::{State, is_state};
use lensflow::text::grouped;
use lensflow::{Pipeline, Result};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Writes a sketch.
pub(crate) fn sketch(args: &Sketch, job: &Job) -> Result<()> {
    let (states, inputs) = with_states(args.input.clone())?;
    let (spec, lines) = args.spec(&states)?;
    lines_fit(lines.as_ref(), &states, &inputs)?;
    keep_to_limit(&spec);
    let (format, batch_rows, spool) = (args.reading.format()?, spec.batch_rows, spec.spill_dir.clone());
    let mut output = Output::create_with(&args.output, &job.cancel)?;
    let lens = Sketches::new(args.lg_k)?;
    let made = match lines {
        Some(lines) => {
            let files = lines.find_sales(&inputs, format, batch_rows)?.spool_in(spool);
            sketches(spec, lens, &states, job, |pipeline| pipeline.run_transactions(files, &lines))?
        }
        None => {
            let files = Files::find(&inputs, format, spec.columns.clone(), batch_rows)?.spool_in(spool);
            sketches(spec, lens, &states, job, |pipeline| pipeline.run(files))?
        }
    };
    let [sketch] = &made[..] else {
        return Err(Error::internal("a sketch for each window"));
    };
    output.write_all(&sketch.to_bytes()).map_err(|e| Error::io("cannot write the sketch", e))?;
    output.complete()?;
    job.undisturbed(|| output.commit())
}

/// Of states, and of what else is taken in.
fn sketches(
    spec: Spec,
    lens: Sketches,
    states: &[State],
    job: &Job,
    more: impl FnOnce(&mut Pipeline<((), Sketches)>) -> Result<()>,
) -> Result<Vec<CustomerSketch>> {
    let mut pipeline = Pipeline::builder().spec(spec).lens(lens).cancel(job.cancel.clone()).keep_rejects(false).build()?;
    states.iter().try_for_each(|state| pipeline.run_state(state))?;
    more(&mut pipeline)?;
    let ((), sketches) = pipeline.finish()?.custom;
    Ok(sketches)
}

/// What is compared.
enum Operand {
    State(Box<State>, Window),
    Sketch(CustomerSketch),
    Partial(Box<Lens1Partial>),
}

impl Operand {
    fn parse(text: &str) -> Result<Self> {
        let state = text.rsplit_once('@').filter(|(path, _)| is_state(Path::new(path)));
        if let Some((path, window)) = state {
            return Ok(Operand::State(Box::new(State::open(Path::new(path))?), window.parse()?));
        }
        if is_state(Path::new(text)) {
            return Err(Error::usage("which window of the state is meant?").input(text).help(format!("say {text}@2023-Q3, for example")));
        }
        if is_partial(Path::new(text)) {
            return Ok(Operand::Partial(Box::new(Lens1Partial::read(Path::new(text))?)));
        }
        let help = "name STATE@WINDOW, or the file of a sketch or a partial";
        let bytes = std::fs::read(text).map_err(|e| Error::io("cannot read", e).input(text).help(help))?;
        CustomerSketch::from_bytes(&bytes).map(Operand::Sketch).map_err(|e| e.input(text).help(help))
    }

    fn sketch(self, spec: &Spec, job: &Job) -> Result<CustomerSketch> {
        let (state, window) = match self {
            Operand::Sketch(sketch) => return Ok(sketch),
            Operand::State(state, window) => (state, window),
            Operand::Partial(partial) => {
                let error = Error::usage("a partial goes with partials, not with a state or a sketch").input(partial.name());
                return Err(error.help("write a partial of the other side, too: lensflow audit --partial-out"));
            }
        };
        let on_bad_row = state.manifest().on_bad_row;
        let spec = Spec { windows: lensflow::model::Windows::List(vec![window]), on_bad_row, ..spec.clone() };
        let mut all = sketches(spec, Sketches::default(), &[*state], job, |_| Ok(()))?;
        all.pop().ok_or_else(|| Error::internal("a sketch for each window"))
    }
}

/// Compares two windows.
pub(crate) fn compare(args: &Compare, job: &Job) -> Result<()> {
    let spec = args.spec()?;
    keep_to_limit(&spec);
    let (a, b) = (Operand::parse(&args.a)?, Operand::parse(&args.b)?);
    if args.disjoint && !matches!((&a, &b), (Operand::Partial(_), Operand::Partial(_))) {
        return Err(Error::usage("--disjoint is for two partials: states and sketches are compared as they are").help("leave it out"));
    }
    let text = match (a, b) {
        (Operand::Partial(first), Operand::Partial(second)) => partials::compared(*first, *second, &spec, args)?,
        (Operand::State(first, from), Operand::State(second, to)) => {
            let side = |state, window| Side { state, window };
            let report = lensflow::jobs::compare(side(&first, &from), side(&second, &to), spec, &job.cancel)?;
            if args.json { report.to_json()? } else { render(&report, Style::Text) }
        }
        (a, b) => {
            let overlap = a.sketch(&spec, job)?.overlap(&b.sketch(&spec, job)?)?;
            if args.json { json(&overlap)? } else { table(&args.a, &args.b, &overlap) + BOUNDS }
        }
    };
    print(text.as_bytes())
}

pub(crate) fn json(comparison: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string_pretty(comparison).map_err(|e| Error::internal("the comparison has no JSON form").cause(e))?;
    Ok(json + "\n")
}

/// What is said below estimates.
pub(crate) const BOUNDS: &str = "Estimates from sketches: the truth lies in the bounds in 95 of 100 cases.\n";

pub(crate) fn table(a: &str, b: &str, overlap: &Overlap) -> String {
    let share = |Share { estimate, low, high }: Share| match low == high {
        true => format!("{estimate:.2} % exactly"),
        false => format!("{estimate:.2} % ({low:.2} to {high:.2})"),
    };
    let unsaid = || "too small to say".to_owned();
    let rows = [
        (format!("customers of {a}"), count(overlap.first)),
        (format!("customers of {b}"), count(overlap.second)),
        ("retained: in both".to_owned(), overlap.retained.map_or_else(unsaid, count)),
        ("churned: in the first only".to_owned(), count(overlap.churned)),
        ("new: in the second only".to_owned(), count(overlap.new)),
        ("retention rate".to_owned(), overlap.retention_rate.map_or_else(unsaid, share)),
        ("churn rate".to_owned(), overlap.churn_rate.map_or_else(unsaid, share)),
    ];
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(label, value)| format!("{label:<width$}  {value}\n")).collect()
}

/// A number with its bounds.
pub(crate) fn count(Estimate { estimate, low, high }: Estimate) -> String {
    match low == high {
        true => format!("{} exactly", grouped(estimate)),
        false => format!("{} ({} to {})", grouped(estimate), grouped(low), grouped(high)),
    }
}
