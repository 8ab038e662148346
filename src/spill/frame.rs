//! A frame: up to [`FRAME_CUSTOMERS`] customers as bytes, and back; `FORMAT.md` beside this file draws them. Runs are made of frames;
//! each is written, found and read back by itself.
//!
//! Reading gives what was written, or an error: a checksum covers every byte, and counts are checked against their limits before memory is
//! taken for them. That a run is sorted is checked in debug builds only: nothing but a bug could break it.

use super::id_column::{decode_ids, encode_ids};
use crate::base::bytes::checksum::{damaged, seal, unsealed};
use crate::base::bytes::pack::{pack, take, unpack};
use crate::base::error::{Error, Result};
use crate::base::money::UNITS_PER_CENT;
use crate::model::ids::{INLINE, parts};
use crate::model::state_batch::{Rest, StateBatch};
use std::ops::Range;

/// The most customers of a frame: enough to make its head and its way to the disk cheap, few enough to merge many runs at once.
pub(crate) const FRAME_CUSTOMERS: usize = 1 << 12;
/// Unpacked, a frame of more than one customer takes no more memory than this.
const FRAME_MEMORY: usize = 1 << 20;
/// The most entries of a frame: more windows than there are days in 9,999 years.
const FRAME_ENTRIES: usize = 1 << 22;

const MAGIC: [u8; 4] = *b"LFRN";
const VERSION: u16 = 1;
const HEADER: usize = 24;

/// Sums beyond 64 bits stay far below this, so that adding up any number of them cannot overflow.
const CARRY_LIMIT: u128 = 1 << 100;

/// The end of the frame that begins at a customer: as many customers as fit one frame, and at least one.
pub(crate) fn frame_end(states: &StateBatch, from: usize) -> usize {
    let most = states.len().min(from + FRAME_CUSTOMERS);
    let mut memory = 0;
    for customer in from..most {
        let long = parts(states.views[customer]).0;
        let long = if long > INLINE { long } else { 0 };
        let entries = states.ends[customer] as usize - states.begin(customer);
        // What a customer and an entry take up in `StateBatch`.
        memory += 28 + long + 36 * entries;
        if memory > FRAME_MEMORY {
            return customer.max(from + 1);
        }
    }
    most
}

/// Appends the frame of some customers, which must fit one: see [`frame_end`].
///
/// # Errors
/// When a customer has more entries or a longer id than any frame holds.
pub(crate) fn encode(states: &StateBatch, customers: Range<usize>, out: &mut Vec<u8>) -> Result<()> {
    let entries = states.begin(customers.start)..states.begin(customers.end);
    let rests = {
        let at = |entry: usize| states.rests.partition_point(|rest| (rest.entry as usize) < entry);
        &states.rests[at(entries.start)..at(entries.end)]
    };
    let at = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    for count in [customers.len(), entries.len(), rests.len(), 0] {
        out.extend_from_slice(&(count as u32).to_le_bytes());
    }

    pack(&states.first_seen[customers.clone()], out);
    let mut begin = entries.start as u32;
    let counts = states.ends[customers.clone()].iter().map(|&end| end - std::mem::replace(&mut begin, end));
    pack(&counts.collect::<Vec<u32>>(), out);
    pack(&states.windows[entries.clone()], out);
    pack(&states.starts[entries.clone()], out);
    pack(&states.references[entries.clone()], out);
    pack(&states.orders[entries.clone()], out);
    pack(&states.cents[entries.clone()], out);
    if !rests.is_empty() {
        let column = |of: fn(&Rest) -> u64| rests.iter().map(of).collect::<Vec<u64>>();
        pack(&rests.iter().map(|r| r.entry - entries.start as u32).collect::<Vec<u32>>(), out);
        pack(&column(|r| r.fraction), out);
        pack(&column(|r| r.carry as u64), out);
        pack(&column(|r| (r.carry >> 64) as u64), out);
    }
    encode_ids(states.views[customers.clone()].iter().copied(), &states.long, out);

    let payload = out.len() - at - HEADER;
    let Some(payload) = u32::try_from(payload).ok().filter(|_| customers.len() <= FRAME_CUSTOMERS && entries.len() <= FRAME_ENTRIES) else {
        return Err(Error::internal("a customer is too large to be spilled"));
    };
    out[at + HEADER - 4..at + HEADER].copy_from_slice(&payload.to_le_bytes());
    seal(out, at);
    Ok(())
}

