//! Rows that were never folded → sorted states. A partition that is about to leave needs its customers in order, and most of its rows are
//! the only one of their customer: sorting them directly touches each once, where folding and then sorting would touch it many times.

use super::customer_table::CustomerTable;
use crate::model::entry::{Addend, HISTORY};
use crate::model::ids::joined_view;
use crate::model::state_batch::StateBatch;
use crate::route::row_buffer::{Row, Rows};

/// Bits of the hash that one pass sorts by.
const DIGIT: u32 = 11;

/// Sorts keys by the hash in their upper half; equal ones stay in order.
pub(super) fn sort_by_hash(keys: &mut Vec<u64>) {
    // Few are sorted faster by comparing.
    if keys.len() < 1 << DIGIT {
        return keys.sort_unstable();
    }
    let mut scratch = vec![0; keys.len()];
    for shift in [32, 32 + DIGIT, 32 + 2 * DIGIT] {
        let digit = |key: u64| (key >> shift) as usize & ((1 << DIGIT) - 1);
        let mut starts = [0u32; 1 << DIGIT];
        keys.iter().for_each(|&key| starts[digit(key)] += 1);
        let mut sum = 0;
        for start in &mut starts {
            (*start, sum) = (sum, sum + *start);
        }
        for &key in keys.iter() {
            let place = &mut starts[digit(key)];
            scratch[*place as usize] = key;
            *place += 1;
        }
        std::mem::swap(keys, &mut scratch);
    }
}

/// The states of the customers of some rows, in batches of at most `most`.
pub(super) fn sorted_states(buffers: &[Rows], most: usize) -> Vec<StateBatch> {
    let rows = buffers.iter().zip(0u64..).flat_map(|(buffer, b)| (0u64..).zip(&buffer.rows).map(move |(r, row)| (row, b << 8 | r)));
    let mut keys: Vec<u64> = rows.map(|(row, at)| u64::from(row.hash) << 32 | at).collect();
    sort_by_hash(&mut keys);
    let find = |key: u64| {
        let buffer = &buffers[(key as u32 >> 8) as usize];
        (buffer, &buffer.rows[key as usize & 0xff])
    };
    let mut all: Vec<StateBatch> = Vec::new();
    let mut several = CustomerTable::default();
    for same in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
        if all.last().is_none_or(|last| !last.has_room(most)) {
            let customers = most.min(keys.len());
            all.push(StateBatch::with_capacity(customers, customers));
        }
        let Some(states) = all.last_mut() else { break };
        if let &[key] = same {
            let (buffer, row) = find(key);
            push_row(states, buffer, row);
        } else {
            same.iter().for_each(|&key| {
                let (buffer, row) = find(key);
                let customer = several.customer(row.hash, row.view, buffer.long_id(row.view));
                several.add(customer, buffer, row);
            });
            several.move_into(states);
        }
    }
    all
}

/// Appends the state of a customer with one row.
#[inline]
fn push_row(states: &mut StateBatch, buffer: &Rows, row: &Row) {
    if row.window != HISTORY {
        let Row { window, start, reference, .. } = *row;
        states.push_sum(window, &Addend { window, start, reference, amounts: buffer.amounts(row) }.into());
    }
    states.push(joined_view(row.view), buffer.long_id(row.view), row.start);
}
