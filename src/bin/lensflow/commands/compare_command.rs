//! `lensflow compare`: two windows, of states or sketches; or two Lens 1 partials. Exactly where states are at hand, else with bounds.

use super::Job;
use super::sketch_command::sketches;
use crate::allocator::keep_to_limit;
use crate::page::{Inputs, Page};
use crate::signals::Signals;
use crate::talk::{Host, print};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::Side;
use lensflow::lens::sketch::{CustomerSketch, Estimate, InCommon, Overlap, Share, Sketches};
use lensflow::model::{Window, Windows};
use lensflow::partials::render_partials;
use lensflow::partials::{Compared, Counted, Lens1Partial, is_partial};
use lensflow::report::json_text::{JsonNumbers, to_json};
use lensflow::report::text_tables::{Style, render_within};
use lensflow::spec::Spec;
use lensflow::state::{State, is_state};
use lensflow::text::{counted, grouped};
use std::path::Path;

/// A comparison of two windows.
#[derive(Debug, Clone)]
pub(crate) struct Compare {
    pub(crate) a: String,
    pub(crate) b: String,
    pub(crate) json: bool,
    pub(crate) json_numbers: JsonNumbers,
    /// Whether it is said that no customer is in two partials.
    pub(crate) disjoint: bool,
    pub(crate) spec: Spec,
}

impl Compare {
    /// Both sides, opened.
    ///
    /// # Errors
    /// A side that cannot be read, or sides that do not go together.
    fn opened(&self) -> Result<(Operand, Operand)> {
        let (a, b) = (Operand::parse(&self.a)?, Operand::parse(&self.b)?);
        if self.disjoint && !matches!((&a, &b), (Operand::Partial(_), Operand::Partial(_))) {
            let error = Error::usage("`compare.disjoint` is for two partials: states and sketches are compared as they are");
            return Err(error.help("leave it out"));
        }
        Ok((a, b))
    }
}

impl Job for Compare {
    fn check(&self) -> Result<Inputs> {
        self.opened().map(|_| Inputs::default())
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        keep_to_limit(&self.spec);
        let text = match self.opened()? {
            (Operand::Partial(first), Operand::Partial(second)) => compared(*first, *second, self)?,
            (Operand::State(first, from), Operand::State(second, to)) => {
                let side = |state, window| Side { state, window };
                let report = lensflow::jobs::compare(side(&first, &from), side(&second, &to), self.spec.clone(), &host.signals.cancel)?;
                if self.json {
                    to_json(&report, self.json_numbers)?
                } else {
                    host.screen.told(render_within(&report, Style::Text, host.screen.width), host.speech)
                }
            }
            (a, b) => {
                let overlap = a.sketch(&self.spec, host.signals)?.overlap(&b.sketch(&self.spec, host.signals)?)?;
                if self.json {
                    to_json(&overlap, self.json_numbers)?
                } else {
                    host.screen.painted(table(&self.a, &self.b, &overlap) + BOUNDS)
                }
            }
        };
        print(text)
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        page.say("source", "first", &self.a);
        page.say("source", "second", &self.b);
        Inputs::default()
    }

    fn summary(&self, _: Inputs) -> String {
        format!("comparison of {} and {}", self.a, self.b)
    }

    fn tell_outputs(&self, page: &mut Page) {
        page.say("report", "answers", if self.json { "on stdout, as JSON" } else { "on stdout" });
    }
}

/// One side.
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

    fn sketch(self, spec: &Spec, signals: &Signals) -> Result<CustomerSketch> {
        let (state, window) = match self {
            Operand::Sketch(sketch) => return Ok(sketch),
            Operand::State(state, window) => (state, window),
            Operand::Partial(partial) => {
                let error = Error::usage("a partial goes with partials, not with a state or a sketch").input(partial.name());
                return Err(error.help("write a partial of the other side, too: `partial_out` of an audit"));
            }
        };
        let on_bad_row = state.manifest().on_bad_row;
        let spec = spec.clone().with_windows(Windows::List(vec![window])).with_on_bad_row(on_bad_row);
        let mut all = sketches(spec, Sketches::default(), &[*state], signals, |_| Ok(()))?;
        all.pop().ok_or_else(|| Error::internal("a sketch for each window"))
    }
}

/// Two partials side by side, as text.
fn compared(first: Lens1Partial, second: Lens1Partial, args: &Compare) -> Result<String> {
    let assumed: Vec<String> =
        [&first, &second].into_iter().filter(|p| p.counted() == Counted::Assumed).map(|p| p.name().to_owned()).collect();
    let comparison = lensflow::partials::compare(first, second, args.disjoint, &args.spec.percentiles, args.spec.bins)?;
    if args.json {
        return to_json(&comparison, args.json_numbers);
    }
    let mut columns = Vec::new();
    for Compared { window, first, second, together, .. } in &comparison.windows {
        let name = |side: &str| format!("{side}\n{}", window.name);
        columns.extend([(name(&args.a), window, first), (name(&args.b), window, second)]);
        columns.extend(together.as_ref().map(|both| (name("together"), window, &both.answer)));
    }
    let mut text = render_partials(&columns, Style::Text);
    let mut line = |line: String| text.extend([line.as_str(), "\n"]);
    line("Customers of both".to_owned());
    for compared in &comparison.windows {
        line(format!("\n{}: {}", compared.window, said(compared)));
        line(table(&args.a, &args.b, &compared.overlap).trim_end().to_owned());
    }
    line(String::new());
    if comparison.windows.iter().any(|c| [c.overlap.first, c.overlap.second].iter().any(|n| n.low != n.high)) {
        line(BOUNDS.trim_end().to_owned());
    }
    let others = |windows: &[Window], of: &str| windows.iter().map(|w| format!("only in {of}: {w}")).collect::<Vec<_>>();
    others(&comparison.first_only, &args.a).into_iter().chain(others(&comparison.second_only, &args.b)).for_each(&mut line);
    assumed.iter().for_each(|name| line(format!("{name}: that no customer is in two of its parts was said at the merge, not found")));
    Ok(text)
}

/// Whether a window's customers are put together, and why.
fn said(Compared { in_common, together, .. }: &Compared) -> String {
    match in_common {
        InCommon::Disjoint => "disjoint".to_owned(),
        InCommon::Some(customers) => format!("not disjoint, so not put together: {} customers in both", count(*customers)),
        InCommon::AtMost(at_most) => {
            let customers = counted(*at_most, "customer", "customers");
            match together {
                Some(_) => format!("disjoint, as you say; up to {customers} may count twice (95 %)"),
                None => format!("not known to be disjoint, so not put together: up to {customers} may be in both (95 %)"),
            }
        }
    }
}

/// The line below estimates.
pub(crate) const BOUNDS: &str = "Estimates from sketches: the truth lies in the bounds in 95 of 100 cases.\n";

fn table(a: &str, b: &str, overlap: &Overlap) -> String {
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