/// Replaces the states by those of a frame.
///
/// # Errors
/// When the bytes are not a frame, or not the one that was written. The states are then empty.
pub(crate) fn decode(frame: &[u8], states: &mut StateBatch) -> Result<()> {
    states.clear();
    read(frame, states).ok_or_else(|| {
        states.clear();
        damaged()
    })
}

fn read(frame: &[u8], states: &mut StateBatch) -> Option<()> {
    let mut bytes = unsealed(frame)?;
    if take(&mut bytes, 4)? != MAGIC || take(&mut bytes, 2)? != VERSION.to_le_bytes() || take(&mut bytes, 2)? != [0; 2] {
        return None;
    }
    let mut count = |most: usize| {
        let count = u32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?) as usize;
        (count <= most).then_some(count)
    };
    let customers = count(FRAME_CUSTOMERS)?;
    let entries = count(FRAME_ENTRIES)?;
    let rests = count(entries)?;
    let payload = count(u32::MAX as usize)?;
    if bytes.len() != payload {
        return None;
    }

    unpack(&mut bytes, customers, &mut states.first_seen)?;
    unpack(&mut bytes, customers, &mut states.ends)?;
    let mut end = 0u64;
    for count in &mut states.ends {
        end += u64::from(*count);
        *count = end as u32;
    }
    if end != entries as u64 {
        return None;
    }
    unpack(&mut bytes, entries, &mut states.windows)?;
    unpack(&mut bytes, entries, &mut states.starts)?;
    unpack(&mut bytes, entries, &mut states.references)?;
    unpack(&mut bytes, entries, &mut states.orders)?;
    unpack(&mut bytes, entries, &mut states.cents)?;
    if rests > 0 {
        read_rests(&mut bytes, rests, entries, states)?;
    }
    decode_ids(&mut bytes, customers, &mut states.views, &mut states.long)?;
    (bytes.is_empty() && (!cfg!(debug_assertions) || is_sorted(states))).then_some(())
}

fn read_rests(bytes: &mut &[u8], count: usize, entries: usize, states: &mut StateBatch) -> Option<()> {
    let (mut at, mut fractions, mut low, mut high) = (Vec::<u32>::new(), Vec::<u64>::new(), Vec::<u64>::new(), Vec::<i64>::new());
    unpack(bytes, count, &mut at)?;
    unpack(bytes, count, &mut fractions)?;
    unpack(bytes, count, &mut low)?;
    unpack(bytes, count, &mut high)?;
    let columns = at.into_iter().zip(fractions).zip(low.into_iter().zip(high));
    let rest = |((entry, fraction), (low, high))| Rest { entry, fraction, carry: i128::from(high) << 64 | i128::from(low) };
    states.rests.extend(columns.map(rest));
    let fits = |r: &Rest| (r.entry as usize) < entries && r.fraction < UNITS_PER_CENT && r.carry.unsigned_abs() < CARRY_LIMIT;
    (states.rests.iter().all(fits) && states.rests.is_sorted_by(|a, b| a.entry < b.entry)).then_some(())
}

