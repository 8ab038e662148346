//! The job of `lensflow periods`: orders and line items → period aggregations.

use crate::args::Talk;
use crate::inputs::keep_to_limit;
use crate::progress::Progress;
use crate::signals::Job;
use crate::{outputs, say};
use lensflow::Result;
use lensflow::jobs::write_periods;
use lensflow::model::Granularity;
use lensflow::orders::{Lines, Orders, schema, special_lines};
use lensflow::report::table::TableWriter;
use lensflow::source::Source;
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::stats::Stats;
use lensflow::text::grouped;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

/// Period aggregations, as flags ask for them.
#[derive(Debug, Clone)]
pub(crate) struct PeriodsJob {
    pub(crate) inputs: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) every: Granularity,
    pub(crate) lines: Lines,
    pub(crate) spec: Spec,
    pub(crate) output: PathBuf,
}

/// Does it.
pub(crate) fn run(wanted: &PeriodsJob, talk: &Talk, job: &Job) -> Result<()> {
    let PeriodsJob { inputs, format, every, lines, spec, output } = wanted;
    keep_to_limit(spec);
    let files = lines.find(inputs, *format, spec.batch_rows)?.spool_in(spec.spill_dir.clone());
    outputs::check(&[output], &files.inputs())?;
    // A folder that cannot be written to is found out at once.
    let make = |schema| TableWriter::create_with(output, None, &schema, &job.cancel);
    make(schema(true)).map(drop)?;
    let stats: Arc<Stats> = Arc::default();
    let bar = (std::io::stderr().is_terminal() && !talk.quiet).then(|| Progress::watch(stats.clone()));
    let orders = Orders::read_alone(files, lines, spec, &job.cancel, &stats)?;
    let (table, rows, summary) = write_periods(orders, *every, make)?;
    drop(bar);
    let mut output = table.finish()?;
    output.complete()?;
    job.undisturbed(|| output.commit())?;
    if !talk.quiet {
        let (lines, orders) = (grouped(summary.lines), grouped(summary.orders));
        say(&format!("{lines} lines of {orders} orders: {} rows, a customer and {every} each", grouped(rows)));
        special_lines(&summary).iter().for_each(|said| say(&format!("  {said}")));
    }
    Ok(())
}
