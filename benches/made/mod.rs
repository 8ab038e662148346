//! Made-up rows for the benchmarks.

use lensflow::report::table::TableWriter;
use lensflow::synthetic;
use lensflow::synthetic::Synthetic;
use std::path::Path;

/// Writes the rows to a file, in the format that its name says.
pub(crate) fn write(input: &Synthetic, path: &Path) -> lensflow::Result<()> {
    let generator = input.generator()?;
    let mut table = TableWriter::create(path, None, &synthetic::schema())?;
    for chunk in 0..generator.chunks() {
        table.write(&generator.record_batch(chunk)?)?;
    }
    table.finish()?.commit()
}
