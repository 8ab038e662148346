//! An external sort of records: rows that are wanted sorted, and rejects. Records are bytes whose order is theirs; what does not fit the
//! budget leaves as sorted runs, and comes back merged.

pub(crate) mod merged;
pub(crate) mod sorter;

use self::merged::{FRAME, Records, Writer};
use crate::base::error::Result;
use crate::spill::store::{FrameRef, RunStore};
use std::sync::Arc;

/// Writes all records that are to be kept to a store, and gives their frames.
pub(crate) fn copy(records: &Arc<Records>, to: &dyn RunStore, keep: impl Fn(&[u8]) -> bool) -> Result<Vec<FrameRef>> {
    let (mut merged, mut writer) = (records.read(), Writer::new(to, FRAME));
    while let Some(record) = merged.next()? {
        keep(record).then(|| writer.put(record)).transpose()?;
    }
    Ok(writer.finish()?.frames)
}

/// Writes records that come in order to a store, and gives their frames.
pub(crate) fn write_sorted<R: AsRef<[u8]>>(to: &dyn RunStore, mut next: impl FnMut() -> Result<Option<R>>) -> Result<Vec<FrameRef>> {
    let mut writer = Writer::new(to, FRAME);
    while let Some(record) = next()? {
        writer.put(record.as_ref())?;
    }
    Ok(writer.finish()?.frames)
}