/// Whether customers ascend by hash and id, and their entries by window.
fn is_sorted(states: &StateBatch) -> bool {
    let key = |i: usize| (states.hash(i), states.id(i, &mut [0; 16]).to_vec());
    (1..states.len()).all(|i| key(i - 1) < key(i))
        && (0..states.len()).all(|i| states.windows[states.begin(i)..states.ends[i] as usize].is_sorted_by(|a, b| a < b))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::base::bytes::checksum::CHECKSUM;
    use crate::model::entry::EntrySum;
    use crate::model::samples::{sample, states};
    use proptest::prelude::*;

    fn encoded(states: &StateBatch) -> Vec<u8> {
        let mut out = Vec::new();
        encode(states, 0..states.len(), &mut out).unwrap();
        out
    }

    fn decoded(frame: &[u8]) -> Result<StateBatch> {
        let mut states = sample();
        let result = decode(frame, &mut states);
        assert!(result.is_ok() || states == StateBatch::default(), "half a frame was left behind");
        result.map(|()| states)
    }

    /// The bytes with a checksum that fits them.
    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut frame = body.to_vec();
        seal(&mut frame, 0);
        frame
    }

    proptest! {
        #[test]
        fn states_come_back(states in states(0..30)) {
            prop_assert_eq!(decoded(&encoded(&states)).unwrap(), states);
        }

        /// Any part of the states is a frame, wherever the bytes go.
        #[test]
        fn parts_come_back(states in states(1..30), from in 0..30usize, to in 0..30usize) {
            let (from, to) = (from.min(states.len()), to.min(states.len()));
            let mut out = vec![7; 5];
            encode(&states, from.min(to)..to, &mut out).unwrap();
            let part = decoded(&out[5..]).unwrap();
            let whole: Vec<String> = (from.min(to)..to).map(|i| format!("{:?}", crate::model::samples::customer(&states, i))).collect();
            let back: Vec<String> = (0..part.len()).map(|i| format!("{:?}", crate::model::samples::customer(&part, i))).collect();
            prop_assert_eq!(back, whole);
        }

        #[test]
        fn damage_is_an_error(states in states(0..8), cut in any::<prop::sample::Index>(), bit in 0..8u8) {
            let frame = encoded(&states);
            for at in 0..frame.len() {
                let mut flipped = frame.clone();
                flipped[at] ^= 1 << bit;
                prop_assert!(decoded(&flipped).is_err(), "byte {}", at);
            }
            prop_assert!(decoded(&frame[..cut.index(frame.len())]).is_err());
            prop_assert!(decoded(&[&frame[..], &[0]].concat()).is_err());
        }

        /// Not even bytes made to deceive are a panic, or more memory than the limits allow.
        #[test]
        fn deceit_is_no_panic(states in states(1..8), at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let frame = encoded(&states);
            let mut body = frame[..frame.len() - CHECKSUM].to_vec();
            let at = at.index(body.len());
            body[at] = to;
            let _ = decoded(&sealed(&body));
            body.truncate(HEADER + cut.index(body.len() - HEADER));
            let payload = (body.len() - HEADER) as u32;
            body[HEADER - 4..HEADER].copy_from_slice(&payload.to_le_bytes());
            let _ = decoded(&sealed(&body));
        }
    }

    const GOLDEN: &str = "4c46524e01000000030000000300000002000000310100000100a028e2ebffffff0060d71d140000000200030100000000000000000100\
             0000000000000200010100000000000000000100000000000000000300010060d71d140000000060d71d140000000004010100a0149d6f\
             02000000403d7f5b020000000100080100000000000000010000000000000001000000000000000000000000000000feffffffffffff7f\
             02fbffffffffffffff0100000000000000d407000005000101000000000000000100000000000000000101000000000000000039300000\
             00000000010000000000000000000001000000000000000100000000000000000100000000000000004001030000000000000001000000\
             00000000050021432d30303031333430303736376234656331662d636236392d343534352d616437662d3034396135653364656661640f\
             a4279a983d2923";

    /// The bytes of version 1. If this fails, the format has changed: see `FORMAT.md`.
    #[test]
    fn golden_bytes() {
        let frame = encoded(&sample());
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
        assert_eq!(decoded(&frame).unwrap(), sample());
    }

    #[test]
    fn frames_are_bounded() {
        let mut states = StateBatch::default();
        for windows in [1, 100_000, 2, 3, 20_000, 20_000] {
            for window in 0..windows {
                states.push_sum(window, &EntrySum { start: 0, reference: 0, orders: 0, cents: 0, carry: 0, fraction: 0 });
            }
            states.push(0, b"", 0);
        }
        let mut ends = vec![0];
        while ends[ends.len() - 1] < states.len() {
            ends.push(frame_end(&states, ends[ends.len() - 1]));
        }
        assert_eq!(ends, [0, 1, 2, 5, 6]);
    }

    #[test]
    fn other_versions_are_refused() {
        let mut body = encoded(&sample());
        body.truncate(body.len() - CHECKSUM);
        body[4] = 2;
        assert!(decoded(&sealed(&body)).unwrap_err().to_string().contains("damaged"));
    }
}
