//! Whether customers read from a run file are such as a state may hold: all that merging and finalizing rely on. Checksums tell accidents; this
//! tells what was made to look right.

use crate::base::time::{MAX_TIMESTAMP, MIN_TIMESTAMP};
use crate::model::entry::reference_time;
use crate::model::hash::partition_of;
use crate::model::state_batch::StateBatch;

/// Whether all customers are the partition's, each once and in order, with their windows in order, and numbers that they may have.
pub(crate) fn is_sound(states: &StateBatch, partition: usize) -> bool {
    let mut before = None;
    for customer in 0..states.len() {
        let hash = states.hash(customer);
        let ascends = before.is_none_or(|before| before < hash || before == hash && id(states, customer - 1) < id(states, customer));
        let windows = &states.windows[states.begin(customer)..states.ends[customer] as usize];
        if !ascends || partition_of(hash) != partition || !windows.is_sorted_by(|a, b| a < b) {
            return false;
        }
        before = Some(hash);
    }
    let is_time = |time: &i64| (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(time);
    states.orders.iter().all(|orders| *orders >= 0)
        && states.first_seen.iter().all(is_time)
        && states.starts.iter().all(is_time)
        && states.references.iter().all(|&reference| is_time(&reference_time(reference).0))
}

/// Whether customers follow the last one before them; notes the last one of these.
pub(crate) fn follows(states: &StateBatch, last: &mut Option<(u64, Vec<u8>)>) -> bool {
    if states.len() == 0 {
        return true;
    }
    let key = |customer: usize| (states.hash(customer), id(states, customer));
    let follows = last.as_ref().is_none_or(|last| *last < key(0));
    *last = Some(key(states.len() - 1));
    follows
}

fn id(states: &StateBatch, customer: usize) -> Vec<u8> {
    states.id(customer, &mut [0; 16]).to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::error::{Kind, Result};
    use crate::model::entry::{EntrySum, reference};
    use crate::spill::{Io, RunWriter, Sorted};
    use crate::state::{Rollup, RunFile, Writer};
    use arrow::array::builder::make_view;

    const SUM: EntrySum = EntrySum { start: 0, reference: 0, orders: 1, cents: 500, carry: 0, fraction: 0 };
    const WINDOWS: (u32, u32) = (24_000, 24_002);

    /// An id, sums in windows, and when it was first seen.
    type Customer<'a> = (&'a Vec<u8>, &'a [(u32, EntrySum)], i64);

    /// Customers of one partition, in their order: two of them.
    fn ids() -> (usize, [Vec<u8>; 2]) {
        let id = |i: u32| format!("c{i}").into_bytes();
        let hash = |i: u32| crate::model::hash::hash_id(&id(i));
        let partition = partition_of(hash(0));
        let other = (1..).find(|&i| partition_of(hash(i)) == partition).unwrap();
        let mut both = [0, other];
        both.sort_by_key(|&i| hash(i));
        (partition, both.map(id))
    }

    fn batch(customers: &[Customer<'_>]) -> StateBatch {
        let mut states = StateBatch::default();
        for (id, entries, first_seen) in customers {
            entries.iter().for_each(|(window, sum)| states.push_sum(*window, sum));
            states.push(make_view(id, 0, 0), id, *first_seen);
        }
        states
    }

    /// Writes frames, each with right checksums, and reads them as merging does.
    fn written(partition: usize, frames: &[StateBatch]) -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let writer = Writer::create(&path, &Io::default()).unwrap();
        let mut run = RunWriter::new(writer.frames());
        frames.iter().for_each(|frame| run.write(frame).unwrap());
        writer.add(partition, run.finish());
        writer.finish().unwrap();
        let file = RunFile::open(&path, &Io::default()).unwrap().within(Some(WINDOWS));
        let mut stream = file.stream(partition, &Rollup::Same);
        while stream.next(&mut StateBatch::default())? {}
        Ok(())
    }

    #[test]
    fn what_no_state_holds_is_an_error() {
        let (partition, [a, b]) = ids();
        let good: &[(u32, EntrySum)] = &[(24_000, SUM), (24_002, SUM)];
        let frame = |entries: &[(u32, EntrySum)]| vec![batch(&[(&a, entries, 0)])];
        let of = |sum: EntrySum| frame(&[(24_001, sum)]);
        written(partition, &[batch(&[(&a, good, 0), (&b, good, 0)])]).unwrap();
        written(partition, &[batch(&[(&a, good, 0)]), batch(&[(&b, good, 0)])]).unwrap();
        let last_order = reference(MAX_TIMESTAMP, 0);
        written(partition, &of(EntrySum { reference: last_order, ..SUM })).unwrap();
        let bad = [
            ("another partition", (partition + 1) % 1_024, frame(good)),
            ("a window before", partition, frame(&[(23_999, SUM)])),
            ("a window after", partition, frame(&[(24_003, SUM)])),
            ("history as a window", partition, frame(&[(u32::MAX, SUM)])),
            ("windows out of order", partition, frame(&[(24_001, SUM), (24_000, SUM)])),
            ("a window twice", partition, frame(&[(24_001, SUM), (24_001, SUM)])),
            ("a customer twice", partition, vec![batch(&[(&a, good, 0), (&a, good, 0)])]),
            ("customers out of order", partition, vec![batch(&[(&b, good, 0), (&a, good, 0)])]),
            ("frames out of order", partition, vec![batch(&[(&b, good, 0)]), batch(&[(&a, good, 0)])]),
            ("a customer in two frames", partition, vec![batch(&[(&a, good, 0)]), batch(&[(&a, good, 0)])]),
            ("less than no orders", partition, of(EntrySum { orders: -1, ..SUM })),
            ("no time", partition, of(EntrySum { start: i64::MAX, ..SUM })),
            ("no reference", partition, of(EntrySum { reference: i64::MAX, ..SUM })),
            ("no first time", partition, vec![batch(&[(&a, good, i64::MIN)])]),
        ];
        for (what, partition, frames) in bad {
            assert_eq!(written(partition, &frames).expect_err(what).kind(), Kind::Data, "{what}");
        }
    }
}
