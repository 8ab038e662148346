//! Arrow columns of any schema → batches of a kind of rows. Columns that are ours as they are keep their types; where some are made of
//! others, all become texts, and are read as those of a CSV.
//!
//! Columns in structs are found by dotted paths, `customer.id`, and taken out of them.

use super::arrow_columns::unfit;
use super::arrow_texts::Texts;
use super::arrow_types::unpacked;
use super::mapping::{Derive, Located, Plain, Scratch, Watch, Watched, placed};
use super::row_kind::{ArrowColumns, FieldRows, TextRowKind, TypedColumns};
use crate::base::error::{Error, Result};
use crate::model::note::Notes;
use crate::model::period_batch::Origin;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use std::sync::Arc;

/// A column of a schema, or one in a struct.
#[derive(Debug, Clone)]
struct Leaf {
    root: usize,
    /// The names from the root on.
    path: Vec<String>,
    field: Arc<Field>,
}

/// The columns of a kind of rows in a schema.
#[derive(Clone)]
pub(crate) struct ArrowRows<S: TextRowKind<N>, const N: usize> {
    /// The columns that are needed, in the order of the schema.
    leaves: Arc<[Leaf]>,
    /// Of these alone.
    schema: SchemaRef,
    read: Read<S, N>,
}

/// How the needed columns are read.
#[derive(Clone)]
enum Read<S: TextRowKind<N>, const N: usize> {
    /// And columns that are counted.
    Typed {
        columns: S::Typed,
        kind: S,
        watched: Watched,
    },
    Texts {
        kind: S,
        derive: Arc<Derive<N>>,
        origin: Arc<Origin>,
    },
}

impl<S: TextRowKind<N>, const N: usize> ArrowRows<S, N> {
    /// Finds every column in a schema.
    ///
    /// # Errors
    /// Those of [`TextRowKind::find`], and when a column has a type that cannot hold it.
    pub(super) fn resolve(kind: &S, schema: &Schema, origin: &Arc<Origin>) -> Result<Self> {
        let mut leaves = Vec::new();
        for (root, field) in schema.fields().iter().enumerate() {
            add_leaves(root, &[], field, &mut leaves);
        }
        let dotted: Vec<String> = leaves.iter().map(|leaf| leaf.path.join(".")).collect();
        let names: Vec<&str> = dotted.iter().map(String::as_str).collect();
        let located = kind.find(&names, origin)?;
        let needed = located.fields();
        let check = |column: usize, at: usize, joined: bool| {
            let data_type = unpacked(leaves[at].field.data_type());
            let is_time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64);
            let is_part = joined && (is_time || matches!(data_type, DataType::Time32(_) | DataType::Time64(_)));
            kind.accepts(column, data_type).or_else(|e| if is_part { Ok(()) } else { Err(e) }).map_err(|e| {
                let error = unfit(names[at], data_type, kind.wanted()[column].column, e.wanted, origin);
                match e.help {
                    Some(help) => error.help(help),
                    None => error,
                }
            })
        };
        let place = |at: usize| needed.partition_point(|known| *known < at);
        let read = match located {
            Located::Plain(Plain { at, watched }) => {
                at.iter().enumerate().try_for_each(|(column, at)| at.map_or(Ok(()), |at| check(column, at, false)))?;
                let columns = kind.typed(at.map(|at| at.map(place)), origin);
                Read::Typed { columns, kind: kind.clone(), watched: placed(watched, place) }
            }
            Located::Derived(derive) => {
                for column in 0..N {
                    derive.fields_of(column).try_for_each(|field| check(column, needed[field], derive.is_joined(column)))?;
                }
                Read::Texts { kind: kind.clone(), derive: Arc::new(derive), origin: origin.clone() }
            }
        };
        let leaves: Arc<[Leaf]> = needed.iter().map(|&at| leaves[at].clone()).collect();
        let schema = Arc::new(Schema::new(leaves.iter().map(|leaf| leaf.field.clone()).collect::<Fields>()));
        Ok(ArrowRows { leaves, schema, read })
    }

    /// The columns that are needed, out of their structs.
    fn needed(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.leaves.iter().map(|leaf| taken_out(batch.column(leaf.root), &leaf.path[1..])).collect::<Result<Vec<_>, _>>()?;
        let fields: Fields = self.schema.fields().iter().zip(&columns).map(|(field, column)| typed_as(field, column)).collect();
        let rows = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)
    }
}

/// A field of an array's own type, which may be null: readers may give another than the schema says.
fn typed_as(field: &Arc<Field>, column: &ArrayRef) -> Arc<Field> {
    Arc::new(Field::new(field.name(), column.data_type().clone(), true))
}

