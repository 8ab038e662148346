//! Parquet as other programs write it: text as bytes, UUIDs, the old 96-bit times, Brotli.

use super::*;
use parquet::basic::{BrotliLevel, Compression};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

const SCHEMA: &str = "message orders {
    required binary order_id;
    required fixed_len_byte_array(16) customer_id (UUID);
    required int96 event_ts;
    required double line_total;
}";

/// A day as Julian day, without a time of day.
fn julian(year: i32, month: u32, day: u32) -> Int96 {
    let days = chrono::NaiveDate::from_ymd_opt(year, month, day).unwrap().to_epoch_days();
    let mut time = Int96::new();
    time.set_data(0, 0, (days + 2_440_588) as u32);
    time
}

/// Two orders, the ids of the second as given.
fn write(path: &Path, order: &[u8]) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let compression = Compression::BROTLI(BrotliLevel::try_new(5).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut file = SerializedFileWriter::new(fs::File::create(path).unwrap(), schema, properties).unwrap();
    let mut rows = file.next_row_group().unwrap();
    let uuid = |last: u8| FixedLenByteArray::from([vec![0xab; 15], vec![last]].concat());
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from("1"), ByteArray::from(order.to_vec())], None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<FixedLenByteArrayType>().write_batch(&[uuid(1), uuid(2)], None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    // Nanoseconds of 64 bits end in 2262.
    column.typed::<Int96Type>().write_batch(&[julian(2023, 1, 5), julian(2500, 2, 5)], None, None).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[10.0, 5.5], None, None).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    file.close().unwrap();
}

#[test]
fn types_that_say_the_same_are_read() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("o.parquet"), b"2");
    let line = ["audit", "o.parquet", "--from", "transactions", "--every", "year", "--report", "r.json", "--rfm-out", "rfm.csv"];
    Lensflow::new(folder.path(), &line).run().expect(0);
    let rows = fs::read_to_string(folder.path().join("rfm.csv")).unwrap();
    assert!(rows.contains("2023,abababab-abab-abab-abab-ababababab01,"), "{rows}");
    assert!(rows.contains("2500,abababab-abab-abab-abab-ababababab02,"), "{rows}");
    assert!(rows.contains("10.00") && rows.contains("5.50"), "{rows}");
}

#[test]
fn bytes_that_are_no_text_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("o.parquet"), b"\xff\xfe");
    let ran = Lensflow::new(folder.path(), &["audit", "o.parquet", "--from", "transactions", "--every", "year"]).run().expect(1);
    assert!(ran.stderr.contains("o.parquet") && ran.stderr.to_lowercase().contains("utf-8"), "{}", ran.stderr);
}
