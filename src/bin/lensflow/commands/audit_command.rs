//! `lensflow audit`: the library's [`AuditJob`], its answers on stdout where no file takes them, and what it is about to do.

use super::Job;
use crate::allocator::keep_to_limit;
use crate::page::{self, Inputs, Page};
use crate::talk::{Host, print};
use lensflow::Result;
use lensflow::jobs::{AuditJob, Outputs, WrittenFile};
use lensflow::model::Reason;
use lensflow::orders::{Lines, special_lines};
use lensflow::report::text_tables::{Style, render_within};
use lensflow::stats::Snapshot;
use lensflow::text::{counted, grouped};
use std::collections::BTreeMap;
use std::time::Instant;

/// Does it, and says what was counted.
pub(crate) fn run(audit: &AuditJob, host: &mut Host<'_>) -> Result<Snapshot> {
    let began = Instant::now();
    let mut audit = audit.clone();
    (audit.cancel, audit.stop) = (host.signals.cancel.clone(), host.signals.stop.clone());
    keep_to_limit(&audit.spec);
    let gaps = audit.spec.segments.as_ref().map(|segments| segments.gaps(audit.spec.best_scores()));
    gaps.iter().flatten().for_each(|said| host.tell(said));
    let audited = audit.run(host)?;
    host.shown();
    let Outputs { reports, .. } = &audit.outputs;
    if reports.is_empty() && !audit.outputs.takes_stdout() {
        print(host.screen.told(render_within(&audited.report, Style::Text, host.screen.width), host.speech))?;
    } else {
        audited.report.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        // The answers on the terminal begin with it.
        audited.report.input.transactions.iter().flat_map(special_lines).for_each(|said| host.tell(&said));
    }
    host.noted();
    let mut left_out: BTreeMap<Reason, u64> = BTreeMap::new();
    for (reason, count) in audited.report.windows.iter().flat_map(|window| &window.customers_rejected) {
        *left_out.entry(*reason).or_default() += count;
    }
    for WrittenFile { path, rows, .. } in &audited.files {
        let rows = rows.map_or(String::new(), |rows| format!(": {}", counted(rows, "row", "rows")));
        let reasons = || left_out.iter().map(|(reason, count)| format!("{} with {reason}", counted(count, "customer", "customers")));
        let without = match Some(path) == audit.outputs.rfm.as_ref() && !left_out.is_empty() {
            true => format!("; left out: {}", reasons().collect::<Vec<_>>().join(", ")),
            false => String::new(),
        };
        host.tell(&format!("{}{rows}{without}", path.display()));
    }
    let counted = audited.counted.clone();
    audited.done()?;
    let seconds = began.elapsed().as_secs_f64();
    let &Snapshot { rows_read: rows, customers, bytes_spilled, runs, peak_reserved, peak_rss, .. } = &counted;
    tracing::info!(rows, customers, seconds, bytes_spilled, runs, peak_reserved, peak_rss, "done");
    Ok(counted)
}

impl Job for AuditJob {
    fn summary(&self, Inputs { files, states }: Inputs) -> String {
        let named = match &self.inputs[..] {
            [stdin] if stdin == "-" => "stdin".to_owned(),
            named if named.len() == states => counted(states, "state", "states"),
            _ if states == 0 => page::files(files),
            _ => format!("{} and {}", counted(states, "state", "states"), page::files(files)),
        };
        let what = self.synthetic.as_ref().map_or(named, |made| format!("{} made-up customers", grouped(made.customers)));
        format!("audit of {what} {}", page::windows(&self.spec.windows))
    }

    fn check(&self) -> Result<Inputs> {
        AuditJob::check(self).map(|found| Inputs { files: found.files.len(), states: found.states.len() })
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        run(self, host).map(drop)
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        let Some(made) = &self.synthetic else {
            return page.inputs(&self.inputs, self.format, self.lines.as_ref(), &self.spec, self.on_bad_row);
        };
        page.made_up(made);
        page.bad_rows(self.on_bad_row.unwrap_or_default(), false, &self.spec);
        Inputs::default()
    }

    fn audit(&self) -> Option<&AuditJob> {
        Some(self)
    }

    fn lines(&self) -> Option<&Lines> {
        self.lines.as_ref()
    }
}
