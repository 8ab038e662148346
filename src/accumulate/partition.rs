//! The customers of one partition, while rows come in.
//!
//! Rows wait until a partition has about as many of them as it has customers. Then they are folded together, while the partition's table
//! is in the cache: folded as they come, every row would miss the cache several times. When memory is short, a partition's customers leave
//! as a run.

use super::customer_table::CustomerTable;
use super::drain::{Drained, SortScratch, SortedTable};
use super::sort_rows::sorted_states;
use crate::base::error::{Result, Stage};
use crate::model::hash::PARTITIONS;
use crate::route::row_buffer::Rows;
use crate::spill::{FRAME_CUSTOMERS, RunStore, RunWriter, Runs};

/// Rows whose customers are looked up before any of them is folded: the misses of one lookup overlap with the next.
const ROWS_AT_ONCE: usize = 64;

/// After a run has left, rows wait for so many times as many as made that run.
const RUNS_TO_WAIT: usize = 4;

/// Fewer rows than one for so many customers are folded without reading all of the table.
const CUSTOMERS_PER_ROW: usize = 8;

/// The customers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    table: CustomerTable,
    waiting: Vec<Rows>,
    waiting_rows: usize,
    /// How many rows wait before they are folded.
    patience: usize,
    /// The runs that were spilled.
    runs: Runs,
    memory: usize,
}

impl Partition {
    /// The partition with a number. All partitions get about as many rows, so that all would fold at once, and all their rows wait at
    /// once, if some were not less patient at first than others.
    pub(crate) fn new(number: usize, plan_rows: usize) -> Self {
        Partition { patience: plan_rows / 2 + plan_rows * number / PARTITIONS, ..Partition::default() }
    }

    /// Takes rows in; folds them now, or later when there are enough of them.
    ///
    /// # Errors
    /// When the system refuses the memory that they take.
    pub(crate) fn take(&mut self, rows: Rows, recycle: impl FnMut(Rows)) -> Result<()> {
        self.waiting_rows += rows.rows.len();
        self.memory += rows.memory();
        self.waiting.push(rows);
        if self.waiting_rows >= self.patience {
            self.fold(recycle)?;
            self.patience = self.patience.max(self.table.len() / 2);
        }
        Ok(())
    }

    /// Folds all rows that wait.
    ///
    /// # Errors
    /// When the system refuses the memory that they take. The partition is then worthless.
    pub(crate) fn fold(&mut self, mut recycle: impl FnMut(Rows)) -> Result<()> {
        if self.waiting_rows > self.table.len() / CUSTOMERS_PER_ROW {
            self.table.warm();
        }
        let mut customers = [0; ROWS_AT_ONCE];
        for buffer in self.waiting.drain(..) {
            for rows in buffer.rows.chunks(ROWS_AT_ONCE) {
                self.table.make_room(rows.len()).map_err(|e| e.stage(Stage::Accumulate))?;
                for (customer, row) in customers.iter_mut().zip(rows) {
                    *customer = self.table.customer(row.hash, row.view, buffer.long_id(row.view));
                }
                for (&customer, row) in customers.iter().zip(rows) {
                    self.table.add(customer, &buffer, row);
                }
            }
            recycle(buffer);
        }
        self.waiting_rows = 0;
        self.memory = self.table.memory();
        Ok(())
    }

    /// The memory it takes up.
    pub(crate) fn memory(&self) -> usize {
        self.memory + self.runs.memory()
    }

