//! A line as a record: what sorts it to its order comes first, then what tells it from other lines, then where it came from.

use crate::money::Amount;
use crate::spill::record::{put_number, put_signed, put_text, take_bytes, take_number, take_signed, take_text};
use std::borrow::Cow;

/// A line item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Of the order's id.
    pub(super) hash: u64,
    pub(super) order: Cow<'a, [u8]>,
    /// None where nobody is named.
    pub(super) customer: Option<Cow<'a, [u8]>>,
    /// Microseconds since 1970, UTC.
    pub(super) time: i64,
    pub(super) product: Cow<'a, [u8]>,
    pub(super) spend: Amount,
    pub(super) margin: Amount,
    pub(super) quantity: Amount,
    pub(super) place: Place,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The input's place among all.
    pub(super) origin: u64,
    pub(super) row: u64,
    /// 0 for none.
    pub(super) line: u64,
}

/// A line that was read back, and its parts as they were written.
pub(super) struct Read<'a> {
    pub(super) line: Line<'a>,
    /// What all lines of its order begin with.
    pub(super) order: &'a [u8],
    /// What lines that are the same have in common.
    pub(super) same: &'a [u8],
}

impl Line<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.to_be_bytes());
        put_text(&self.order, out);
        out.push(self.customer.is_some().into());
        put_text(self.customer.as_deref().unwrap_or_default(), out);
        out.extend_from_slice(&(self.time as u64 ^ 1 << 63).to_be_bytes());
        put_text(&self.product, out);
        for amount in [self.spend, self.margin, self.quantity] {
            put_signed(amount.cents, out);
            put_number(amount.fraction, out);
        }
        put_number(self.place.origin, out);
        put_number(self.place.row, out);
        put_number(self.place.line, out);
    }
}

/// Reads a record; nothing when it is no line's.
pub(super) fn read(record: &[u8]) -> Option<Read<'_>> {
    let mut rest = record;
    let bytes = &mut rest;
    let hash = u64::from_be_bytes(take_bytes(bytes)?);
    let order = take_text(bytes)?;
    let order_end = record.len() - bytes.len();
    let named = take_bytes::<1>(bytes)? != [0];
    let customer = take_text(bytes)?;
    let time = (u64::from_be_bytes(take_bytes(bytes)?) ^ 1 << 63) as i64;
    let product = take_text(bytes)?;
    let mut amount = || Some(Amount { cents: take_signed(bytes)?, fraction: take_number(bytes)? });
    let (spend, margin, quantity) = (amount()?, amount()?, amount()?);
    let same_end = record.len() - bytes.len();
    let place = Place { origin: take_number(bytes)?, row: take_number(bytes)?, line: take_number(bytes)? };
    let line = Line { hash, order, customer: named.then_some(customer), time, product, spend, margin, quantity, place };
    Some(Read { line, order: &record[..order_end], same: &record[..same_end] })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line() -> impl Strategy<Value = Line<'static>> {
        let text = || prop::collection::vec(any::<u8>(), 0..12).prop_map(Cow::<[u8]>::Owned);
        let amount = || (any::<i64>(), 0..10_u64.pow(16)).prop_map(|(cents, fraction)| Amount { cents, fraction });
        let place = (0..9u64, any::<u64>(), 0..5u64).prop_map(|(origin, row, line)| Place { origin, row, line });
        let parts = (any::<u64>(), text(), prop::option::of(text()), any::<i64>(), text(), amount(), amount(), amount(), place);
        parts.prop_map(|(hash, order, customer, time, product, spend, margin, quantity, place)| Line {
            hash,
            order,
            customer,
            time,
            product,
            spend,
            margin,
            quantity,
            place,
        })
    }

    proptest! {
        #[test]
        fn lines_come_back_in_the_order_of_orders_customers_and_times(a in line(), mut b in line(), alike in 0..4u8) {
            if alike > 0 {
                (b.hash, b.order) = (a.hash, a.order.clone());
            }
            if alike > 1 {
                b.customer = a.customer.clone();
            }
            let (mut one, mut other) = (Vec::new(), Vec::new());
            a.write(&mut one);
            b.write(&mut other);
            let (x, y) = (read(&one).unwrap(), read(&other).unwrap());
            prop_assert_eq!(&x.line, &a);
            prop_assert_eq!(x.order == y.order, (a.hash, &a.order) == (b.hash, &b.order));
            let place = Place { origin: 0, row: 0, line: 0 };
            let (same_a, same_b) = (Line { place, ..a.clone() }, Line { place, ..b.clone() });
            prop_assert_eq!(x.same == y.same, same_a == same_b);
            let key = |line: &Line<'_>| (line.hash, line.order.to_vec(), line.customer.as_deref().map(<[u8]>::to_vec), line.time);
            if key(&a) != key(&b) {
                prop_assert_eq!(one.cmp(&other), key(&a).cmp(&key(&b)));
            }
        }
    }
}
