//! Signs that ids are not what they should be, among all customers: noticed once per customer, when partitions are finished.
//!
//! Ids that differ by case or blanks only are looked for among the customers whose folded ids have the 4,096 least hashes: all of them, where
//! there are no more, else a sample that is the same for any order and number of threads. The bytes of short ids are looked at all at once;
//! long ids in lower case come in the order of their hashes, so beyond the sample only their bytes are looked at.

use crate::base::merge::Merge;
use crate::base::text::grouped;
use crate::model::hash::hash_id;
use crate::model::ids::INLINE;
use crate::model::note::{Notes, Topic};
use crate::model::read_options::IdFormat;
use crate::model::state_batch::StateBatch;
use crate::source::values::{NULL_WORDS, id_forms};
use std::collections::BTreeMap;

/// Customers among whom ids that are alike are looked for.
const SAMPLE: usize = 1 << 12;

/// The bytes of ids that are put into lower case without being copied to the heap.
const MOST_LOWERED: usize = 64;

/// A letter that has a lower case.
const UPPER: u8 = 1;
/// Blanks, control characters, and all that is not ASCII.
const ODD: u8 = 2;
/// What an exponent begins with.
const EXPONENT: u8 = 4;
/// The signs of each byte.
const SIGNS: [u8; 256] = {
    let (mut signs, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let b = byte as u8;
        signs[byte] =
            (b.is_ascii_uppercase() as u8 * UPPER) | (!b.is_ascii_graphic() as u8 * ODD) | (matches!(b, b'e' | b'E') as u8 * EXPONENT);
        byte += 1;
    }
    signs
};

/// One in each byte of a word, and its highest bit.
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The highest bits of so many bytes of a word.
const USED: [u64; 9] = {
    let (mut used, mut bytes) = ([0; 9], 0);
    while bytes < 8 {
        used[bytes + 1] = used[bytes] | 0x80 << (8 * bytes);
        bytes += 1;
    }
    used
};
/// What words for no value begin with.
const NULL_BEGINS: &[u8] = b"Nn\\(<u-#";
/// Whether a byte is one of these.
const BEGINS_NULL: [bool; 256] = {
    let (mut begins, mut at) = ([false; 256], 0);
    while at < NULL_BEGINS.len() {
        begins[NULL_BEGINS[at] as usize] = true;
        at += 1;
    }
    begins
};

/// What a short id shows: all bytes of its view at once.
struct Short {
    signs: u8,
    /// Its bytes in lower case, where none is odd; the rest is 0.
    lower: [u64; 2],
}

impl Short {
    #[inline]
    fn of(view: u128) -> Self {
        let length = view as u32 as usize;
        let words = [(view >> 32) as u64, (view >> 96) as u64];
        let (mut signs, mut lower) = (0, words);
        for (word, used) in lower.iter_mut().zip([USED[length.min(8)], USED[length.saturating_sub(8)]]) {
            let bytes = *word;
            let low = bytes & !HIGH;
            // The highest bit of a byte tells whether it is at least so great.
            let at_least = |least: u64| low + ONES * (0x80 - least);
            let upper = at_least(b'A'.into()) & !at_least(u64::from(b'Z') + 1) & !bytes & HIGH;
            let odd = (bytes | !at_least(u64::from(b' ') + 1) | at_least(0x7f)) & used;
            let is_e = (bytes | (ONES * 0x20)) ^ (ONES * u64::from(b'e'));
            let exponent = is_e.wrapping_sub(ONES) & !is_e & HIGH;
            for (found, sign) in [(upper, UPPER), (odd, ODD), (exponent, EXPONENT)] {
                signs |= if found != 0 { sign } else { 0 };
            }
            *word |= upper >> 2;
        }
        Short { signs, lower }
    }
}

