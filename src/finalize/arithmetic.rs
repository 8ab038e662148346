//! The arithmetic from a customer's sums in a window to recency, frequency and monetary value.

use crate::base::error::Result;
use crate::base::money::Total;
use crate::base::time::DAY;
use crate::finalize::Block;
use crate::model::columns::Column;
use crate::model::entry::reference_time;
use crate::model::reject::{Reason, Reject, shown_timestamp};
use crate::model::state_batch::StateBatch;
use crate::model::window::Window;

/// The arithmetic from states to blocks.
#[derive(Debug, Clone)]
pub(crate) struct Finalizer {
    pub(crate) windows: Vec<Window>,
    /// The key of the first window.
    pub(crate) first_key: u32,
    pub(crate) times: BlockTimes,
}

/// The times that blocks have of each customer's window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BlockTimes {
    /// Rows are orders, or some are: what is observed of each customer begins with the window. An order has no other period of its own, whether
    /// its row has that of a month, of a quarter, or its moment.
    pub(crate) of_orders: bool,
    /// Blocks have the last order.
    pub(crate) last_order: bool,
    /// Blocks have the first order: each row begins with the moment of its order.
    pub(crate) first_order: bool,
}

/// Is told of a customer who is not valid in a window: the window's place, the column at fault, what was spent.
pub(crate) type Refuse<'a> = &'a mut dyn FnMut(u32, Column, Total, Reject);

impl Finalizer {
    /// Fills a block from states. Customers who are not valid in a window have no row for it, and `refused`, if any, is told, with the
    /// window's place and what was spent there.
    pub(crate) fn fill(&self, states: &StateBatch, block: &mut Block, refused: Option<Refuse<'_>>) {
        block.clear();
        block.first_seen.extend_from_slice(&states.first_seen);
        if !self.fill_valid(states, block) {
            self.fill_each(states, block, refused);
        }
        if self.times.first_order {
            block.first_order.clone_from(&block.observation_start);
        }
        if self.times.of_orders {
            let starts = block.window.iter().map(|&at| self.windows[at as usize].start);
            block.observation_start.clear();
            block.observation_start.extend(starts);
        }
    }

    /// Fills a block column by column, where all customers are valid in all of their windows and all money is whole cents; says whether it did.
    fn fill_valid(&self, states: &StateBatch, block: &mut Block) -> bool {
        if !states.rests.is_empty() {
            return false;
        }
        let ends: Vec<i64> = self.windows.iter().map(|window| window.observation_end).collect();
        let since = |(&key, &reference): (&u32, &i64)| ends[(key - self.first_key) as usize] - reference_time(reference).0;
        let times = || states.windows.iter().zip(&states.references).map(since);
        let valid = times().fold(true, |valid, since| valid & (since >= 0))
            & states.orders.iter().fold(true, |valid, orders| valid & (1..i64::MAX).contains(orders))
            & states.cents.iter().fold(true, |valid, cents| valid & (0..SPEND_LIMIT as i64).contains(cents));
        if !valid {
            return false;
        }
        let mut begin = 0;
        for (customer, &end) in (0..).zip(&states.ends) {
            block.customer.extend(std::iter::repeat_n(customer, (end - begin) as usize));
            begin = end;
        }
        block.window.extend(states.windows.iter().map(|key| key - self.first_key));
        block.recency_days.extend(times().map(days));
        block.frequency.extend_from_slice(&states.orders);
        block.monetary.extend(states.cents.iter().zip(&states.orders).map(|(&cents, &orders)| per_order(cents, orders)));
        block.total_spend.extend_from_slice(&states.cents);
        block.observation_start.extend_from_slice(&states.starts);
        if self.times.last_order {
            block.last_order.extend(states.references.iter().map(|&reference| last_order(reference)));
        }
        true
    }

