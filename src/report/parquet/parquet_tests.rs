//! Tables of all types and shapes of values, through [`TableWriter`] and back through the parquet crate.

use crate::orders::schema as periods;
use crate::report::rfm_columns::RfmColumns;
use crate::report::rows::{line_reject_schema, migration_schema, reject_schema, rfm_schema};
use crate::report::table::{GROUP, TableWriter};
use crate::spec::Spec;
use crate::synthetic;
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt64Array,
};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, UInt16Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Random;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The kind of values in a column.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant,
    Runs,
    Few,
    /// More and more as the column goes on: a dictionary is begun and left.
    Growing,
    Many,
    Extreme,
}

const SHAPES: [Shape; 6] = [Shape::Constant, Shape::Runs, Shape::Few, Shape::Growing, Shape::Many, Shape::Extreme];

fn numbers(shape: Shape, rows: usize, random: &mut Random) -> Vec<i64> {
    let first = random.next_u64() as i64;
    let mut number = |row: usize| match shape {
        Shape::Constant => first,
        Shape::Runs => first.wrapping_add((row / (1 + random.next_u64() as usize % 40)) as i64),
        Shape::Few => (random.next_u64() % 5) as i64 - 2,
        Shape::Growing => (random.next_u64() % (1 + row as u64 * row as u64 / 1000)) as i64,
        Shape::Many => random.next_u64() as i64 >> (random.next_u64() % 64),
        Shape::Extreme => [i64::MIN, i64::MAX, 0, -1, 1][random.next_u64() as usize % 5],
    };
    (0..rows).map(&mut number).collect()
}

/// A text for a number: short, long, empty and not of ASCII, but for extremes with beginnings in common.
fn text(shape: Shape, number: i64) -> String {
    match shape {
        Shape::Extreme => {
            ["", "\0", "客户", "0123456789ab", "0123456789abc"][number.rem_euclid(5) as usize].repeat(1 + (number & 3) as usize)
        }
        // Long enough for pages to end before they have all the rows they may.
        _ if number % 3 == 0 => format!("customer-é客-{number:020}").repeat(1 + (number & 15) as usize),
        _ => format!("C-{number}"),
    }
}

fn column(data_type: &DataType, shape: Shape, rows: usize, random: &mut Random) -> ArrayRef {
    let numbers = numbers(shape, rows, random).into_iter();
    match data_type {
        DataType::Date32 => Arc::new(Date32Array::from_iter_values(numbers.map(|n| n as i32))),
        DataType::Int32 => Arc::new(Int32Array::from_iter_values(numbers.map(|n| n as i32))),
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(numbers)),
        DataType::UInt8 => Arc::new(UInt8Array::from_iter_values(numbers.map(|n| n as u8))),
        DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from_iter_values(numbers)),
        DataType::UInt64 => Arc::new(UInt64Array::from_iter_values(numbers.map(|n| n as u64))),
        DataType::Decimal128(precision, scale) => {
            let wide = |n| if *precision == 38 { i128::from(n) << 60 } else { i128::from(n) };
            Arc::new(Decimal128Array::from_iter_values(numbers.map(wide)).with_precision_and_scale(*precision, *scale).unwrap())
        }
        _ => Arc::new(StringViewArray::from_iter_values(numbers.map(|n| text(shape, n)))),
    }
}

/// Values as keys of a dictionary, which has them in another order and one of them twice.
fn known(array: &ArrayRef) -> ArrayRef {
    let key = Box::new(DataType::UInt16);
    let known = cast(array, &DataType::Dictionary(key, Box::new(array.data_type().clone()))).unwrap();
    let known = known.as_dictionary::<UInt16Type>();
    let last = known.values().len() as u16 - 1;
    let keys: UInt16Array = known.keys().values().iter().map(|key| Some(last - key)).collect();
    let values = take(known.values(), &UInt16Array::from_iter_values((0..=last).rev().chain([0])), None).unwrap();
    Arc::new(DictionaryArray::new(keys, values))
}

fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
    let fields = (0..).zip(&columns).map(|(at, c): (usize, _)| Field::new(at.to_string(), c.data_type().clone(), false));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

/// Writes a table in batches of so many rows; its bytes.
fn written(folder: &Path, name: &str, schema: &SchemaRef, batch: &RecordBatch, rows: usize) -> Vec<u8> {
    let path = folder.join(name);
    let mut table = TableWriter::create(&path, None, schema).unwrap();
    let parts = (0..batch.num_rows()).step_by(rows).map(|at| batch.slice(at, rows.min(batch.num_rows() - at)));
    parts.for_each(|part| table.write(&part).unwrap());
    table.finish().unwrap().commit().unwrap();
    fs::read(path).unwrap()
}

