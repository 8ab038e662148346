//! Lines as records for the sorter, where those of a partition or an order are too many to be grouped in memory. The key of the order comes
//! first, then the digest, so that duplicate lines follow each other, then the position.

use super::partial_order::{Detail, PartialOrder};
use crate::base::bytes::sort_key::{put_number, put_signed, put_text, take_bytes, take_number, take_signed, take_text};
use crate::base::error::Result;
use crate::base::money::Amount;
use crate::model::hash::hash_id;
use crate::model::worth::WorthColumn;
use std::borrow::Cow;

/// A record that was read back.
pub(super) struct Record<'a> {
    /// The bytes that all records of its order begin with, and no others.
    pub(super) key: &'a [u8],
    pub(super) order: Cow<'a, [u8]>,
    /// 0 where lines have none.
    pub(super) digest: u64,
    pub(super) customer: Option<Cow<'a, [u8]>>,
    /// The rest of it.
    line: PartialOrder<'static>,
}

impl Record<'_> {
    pub(super) fn partial(&self) -> PartialOrder<'_> {
        PartialOrder { order: &self.order, customer: self.customer.as_deref(), ..self.line }
    }
}

/// Writes a partial order: all of it as one record, or, where its lines have digests, one for each line, of which the first has what all are
/// worth, if they are not worth the same.
pub(super) fn write(partial: &PartialOrder<'_>, mut push: impl FnMut(&dyn Fn(&mut Vec<u8>)) -> Result<()>) -> Result<()> {
    if partial.digests.is_empty() {
        return push(&|out| write_one(partial, 0, out));
    }
    (partial.position..).zip(partial.digests).try_for_each(|(position, &digest)| {
        let first = position == partial.position;
        let detail = if first { partial.detail } else { Default::default() };
        let spend = partial.each().unwrap_or(if first { partial.spend } else { Amount::default() });
        push(&|out| write_one(&PartialOrder { position, lines: 1, spend, detail, ..*partial }, digest, out))
    })
}

fn write_one(partial: &PartialOrder<'_>, digest: u64, out: &mut Vec<u8>) {
    let PartialOrder { order, customer, time, counts, position, lines, spend, worth, equal, reach, detail, .. } = *partial;
    out.extend_from_slice(&hash_id(order).to_be_bytes());
    put_text(order, out);
    out.extend_from_slice(&digest.to_be_bytes());
    out.extend_from_slice(&position.to_be_bytes());
    out.extend_from_slice(&[customer.is_some().into(), counts.into(), lines, worth as u8, equal.into()]);
    out.extend_from_slice(&reach.to_be_bytes());
    put_text(customer.unwrap_or_default(), out);
    put_signed(time, out);
    for amount in [spend, detail.margin, detail.quantity] {
        put_signed(amount.cents, out);
        put_number(amount.fraction, out);
    }
}

/// Reads a record; nothing when it was not written by [`write`](write()).
pub(super) fn read(record: &[u8]) -> Option<Record<'_>> {
    let mut rest = record;
    let bytes = &mut rest;
    take_bytes::<8>(bytes)?;
    let order = take_text(bytes)?;
    let key = &record[..record.len() - bytes.len()];
    let digest = u64::from_be_bytes(take_bytes(bytes)?);
    let position = u64::from_be_bytes(take_bytes(bytes)?);
    let [named, counts, lines, worth, equal] = take_bytes(bytes)?;
    let reach = u16::from_be_bytes(take_bytes(bytes)?);
    let worth = [WorthColumn::Nothing, WorthColumn::UnitPrice, WorthColumn::LineTotal].into_iter().find(|column| *column as u8 == worth)?;
    let customer = take_text(bytes)?;
    let time = take_signed(bytes)?;
    let mut amount = || Some(Amount { cents: take_signed(bytes)?, fraction: take_number(bytes)? });
    let (spend, margin, quantity) = (amount()?, amount()?, amount()?);
    let (counts, equal, detail) = (counts != 0, equal != 0, Detail { margin, quantity });
    let line = PartialOrder { time, counts, position, lines, spend, worth, equal, reach, detail, ..PartialOrder::default() };
    Some(Record { key, order, digest, customer: (named != 0).then_some(customer), line })
}
