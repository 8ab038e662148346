//! `lensflow segments`: which score cells segments cover, and who moved from which segment to which.

use super::Job;
use crate::allocator::keep_to_limit;
use crate::options::value_types::SegmentsAction;
use crate::page::{Inputs, Page};
use crate::talk::{Host, print};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::AuditJob;
use lensflow::model::Segments;
use lensflow::report::render_moves;
use lensflow::report::text_tables::Style;
use lensflow::state::is_state;
use std::fmt::Write;
use std::path::Path;

/// Something that is done with segments.
#[derive(Debug, Clone)]
pub(crate) struct SegmentsJob {
    pub(crate) action: SegmentsAction,
    /// With the segments, and what decides scores; of a move, all of it.
    pub(crate) audit: AuditJob,
}

impl SegmentsJob {
    fn segments(&self) -> Result<&Segments> {
        let no_state = self.audit.inputs.iter().find(|input| !is_state(Path::new(input)));
        if let (SegmentsAction::Move, Some(input)) = (self.action, no_state) {
            let help = "make one with lensflow update; an audit of files tells the same moves, with `rfm.segments`";
            return Err(Error::usage("there is no state").input(input).help(help));
        }
        let missing = || Error::usage("it is not said by which segments").help("add `rfm.segments=standard`, or a file of your own");
        self.audit.spec.segments.as_ref().ok_or_else(missing)
    }
}

impl Job for SegmentsJob {
    fn summary(&self, inputs: Inputs) -> String {
        match self.action {
            SegmentsAction::Check => "a look at segments".to_owned(),
            SegmentsAction::Move => format!("moves between segments: {}", self.audit.summary(inputs)),
        }
    }

    fn check(&self) -> Result<Inputs> {
        self.segments()?;
        match self.action {
            SegmentsAction::Check => self.audit.spec.validate().map(|()| Inputs::default()),
            SegmentsAction::Move => Job::check(&self.audit),
        }
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        match self.action {
            SegmentsAction::Check => Inputs::default(),
            SegmentsAction::Move => self.audit.tell_inputs(page),
        }
    }

    fn audit(&self) -> Option<&AuditJob> {
        (self.action == SegmentsAction::Move).then_some(&self.audit)
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        let (segments, spec) = (self.segments()?, &self.audit.spec);
        spec.validate()?;
        if self.action == SegmentsAction::Check {
            return print(host.screen.painted(drawn(segments, spec.best_scores())));
        }
        let mut audit = self.audit.clone();
        (audit.cancel, audit.stop) = (host.signals.cancel.clone(), host.signals.stop.clone());
        keep_to_limit(&audit.spec);
        segments.gaps(spec.best_scores()).iter().for_each(|said| host.tell(said));
        let audited = audit.run(host)?;
        host.shown();
        audited.report.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        if !audit.outputs.takes_stdout() && audit.outputs.reports.is_empty() {
            print(host.screen.painted(render_moves(&audited.report, Style::Text, host.screen.width)))?;
        }
        audited.files.iter().for_each(|file| host.tell(&file.path.display().to_string()));
        audited.done()
    }
}

/// The grid of recency and frequency scores, a letter for each segment that a cell's customers may be in.
fn drawn(segments: &Segments, best: [u32; 3]) -> String {
    let names = &segments.names()[..segments.names().len() - 1];
    let letter =
        |at: usize| char::from_digit(at as u32 + 10, 36).map_or_else(|| format!("({})", at + 1), |c| c.to_ascii_uppercase().to_string());
    let [r_best, f_best, m_best] = best;
    let cell = |r: u32, f: u32| {
        let cells: Vec<_> = (1..=m_best).map(|m| segments.cell([r as u8, f as u8, m as u8])).collect();
        let is_in = |at: &usize| cells.iter().any(|cell| cell.names.contains(&names[*at].as_str()));
        let mut text: String = (0..names.len()).filter(is_in).map(letter).collect();
        if cells.iter().any(|cell| cell.overlaps) {
            text.push('!');
        }
        if cells.iter().any(|cell| !cell.is_covered) {
            text.push('-');
        }
        text
    };
    let rows: Vec<Vec<String>> = (1..=r_best).rev().map(|r| (1..=f_best).map(|f| cell(r, f)).collect()).collect();
    let width = rows.iter().flatten().map(|text| text.chars().count()).max().unwrap_or(0).max(2);
    // Writing to a String cannot fail.
    let mut text = "Segments by recency score (R, down) and frequency score (F, across)\n\n    ".to_owned();
    let line =
        |cells: &mut dyn Iterator<Item = String>| cells.map(|cell| format!("  {cell:<width$}")).collect::<String>().trim_end().to_owned();
    let _ = writeln!(text, "{}", line(&mut (1..=f_best).map(|f| format!("F{f}"))));
    for (r, cells) in (1..=r_best).rev().zip(rows) {
        let _ = writeln!(text, "  R{r}{}", line(&mut cells.into_iter()));
    }
    text.push('\n');
    for (at, name) in names.iter().enumerate() {
        let _ = writeln!(text, "  {}  {name}", letter(at));
    }
    text.push_str(
        "\n  Several letters: other values than these scores decide.  !: rules overlap, the first decides.  -: some are \"other\".\n",
    );
    let gaps = segments.gaps(best);
    if gaps.is_empty() {
        text.push_str("\nEvery customer is in one segment, and only in one.\n");
    }
    gaps.iter().for_each(|said| _ = writeln!(text, "\n{said}"));
    text
}
