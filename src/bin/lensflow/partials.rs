//! Lens 1 partials on the command line: written by `lensflow audit`, put together by `merge` and `compare`. Whoever reads what these say
//! is told whether customers are known to be counted once, or only said to be.

use crate::args::{Compare, Merge, Talk};
use crate::outputs::{self, real};
use crate::signals::Job;
use crate::sketches::{BOUNDS, count, json, table};
use crate::{say, states};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::lens::sketch::InCommon;
use lensflow::model::Window;
use lensflow::partials::{Compared, Counted, Lens1Partial, MergedPartial, is_partial, render_partials};
use lensflow::report::output::Output;
use lensflow::report::text_tables::Style;
use lensflow::spec::Spec;
use lensflow::text::counted;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// Checks the name of a partial to write.
pub(crate) fn may_be_called(path: &Path) -> Result<()> {
    if path.extension().is_some_and(|extension| extension == "gz" || extension == "zst") {
        let error = Error::usage(format!("{}: a partial is not compressed", path.display()));
        return Err(error.help("end its name otherwise, such as in .partial"));
    }
    Ok(())
}

/// The output for a partial.
pub(crate) fn create(path: &Path, job: &Job) -> Result<Output> {
    may_be_called(path)?;
    Output::create_with(path, &job.cancel)
}

/// Writes a partial to its output.
pub(crate) fn fill(mut output: Output, partial: &Lens1Partial) -> Result<Output> {
    output.write_all(&partial.to_bytes()?).map_err(|e| Error::io("cannot write the partial", e))?;
    Ok(output)
}

/// Merges partials; where none is given, states.
pub(crate) fn merge(args: &Merge, talk: &Talk, job: &Job) -> Result<()> {
    if !args.inputs.iter().any(|path| is_partial(path)) {
        if args.disjoint {
            return Err(Error::usage("--disjoint is for partials: states may share customers").help("leave it out"));
        }
        if let Some(file) = args.inputs.iter().find(|path| path.is_file()) {
            return Err(Error::data("neither a state nor a Lens 1 partial").input(file.to_string_lossy()));
        }
        return states::merge(&args.job(), talk, job);
    }
    if let Some(other) = args.inputs.iter().find(|path| !is_partial(path)) {
        let error = Error::usage("not a Lens 1 partial, as others are").input(other.to_string_lossy());
        return Err(error.help("merge partials with partials, and states with states"));
    }
    if args.allow_duplicate {
        return Err(Error::usage("--allow-duplicate is for states: partials do not say what they were made of").help("leave it out"));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = args.inputs.iter().find(|path| !seen.insert(real(path))) {
        return Err(Error::usage(format!("{} is given twice: its customers would count twice", twice.display())));
    }
    let inputs: Vec<String> = args.inputs.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    outputs::check(&[&args.out], &inputs)?;
    let output = create(&args.out, job)?;
    let parts = args.inputs.iter().map(|path| Lens1Partial::read(path)).collect::<Result<Vec<_>>>()?;
    let count = parts.len();
    let MergedPartial { partial, at_most, .. } = Lens1Partial::merge(parts, args.disjoint)?;
    let mut output = fill(output, &partial)?;
    output.complete()?;
    job.undisturbed(|| output.commit())?;
    if !talk.quiet {
        let (parts, windows) = (counted(count, "partial", "partials"), counted(partial.windows().len(), "window", "windows"));
        let known = match (at_most, partial.counted()) {
            (Some(at_most), _) => {
                let at_most = counted(at_most, "customer", "customers");
                format!("that they share no customer was said, not found: up to {at_most} of a window may count twice (95 %)")
            }
            (None, Counted::Assumed) => "they share no customer, but one of them was merged by somebody who only said so".to_owned(),
            (None, Counted::Once) => "they share no customer of a window".to_owned(),
        };
        say(&format!("{}: {parts} merged, {windows}; {known}", args.out.display()));
    }
    Ok(())
}

/// Two partials side by side, as text.
pub(crate) fn compared(first: Lens1Partial, second: Lens1Partial, spec: &Spec, args: &Compare) -> Result<String> {
    let assumed: Vec<String> =
        [&first, &second].into_iter().filter(|p| p.counted() == Counted::Assumed).map(|p| p.name().to_owned()).collect();
    let comparison = lensflow::partials::compare(first, second, args.disjoint, &spec.percentiles, spec.bins)?;
    if args.json {
        return json(&comparison);
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
    assumed.iter().for_each(|name| line(format!("{name}: merged by somebody who said that no customer is in two of its parts")));
    Ok(text)
}

/// Whether a window's customers are put together, and why.
fn said(Compared { in_common, together, .. }: &Compared) -> String {
    match in_common {
        InCommon::Nobody => "disjoint".to_owned(),
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