/// The hash by which a folded id is in the sample or not.
fn sample_hash(folded: &[u8]) -> u64 {
    if folded.len() > INLINE {
        return hash_id(folded);
    }
    let mut bytes = [0; 16];
    bytes[..folded.len()].copy_from_slice(folded);
    let view = u128::from_le_bytes(bytes);
    mixed([view as u64, (view >> 64) as u64], folded.len())
}

/// That of a short id.
#[inline]
fn mixed([first, second]: [u64; 2], length: usize) -> u64 {
    let product = u128::from(first ^ 0x9e37_79b9_7f4a_7c15) * u128::from(second ^ (length as u64) << 32 ^ 0xd6e8_feb8_6659_fd93);
    let once = product as u64 ^ (product >> 64) as u64;
    let again = u128::from(once ^ first) * 0xa076_1d64_78bd_642f;
    again as u64 ^ (again >> 64) as u64
}

/// Whether all of an id that is not ASCII is visible and has no other lower case, as far as that is quickly told: small letters of western Europe,
/// Chinese characters, Korean syllables. Folding such an id folds its ASCII letters.
fn is_caseless(id: &[u8]) -> bool {
    let mut rest = id;
    loop {
        rest = match rest {
            [] => return true,
            [b'!'..=b'~', rest @ ..] => rest,
            [0xc3, 0x9f..=0xbf, rest @ ..] => rest,
            [0xe4..=0xe9, _, _, rest @ ..] | [0xeb..=0xec, _, _, rest @ ..] => rest,
            _ => return false,
        }
    }
}

/// What was noticed.
#[derive(Debug, Default)]
pub(super) struct IdSigns {
    customers: u64,
    /// The orders of those called by a word for no value.
    nulls: BTreeMap<&'static str, u64>,
    points: u64,
    invisible: u64,
    scientific: u64,
    /// Customers by the hash of their folded id; the least hashes.
    folded: BTreeMap<u64, u64>,
    /// The greatest of these, once there are as many as are kept.
    greatest: Option<u64>,
}

impl IdSigns {
    /// Looks at some customers, which are ascending by hash.
    pub(super) fn add(&mut self, states: &StateBatch) {
        self.customers += states.len() as u64;
        let mut is_past = false;
        for (customer, &view) in states.views.iter().enumerate() {
            let orders = || states.orders.get(states.begin(customer)..states.ends[customer] as usize).unwrap_or_default();
            let orders = || orders().iter().fold(0, |sum: u64, orders| sum.saturating_add(orders.unsigned_abs()));
            let mut room = [0; 16];
            let length = view as u32 as usize;
            if length <= INLINE {
                let Short { mut signs, lower } = Short::of(view);
                if signs & ODD != 0 && is_caseless(states.id(customer, &mut room)) {
                    signs &= !ODD;
                }
                let last = view >> (24 + 8 * length);
                if signs & (ODD | EXPONENT) != 0 || last as u8 == b'0' || BEGINS_NULL[usize::from((view >> 32) as u8)] {
                    self.look(states.id(customer, &mut room), signs, orders);
                }
                let hash = match signs & ODD {
                    0 => mixed(lower, length),
                    _ => sample_hash(folded(states.id(customer, &mut room)).as_bytes()),
                };
                self.fold(hash);
                continue;
            }
            let id = states.id(customer, &mut room);
            let mut signs = id.iter().fold(0, |signs, &byte| signs | SIGNS[usize::from(byte)]);
            if signs & ODD != 0 && is_caseless(id) {
                signs &= !ODD;
            }
            self.look(id, signs, orders);
            if signs & (UPPER | ODD) == 0 {
                if !is_past {
                    let hash = hash_id(id);
                    is_past = self.is_past(hash);
                    self.fold(hash);
                }
                continue;
            }
            let mut lower = [0; MOST_LOWERED];
            match lower.get_mut(..id.len()) {
                Some(lower) if signs & ODD == 0 => {
                    lower.copy_from_slice(id);
                    lower.make_ascii_lowercase();
                    self.fold(hash_id(lower));
                }
                _ => self.fold(sample_hash(folded(id).as_bytes())),
            }
        }
    }

