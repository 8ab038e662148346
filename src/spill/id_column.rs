//! Ids of a frame: their lengths, packed, then their bytes, one id after the other. In memory an id is an Arrow view, and long ones lie in
//! one buffer.

use crate::base::bytes::pack::{pack, take, unpack};
use crate::model::ids::{INLINE, long_view, parts};

/// Short ids are copied this many bytes at a time, whatever their length.
const WINDOW: usize = 16;

/// Appends ids, of which long ones lie in `long`.
pub(crate) fn encode_ids(views: impl Iterator<Item = u128> + Clone, long: &[u8], out: &mut Vec<u8>) {
    let lengths: Vec<u32> = views.clone().map(|view| view as u32).collect();
    pack(&lengths, out);
    let mut at = out.len();
    let total: usize = lengths.iter().map(|&length| length as usize).sum();
    out.resize(at + total + WINDOW, 0);
    for (view, &length) in views.zip(&lengths) {
        let length = length as usize;
        if length > INLINE {
            let offset = parts(view).2;
            out[at..at + length].copy_from_slice(&long[offset..offset + length]);
        } else if let Some(window) = out[at..].first_chunk_mut::<WINDOW>() {
            // What is not the id's is covered by the next.
            *window = (view >> 32).to_le_bytes();
        }
        at += length;
    }
    out.truncate(at);
}

/// Reads `count` ids from the front and appends their views, and long ones to `long`; nothing when they are no ids.
pub(crate) fn decode_ids(bytes: &mut &[u8], count: usize, views: &mut Vec<u128>, long: &mut Vec<u8>) -> Option<()> {
    let mut lengths: Vec<u32> = Vec::new();
    unpack(bytes, count, &mut lengths)?;
    let total = lengths.iter().map(|&length| u64::from(length)).sum::<u64>();
    let bytes = take(bytes, usize::try_from(total).ok()?)?;
    let text = std::str::from_utf8(bytes).ok()?;
    let ascii = text.is_ascii();
    views.reserve(count);
    let long_bytes: u64 = lengths.iter().filter(|&&length| length as usize > INLINE).map(|&length| u64::from(length)).sum();
    long.reserve_exact(long_bytes as usize);
    let mut at = 0;
    for length in lengths {
        let end = at + length as usize;
        if !ascii && !text.is_char_boundary(end) {
            return None;
        }
        let inside = match (bytes[at..].first_chunk::<WINDOW>(), &bytes[at..end]) {
            (Some(window), _) => *window,
            (None, id) => {
                let mut window = [0; WINDOW];
                window[..id.len()].copy_from_slice(id);
                window
            }
        };
        let short = length as usize <= INLINE;
        let own = if short { length } else { 4 };
        let view = (u128::from_le_bytes(inside) & ((1 << (8 * own)) - 1)) << 32 | u128::from(length);
        if short {
            views.push(view);
        } else {
            views.push(long_view(view, 0, long.len() as u32));
            long.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    Some(())
}
