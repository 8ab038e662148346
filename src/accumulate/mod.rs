//! Accumulate: one thread owns some of the partitions and folds the rows that its lane brings into customers' states.
//!
//! Rows wait until a partition has enough of them to be worth pulling its table into the cache, then they are folded together. A
//! [`Partition`] is the unit of everything after: finishing, and later spilling, saving and merging.

mod ids;
mod state;
#[allow(dead_code)]
mod states;

pub(crate) use ids::Ids;
pub(crate) use state::{Addend, State};
#[allow(unused_imports)]
pub(crate) use states::{Rest, States};

use crate::merge::Merge;
use crate::route::PARTITIONS;
use crate::route::lane::{Delivery, Lane, Lanes};
use crate::route::rows::{HISTORY, Rows};

/// Rows wait until there are this many, or one for every [`CUSTOMERS_PER_WAITING_ROW`] customers.
const MIN_WAITING_ROWS: usize = 512;
const CUSTOMERS_PER_WAITING_ROW: usize = 8;

/// The customers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) state: State,
    waiting: Vec<Rows>,
    waiting_rows: usize,
}

impl Partition {
    /// Takes rows in; folds them now or later.
    pub(crate) fn take(&mut self, rows: Rows, recycle: impl FnMut(Rows)) {
        self.waiting_rows += rows.rows.len();
        self.waiting.push(rows);
        if self.waiting_rows >= MIN_WAITING_ROWS.max(self.state.customers.len() / CUSTOMERS_PER_WAITING_ROW) {
            self.fold(recycle);
        }
    }

    /// Folds all rows that wait.
    pub(crate) fn fold(&mut self, mut recycle: impl FnMut(Rows)) {
        for buffer in self.waiting.drain(..) {
            for row in &buffer.rows {
                let customer = self.state.customer(row.hash, row.view, buffer.long_id(row.view));
                self.state.see(customer, row.start);
                if row.window != HISTORY {
                    let (window, start, reference, orders, cents) = (row.window, row.start, row.reference, row.orders, row.cents);
                    self.state.fold(customer, Addend { window, start, reference, orders, cents, fraction: buffer.fraction(row) });
                }
            }
            recycle(buffer);
        }
        self.waiting_rows = 0;
    }
}

impl Merge for Partition {
    fn merge(&mut self, mut other: Partition) {
        self.fold(drop);
        other.fold(drop);
        self.state.merge(other.state);
    }
}

/// Owns every `count`-th partition, beginning with number `index`.
pub(crate) struct Accumulator {
    index: usize,
    count: usize,
    lane: Lane,
    partitions: Vec<Partition>,
}

impl Accumulator {
    pub(crate) fn new(index: usize, count: usize, lane: Lane) -> Self {
        let owned = (0..PARTITIONS).filter(|p| Lanes::owner(*p, count) == index).count();
        Accumulator { index, count, lane, partitions: std::iter::repeat_with(Partition::default).take(owned).collect() }
    }

    /// Folds until every router is gone, then hands over the partitions with their numbers.
    pub(crate) fn run(mut self) -> Vec<(usize, Partition)> {
        while let Ok(Delivery { partition, rows }) = self.lane.receiver.recv() {
            let lane = &self.lane;
            self.partitions[partition / self.count].take(rows, |rows| lane.recycle(rows));
        }
        for partition in &mut self.partitions {
            partition.fold(drop);
        }
        let Accumulator { index, count, partitions, .. } = self;
        partitions.into_iter().enumerate().map(|(i, partition)| (i * count + index, partition)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Amount, Total, UNITS_PER_CENT};
    use crate::route::hash_id;
    use crate::route::rows::Row;
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
        (0..3u32, -9..9i64, -9..9i64, orders, cents, fraction).prop_map(|(window, start, reference, orders, cents, fraction)| Addend {
            window,
            start,
            reference,
            orders,
            cents,
            fraction,
        })
    }

    fn rows() -> impl Strategy<Value = Vec<Seen>> {
        prop::collection::vec((0..IDS.len(), -9..9i64, prop::option::weighted(0.8, addends())), 0..40)
    }

    fn long(id: &str) -> &[u8] {
        if id.len() > crate::route::rows::INLINE { id.as_bytes() } else { &[] }
    }

    fn state(rows: &[Seen]) -> State {
        let mut state = State::default();
        for &(id, time, addend) in rows {
            let id = IDS[id];
            let customer = state.customer(hash_id(id.as_bytes()), make_view(id.as_bytes(), 0, 0), long(id));
            state.see(customer, time);
            if let Some(addend) = addend {
                state.fold(customer, addend);
            }
        }
        state
    }

    /// What a customer's entry for a window holds.
    type Held = (i64, i64, i64, Total);

    /// A state as what it says, whatever the order inside: per customer the first time seen, and the entries by window.
    fn view(state: &State) -> BTreeMap<String, (i64, BTreeMap<u32, Held>)> {
        let customer = |index: usize| {
            let held = |(e, total): (&state::Entry, Total)| (e.window, (e.start, e.reference, e.orders, total));
            let entries: Vec<_> = state.entries(index).map(held).collect();
            let by_window: BTreeMap<_, _> = entries.iter().copied().collect();
            assert_eq!(by_window.len(), entries.len(), "two entries of one window");
            (state.ids.text(index), (state.customers[index].first_seen, by_window))
        };
        let view: BTreeMap<_, _> = (0..state.customers.len()).map(customer).collect();
        assert_eq!(view.len(), state.customers.len(), "two customers of one id");
        view
    }