    #[inline]
    fn look(&mut self, id: &[u8], signs: u8, orders: impl FnOnce() -> u64) {
        let last = id.last().copied().unwrap_or_default();
        let is_short = id.len() <= 9 && id.first().is_some_and(|&first| BEGINS_NULL[usize::from(first)]);
        if is_short && let Some(word) = NULL_WORDS.into_iter().find(|word| word.as_bytes() == id) {
            *self.nulls.entry(word).or_default() += orders();
        }
        if last == b'0' && id.ends_with(b".0") && id.len() > 2 && id[..id.len() - 2].iter().all(u8::is_ascii_digit) {
            self.points += 1;
        }
        if signs & EXPONENT != 0 && last.is_ascii_digit() {
            self.scientific += u64::from(id_forms::is_scientific(&String::from_utf8_lossy(id)));
        }
        if signs & ODD != 0 {
            self.invisible += u64::from(id_forms::has_invisible(&String::from_utf8_lossy(id)));
        }
    }

    /// Whether a hash is too great for the sample.
    fn is_past(&self, hash: u64) -> bool {
        self.greatest.is_some_and(|greatest| hash > greatest)
    }

    #[inline]
    fn fold(&mut self, hash: u64) {
        if !self.is_past(hash) {
            self.keep(hash);
        }
    }

    #[cold]
    fn keep(&mut self, hash: u64) {
        *self.folded.entry(hash).or_default() += 1;
        self.cut();
    }

    /// Leaves as many as are kept.
    fn cut(&mut self) {
        while self.folded.len() > SAMPLE {
            self.folded.pop_last();
        }
        let is_full = self.folded.len() == SAMPLE;
        self.greatest = self.folded.last_key_value().filter(|_| is_full).map(|(greatest, _)| *greatest);
    }

    /// What was noticed, as notes.
    pub(super) fn notes(&self) -> Notes {
        let notes = Notes::default();
        self.nulls.iter().for_each(|(word, orders)| notes.add(Topic::NullIds, word, (*orders).max(1)));
        notes.add(Topic::PointIds, "", self.points);
        notes.add(Topic::InvisibleIds, "", self.invisible);
        notes.add(Topic::ScientificIds, "", self.scientific);
        let alike = self.folded.values().filter(|count| **count > 1);
        let (customers, groups) = (alike.clone().sum::<u64>(), alike.count());
        if groups > 0 {
            let all: u64 = self.folded.values().sum();
            let among = if all < self.customers { " that were looked at" } else { "" };
            let (customers, all) = (grouped(customers), grouped(all));
            notes.say(
                Topic::AlikeIds,
                format!(
                    "{customers} of {all} ids{among} differ from another by case or blanks only: `id_format=fold` reads them as {}",
                    grouped(groups)
                ),
            );
        }
        notes
    }
}

impl Merge for IdSigns {
    fn merge(&mut self, other: IdSigns) {
        self.customers += other.customers;
        other.nulls.into_iter().for_each(|(word, count)| *self.nulls.entry(word).or_default() += count);
        self.points += other.points;
        self.invisible += other.invisible;
        self.scientific += other.scientific;
        other.folded.into_iter().for_each(|(hash, count)| *self.folded.entry(hash).or_default() += count);
        self.cut();
    }
}

