//! The formats that rows are written in.

use super::Table;
use arrow::array::RecordBatch;
use std::io::Write;

/// A way to write the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Csv,
    JsonNumbers,
    JsonTexts,
    Parquet,
    ArrowFile,
    ArrowStream,
    CsvGzip,
    CsvZstd,
}

impl Encoding {
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Encoding::Csv => "periods.csv",
            Encoding::JsonNumbers => "periods_numbers.jsonl",
            Encoding::JsonTexts => "periods_texts.jsonl",
            Encoding::Parquet => "periods.parquet",
            Encoding::ArrowFile => "periods.arrow",
            Encoding::ArrowStream => "periods.arrows",
            Encoding::CsvGzip => "periods.csv.gz",
            Encoding::CsvZstd => "periods.csv.zst",
        }
    }

    pub(crate) fn encode(self, table: &Table) -> Vec<u8> {
        match self {
            Encoding::Csv => table.to_csv().into_bytes(),
            Encoding::JsonNumbers => table.to_jsonl(true).into_bytes(),
            Encoding::JsonTexts => table.to_jsonl(false).into_bytes(),
            Encoding::CsvGzip => gzip(table.to_csv().as_bytes()),
            Encoding::CsvZstd => zstd::encode_all(table.to_csv().as_bytes(), 1).unwrap(),
            Encoding::Parquet | Encoding::ArrowFile | Encoding::ArrowStream => self.encode_batch(&table.batch()),
        }
    }

    /// Several row groups or batches, so that threads share them.
    pub(crate) fn encode_batch(self, batch: &RecordBatch) -> Vec<u8> {
        const ROWS: usize = 1_000;
        let pieces = (0..batch.num_rows()).step_by(ROWS).map(|at| batch.slice(at, ROWS.min(batch.num_rows() - at)));
        let (schema, mut bytes) = (batch.schema(), Vec::new());
        match self {
            Encoding::Parquet => {
                let properties = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(ROWS)).build();
                let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
                writer.write(batch).unwrap();
                writer.close().unwrap();
            }
            Encoding::ArrowFile => {
                let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &schema).unwrap();
                pieces.for_each(|piece| writer.write(&piece).unwrap());
                writer.finish().unwrap();
            }
            Encoding::ArrowStream => {
                let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &schema).unwrap();
                pieces.for_each(|piece| writer.write(&piece).unwrap());
                writer.finish().unwrap();
            }
            other => panic!("{other:?} does not hold Arrow batches"),
        }
        bytes
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