/// Adds a column, or those in it where it is a struct.
fn add_leaves(root: usize, above: &[String], field: &Arc<Field>, leaves: &mut Vec<Leaf>) {
    let path = [above, std::slice::from_ref(field.name())].concat();
    match field.data_type() {
        DataType::Struct(fields) => fields.iter().for_each(|field| add_leaves(root, &path, field, leaves)),
        _ => leaves.push(Leaf { root, path, field: field.clone() }),
    }
}

/// The column at a path in structs; null where a struct is.
fn taken_out(column: &ArrayRef, path: &[String]) -> Result<ArrayRef, ArrowError> {
    let Some((name, rest)) = path.split_first() else { return Ok(column.clone()) };
    let absent = || ArrowError::SchemaError(format!("there is no {name:?} in a struct"));
    let parent = column.as_struct_opt().ok_or_else(absent)?;
    let child = parent.column_by_name(name).ok_or_else(absent)?;
    let child = match parent.nulls().filter(|nulls| nulls.null_count() > 0) {
        Some(nulls) => {
            let is_null = BooleanBuffer::collect_bool(nulls.len(), |row| nulls.is_null(row));
            nullif(child, &BooleanArray::new(is_null, None))?
        }
        None => child.clone(),
    };
    taken_out(&child, rest)
}

/// Counts the values of columns that are watched.
fn watch(batch: &RecordBatch, watched: &Watched, notes: &Notes) -> Result<(), ArrowError> {
    for column in watched {
        let (one, mut counts) = (vec![column.clone()], Watch::default());
        let mut texts = Texts::new(batch.column(column.at), false, false)?;
        for row in 0..batch.num_rows() {
            texts.read(row)?;
            counts.see(&one, |_| texts.text());
        }
        counts.tell(&one, notes);
    }
    Ok(())
}

impl<S: TextRowKind<N>, const N: usize> ArrowColumns for ArrowRows<S, N> {
    type Batch = S::Batch;

    fn projection(&self) -> Vec<usize> {
        let mut roots: Vec<usize> = self.leaves.iter().map(|leaf| leaf.root).collect();
        roots.dedup();
        roots
    }

    fn paths(&self) -> Option<Vec<Vec<String>>> {
        let paths = || self.leaves.iter().map(|leaf| leaf.path.clone()).collect();
        self.leaves.iter().any(|leaf| leaf.path.len() > 1).then(paths)
    }

    fn projected(&self) -> Self {
        let roots = self.projection();
        let place = |leaf: &Leaf| Leaf { root: roots.partition_point(|root| *root < leaf.root), ..leaf.clone() };
        ArrowRows { leaves: self.leaves.iter().map(place).collect(), ..self.clone() }
    }

    fn batch(&self, batch: &RecordBatch, first_row: u64) -> Result<S::Batch> {
        let (kind, derive, origin) = match &self.read {
            Read::Typed { columns, kind, watched } => {
                let fail = |e: ArrowError| Error::data("a column cannot be taken out of the batch").cause(e);
                let needed = self.needed(batch).map_err(fail)?;
                watch(&needed, watched, &kind.notes()).map_err(fail)?;
                return columns.batch(&needed, first_row);
            }
            Read::Texts { kind, derive, origin } => (kind, derive, origin),
        };
        let fail = |e: ArrowError| Error::data("a column cannot be converted to text").cause(e).input(&origin.name);
        let needed = self.needed(batch).map_err(fail)?;
        let is_id = |field: usize| derive.column_of(field).is_some_and(|column| kind.ids().contains(&column));
        let has_comma = |field: usize| derive.column_of(field).is_some_and(|column| kind.has_decimal_comma(column));
        let texts = needed.columns().iter().enumerate().map(|(field, array)| Texts::new(array, is_id(field), has_comma(field)));
        let mut columns = texts.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        let mut rows = kind.rows(batch.num_rows());
        let mut scratch = Scratch::default();
        for row in 0..batch.num_rows() {
            columns.iter_mut().try_for_each(|column| column.read(row)).map_err(fail)?;
            let fields: Vec<Option<&str>> = columns.iter().map(Texts::text).collect();
            match derive.texts(&fields, &mut scratch, |time, out| kind.day(time, out)) {
                Some(texts) => rows.push(texts),
                None => rows.skip(),
            }
        }
        derive.tell(&mut scratch, &kind.notes());
        Ok(rows.take(origin, first_row, None))
    }
}
