//! What tasks send: rows of a key and bytes, as Arrow batches.

use datafusion::arrow::array::{Array, BinaryArray, BinaryBuilder, Int32Array, Int32Builder, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result};
use std::sync::{Arc, LazyLock};

/// A batch is sent when it has so many bytes.
const ENOUGH: usize = 1 << 20;

static SCHEMA: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("key", DataType::Int32, false), Field::new("bytes", DataType::Binary, false)])));

/// The columns of all rows.
pub fn schema() -> SchemaRef {
    SCHEMA.clone()
}

/// Rows on their way into batches.
#[derive(Default)]
pub struct Packer {
    keys: Int32Builder,
    bytes: BinaryBuilder,
    size: usize,
}

impl Packer {
    /// Adds a row; gives a batch when there is enough for one.
    pub fn push(&mut self, key: u32, bytes: &[u8]) -> Result<Option<RecordBatch>> {
        let key = i32::try_from(key).map_err(|e| DataFusionError::External(e.into()))?;
        self.keys.append_value(key);
        self.bytes.append_value(bytes);
        self.size += bytes.len();
        if self.size < ENOUGH { Ok(None) } else { self.take().map(Some) }
    }

    /// The rows so far.
    pub fn take(&mut self) -> Result<RecordBatch> {
        self.size = 0;
        Ok(RecordBatch::try_new(schema(), vec![Arc::new(self.keys.finish()), Arc::new(self.bytes.finish())])?)
    }
}

/// The rows of a batch.
pub fn rows(batch: &RecordBatch) -> Result<Vec<(u32, Vec<u8>)>> {
    let wrong = || DataFusionError::Internal("a batch of rows has other columns".to_owned());
    let [keys, bytes] = batch.columns() else { return Err(wrong()) };
    let keys = keys.as_any().downcast_ref::<Int32Array>().ok_or_else(wrong)?;
    let bytes = bytes.as_any().downcast_ref::<BinaryArray>().ok_or_else(wrong)?;
    Ok((0..batch.num_rows()).map(|row| (keys.value(row) as u32, bytes.value(row).to_vec())).collect())
}