    /// Fills a block customer by customer.
    fn fill_each(&self, states: &StateBatch, block: &mut Block, mut refused: Option<Refuse<'_>>) {
        let (mut from, mut rest) = (0, 0);
        for (customer, &end) in (0..).zip(&states.ends) {
            for entry in from..end as usize {
                let total = states.total(entry, &mut rest);
                let (orders, reference) = (states.orders[entry], states.references[entry]);
                let at = states.windows[entry] - self.first_key;
                let window = &self.windows[at as usize];
                match metrics_of(total, orders, reference, window.observation_end) {
                    Ok(rfm) => {
                        block.customer.push(customer);
                        block.window.push(at);
                        block.recency_days.push(rfm.recency_days);
                        block.frequency.push(orders);
                        block.monetary.push(rfm.monetary);
                        block.total_spend.push(rfm.total_spend);
                        block.observation_start.push(states.starts[entry]);
                        if self.times.last_order {
                            block.last_order.push(last_order(reference));
                        }
                    }
                    Err(reason) => {
                        let Some(refused) = refused.as_mut() else { continue };
                        let (column, value) = match reason {
                            Reason::NoOrders => (Column::TotalOrders, orders.to_string()),
                            Reason::AfterObservationEnd => {
                                let (time, is_transaction) = reference_time(reference);
                                (if is_transaction { Column::LastTransactionTs } else { Column::PeriodEnd }, shown_timestamp(time))
                            }
                            _ if orders == i64::MAX => (Column::TotalOrders, "more than 9223372036854775806".to_owned()),
                            _ => (Column::TotalSpend, total.rounded().to_string()),
                        };
                        refused(at, column, total, Reject::customer(window, states.text(customer as usize), reason, column, value));
                    }
                }
            }
            from = end as usize;
        }
    }
}

/// The time of the last order, where there is one.
#[inline]
fn last_order(reference: i64) -> Option<i64> {
    let (time, is_transaction) = reference_time(reference);
    is_transaction.then_some(time)
}

/// Whole days.
#[inline]
fn days(time: i64) -> i32 {
    time.div_euclid(DAY) as i32
}

/// What was spent for each order, to the nearest cent; half a cent is rounded up. Neither is negative, and there are orders.
#[inline]
fn per_order(spend: i64, orders: i64) -> i64 {
    // Dividing is slow, and slower for large numbers.
    let (whole, rest) = match (u32::try_from(spend), u32::try_from(orders)) {
        (_, Ok(1)) => (spend, 0),
        (Ok(spend), Ok(orders)) => ((spend / orders).into(), (spend % orders).into()),
        _ => (spend / orders, spend % orders),
    };
    whole + i64::from(rest >= orders - rest)
}

/// A customer's numbers in a window.
pub(crate) struct Metrics {
    pub(crate) recency_days: i32,
    /// In cents.
    pub(crate) monetary: i64,
    /// In cents.
    pub(crate) total_spend: i64,
}

/// A window's total of a customer stays below 10¹⁶, so that it fits a decimal of 18 digits.
pub(crate) const SPEND_LIMIT: i128 = 1_000_000_000_000_000_000;

/// The arithmetic of one customer and window.
#[inline]
pub(crate) fn metrics_of(total: Total, orders: i64, reference: i64, observation_end: i64) -> Result<Metrics, Reason> {
    let spend = total.rounded().hundredths();
    if orders == 0 {
        return Err(Reason::NoOrders);
    }
    if spend < 0 {
        return Err(Reason::NegativeSpend);
    }
    let since = observation_end - reference_time(reference).0;
    if since < 0 {
        return Err(Reason::AfterObservationEnd);
    }
    if spend >= SPEND_LIMIT || orders == i64::MAX {
        return Err(Reason::AmountOutOfRange);
    }
    let spend = spend as i64;
    Ok(Metrics { recency_days: days(since), monetary: per_order(spend, orders), total_spend: spend })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::states;
    use proptest::prelude::*;

    fn window(name: &str, observation_end: i64) -> Window {
        Window { name: name.to_owned(), start: 0, end: 10, observation_end }
    }

    proptest! {
        /// Column by column, a block is what it is customer by customer.
        #[test]
        fn valid_blocks_are_the_same_column_by_column(mut states in states(0..40), ends in prop::array::uniform3(0..5 * DAY), keep in any::<bool>()) {
            let windows = ["a", "b", "c"].into_iter().zip(ends).map(|(name, end)| window(name, end)).collect();
            let times = BlockTimes { last_order: true, ..BlockTimes::default() };
            let finalizer = Finalizer { windows, first_key: 0, times };
            states.windows.iter_mut().for_each(|window| *window %= 3);
            if keep {
                // All are valid.
                states.rests.clear();
                states.references.iter_mut().for_each(|reference| *reference = reference.rem_euclid(9).min(0));
                states.orders.iter_mut().for_each(|orders| *orders = (*orders).clamp(1, i64::MAX - 1));
                states.cents.iter_mut().for_each(|cents| *cents = cents.rem_euclid(SPEND_LIMIT as i64));
            }
            let (mut columns, mut each) = (Block::default(), Block::default());
            let is_filled = finalizer.fill_valid(&states, &mut columns);
            finalizer.fill_each(&states, &mut each, None);
            let rows = |block: &Block| format!("{block:?}");
            prop_assert!(is_filled || !keep);
            if is_filled {
                prop_assert_eq!(rows(&columns), rows(&each));
            } else {
                prop_assert_eq!(rows(&columns), rows(&Block::default()));
            }
        }
    }
}
