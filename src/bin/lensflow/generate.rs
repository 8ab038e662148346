//! The job of `lensflow generate`.

use crate::args::{Generate, RowsArg};
use crate::signals::Job;
use arrow::array::RecordBatch;
use lensflow::error::Error;
use lensflow::report::table::{RowStream, TableWriter};
use lensflow::spec::validate_workers;
use lensflow::synthetic::Generator;
use lensflow::{Result, synthetic};
use std::sync::atomic::{AtomicU64, Ordering};

/// Does it.
pub(crate) fn run(args: &Generate, job: &Job) -> Result<()> {
    let generator = args.synthetic()?.generator()?;
    let (schema, chunks) = match args.rows {
        RowsArg::Periods => (synthetic::schema(), generator.chunks()),
        RowsArg::Transactions => (synthetic::transaction_schema(), generator.line_chunks()),
    };
    let mut table = TableWriter::create_with(&args.output, args.format()?, &schema, &job.cancel)?;
    args.workers.map_or(Ok(()), validate_workers)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.workers.unwrap_or(0)).build();
    let pool = pool.map_err(|e| Error::internal("cannot start threads").cause(e))?;
    pool.install(|| table.write_stream(&Chunks { generator, rows: args.rows, chunks, next: AtomicU64::new(0) }))?;
    let mut output = table.finish()?;
    output.complete()?;
    job.undisturbed(|| output.commit())
}

/// The chunks of a generator in order, made on any thread.
struct Chunks {
    generator: Generator,
    rows: RowsArg,
    chunks: u64,
    next: AtomicU64,
}

impl RowStream for Chunks {
    type Part = u64;

    fn next_part(&self) -> Result<Option<u64>> {
        let part = self.next.fetch_add(1, Ordering::Relaxed);
        Ok((part < self.chunks).then_some(part))
    }

    fn parts_per_group(&self, _rows: usize) -> usize {
        match self.rows {
            RowsArg::Periods => 32,
            RowsArg::Transactions => 64,
        }
    }

    fn build(&self, part: &u64, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        sink(match self.rows {
            RowsArg::Periods => self.generator.record_batch(*part)?,
            RowsArg::Transactions => self.generator.line_batch(*part)?,
        })
    }
}
