//! The frame of a buffer of partial orders: the form in which a buffer leaves the memory. `spill/FORMAT.md` draws its bytes.

use super::partial_order::{Detail, MOST_LINES, MOST_PARTIALS, PartialOrders, Slot};
use crate::base::bytes::checksum::{damaged, seal, unsealed};
use crate::base::bytes::pack::{pack, take, unpack};
use crate::base::error::Result;
use crate::base::money::Amount;
use crate::spill::{decode_ids, encode_ids};

const MAGIC: [u8; 4] = *b"LFOB";
const VERSION: u16 = 2;

impl PartialOrders {
    /// Appends a frame of all partial orders.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        let beside = [!self.fractions.is_empty(), !self.details.is_empty()].map(u8::from);
        out.extend_from_slice(&beside);
        for count in [self.slots.len(), self.digests.len()] {
            out.extend_from_slice(&(count as u32).to_le_bytes());
        }
        let mut small: Vec<u32> = Vec::with_capacity(self.slots.len());
        let ofs: [fn(&Slot) -> u32; 3] = [|slot| slot.lines.into(), |slot| slot.kind.into(), |slot| slot.reach.into()];
        for of in ofs {
            small.clear();
            small.extend(self.slots.iter().map(of));
            pack(&small, out);
        }
        let mut wide: Vec<i64> = Vec::with_capacity(self.slots.len());
        for of in [|slot: &Slot| slot.time, |slot: &Slot| slot.cents, |slot: &Slot| slot.position as i64] as [fn(&Slot) -> i64; 3] {
            wide.clear();
            wide.extend(self.slots.iter().map(of));
            pack(&wide, out);
        }
        if !self.fractions.is_empty() {
            pack(&self.padded(&self.fractions), out);
        }
        if !self.details.is_empty() {
            let details = self.padded(&self.details);
            for of in [|detail: &Detail| detail.margin, |detail: &Detail| detail.quantity] as [fn(&Detail) -> Amount; 2] {
                wide.clear();
                wide.extend(details.iter().map(|detail| of(detail).cents));
                pack(&wide, out);
                pack(&details.iter().map(|detail| of(detail).fraction).collect::<Vec<_>>(), out);
            }
        }
        pack(&self.digests, out);
        for of in [|slot: &Slot| slot.order, |slot: &Slot| slot.customer] as [fn(&Slot) -> [u8; 16]; 2] {
            encode_ids(self.slots.iter().map(|slot| u128::from_le_bytes(of(slot))), &self.long, out);
        }
        seal(out, at);
    }

    /// With zeros for the last partial orders, if they have none.
    fn padded<T: Copy + Default>(&self, values: &[T]) -> Vec<T> {
        let mut values = values.to_vec();
        values.resize(self.slots.len(), T::default());
        values
    }

    /// The partial orders of a frame.
    ///
    /// # Errors
    /// When the bytes are not a frame, or not the one that was written.
    pub(super) fn decode(frame: &[u8]) -> Result<Self> {
        Self::read(frame).ok_or_else(damaged)
    }

    fn read(frame: &[u8]) -> Option<Self> {
        let mut bytes = unsealed(frame)?;
        let bytes = &mut bytes;
        if take(bytes, 4)? != MAGIC || take(bytes, 2)? != VERSION.to_le_bytes() {
            return None;
        }
        let &[has_fractions, has_details] = take(bytes, 2)? else { return None };
        let mut count = || Some(u32::from_le_bytes(take(bytes, 4)?.try_into().ok()?) as usize);
        let (count, digest_count) = (count()?, count()?);
        if count > MOST_PARTIALS || digest_count > count * MOST_LINES {
            return None;
        }
        let mut small = || {
            let mut values = Vec::<u32>::new();
            unpack(bytes, count, &mut values)?;
            Some(values)
        };
        let (lines, kinds, reaches) = (small()?, small()?, small()?);
        let mut wide = || {
            let mut values = Vec::<i64>::new();
            unpack(bytes, count, &mut values)?;
            Some(values)
        };
        let (times, cents, positions) = (wide()?, wide()?, wide()?);
        let mut found = PartialOrders::default();
        if has_fractions != 0 {
            unpack(bytes, count, &mut found.fractions)?;
        }
        if has_details != 0 {
            let mut amounts = || {
                let (mut cents, mut fractions) = (Vec::<i64>::new(), Vec::<u64>::new());
                unpack(bytes, count, &mut cents)?;
                unpack(bytes, count, &mut fractions)?;
                Some(cents.into_iter().zip(fractions).map(|(cents, fraction)| Amount { cents, fraction }))
            };
            let (margins, quantities) = (amounts()?, amounts()?);
            found.details = margins.zip(quantities).map(|(margin, quantity)| Detail { margin, quantity }).collect();
        }
        unpack(bytes, digest_count, &mut found.digests)?;
        let mut views = || {
            let mut views = Vec::new();
            decode_ids(bytes, count, &mut views, &mut found.long)?;
            Some(views)
        };
        let (orders, customers) = (views()?, views()?);
        let mut digests = 0;
        found.slots.reserve_exact(count);
        for (at, (order, customer)) in orders.into_iter().zip(customers).enumerate() {
            let lines = u8::try_from(lines[at]).ok()?;
            let (order, customer) = (order.to_le_bytes(), customer.to_le_bytes());
            let (kind, reach) = (u8::try_from(kinds[at]).ok()?, u16::try_from(reaches[at]).ok()?);
            found.slots.push(Slot {
                order,
                customer,
                time: times[at],
                cents: cents[at],
                position: positions[at] as u64,
                digests,
                reach,
                lines,
                kind,
            });
            digests += u32::from(lines);
        }
        let digests_fit = digest_count == 0 || digest_count == digests as usize;
        (bytes.is_empty() && digests_fit).then_some(found)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::money::UNITS_PER_CENT;
    use crate::model::worth::WorthColumn;
    use crate::orders::partial_order::PartialOrder;
    use arrow::array::builder::make_view;
    use proptest::prelude::*;

    /// A partial order that owns what it is of.
    #[derive(Debug, Clone)]
    struct Owned {
        order: String,
        customer: Option<String>,
        time: i64,
        counts: bool,
        position: u64,
        spend: Amount,
        worth: WorthColumn,
        equal: bool,
        reach: u16,
        detail: Detail,
        digests: Vec<u64>,
    }

    impl Owned {
        fn partial(&self) -> PartialOrder<'_> {
            let Owned { time, counts, position, spend, worth, equal, reach, detail, .. } = *self;
            let (order, customer) = (self.order.as_bytes(), self.customer.as_deref().map(str::as_bytes));
            let (lines, digests) = (self.digests.len() as u8, &self.digests);
            PartialOrder { order, customer, time, counts, position, lines, spend, worth, equal, reach, detail, digests }
        }
    }

    fn partial() -> impl Strategy<Value = Owned> {
        let id = || prop_oneof![Just(String::new()), "[a-z0-9]{1,14}", "[äöü客]{3,9}"];
        let amount = || {
            let fraction = prop_oneof![3 => Just(0), 1 => 0..UNITS_PER_CENT];
            (any::<i64>(), fraction).prop_map(|(cents, fraction)| Amount { cents, fraction })
        };
        let detail =
            prop_oneof![2 => Just(Detail::default()), 1 => (amount(), amount()).prop_map(|(margin, quantity)| Detail { margin, quantity })];
        let digests = prop::collection::vec(any::<u64>(), 1..MOST_LINES);
        let worth = prop::sample::select(vec![WorthColumn::Nothing, WorthColumn::UnitPrice, WorthColumn::LineTotal]);
        let worth = (amount(), worth, any::<bool>(), prop_oneof![Just(0), any::<u16>()], detail);
        let parts = (id(), prop::option::of(id()), any::<i64>(), any::<bool>(), 0..u64::MAX / 2, worth, digests);
        parts.prop_map(|(order, customer, time, counts, position, (spend, worth, equal, reach, detail), digests)| Owned {
            // Equal lines are worth a part of the sum each.
            spend: if equal { Amount { cents: spend.cents / 64 * digests.len() as i64, fraction: 0 } } else { spend },
            order,
            customer,
            time,
            counts,
            position,
            worth,
            equal,
            reach,
            detail,
            digests,
        })
    }

    fn put(buffer: &mut PartialOrders, partial: &PartialOrder<'_>) {
        let view = |id: &[u8]| make_view(id, 0, 0);
        buffer.push(partial, view(partial.order), partial.customer.map_or(0, view));
    }

    fn filled(partials: &[Owned]) -> PartialOrders {
        let mut buffer = PartialOrders::default();
        partials.iter().for_each(|partial| put(&mut buffer, &partial.partial()));
        buffer
    }

    fn encoded(partials: &PartialOrders) -> Vec<u8> {
        let mut frame = Vec::new();
        partials.encode(&mut frame);
        frame
    }

    proptest! {
        /// Partial orders come back from a buffer, and from its frame, whatever lies beside them.
        #[test]
        fn partial_orders_come_back(partials in prop::collection::vec(partial(), 0..20), keeps in any::<bool>()) {
            let mut partials = partials;
            let buffer = filled(&partials);
            for (at, partial) in partials.iter().enumerate() {
                prop_assert_eq!(buffer.get(at), partial.partial());
            }
            let back = PartialOrders::decode(&encoded(&buffer)).unwrap();
            for (at, partial) in partials.iter().enumerate() {
                prop_assert_eq!(back.get(at), partial.partial());
            }
            // Where duplicates count, no line has a digest.
            if keeps {
                let mut buffer = PartialOrders::default();
                partials.iter().for_each(|partial| put(&mut buffer, &PartialOrder { digests: &[], ..partial.partial() }));
                let back = PartialOrders::decode(&encoded(&buffer)).unwrap();
                for (at, partial) in partials.iter_mut().enumerate() {
                    prop_assert_eq!(back.get(at), PartialOrder { digests: &[], ..partial.partial() });
                }
            }
        }

        /// Lines come back from records, which sort by order, digest and position, and together have the sums of the partial order.
        #[test]
        fn records_come_back(a in partial(), b in partial(), same in any::<bool>(), keeps in any::<bool>()) {
            use crate::orders::line_record::{read, write};
            let b = if same { Owned { order: a.order.clone(), ..b } } else { b };
            let records = |partial: &PartialOrder<'_>| {
                let mut records = Vec::new();
                write(partial, |append| {
                    let mut record = Vec::new();
                    append(&mut record);
                    records.push(record);
                    Ok(())
                }).unwrap();
                records
            };
            let of = |owned: &Owned| records(&PartialOrder { digests: if keeps { &[] } else { &owned.digests }, ..owned.partial() });
            let (one, other) = (of(&a), of(&b));
            for (at, found) in one.iter().enumerate() {
                let record = read(found).unwrap();
                let whole = a.partial();
                let (position, lines) = (whole.position.wrapping_add(at as u64), if keeps { whole.lines } else { 1 });
                let detail = if at == 0 { whole.detail } else { Detail::default() };
                let spend = match whole.each() {
                    Some(each) if !keeps => each,
                    _ if at == 0 => whole.spend,
                    _ => Amount::default(),
                };
                prop_assert_eq!(record.partial(), PartialOrder { position, lines, spend, detail, digests: &[], ..whole });
                prop_assert_eq!(record.digest, if keeps { 0 } else { a.digests[at] });
                let (other, next) = (&other[0], read(&other[0]).unwrap());
                prop_assert_eq!(record.key == next.key, a.order == b.order);
                if record.key == next.key && (record.digest, position) != (next.digest, b.position) {
                    prop_assert_eq!(found.cmp(other), (record.digest, position).cmp(&(next.digest, b.position)));
                }
            }
            prop_assert_eq!(one.len(), if keeps { 1 } else { a.digests.len() });
        }

        #[test]
        fn damage_is_an_error(partials in prop::collection::vec(partial(), 0..4), bit in 0..8u8, at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let frame = encoded(&filled(&partials));
            for at in 0..frame.len() {
                let mut flipped = frame.clone();
                flipped[at] ^= 1 << bit;
                prop_assert!(PartialOrders::decode(&flipped).is_err(), "byte {}", at);
            }
            // Not even bytes made to deceive are a panic.
            let mut body = frame[..frame.len() - 8].to_vec();
            let at = at.index(body.len());
            body[at] = to;
            seal(&mut body, 0);
            let _ = PartialOrders::decode(&body).map(|partials| partials.len());
        }
    }

    /// The bytes of version 2. If this fails, the format has changed: see `FORMAT.md`.
    #[test]
    fn golden_bytes() {
        let partial = PartialOrder {
            order: b"O1",
            customer: Some(b"a customer's long id"),
            time: 1_700_000_000_000_000,
            counts: true,
            position: 3 << 38,
            lines: 2,
            spend: Amount { cents: 1_250, fraction: 0 },
            worth: WorthColumn::UnitPrice,
            equal: false,
            reach: 1,
            detail: Detail::default(),
            digests: &[5, 7],
        };
        let mut partials = PartialOrders::default();
        put(&mut partials, &partial);
        put(&mut partials, &PartialOrder { order: b"O2", customer: None, position: (3 << 38) + 2, ..partial });
        let frame = encoded(&partials);
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
    }

    const GOLDEN: &str = "4c464f42020000000200000004000000000200000000000000010000000000000001060000000000000001000000000000000100000100\
             00000000000001000000000000000000401e18240a0600010000000000000000e20400000000000001000000000000000100000000c000\
             00000100000000000000000201050000000000000001000000000000000002000200020000000000000001000000000000004f314f3201\
             0000000000000000010000000000000014006120637573746f6d65722773206c6f6e67206964bb30bd890b77308c";
}
