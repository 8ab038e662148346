//! The customers of one partition, while rows come in.
//!
//! Rows wait until they take up about half as much memory as the customers' table. Then they are combined with the table, which is read and
//! written from front to back, so that this costs about as much as the rows themselves. When memory is short, a partition's customers leave as a run.

use super::add_rows::SortScratch;
use super::drain::Drained;
use super::sorted_table::SortedTable;
use crate::base::error::{Result, Stage};
use crate::model::hash::PARTITIONS;
use crate::route::row_buffer::{Row, Rows};
use crate::spill::{FRAME_CUSTOMERS, RunStore, RunWriter, Runs};

/// After a run has left, rows wait for so many times as many as made that run.
const RUNS_TO_WAIT: usize = 4;

/// The customers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    table: SortedTable,
    waiting: Vec<Rows>,
    waiting_rows: usize,
    /// How many rows wait before they are combined with the table.
    patience: usize,
    /// The runs that were spilled.
    runs: Runs,
    memory: usize,
}

impl Partition {
    /// The partition with a number. All partitions get about as many rows, so that all would combine theirs at once, and all their rows wait at
    /// once, if some were not less patient at first than others.
    pub(crate) fn new(number: usize, plan_rows: usize) -> Self {
        Partition { patience: plan_rows / 2 + plan_rows * number / PARTITIONS, ..Partition::default() }
    }

    /// Takes rows in; combines them with the table now, or later when there are enough of them.
    ///
    /// # Errors
    /// When the system refuses the memory that they take.
    pub(crate) fn take(&mut self, rows: Rows, scratch: &mut SortScratch, recycle: impl FnMut(Rows)) -> Result<()> {
        self.waiting_rows += rows.rows.len();
        self.memory += rows.memory();
        self.waiting.push(rows);
        if self.waiting_rows >= self.patience {
            self.combine(scratch, recycle)?;
            self.patience = self.patience.max(self.table.memory() / size_of::<Row>() / 2);
        }
        Ok(())
    }

    /// Combines all rows that wait with the table.
    ///
    /// # Errors
    /// When the system refuses the memory that they take.
    fn combine(&mut self, scratch: &mut SortScratch, recycle: impl FnMut(Rows)) -> Result<()> {
        self.table.add_rows(&self.waiting, scratch).map_err(|e| e.stage(Stage::Accumulate))?;
        self.waiting.drain(..).for_each(recycle);
        self.waiting_rows = 0;
        self.memory = self.table.memory();
        Ok(())
    }

    /// The memory it takes up.
    pub(crate) fn memory(&self) -> usize {
        self.memory + self.runs.memory()
    }

    /// Lets its customers leave as a run. Once memory is too short for the customers, combining early saves nothing: rows wait until the next
    /// run leaves.
    pub(super) fn spill(
        &mut self,
        store: &dyn RunStore,
        writer: &mut RunWriter<'_>,
        scratch: &mut SortScratch,
        recycle: impl FnMut(Rows),
    ) -> Result<()> {
        self.patience = self.patience.max(RUNS_TO_WAIT * (self.waiting_rows + self.table.len()));
        self.combine(scratch, recycle)?;
        let states = std::mem::take(&mut self.table).to_states(FRAME_CUSTOMERS);
        // Whether it can be written or not, it is gone.
        self.memory = 0;
        if !states.is_empty() {
            states.iter().try_for_each(|states| writer.write(states))?;
            self.runs.push(writer.finish(), store)?;
        }
        Ok(())
    }

