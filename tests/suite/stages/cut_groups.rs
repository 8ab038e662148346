//! Row groups that are cut by rows, so that many threads have work.

use crate::support::{audit, without_sources};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use lensflow::model::{Granularity, Windows};
use lensflow::spec::Spec;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::path::Path;
use std::sync::Arc;

const ROWS: i64 = 300_000;
const DAY: i64 = 86_400_000_000;

/// A file of one row group, whose pages end at other rows in each column, with or without an index of them. The row at `reversed` ends before
/// it begins.
fn write(path: &Path, is_indexed: bool, reversed: Option<i64>) {
    let start = |row: i64| (19_000 + row % 300) * DAY;
    let end = |row: i64| if reversed == Some(row) { start(row) - DAY } else { start(row) + DAY };
    let ids = (0..ROWS).map(|row| if row % 3 < 2 { format!("customer {}", row * 7 % 90_001) } else { format!("c{}", row % 500) });
    let columns: [(&str, ArrayRef); 5] = [
        ("customer_id", Arc::new(StringArray::from_iter_values(ids))),
        ("period_start", Arc::new(TimestampMicrosecondArray::from_iter_values((0..ROWS).map(start)))),
        ("period_end", Arc::new(TimestampMicrosecondArray::from_iter_values((0..ROWS).map(end)))),
        ("total_orders", Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| 1 + row % 4)))),
        ("total_spend", Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| row * 13 % 999)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let statistics = if is_indexed { EnabledStatistics::Page } else { EnabledStatistics::None };
    let properties = WriterProperties::builder()
        .set_data_page_size_limit(60_000)
        .set_max_row_group_row_count(Some(ROWS as usize))
        .set_statistics_enabled(statistics)
        .set_offset_index_disabled(!is_indexed)
        .build();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn spec(workers: usize) -> Spec {
    Spec::default().with_windows(Windows::Every(Granularity::Month)).with_workers(workers)
}

#[test]
fn answers_are_the_same_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for is_indexed in [true, false] {
        let path = folder.path().join(format!("{is_indexed}.parquet"));
        write(&path, is_indexed, None);
        let path = [path.to_str().unwrap()];
        let whole = without_sources(&audit(&spec(1).with_batch_rows(100_000), &path).unwrap().report);
        assert!(whole.contains("\"rows_read\": 300000") || whole.contains("300000"), "{whole}");
        for (workers, batch) in [(2, 8_192), (5, 1_000), (16, 70_000)] {
            let report = audit(&spec(workers).with_batch_rows(batch), &path).unwrap().report;
            assert_eq!(without_sources(&report), whole, "{workers} workers");
        }
    }
}

/// A fault has the number of its row in the file, in whichever part it lies.
#[test]
fn rows_keep_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    for row in [0, 65_536, 150_001, ROWS - 1] {
        let path = folder.path().join("one.parquet");
        write(&path, true, Some(row));
        for workers in [1, 4] {
            let error = audit(&spec(workers), &[path.to_str().unwrap()]).unwrap_err().to_string();
            assert!(error.contains(&format!("row {}", row + 1)), "{error}");
        }
    }
}
