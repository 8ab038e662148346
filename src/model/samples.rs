//! States to test with.

use super::entry::EntrySum;
use super::hash::hash_id;
use super::state_batch::StateBatch;
use crate::base::money::{Total, UNITS_PER_CENT};
use arrow::array::builder::make_view;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A customer's sum in a window: the earliest start, the greatest reference, orders, and the sum.
pub(crate) type Held = (i64, i64, i64, Total);
/// A customer's state: when first seen, and entries by window.
pub(crate) type Customer = (i64, BTreeMap<u32, Held>);
/// Customers in the order of states.
pub(crate) type Model = BTreeMap<(u64, String), Customer>;

/// The states that say what a model says.
pub(crate) fn states_of(model: &Model) -> StateBatch {
    let mut states = StateBatch::default();
    for ((_, id), (first_seen, entries)) in model {
        for (&window, &(start, reference, orders, total)) in entries {
            let (carry, cents, fraction) = total.split();
            states.push_sum(window, &EntrySum { start, reference, orders, cents, carry, fraction });
        }
        states.push(make_view(id.as_bytes(), 0, 0), id.as_bytes(), *first_seen);
    }
    states
}

/// One customer of states.
pub(crate) fn customer(states: &StateBatch, index: usize) -> ((u64, String), Customer) {
    let id = String::from_utf8(states.id(index, &mut [0; 16]).to_vec()).unwrap();
    let entries = (states.begin(index)..states.ends[index] as usize).map(|e| {
        let sum = states.sum(e);
        (states.windows[e], (sum.start, sum.reference, sum.orders, sum.total()))
    });
    ((hash_id(id.as_bytes()), id), (states.first_seen[index], entries.collect()))
}

/// The model of some states.
pub(crate) fn model_of(states: &StateBatch) -> Model {
    (0..states.len()).map(|index| customer(states, index)).collect()
}

/// Ids inside views, at their limit and beyond, of one byte a letter and of more.
fn id() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,2}", "[0-9]{10,14}", "[é客x]{1,9}", Just("y".repeat(900))]
}

pub(crate) fn held() -> impl Strategy<Value = Held> {
    let cents = prop_oneof![4 => -1_000..1_000i128, 1 => any::<i64>().prop_map(i128::from), 1 => -(1i128 << 80)..1 << 80];
    let fraction = prop_oneof![3 => Just(0), 1 => 0..UNITS_PER_CENT];
    let orders = prop_oneof![4 => 0..5i64, 1 => 0..i64::MAX];
    (any::<i64>(), -9..9i64, orders, cents, fraction).prop_map(|(s, r, o, cents, fraction)| (s, r, o, Total::new(cents, fraction)))
}

pub(crate) fn model(customers: std::ops::Range<usize>) -> impl Strategy<Value = Model> {
    let entries = prop::collection::btree_map(prop_oneof![3 => 0..3u32, 1 => any::<u32>()], held(), 0..4);
    let customer = (id(), -9..9i64, entries);
    prop::collection::vec(customer, customers)
        .prop_map(|all| all.into_iter().map(|(id, seen, entries)| ((hash_id(id.as_bytes()), id), (seen, entries))).collect())
}

pub(crate) fn states(customers: std::ops::Range<usize>) -> impl Strategy<Value = StateBatch> {
    model(customers).prop_map(|model| states_of(&model))
}

/// Three fixed customers: a short id, a long one, and one without entries.
pub(crate) fn sample() -> StateBatch {
    const DAY: i64 = 86_400_000_000;
    let total = |cents, fraction| Total::new(cents, fraction);
    let entries = BTreeMap::from([(0, (DAY, 31 * DAY, 2, total(1_999, 0))), (3, (5 * DAY, 61 * DAY, 1, total(-5, 12_345)))]);
    let large = BTreeMap::from([(0, (2 * DAY, 31 * DAY, i64::MAX, total(1 << 70, 0)))]);
    let all = [("C-000134", (DAY, entries)), ("67b4ec1f-cb69-4545-ad7f-049a5e3defad", (2 * DAY, large)), ("007", (-DAY, BTreeMap::new()))];
    states_of(&all.map(|(id, customer)| ((hash_id(id.as_bytes()), id.to_owned()), customer)).into_iter().collect())
}

/// So many customers of one entry each.
pub(crate) fn many(customers: usize) -> StateBatch {
    let customer = |i: usize| {
        let id = format!("C-{i:09}");
        let total = Total::new(i as i128, 0);
        ((hash_id(id.as_bytes()), id), (0, BTreeMap::from([(0, (0, i as i64, 1, total))])))
    };
    states_of(&(0..customers).map(customer).collect())
}
