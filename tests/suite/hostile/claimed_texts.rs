//! Bytes that a file calls text and that are none, where the reader of Parquet takes its word for it.

use super::*;
use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::{SchemaDescriptor, Type};
use std::sync::Arc;

fn batch(ids: [&[u8]; 2]) -> RecordBatch {
    let text = |value: &str| Arc::new(StringArray::from(vec![value; 2])) as ArrayRef;
    RecordBatch::try_from_iter([
        ("customer_id", Arc::new(BinaryArray::from(ids.to_vec())) as ArrayRef),
        ("period_start", text("2023-01-01")),
        ("period_end", text("2023-02-01")),
        ("total_orders", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("total_spend", text("5")),
    ])
    .unwrap()
}

/// A file whose ids are bytes, and that says they have this Arrow type.
fn claiming(ids: [&[u8]; 2], claimed: DataType) -> Vec<u8> {
    let batch = batch(ids);
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| match field.name().as_str() {
        "customer_id" => Arc::new(Field::new("customer_id", claimed.clone(), false)),
        _ => field.clone(),
    });
    let claim = parquet::arrow::encode_arrow_schema(&Schema::new(fields.collect::<Vec<_>>()));
    let claims = vec![KeyValue::new("ARROW:schema".to_owned(), claim)];
    let properties = WriterProperties::builder().set_key_value_metadata(Some(claims)).build();
    written(&batch, ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true))
}

/// A file whose ids are JSON, it says.
fn json(ids: [&[u8]; 2]) -> Vec<u8> {
    let column = |name: &str, physical: Physical, logical: Option<LogicalType>| {
        let column = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        Arc::new(column.with_logical_type(logical).build().unwrap())
    };
    let columns = vec![
        column("customer_id", Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        column("period_start", Physical::BYTE_ARRAY, Some(LogicalType::String)),
        column("period_end", Physical::BYTE_ARRAY, Some(LogicalType::String)),
        column("total_orders", Physical::INT64, None),
        column("total_spend", Physical::BYTE_ARRAY, Some(LogicalType::String)),
    ];
    let schema = Type::group_type_builder("rows").with_fields(columns).build().unwrap();
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    written(&batch(ids), options.with_parquet_schema(SchemaDescriptor::new(Arc::new(schema))))
}

fn written(batch: &RecordBatch, options: ArrowWriterOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn bytes_are_text_only_where_they_are_utf8() {
    let folder = tempfile::tempdir().unwrap();
    let good: [&[u8]; 2] = [b"\"ana\"", "\"a longer id, with an \u{fc} in it\"".as_bytes()];
    let bad: [[&[u8]; 2]; 2] = [[b"\"ana\"", b"\xff\xfe"], [b"\"ana\"", b"a longer id that is cut in a letter: \xc3"]];
    let (answer_of, mut answers) = (|bytes: &[u8]| answer(folder.path(), "rows.parquet", bytes), Vec::new());
    for claimed in [DataType::Utf8View, DataType::Utf8, DataType::LargeUtf8, DataType::Binary] {
        answers.push(answer_of(&claiming(good, claimed.clone())).unwrap());
        for bad in bad {
            let error = answer_of(&claiming(bad, claimed.clone())).unwrap_err().to_string();
            assert!(error.to_lowercase().contains("utf"), "{claimed}: {error}");
        }
    }
    // The reader of Parquet makes no dictionary of such bytes.
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    assert!(answer_of(&claiming(bad[0], dictionary)).is_err());
    answers.push(answer_of(&json(good)).unwrap());
    assert!(answers.iter().all(|found| found == &answers[0]));
    for bad in bad {
        let error = answer_of(&json(bad)).unwrap_err().to_string();
        assert!(error.to_lowercase().contains("utf"), "{error}");
    }
}
