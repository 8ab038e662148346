//! `lensflow periods`: orders and line items → period aggregations.

use super::Job;
use crate::allocator::keep_to_limit;
use crate::page::{self, Inputs, Page};
use crate::talk::Host;
use lensflow::Result;
use lensflow::jobs::{Host as _, files, in_a_folder, no_input_is_written, write_periods};
use lensflow::model::Granularity;
use lensflow::orders::{Lines, Orders, schema, special_lines};
use lensflow::report::table::TableWriter;
use lensflow::source::Source;
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::stats::Stats;
use lensflow::text::grouped;
use std::path::PathBuf;
use std::sync::Arc;

/// Period aggregations of orders.
#[derive(Debug, Clone)]
pub(crate) struct Periods {
    pub(crate) inputs: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) every: Granularity,
    pub(crate) lines: Lines,
    pub(crate) spec: Spec,
    pub(crate) out: PathBuf,
    pub(crate) csv_safe: bool,
}

impl Job for Periods {
    fn check(&self) -> Result<Inputs> {
        TableWriter::format_of(&self.out, None)?;
        in_a_folder(&self.out)?;
        let files = files(&self.inputs, self.format, Some(&self.lines), &self.spec, true)?;
        no_input_is_written([&self.out].into_iter(), &files)?;
        Ok(Inputs { files: files.len(), states: 0 })
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        let Periods { inputs, format, every, lines, spec, out, csv_safe } = self;
        keep_to_limit(spec);
        let files = lines.find(inputs, *format, spec.batch_rows)?.spool_in(spec.spill_dir.clone());
        no_input_is_written([out].into_iter(), &files.inputs())?;
        // A folder that cannot be written to is found out at once.
        let make = |schema| TableWriter::create_with(out, None, &schema, &host.signals.cancel);
        make(schema(true)).map(drop)?;
        let stats: Arc<Stats> = Arc::default();
        host.watch(stats.clone());
        let orders = Orders::read_alone(files, lines, spec, &host.signals.cancel, &stats)?;
        let make = |schema| Ok(TableWriter::create_with(out, None, &schema, &host.signals.cancel)?.csv_safe(*csv_safe));
        let (table, rows, summary) = write_periods(orders, *every, make)?;
        host.shown();
        let mut output = table.finish()?;
        output.complete()?;
        host.signals.undisturbed(|| output.commit())?;
        let (lines, orders) = (grouped(summary.lines), grouped(summary.orders));
        host.tell(&format!("{lines} lines of {orders} orders: {} rows, a customer and {every} each", grouped(rows)));
        special_lines(&summary).iter().for_each(|said| host.tell(&format!("  {said}")));
        Ok(())
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        let files = page.files(&self.inputs, self.format, Some(&self.lines), &self.spec);
        page.bad_rows(self.spec.on_bad_row, false, &self.spec);
        Inputs { files, states: 0 }
    }

    fn tell_outputs(&self, page: &mut Page) {
        page.say("report", "periods", format!("{}, a row per customer and {}", page::named(&self.out), self.every));
    }

    fn summary(&self, Inputs { files, .. }: Inputs) -> String {
        format!("periods of {} by {}", page::inputs(&self.inputs, files), self.every)
    }

    fn spec(&self) -> Option<&Spec> {
        Some(&self.spec)
    }

    fn lines(&self) -> Option<&Lines> {
        Some(&self.lines)
    }
}