    /// Lets its customers leave as a run. Once memory is too short for the customers, folding early saves nothing: rows wait and are
    /// sorted when the next run leaves.
    pub(super) fn spill(&mut self, store: &dyn RunStore, writer: &mut RunWriter<'_>, mut recycle: impl FnMut(Rows)) -> Result<()> {
        self.patience = self.patience.max(RUNS_TO_WAIT * (self.waiting_rows + self.table.len()));
        let states = if self.table.len() == 0 {
            let states = sorted_states(&self.waiting, FRAME_CUSTOMERS);
            self.waiting.drain(..).for_each(&mut recycle);
            self.waiting_rows = 0;
            states
        } else {
            self.fold(recycle)?;
            std::mem::take(&mut self.table).into_states(FRAME_CUSTOMERS)
        };
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
        if self.runs.is_empty() {
            self.fold(drop)?;
            return Ok(Drained::Resident(SortedTable::new(self.table, scratch)?));
        }
        if self.table.len() == 0 {
            return Ok(Drained::Spilled(sorted_states(&self.waiting, most), self.runs));
        }
        self.fold(drop)?;
        Ok(Drained::Spilled(self.table.into_states(most), self.runs))
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
    use crate::model::ids::{View, split_view};
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

    fn long(id: &str) -> &[u8] {
        if id.len() > crate::model::ids::INLINE { id.as_bytes() } else { &[] }
    }

    fn key(id: &str) -> (u32, View) {
        (hash_in_section(hash_id(id.as_bytes())), split_view(make_view(id.as_bytes(), 0, 0)))
    }

    fn table(rows: &[Seen]) -> CustomerTable {
        let mut table = CustomerTable::default();
        add(&mut table, rows);
        table
    }

    fn add(table: &mut CustomerTable, rows: &[Seen]) {
        for &(id, time, addend) in rows {
            let id = IDS[id];
            let (hash, view) = key(id);
            let customer = table.customer(hash, view, long(id));
            table.fold(customer, Addend { window: HISTORY, start: time, reference: 0, amounts: Amounts::default() });
            addend.into_iter().for_each(|addend| table.fold(customer, addend));
        }
    }

    /// A customer's entry for a window.
    type Held = (i64, i64, i64, Total);

    /// A table as what it says: per customer the first time seen, and the entries by window.
    fn view(table: CustomerTable) -> BTreeMap<String, (i64, BTreeMap<u32, Held>)> {
        let sorted = view_of(table.clone().into_states(3));
        let in_order = SortedTable::new(table, &mut SortScratch::default()).unwrap();
        let columns = |customers| {
            let mut states = StateBatch::default();
            in_order.fill(customers, &mut states);
            states
        };
        let in_place = view_of(in_order.ranges(3).into_iter().map(columns).collect());
        assert_eq!(in_place, sorted);
        sorted
    }

    fn view_of(batches: Vec<StateBatch>) -> BTreeMap<String, (i64, BTreeMap<u32, Held>)> {
        let mut view = BTreeMap::new();
        let mut last = None;
        for states in batches {
            assert!(states.len() <= 3);
            let mut rest = 0;
            for customer in 0..states.len() {
                let held = |e: usize| {
                    let total = states.total(e, &mut rest);
                    (states.windows[e], (states.starts[e], states.references[e], states.orders[e], total))
                };
                let entries: Vec<_> = (states.begin(customer)..states.ends[customer] as usize).map(held).collect();
                assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "windows ascend");
                let id = states.text(customer);
                let key = Some((hash_in_section(states.hash(customer)), states.hash(customer), id.clone()));
                assert!(last < key, "customers ascend");
                last = key;
                view.insert(id, (states.first_seen[customer], entries.into_iter().collect()));
            }
            assert_eq!(rest, states.rests.len());
        }
        view
    }

    /// The plain model: maps and 128-bit sums.
    fn model(rows: &[Seen]) -> BTreeMap<String, (i64, BTreeMap<u32, Held>)> {
        let mut model: BTreeMap<String, (i64, BTreeMap<u32, Held>)> = BTreeMap::new();
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

    proptest! {
        #[test]
        fn states_are_sums(rows in rows()) {
            prop_assert_eq!(view(table(&rows)), model(&rows));
        }
    }

    fn partition(rows: &[Seen], per_buffer: usize) -> Partition {
        let mut partition = Partition::new(PARTITIONS / 2, 4_096);
        for rows in rows.chunks(per_buffer) {
            let mut buffer = Rows::with_capacity(128);
            for &(id, start, addend) in rows {
                let history = Addend { window: HISTORY, start, reference: start, amounts: Amounts { orders: 1, cents: 1, fraction: 1 } };
                let id = IDS[id].as_bytes();
                let hash = hash_in_section(hash_id(id));
                buffer.push(id, make_view(id, 0, 0), hash, Addend { start, ..addend.unwrap_or(history) });
            }
            partition.take(buffer, drop).unwrap();
        }
        partition
    }

    fn folded(mut partition: Partition) -> BTreeMap<String, (i64, BTreeMap<u32, Held>)> {
        partition.fold(drop).unwrap();
        view(partition.table)
    }

    proptest! {
        /// Rows that wait, rows that were folded already, and rows that are sorted without being folded say the same.
        #[test]
        fn partitions_are_sums(a in rows(), b in rows(), per_buffer in 1..50usize, early: bool) {
            let sorted = view_of(sorted_states(&partition(&a, per_buffer).waiting, 3));
            prop_assert_eq!(sorted, model(&a), "sorted, not folded");
            let mut all = partition(&a, per_buffer);
            if early {
                all.fold(drop).unwrap();
            }
            partition(&b, per_buffer).waiting.into_iter().for_each(|buffer| all.take(buffer, drop).unwrap());
            prop_assert_eq!(folded(all), model(&[a, b].concat()));
        }
    }

    /// Every buffer comes back once, and nothing of it is lost, however many rows wait.
    #[test]
    fn buffers_come_back() {
        let rows: Vec<Seen> = (0..5_000).map(|i| (i % IDS.len(), 0, None)).collect();
        let mut partition = Partition::new(PARTITIONS / 2, 4_096);
        let mut back = 0;
        for rows in rows.chunks(100) {
            let mut buffers = self::partition(rows, 100).waiting;
            assert_eq!(buffers.len(), 1);
            buffers.drain(..).for_each(|buffer| partition.take(buffer, |_| back += 1).unwrap());
        }
        partition.fold(|_| back += 1).unwrap();
        assert_eq!((back, partition.waiting_rows, partition.table.len()), (50, 0, IDS.len()));
    }
}