fn read(bytes: Vec<u8>) -> (RecordBatch, Vec<i64>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    // The file says plain texts, which every reader knows; here they are views.
    let viewed = |field: &arrow::datatypes::FieldRef| {
        assert_ne!(*field.data_type(), DataType::Utf8View);
        let text = *field.data_type() == DataType::Utf8;
        if text { Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)) } else { field.clone() }
    };
    let schema = Arc::new(Schema::new(reader.schema().fields().iter().map(viewed).collect::<Vec<_>>()));
    let cast_all = |batch: RecordBatch| {
        let columns = batch.columns().iter().zip(schema.fields()).map(|(array, field)| cast(array, field.data_type()).unwrap());
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    };
    let batches: Vec<_> = reader.build().unwrap().map(|batch| cast_all(batch.unwrap())).collect();
    (concat_batches(&schema, &batches).unwrap(), groups)
}

/// A column with nulls: at none, few, most or all rows, here and there or in runs.
fn with_nulls(array: &ArrayRef, random: &mut Random) -> ArrayRef {
    let (most, run) = ([0, 10, 90, 100][random.next_u64() as usize % 4], [1, 5, 20_000][random.next_u64() as usize % 3]);
    let mut last = (usize::MAX, false);
    let rows = (0..array.len() as u64).map(|row| {
        if last.0 != row as usize / run {
            last = (row as usize / run, random.next_u64() % 100 < most);
        }
        (!last.1).then_some(row)
    });
    take(array, &UInt64Array::from_iter(rows), None).unwrap()
}

const TYPES: [DataType; 9] = [
    DataType::Date32,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt64,
    DataType::UInt8,
    DataType::Timestamp(TimeUnit::Microsecond, None),
    DataType::Decimal128(18, 2),
    DataType::Decimal128(38, 6),
    DataType::Utf8View,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read(
        seed in any::<u64>(),
        rows in prop_oneof![1..20_usize, 120..140_usize, 16_380..16_390_usize, 30_000..40_000_usize],
        size in 1..9_000_usize,
    ) {
        let mut random = Random::seed_from_u64(seed);
        let shape = |random: &mut Random| SHAPES[random.next_u64() as usize % SHAPES.len()];
        let columns = TYPES.iter().map(|data_type| {
            let shape = shape(&mut random);
            column(data_type, shape, rows, &mut random)
        });
        let plain = batch(columns.collect());
        let folder = tempfile::tempdir().unwrap();
        let schema = plain.schema();
        let bytes = written(folder.path(), "plain.parquet", &schema, &plain, size.max(rows / 50));
        prop_assert!(bytes == written(folder.path(), "whole.parquet", &schema, &plain, rows));
        prop_assert_eq!(&read(bytes.clone()).0, &plain);
    }

    #[test]
    fn nulls_are_written_and_read(
        seed in any::<u64>(),
        rows in prop_oneof![1..20_usize, 120..140_usize, 16_380..16_390_usize, 40_000..70_000_usize],
        size in 1..9_000_usize,
    ) {
        let mut random = Random::seed_from_u64(seed);
        let columns: Vec<_> = TYPES.iter().map(|data_type| {
            let shape = SHAPES[random.next_u64() as usize % SHAPES.len()];
            let plain = column(data_type, shape, rows, &mut random);
            with_nulls(&plain, &mut random)
        }).collect();
        let fields = (0..).zip(&columns).map(|(at, c): (usize, _)| Field::new(at.to_string(), c.data_type().clone(), true));
        let plain = RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let schema = plain.schema();
        let bytes = written(folder.path(), "plain.parquet", &schema, &plain, size.max(rows / 50));
        prop_assert!(bytes == written(folder.path(), "whole.parquet", &schema, &plain, rows));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes.clone())).unwrap();
        for (column, array) in reader.metadata().row_group(0).columns().iter().zip(plain.columns()) {
            prop_assert_eq!(column.statistics().unwrap().null_count_opt(), Some(array.null_count() as u64));
        }
        prop_assert_eq!(&read(bytes).0, &plain);
    }

    #[test]
    fn dictionaries_are_written_as_their_values(seed in any::<u64>(), rows in 1..3_000_usize, size in 1..3_000_usize) {
        let mut random = Random::seed_from_u64(seed);
        let shape = |random: &mut Random| SHAPES[random.next_u64() as usize % SHAPES.len()];
        let plain = batch(TYPES.iter().map(|data_type| {
            let shape = shape(&mut random);
            column(data_type, shape, rows, &mut random)
        }).collect());
        let others = batch(plain.columns().iter().map(known).collect());
        let folder = tempfile::tempdir().unwrap();
        let schema = plain.schema();
        for name in ["t.parquet", "t.csv", "t.jsonl"] {
            // Not all dates and times have a text.
            let is_any = |data_type: &DataType| name == "t.parquet" || !data_type.is_temporal();
            let columns: Vec<usize> = (0..TYPES.len()).filter(|&at| is_any(&TYPES[at])).collect();
            let [plain, others] = [&plain, &others].map(|batch| batch.project(&columns).unwrap());
            let expected = written(folder.path(), name, &plain.schema(), &plain, size);
            prop_assert!(expected == written(folder.path(), name, &plain.schema(), &others, size), "{name}");
        }
        let bytes = std::io::Cursor::new(written(folder.path(), "t.arrow", &schema, &others, size));
        let batches = arrow::ipc::reader::FileReader::try_new(bytes, None).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(concat_batches(&schema, &batches).unwrap(), plain);
    }
}