    /// Ends the partition; its batches have at most `most` customers.
    ///
    /// # Errors
    /// When the system refuses the memory to sort in.
    pub(crate) fn drain(mut self, most: usize, scratch: &mut SortScratch) -> Result<Drained> {
        self.combine(scratch, drop)?;
        if self.runs.is_empty() {
            return Ok(Drained::Resident(self.table));
        }
        Ok(Drained::Spilled(self.table.to_states(most), self.runs))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::merge::Merge;
    use crate::base::money::{Total, UNITS_PER_CENT};
    use crate::model::amounts::Amounts;
    use crate::model::entry::{Addend, HISTORY};
    use crate::model::hash::{hash_id, hash_in_section};
    use crate::model::state_batch::StateBatch;
    use arrow::array::builder::make_view;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Inside views, at their limit, beyond it, and long enough for a second block.
    const IDS: [&str; 7] = ["7", "007", "twelve bytes", "thirteen byte", "thirteen bytf", "客户-185-é客户-185-é", LONG];
    const LONG: &str = match std::str::from_utf8(&[b'x'; 900]) {
        Ok(text) => text,
        Err(_) => "",
    };

    /// A row: whose, when first seen, and what it adds to a window, if to any.
    type Seen = (usize, i64, Option<Addend>);

    fn addends() -> impl Strategy<Value = Addend> {
        let cents = prop_oneof![4 => -1_000..1_000i64, 2 => prop::sample::select(vec![i64::MAX, i64::MAX - 1, i64::MIN, i64::MAX / 2]), 1 => any::<i64>()];
        let fraction = prop_oneof![2 => Just(0), 1 => Just(UNITS_PER_CENT - 1), 1 => 0..UNITS_PER_CENT];
        let orders = prop_oneof![4 => 0..5i64, 1 => Just(i64::MAX - 1), 1 => 0..i64::MAX];
        (0..3u32, -9..9i64, orders, cents, fraction).prop_map(|(window, reference, orders, cents, fraction)| Addend {
            window,
            start: 0,
            reference,
            amounts: Amounts { orders, cents, fraction },
        })
    }

    fn rows() -> impl Strategy<Value = Vec<Seen>> {
        let row = (0..IDS.len(), -9..9i64, prop::option::weighted(0.8, addends()));
        prop::collection::vec(row.prop_map(|(id, time, addend)| (id, time, addend.map(|a| Addend { start: time, ..a }))), 0..40)
    }

    /// A customer's entry for a window.
    type Held = (i64, i64, i64, Total);

    /// The first time that a customer was seen, and the entries by window.
    type Known = (i64, BTreeMap<u32, Held>);

    /// What states say: per customer the first time seen, and the entries by window.
    fn held(states: &StateBatch) -> Vec<(String, Known)> {
        assert!(states.len() <= 3);
        let mut rest = 0;
        let mut customer = |customer: usize| {
            let mut held = |e: usize| {
                let total = states.total(e, &mut rest);
                (states.windows[e], (states.starts[e], states.references[e], states.orders[e], total))
            };
            let entries: Vec<_> = (states.begin(customer)..states.ends[customer] as usize).map(&mut held).collect();
            assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "windows ascend");
            (states.text(customer), (states.first_seen[customer], entries.into_iter().collect()))
        };
        let all = (0..states.len()).map(&mut customer).collect();
        assert_eq!(rest, states.rests.len());
        all
    }

    fn view_of(batches: Vec<StateBatch>) -> BTreeMap<String, Known> {
        let keys = batches.iter().flat_map(|states| (0..states.len()).map(|c| (states.hash(c), states.text(c))));
        let keys: Vec<_> = keys.map(|(hash, id)| (hash_in_section(hash), hash, id)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "customers ascend");
        batches.iter().flat_map(held).collect()
    }

    /// The plain model: maps and 128-bit sums.
    fn model(rows: &[Seen]) -> BTreeMap<String, Known> {
        let mut model: BTreeMap<String, Known> = BTreeMap::new();
        for &(id, time, addend) in rows {
            let (first_seen, windows) = model.entry(IDS[id].to_owned()).or_insert((time, BTreeMap::new()));
            *first_seen = time.min(*first_seen);
            if let Some(a) = addend {
                let (start, reference, orders, total) = windows.entry(a.window).or_insert((a.start, a.reference, 0, Total::default()));
                (*start, *reference) = (a.start.min(*start), a.reference.max(*reference));
                *orders = (i128::from(*orders) + i128::from(a.amounts.orders)).min(i64::MAX.into()) as i64;
                total.merge(Total::new(a.amounts.cents.into(), a.amounts.fraction));
            }
        }
        model
    }

    fn buffers(rows: &[Seen], per_buffer: usize, hash: impl Fn(&[u8]) -> u32) -> Vec<Rows> {
        let buffer = |rows: &[Seen]| {
            let mut buffer = Rows::with_capacity(128);
            for &(id, start, addend) in rows {
                let history = Addend { window: HISTORY, start, reference: start, amounts: Amounts { orders: 1, cents: 1, fraction: 1 } };
                let id = IDS[id].as_bytes();
                buffer.push(id, make_view(id, 0, 0), hash(id), Addend { start, ..addend.unwrap_or(history) });
            }
            buffer
        };
        rows.chunks(per_buffer).map(buffer).collect()
    }

    fn hash(id: &[u8]) -> u32 {
        hash_in_section(hash_id(id))
    }

