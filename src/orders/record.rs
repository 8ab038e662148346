//! A bundle as a record, where a partition is too large to be grouped in memory: what sorts it to its order comes first, then its place.

use super::bundle::{Bundle, Bundles, Detail};
use crate::money::Amount;
use crate::route::hash_id;
use crate::spill::record::{put_number, put_signed, put_text, take_bytes, take_number, take_signed, take_text};

pub(super) fn write(bundle: &Bundle<'_>, out: &mut Vec<u8>) {
    let Bundle { order, customer, time, counts, place, lines, spend, detail, digests } = *bundle;
    out.extend_from_slice(&hash_id(order).to_be_bytes());
    put_text(order, out);
    out.extend_from_slice(&place.to_be_bytes());
    out.extend_from_slice(&[customer.is_some().into(), counts.into(), lines]);
    put_text(customer.unwrap_or_default(), out);
    put_signed(time, out);
    for amount in [spend, detail.margin, detail.quantity] {
        put_signed(amount.cents, out);
        put_number(amount.fraction, out);
    }
    digests.iter().for_each(|digest| out.extend_from_slice(&digest.to_le_bytes()));
}

/// Appends a record to a buffer; nothing when it is no bundle's. `digests` is room.
pub(super) fn read(mut record: &[u8], digests: &mut Vec<u64>, into: &mut Bundles) -> Option<()> {
    let bytes = &mut record;
    take_bytes::<8>(bytes)?;
    let order = take_text(bytes)?;
    let place = u64::from_be_bytes(take_bytes(bytes)?);
    let [named, counts, lines] = take_bytes(bytes)?;
    let customer = take_text(bytes)?;
    let time = take_signed(bytes)?;
    let mut amount = || Some(Amount { cents: take_signed(bytes)?, fraction: take_number(bytes)? });
    let (spend, margin, quantity) = (amount()?, amount()?, amount()?);
    digests.clear();
    let (words, []) = bytes.as_chunks::<8>() else { return None };
    digests.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
    into.push(&Bundle {
        order: &order,
        customer: (named != 0).then_some(&customer),
        time,
        counts: counts != 0,
        place,
        lines,
        spend,
        detail: Detail { margin, quantity },
        digests,
    });
    Some(())
}

/// What all records of an order begin with.
pub(super) fn order(record: &[u8]) -> Option<&[u8]> {
    let mut rest = record.get(8..)?;
    take_text(&mut rest)?;
    Some(&record[..record.len() - rest.len()])
}