/// An id as [`IdFormat::Fold`] reads it.
fn folded(id: &[u8]) -> String {
    let text = String::from_utf8_lossy(id);
    id_forms::customer_id(&text, IdFormat::Fold).unwrap_or_default().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// States of these ids, in the order of their hashes.
    fn states(ids: &[String]) -> StateBatch {
        let mut states = StateBatch::default();
        let mut ids: Vec<&String> = ids.iter().collect();
        ids.sort_by_key(|id| hash_id(id.as_bytes()));
        for id in ids {
            states.ends.push(0);
            states.views.push(arrow::array::builder::make_view(id.as_bytes(), 0, states.long.len() as u32));
            if id.len() > crate::model::ids::INLINE {
                states.long.extend_from_slice(id.as_bytes());
            }
        }
        states
    }

    fn notes(parts: &[Vec<String>]) -> Vec<String> {
        let mut all = IdSigns::default();
        for part in parts {
            let mut signs = IdSigns::default();
            signs.add(&states(part));
            all.merge(signs);
        }
        all.notes().texts()
    }

    #[test]
    fn odd_ids_are_noticed() {
        let ids = [
            "NULL",
            "12923.0",
            "7.0",
            "a\u{200b}",
            " b",
            "1.5E+10",
            "Ann@Example.com",
            "ann@example.com ",
            "ann@example.com",
            "12923",
            "v1.0",
        ];
        let said = notes(&[ids.map(str::to_owned).to_vec()]).join("\n");
        for part in ["called \"NULL\"", "2 ids are whole numbers", "3 ids have blanks", "1 id is a number such as", "3 of 11 ids differ"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(notes(&[["anna", "bob", "C-1", "c-2", "007", "x-0", "4e7b", "Zoë"].map(str::to_owned).to_vec()]), [""; 0]);
    }

    /// What all bytes at once tell is what each of them tells.
    #[test]
    fn short_ids_are_looked_at_all_at_once() {
        let mut dice = 7u64;
        for length in 0..=INLINE {
            for _ in 0..2_000 {
                let mut id = vec![0u8; length];
                for byte in &mut id {
                    dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let any = (dice >> 33) as u8;
                    *byte = if dice >> 60 < 14 { b"AZaze019-_@[`{~ E.".get(usize::from(any % 18)).copied().unwrap_or(b'x') } else { any };
                }
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
                bytes[4..4 + length].copy_from_slice(&id);
                let Short { signs, lower } = Short::of(u128::from_le_bytes(bytes));
                let each = id.iter().fold(0, |signs, &byte| signs | SIGNS[usize::from(byte)]);
                // An odd byte may seem to be an exponent, which is looked at again.
                assert!(signs == each || each & ODD != 0 && signs & ODD != 0, "{id:?}: {signs} {each}");
                if each & ODD == 0 {
                    assert_eq!(mixed(lower, length), sample_hash(&id.to_ascii_lowercase()), "{id:?}");
                }
            }
        }
    }

    /// What is quickly told is what Unicode says.
    #[test]
    fn caseless_ids_fold_as_ascii_does() {
        let mut caseless = 0;
        for c in (0..0x1_1000).filter_map(char::from_u32) {
            let id = format!("aZ{c}-");
            if is_caseless(id.as_bytes()) {
                caseless += u32::from(!c.is_ascii());
                assert_eq!(folded(id.as_bytes()), id.to_ascii_lowercase(), "{id:?}");
                assert!(!id_forms::has_invisible(&id), "{id:?}");
            }
        }
        assert_eq!(caseless, 33 + (0xa000 - 0x4000) + (0xd000 - 0xb000));
    }

    /// A sample of many customers is the same however they are divided.
    #[test]
    fn samples_do_not_depend_on_threads() {
        let ids: Vec<String> = (0..20_000).flat_map(|i| [format!("user{i}"), format!("{}{i}", ["User", "other"][i % 2])]).collect();
        let whole = notes(std::slice::from_ref(&ids));
        assert!(whole[0].contains("ids that were looked at differ") && whole.len() == 1, "{whole:?}");
        let (mut odd, mut even) = (Vec::new(), Vec::new());
        ids.into_iter().enumerate().for_each(|(i, id)| if i % 3 == 0 { odd.push(id) } else { even.push(id) });
        assert_eq!(notes(&[even.clone(), odd.clone()]), whole);
        assert_eq!(notes(&[odd, even]), whole);
    }
}