    /// The same from maps and 128-bit sums.
    fn model(rows: &[Seen]) -> BTreeMap<String, (i64, BTreeMap<u32, Held>)> {
        let mut model: BTreeMap<String, (i64, BTreeMap<u32, Held>)> = BTreeMap::new();
        for &(id, time, addend) in rows {
            let (first_seen, windows) = model.entry(IDS[id].to_owned()).or_insert((time, BTreeMap::new()));
            *first_seen = time.min(*first_seen);
            if let Some(a) = addend {
                let (start, reference, orders, total) = windows.entry(a.window).or_insert((a.start, a.reference, 0, Total::default()));
                (*start, *reference) = (a.start.min(*start), a.reference.max(*reference));
                *orders = (i128::from(*orders) + i128::from(a.orders)).min(i64::MAX.into()) as i64;
                total.merge(Total::new(a.cents.into(), a.fraction));
            }
        }
        model
    }

    fn merged<T: Merge>(mut a: T, b: T) -> T {
        a.merge(b);
        a
    }

    proptest! {
        #[test]
        fn states_are_sums(rows in rows()) {
            prop_assert_eq!(view(&state(&rows)), model(&rows));
        }

        #[test]
        fn states_merge(a in rows(), b in rows(), c in rows()) {
            let (x, y, z) = (|| state(&a), || state(&b), || state(&c));
            prop_assert_eq!(view(&merged(x(), y())), view(&merged(y(), x())), "not commutative");
            let (left, right) = (merged(merged(x(), y()), z()), merged(x(), merged(y(), z())));
            prop_assert_eq!(view(&left), view(&right), "not associative");
            prop_assert_eq!(view(&merged(State::default(), x())), view(&x()), "no left identity");
            prop_assert_eq!(view(&merged(x(), State::default())), view(&x()), "no right identity");
            prop_assert_eq!(view(&left), model(&[a, b, c].concat()), "merging is not adding");
        }

        /// A merged state goes on like any other.
        #[test]
        fn merged_states_take_more_rows(a in rows(), b in rows(), c in rows()) {
            let mut state = merged(state(&a), state(&b));
            for &(id, time, addend) in &c {
                let id = IDS[id];
                let customer = state.customer(hash_id(id.as_bytes()), make_view(id.as_bytes(), 0, 0), long(id));
                state.see(customer, time);
                addend.into_iter().for_each(|addend| state.fold(customer, addend));
            }
            prop_assert_eq!(view(&state), model(&[a, b, c].concat()));
        }
    }

    /// A row as routers send it: its cents are an amount's, and its place of first sight is its start.
    fn sent(&(id, time, addend): &Seen) -> Seen {
        let fit = |a: Addend| Addend { start: time, cents: a.cents % 100_000_000_000_000_000, ..a };
        (id, time, addend.map(fit))
    }

    fn partition(rows: &[Seen], per_buffer: usize) -> Partition {
        let mut partition = Partition::default();
        for rows in rows.chunks(per_buffer) {
            let mut buffer = Rows::default();
            for &(id, start, addend) in rows {
                let history = Addend { window: HISTORY, start, reference: start, orders: 1, cents: 1, fraction: 1 };
                let Addend { window, reference, orders, cents, fraction, .. } = addend.unwrap_or(history);
                let id = IDS[id].as_bytes();
                let (view, hash) = (make_view(id, 0, 0), hash_id(id));
                buffer.push(
                    id,
                    view,
                    Amount { cents, fraction },
                    Row { view, hash, start, reference, orders, cents: 0, window, fraction: 0 },
                );
            }
            partition.take(buffer, drop);
        }
        partition
    }

    fn folded(mut partition: Partition) -> BTreeMap<String, (i64, BTreeMap<u32, Held>)> {
        partition.fold(drop);
        view(&partition.state)
    }

    proptest! {
        #[test]
        fn partitions_merge(a in rows(), b in rows(), c in rows(), per_buffer in 1..50usize, early in any::<[bool; 3]>()) {
            let rows = [a, b, c].map(|rows| rows.iter().map(sent).collect::<Vec<Seen>>());
            // Rows that wait and rows that were folded already are the same.
            let part = |i: usize| {
                let mut partition = partition(&rows[i], per_buffer);
                if early[i] {
                    partition.fold(drop);
                }
                partition
            };
            prop_assert_eq!(folded(part(0)), model(&rows[0]));
            prop_assert_eq!(folded(merged(part(0), part(1))), folded(merged(part(1), part(0))), "not commutative");
            let (left, right) = (merged(merged(part(0), part(1)), part(2)), merged(part(0), merged(part(1), part(2))));
            let (left, right) = (folded(left), folded(right));
            prop_assert_eq!(&left, &right, "not associative");
            prop_assert_eq!(folded(merged(Partition::default(), part(0))), folded(part(0)), "no left identity");
            prop_assert_eq!(folded(merged(part(0), Partition::default())), folded(part(0)), "no right identity");
            prop_assert_eq!(left, model(&rows.concat()), "merging is not adding");
        }
    }

    /// Every buffer comes back once, and nothing of it is lost, however many rows wait.
    #[test]
    fn buffers_come_back() {
        let rows: Vec<Seen> = (0..5_000).map(|i| (i % IDS.len(), 0, None)).collect();
        let mut partition = Partition::default();
        let mut back = 0;
        for rows in rows.chunks(100) {
            let mut buffers = self::partition(rows, 100).waiting;
            assert_eq!(buffers.len(), 1);
            buffers.drain(..).for_each(|buffer| partition.take(buffer, |_| back += 1));
        }
        partition.fold(|_| back += 1);
        assert_eq!((back, partition.waiting_rows, partition.state.customers.len()), (50, 0, IDS.len()));
    }
}