    /// The states of a partition whose rows are combined with its table whenever so many wait.
    fn states(buffers: Vec<Rows>, patience: usize) -> Vec<StateBatch> {
        let mut partition = Partition { patience, ..Partition::default() };
        let mut scratch = SortScratch::default();
        buffers.into_iter().for_each(|buffer| partition.take(buffer, &mut scratch, drop).unwrap());
        match partition.drain(3, &mut scratch).unwrap() {
            Drained::Resident(table) => table.to_states(3),
            Drained::Spilled(..) => unreachable!("nothing was spilled"),
        }
    }

    proptest! {
        /// However often rows are combined with those that came before, and whether hashes differ or not.
        #[test]
        fn partitions_are_sums(rows in rows(), per_buffer in 1..50usize, patience in 1..60usize) {
            prop_assert_eq!(view_of(states(buffers(&rows, per_buffer, hash), patience)), model(&rows));
        }

        #[test]
        fn equal_hashes_are_told_apart(rows in rows(), per_buffer in 1..50usize, patience in 1..60usize, hashes in 1..4u32) {
            let few = |id: &[u8]| hash(id) % hashes;
            let held: BTreeMap<_, _> = states(buffers(&rows, per_buffer, few), patience).iter().flat_map(held).collect();
            prop_assert_eq!(held, model(&rows));
        }
    }

    /// Customers of many rows and many windows, tables of many chunks, and long ids in many blocks.
    #[test]
    fn tables_grow_by_chunks() {
        check_table("customer number ", 60_000, u32::MAX);
        check_table(&"a customer with a very long id ".repeat(100), 12_000, u32::MAX);
        check_table("c", 60_000, 1 << 12);
    }

    /// However many customers have one hash, each is found.
    #[test]
    fn equal_hashes_are_in_several_chunks() {
        check_table("c", 20_000, 8);
        check_table("c", 5_000, 1);
    }

    fn check_table(prefix: &str, rows: usize, hashes: u32) {
        let mut expected = BTreeMap::new();
        let mut all = Vec::new();
        let mut dice = 7u64;
        for _ in 0..rows {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let number = (dice >> 40) % 4_000;
            let windows = match number % 100 {
                0 => 700,
                1..10 => 12,
                _ => 1,
            };
            let (window, start) = ((dice >> 20) as u32 % windows, (dice >> 50) as i64);
            all.push((number, Addend { window, start, reference: start, amounts: Amounts { orders: 1, cents: start, fraction: 0 } }));
            let sums = expected.entry(number).or_insert_with(BTreeMap::new).entry(window).or_insert((start, start, 0, 0));
            *sums = (start.min(sums.0), start.max(sums.1), sums.2 + 1, sums.3 + start);
        }
        let key = |number: u64| format!("{prefix}{number}");
        let buffer = |rows: &[(u64, Addend)]| {
            let mut buffer = Rows::with_capacity(128);
            for &(number, addend) in rows {
                let id = key(number);
                buffer.push(id.as_bytes(), make_view(id.as_bytes(), 0, 0), hash(id.as_bytes()) % hashes, addend);
            }
            buffer
        };
        let mut found = BTreeMap::new();
        for states in states(all.chunks(128).map(buffer).collect(), 700) {
            for customer in 0..states.len() {
                let sum = |e: usize| (states.windows[e], (states.starts[e], states.references[e], states.orders[e], states.cents[e]));
                let entries = (states.begin(customer)..states.ends[customer] as usize).map(sum).collect::<BTreeMap<_, _>>();
                let text = states.text(customer);
                found.insert(text, entries);
            }
        }
        assert_eq!(found, expected.into_iter().map(|(number, sums)| (key(number), sums)).collect());
    }

    /// Every buffer comes back once, and nothing of it is lost, however many rows wait.
    #[test]
    fn buffers_come_back() {
        let rows: Vec<Seen> = (0..5_000).map(|i| (i % IDS.len(), 0, None)).collect();
        let mut partition = Partition::new(PARTITIONS / 2, 4_096);
        let (mut back, mut scratch) = (0, SortScratch::default());
        for buffer in buffers(&rows, 100, hash) {
            partition.take(buffer, &mut scratch, |_| back += 1).unwrap();
        }
        partition.combine(&mut scratch, |_| back += 1).unwrap();
        assert_eq!((back, partition.waiting_rows, partition.table.len()), (50, 0, IDS.len()));
    }
}