#[test]
fn row_groups_are_full_but_for_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::seed_from_u64(1);
    let rows = GROUP + 1;
    let columns = [(DataType::Utf8View, Shape::Many), (DataType::Int64, Shape::Constant), (DataType::Decimal128(18, 2), Shape::Growing)];
    let plain = batch(columns.iter().map(|(data_type, shape)| column(data_type, *shape, rows, &mut random)).collect());
    let bytes = written(folder.path(), "t.parquet", &plain.schema(), &plain, 100_000);
    let (back, groups) = read(bytes.clone());
    assert_eq!(groups, [GROUP as i64, 1]);
    assert_eq!(back, plain);

    // Row groups encoded apart are the same ones.
    let path = folder.path().join("apart.parquet");
    let mut table = TableWriter::create(&path, None, &plain.schema()).unwrap();
    let groups = table.parquet().unwrap().clone();
    let last = groups.encode_group(|sink| sink(plain.slice(GROUP, 1))).unwrap();
    let parts = [plain.slice(0, 1000), plain.slice(1000, GROUP - 1000)];
    table.append(groups.encode_group(|sink| parts.into_iter().try_for_each(sink)).unwrap()).unwrap();
    table.append(groups.encode_group(|_| Ok(())).unwrap()).unwrap();
    table.append(last).unwrap();
    table.finish().unwrap().commit().unwrap();
    assert!(bytes == fs::read(path).unwrap());
}

/// The longer ids are, the fewer rows are in a group, in whatever batches they come.
#[test]
fn long_ids_make_small_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::seed_from_u64(1);
    let plain = batch(vec![column(&DataType::Int64, Shape::Many, GROUP, &mut random)]);
    for (id_bytes, rows) in [(0, GROUP), (32, GROUP / 2), (900, 8_192), (u64::MAX, 8_192)] {
        for size in [1_000, 100_000] {
            let path = folder.path().join("t.parquet");
            let mut table = TableWriter::create(&path, None, &plain.schema()).unwrap();
            table.fit_groups(id_bytes);
            (0..GROUP).step_by(size).for_each(|at| table.write(&plain.slice(at, size.min(GROUP - at))).unwrap());
            table.finish().unwrap().commit().unwrap();
            let (back, groups) = read(fs::read(path).unwrap());
            assert_eq!(back, plain);
            assert_eq!(groups, vec![rows as i64; GROUP / rows], "{id_bytes}");
        }
    }
}

#[test]
fn a_constant_costs_nothing_and_its_bounds_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let constant: ArrayRef = Arc::new(Int64Array::from(vec![-7; 200_000]));
    let plain = batch(vec![constant.clone(), cast(&constant, &DataType::Utf8View).unwrap()]);
    let bytes = written(folder.path(), "t.parquet", &plain.schema(), &plain, 8192);
    assert!(bytes.len() < 3_000, "{}", bytes.len());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    for (column, bound) in reader.metadata().row_group(0).columns().iter().zip([(-7_i64).to_le_bytes().to_vec(), b"-7".to_vec()]) {
        let statistics = column.statistics().unwrap();
        assert_eq!(statistics.min_bytes_opt(), Some(&bound[..]));
        assert_eq!(statistics.max_bytes_opt(), Some(&bound[..]));
        assert_eq!(statistics.null_count_opt(), Some(0));
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("0", DataType::Decimal128(18, 2), false)]));
    let mut table = TableWriter::create(&folder.path().join("t.parquet"), None, &schema).unwrap();
    let decimal =
        |values: Vec<Option<i128>>| -> ArrayRef { Arc::new(Decimal128Array::from(values).with_precision_and_scale(18, 2).unwrap()) };
    for values in [vec![Some(1), None], vec![Some(1 << 64)]] {
        let array = decimal(values);
        let field = Field::new("0", array.data_type().clone(), true);
        assert!(table.write(&RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap()).is_err());
    }
}

#[test]
fn types_that_are_not_encoded_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for data_type in [DataType::Float64, DataType::Decimal128(9, 2), DataType::new_list(DataType::Int64, false)] {
        let schema = Arc::new(Schema::new(vec![Field::new("amount", data_type, false)]));
        let error = TableWriter::create(&folder.path().join("t.parquet"), None, &schema).map(drop).unwrap_err();
        assert!(error.to_string().contains("column amount"), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// All tables of the program have columns that are encoded, also when they are empty.
#[test]
fn the_tables_of_the_program_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let lifetimes: RfmColumns = "lifetimes".parse().unwrap();
    let ours = [rfm_schema(), lifetimes.schema(&Spec::default()), migration_schema(), reject_schema(), line_reject_schema()];
    let made_up = [synthetic::schema(), synthetic::transaction_schema()];
    for schema in ours.into_iter().chain(made_up).chain([true, false].map(periods)) {
        let bytes = written(folder.path(), "t.parquet", &schema, &RecordBatch::new_empty(schema.clone()), 1);
        let (back, groups) = read(bytes);
        assert!(groups.is_empty());
        assert_eq!(back.schema().fields().len(), schema.fields().len());
    }
}
