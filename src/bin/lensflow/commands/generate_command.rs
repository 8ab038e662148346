//! `lensflow generate`: rows of made-up customers.

use super::Job;
use crate::options::Rows;
use crate::page::{self, Inputs, Page};
use crate::talk::Host;
use arrow::array::RecordBatch;
use lensflow::Result;
use lensflow::jobs::{Host as _, in_a_folder};
use lensflow::report::table::{RowStream, TableWriter};
use lensflow::source::files::Format;
use lensflow::stats::Stats;
use lensflow::synthetic::{self, Generator, Synthetic};
use lensflow::text::{counted, grouped};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows to make.
#[derive(Debug, Clone)]
pub(crate) struct Generate {
    pub(crate) synthetic: Synthetic,
    pub(crate) rows: Rows,
    pub(crate) out: PathBuf,
    pub(crate) format: Option<Format>,
    /// Threads; none is one per core.
    pub(crate) workers: Option<usize>,
}

impl Job for Generate {
    fn check(&self) -> Result<Inputs> {
        TableWriter::format_of(&self.out, self.format)?;
        in_a_folder(&self.out).map(|()| Inputs::default())
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        let generator = self.synthetic.generator()?;
        let (schema, chunks) = match self.rows {
            Rows::Periods => (synthetic::schema(), generator.chunks()),
            Rows::Transactions => (synthetic::transaction_schema(), generator.line_chunks()),
        };
        let mut table = TableWriter::create_with(&self.out, self.format, &schema, &host.signals.cancel)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.workers.unwrap_or(0)).build();
        let pool = pool.map_err(lensflow::memory::no_thread)?;
        let stream = Chunks { generator, rows: self.rows, chunks, next: AtomicU64::new(0) };
        let stats = Arc::new(Stats::default());
        table.watched_by(&stats, stream.about_how_many()?);
        host.watch(stats);
        pool.install(|| table.write_stream(&stream))?;
        let rows = table.rows();
        let mut output = table.finish()?;
        output.complete()?;
        host.signals.undisturbed(|| output.commit())?;
        if self.out != Path::new("-") {
            host.tell(&format!("{}: {}", self.out.display(), counted(rows, "row", "rows")));
        }
        Ok(())
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        page.made_up(&self.synthetic);
        Inputs::default()
    }

    fn summary(&self, _: Inputs) -> String {
        format!("{} made-up customers into {}", grouped(self.synthetic.customers), page::named(&self.out))
    }

    fn tell_outputs(&self, page: &mut Page) {
        let rows = match self.rows {
            Rows::Periods => "a row per customer and month",
            Rows::Transactions => "a row per line of an order",
        };
        page.say("report", "rows", format!("{}, {rows}", page::named(&self.out)));
    }
}

/// The chunks of a generator in order, made on any thread.
struct Chunks {
    generator: Generator,
    rows: Rows,
    chunks: u64,
    next: AtomicU64,
}

impl Chunks {
    /// The rows of all chunks, if they are as many in each as in the first.
    fn about_how_many(&self) -> Result<u64> {
        let mut rows = 0;
        if self.chunks > 0 {
            self.build(&0, &mut |batch| {
                rows += batch.num_rows() as u64;
                Ok(())
            })?;
        }
        Ok(rows.saturating_mul(self.chunks))
    }
}

impl RowStream for Chunks {
    type Part = u64;

    fn next_part(&self) -> Result<Option<u64>> {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        Ok((part < self.chunks).then_some(part))
    }

    fn parts_per_group(&self, _rows: usize) -> usize {
        match self.rows {
            Rows::Periods => 32,
            Rows::Transactions => 64,
        }
    }

    fn build(&self, part: &u64, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        sink(match self.rows {
            Rows::Periods => self.generator.record_batch(*part)?,
            Rows::Transactions => self.generator.line_batch(*part)?,
        })
    }
}
