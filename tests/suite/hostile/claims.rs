//! Inputs that claim more than they have: memory is not taken for what is not there.

use super::*;

#[test]
#[cfg(target_os = "linux")]
fn small_files_take_little_memory_whatever_they_claim() {
    let folder = tempfile::tempdir().unwrap();
    let nested = format!("{{\"customer_id\":\"a\",\"x\":{}1{}}}\n", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let header = "customer_id,period_start,period_end,total_orders,total_spend";
    let wide = format!("{header}{}\na,2023-01-01,2023-02-01,1,5\n", ",".repeat(2_000_000));
    for (name, text) in [("nested.jsonl", nested), ("wide.csv.gz", wide)] {
        let bytes = if name.ends_with("gz") { crate::make::gzip(text.as_bytes()) } else { text.into_bytes() };
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    for (name, code, wanted) in [
        ("bomb_one_id_1500MiB.arrows", 1, "claim to unpack to 1,501 MiB"),
        ("bomb_one_id_1500MiB.parquet", 1, "claim to unpack to 1,501 MiB"),
        ("bomb_unread_column_1500MiB.arrows", 0, "1 row read"),
        ("ipc_buffer_claims_8EiB.arrows", 1, "claim to unpack"),
        ("parquet_schema_5000_deep.parquet", 1, "nested deeper than 64 levels"),
        ("nested.jsonl", 1, "columns are neither"),
        ("wide.csv.gz", 1, "more than 65,536 columns"),
    ] {
        let kept = data(name);
        let path = if kept.exists() { kept } else { folder.path().join(name) };
        assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
        let arguments = ["audit", path.to_str().unwrap(), "--every", "month", "--memory-limit", "64MiB", "--workers", "2"];
        let ran = within(1 << 20, folder.path(), &arguments).expect(code);
        let said = format!("{}{}", ran.out(), ran.stderr);
        assert!(said.contains(wanted), "{name}: {said}");
        let peak = within(1 << 21, folder.path(), &[&arguments[..], &["-v"]].concat()).expect(code).stderr;
        if let Some((_, peak)) = peak.split_once("peak_rss=") {
            let bytes: u64 = peak.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
            assert!(bytes < 256 << 20, "{name}: {bytes}");
        }
    }
}

#[test]
fn rows_that_are_claimed_and_not_there_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (name, wanted) in [
        ("parquet_says_1000000_rows_has_none.parquet", "it claims 1000000 rows, and its row groups have 0"),
        ("ipc_stream_one_bit_drops_100_rows.arrows", "a message is neither rows nor a dictionary"),
        ("two_stray_quotes.csv", "quote"),
    ] {
        let error = answer(folder.path(), name, &fs::read(data(name)).unwrap()).unwrap_err();
        assert!(error.to_string().contains(wanted), "{name}: {error}");
    }
    // A bit of a page: its checksum is wrong.
    let mut bytes = fs::read(data("parquet_crc.parquet")).unwrap();
    answer(folder.path(), "whole.parquet", &bytes).unwrap();
    bytes[74] ^= 4;
    let error = answer(folder.path(), "bit.parquet", &bytes).unwrap_err();
    assert!(error.to_string().contains("CRC checksum"), "{error}");
}

#[test]
fn long_ids_are_refused_where_nothing_allows_them() {
    let folder = tempfile::tempdir().unwrap();
    let header = "customer_id,period_start,period_end,total_orders,total_spend";
    let text = format!("{header}\nana,2023-01-01,2023-02-01,1,5\n{},2023-01-01,2023-02-01,1,5\n", "x".repeat((1 << 20) + 1));
    fs::write(folder.path().join("long.csv"), text).unwrap();
    let arguments = ["audit", "long.csv", "--every", "month", "--rfm-out", "rfm.csv"];
    let refused = lensflow(folder.path(), &arguments).expect(1).stderr;
    assert!(
        refused.contains("long.csv: row 2 (line 3): customer_id has 1,025 KiB, and the longest id that is read has 1,024 KiB"),
        "{refused}"
    );
    assert!(refused.contains("--max-field 16MiB") && refused.len() < 1_000, "{refused}");
    lensflow(folder.path(), &[&arguments[..], &["--max-field", "2MiB"]].concat()).expect(0);
    assert!(fs::metadata(folder.path().join("rfm.csv")).unwrap().len() > 1 << 20);
}

/// Of one long id that many rows have, a dictionary holds one.
#[test]
#[cfg(target_os = "linux")]
fn a_long_id_of_many_rows_takes_little_memory() {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::basic::{Compression, ZstdLevel};
    use std::sync::Arc;
    const ROWS: usize = 600;
    let folder = tempfile::tempdir().unwrap();
    let id = "z".repeat(1_000_000);
    let text = |value: &str| Arc::new(StringArray::from(vec![value; 100])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("customer_id", text(&id)),
        ("period_start", text("2023-01-01")),
        ("period_end", text("2023-02-01")),
        ("total_orders", Arc::new(Int64Array::from(vec![1; 100])) as ArrayRef),
        ("total_spend", text("5")),
    ])
    .unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(4 << 20)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .build();
    let file = fs::File::create(folder.path().join("rows.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    (0..ROWS / 100).for_each(|_| writer.write(&batch).unwrap());
    writer.close().unwrap();
    assert!(fs::metadata(folder.path().join("rows.parquet")).unwrap().len() < 50_000);
    let arguments = ["audit", "rows.parquet", "--every", "month", "--memory-limit", "64MiB", "--workers", "2", "-v"];
    let said = within(4 << 20, folder.path(), &arguments).expect(0).stderr;
    let (_, peak) = said.split_once("peak_rss=").unwrap();
    let bytes: u64 = peak.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    assert!(bytes < 256 << 20, "{bytes}");
}

#[test]
fn long_ids_are_written_as_short_ones_are() {
    let folder = tempfile::tempdir().unwrap();
    let id = |at: usize| format!("{at:05},{}", "y".repeat(5_000));
    let rows = (0..300).map(|at| format!("\"{}\",2023-01-01,2023-02-01,1,{at}\n", id(at))).collect::<String>();
    fs::write(folder.path().join("in.csv"), format!("customer_id,period_start,period_end,total_orders,total_spend\n{rows}")).unwrap();
    for workers in ["1", "2"] {
        let arguments = ["audit", "in.csv", "--every", "month", "--rfm-out", "rfm.csv", "--workers", workers];
        lensflow(folder.path(), &arguments).expect(0);
        let mut reader = csv::Reader::from_path(folder.path().join("rfm.csv")).unwrap();
        let at = reader.headers().unwrap().iter().position(|name| name == "customer_id").unwrap();
        let mut ids: Vec<String> = reader.records().map(|record| record.unwrap()[at].to_owned()).collect();
        ids.sort();
        assert_eq!(ids, (0..300).map(id).collect::<Vec<_>>());
    }
}
