//! Texts of Parquet that are written as differences: all are read, and a page that claims more of them than it has is refused.

use super::*;
use crate::make::*;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding as Written, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

fn written(table: &Table, encoding: Written, version: WriterVersion, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_encoding(encoding).set_writer_version(version);
    let properties = properties.set_compression(compression).set_data_page_row_count_limit(300).build();
    let (batch, mut bytes) = (table.text_batch(true), Vec::new());
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn texts_as_differences_are_read_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    for rows in [3, 33, 129, 200, 1_000] {
        let rows: Vec<String> =
            good_rows(rows).into_iter().enumerate().map(|(at, row)| if at % 5 == 0 { cut(&row) } else { row }).collect();
        let table = Table::parse(&csv_of(&rows));
        let plain = answer(folder.path(), "rows.parquet", &written(&table, Written::PLAIN, one, Compression::UNCOMPRESSED)).unwrap();
        for encoding in [Written::DELTA_BYTE_ARRAY, Written::DELTA_LENGTH_BYTE_ARRAY] {
            for (version, compression) in [(one, Compression::UNCOMPRESSED), (two, Compression::ZSTD(ZstdLevel::default()))] {
                let bytes = written(&table, encoding, version, compression);
                assert_eq!(answer(folder.path(), "rows.parquet", &bytes).unwrap(), plain, "{encoding}, {} rows", rows.len());
            }
        }
    }
    for encoding in [Written::DELTA_BYTE_ARRAY, Written::DELTA_LENGTH_BYTE_ARRAY] {
        let bytes = written(&Table::parse(&csv_of(&good_rows(200))), encoding, one, Compression::UNCOMPRESSED);
        // Blocks of 128 numbers in 4 parts, and 200 numbers.
        let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0x80, 1, 4, 0xc8, 1])).collect();
        assert!(places.len() > 3, "{places:?}");
        for at in places {
            let mut more = bytes.clone();
            more[at + 3..at + 5].copy_from_slice(&[0xff, 0x7f]);
            let error = answer(folder.path(), "rows.parquet", &more).unwrap_err().to_string();
            assert!(error.contains("a page of 200 values claims to have more"), "{encoding}: {error}");
        }
    }
}

/// A row without its last field.
fn cut(row: &str) -> String {
    row[..=row.rfind(',').unwrap()].to_owned()
}
