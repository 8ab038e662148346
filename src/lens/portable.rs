//! Partials that travel between machines, as Arrow batches.
//!
//! A [`PortableLens`] is a [`Lens`] whose partial has such a form: columns that any reader of Arrow can look into. All lenses of this crate
//! are portable, and so are pairs of portable lenses.

use super::Lens;
use crate::base::error::{Error, Result};
use arrow::array::{Array, ArrayRef, Decimal128Array, RecordBatch};
use arrow::datatypes::DataType;
use std::collections::HashMap;
use std::sync::Arc;

/// A lens whose partial can be sent to another machine and merged there.
pub trait PortableLens: Lens {
    /// Appends the partial as Arrow batches: mergeable columns, not an opaque blob.
    ///
    /// # Errors
    /// When the batches cannot be built.
    fn encode(&self, partial: &Self::Partial, out: &mut Vec<RecordBatch>) -> Result<()>;

    /// Takes back what [`encode`](PortableLens::encode) appended.
    ///
    /// # Errors
    /// When the batches are not this lens's.
    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Self::Partial>;
}

impl PortableLens for () {
    fn encode(&self, (): &(), _: &mut Vec<RecordBatch>) -> Result<()> {
        Ok(())
    }

    fn decode(&self, _: &mut dyn Iterator<Item = RecordBatch>) -> Result<()> {
        Ok(())
    }
}

impl<A: PortableLens, B: PortableLens> PortableLens for (A, B) {
    fn encode(&self, partial: &Self::Partial, out: &mut Vec<RecordBatch>) -> Result<()> {
        self.0.encode(&partial.0, out)?;
        self.1.encode(&partial.1, out)
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Self::Partial> {
        Ok((self.0.decode(batches)?, self.1.decode(batches)?))
    }
}

impl<L: PortableLens> PortableLens for Option<L> {
    fn encode(&self, partial: &Self::Partial, out: &mut Vec<RecordBatch>) -> Result<()> {
        self.as_ref().zip(partial.as_ref()).map_or(Ok(()), |(lens, partial)| lens.encode(partial, out))
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<Self::Partial> {
        self.as_ref().map(|lens| lens.decode(batches)).transpose()
    }
}

impl<L: PortableLens> PortableLens for &L {
    fn encode(&self, partial: &L::Partial, out: &mut Vec<RecordBatch>) -> Result<()> {
        L::encode(self, partial, out)
    }

    fn decode(&self, batches: &mut dyn Iterator<Item = RecordBatch>) -> Result<L::Partial> {
        L::decode(self, batches)
    }
}

/// The batch of some columns.
pub(crate) fn batch<'a>(columns: impl IntoIterator<Item = (&'a str, ArrayRef)>) -> Result<RecordBatch> {
    RecordBatch::try_from_iter(columns).map_err(|e| Error::internal("a partial cannot be encoded").cause(e))
}

/// Of sums; their bytes hold more digits where the values are absurd.
pub(crate) const SUM: DataType = DataType::Decimal128(38, 0);

/// A column of sums.
pub(crate) fn sums(of: impl Iterator<Item = i128>) -> ArrayRef {
    Arc::new(Decimal128Array::from_iter_values(of).with_data_type(SUM))
}

/// The batch, unless a value is missing in it.
pub(crate) fn complete(batch: RecordBatch) -> Option<RecordBatch> {
    batch.columns().iter().all(|column| column.null_count() == 0).then_some(batch)
}

/// The key of a batch's metadata that says how many windows it is for: the last of them may have no customers.
const WINDOWS: &str = "windows";
/// No run has so many; foreign metadata must not decide how much memory is taken.
const TOO_MANY_WINDOWS: usize = 1 << 16;

/// The batch with the number of windows in its metadata.
pub(super) fn for_windows(batch: RecordBatch, windows: usize) -> Result<RecordBatch> {
    let metadata = HashMap::from([(WINDOWS.to_owned(), windows.to_string())]);
    let schema = batch.schema().as_ref().clone().with_metadata(metadata);
    batch.with_schema(Arc::new(schema)).map_err(|e| Error::internal("a partial cannot be encoded").cause(e))
}

/// The number of windows that a batch says it is for.
pub(super) fn windows_of(batch: &RecordBatch) -> Option<usize> {
    batch.schema().metadata().get(WINDOWS)?.parse().ok().filter(|n| *n < TOO_MANY_WINDOWS)
}

/// The error for batches that are no partial of a lens.
pub(crate) fn foreign(lens: &str) -> Error {
    Error::data(format!("these batches are not a partial of the {lens} lens"))
}
