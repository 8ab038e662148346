//! The hash of a customer's id: seeded, and the same on every machine and in every version.
//!
//! Saved states and the order of output rows depend on it, so it must never change; the test below holds golden values. The top ten
//! bits name the partition, so that partitions in order are hashes in order, and the top six the section, some partitions whose rows a
//! router stages together. Hashes that never change can be made to collide, so nothing may become slow where many are equal: customers are
//! sorted by them, and hash tables of other things mix in a secret of the process.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// The number of partitions, in any run of any size: changing the number of workers moves owners, not data.
pub const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 10;

/// Partitions next to each other, whose rows are staged together.
pub(crate) const SECTIONS: usize = 1 << SECTION_BITS;
const SECTION_BITS: u32 = 6;
pub(crate) const PARTITIONS_PER_SECTION: usize = PARTITIONS / SECTIONS;

/// rapidhash V3, whose output its authors promise to keep.
const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0x6c65_6e73_666c_6f77);

/// The hash of an id.
#[inline]
pub fn hash_id(id: &[u8]) -> u64 {
    rapidhash_v3_seeded(id, &SECRETS)
}

/// The partition of a hash.
#[inline]
pub fn partition_of(hash: u64) -> usize {
    (hash >> (64 - PARTITION_BITS)) as usize
}

/// The section of a hash.
#[inline]
pub(crate) fn section_of(hash: u64) -> usize {
    (hash >> (64 - SECTION_BITS)) as usize
}

/// The 32 bits below those that name the section: they order the customers of a partition nearly as the whole hash does.
#[inline]
pub(crate) fn hash_in_section(hash: u64) -> u32 {
    (hash >> (32 - SECTION_BITS)) as u32
}

/// Which of its section's partitions a [`hash_in_section`] belongs to.
#[inline]
pub(crate) fn partition_in_section(hash: u32) -> usize {
    (hash >> (32 - (PARTITION_BITS - SECTION_BITS))) as usize
}

/// A random odd number of this process, which no input knows. No answer depends on it.
pub(crate) fn table_secret() -> u64 {
    static SECRET: OnceLock<u64> = OnceLock::new();
    *SECRET.get_or_init(|| RandomState::new().hash_one(0x9e37_79b9_7f4a_7c15_u64) | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_values() {
        let golden = [
            ("", 0xff6e600a50ba324d),
            ("7", 0x42c8377b3e66cf1f),
            ("007", 0xc1a14c98002c5acc),
            ("C-000134", 0x59b1b54e5f1923d4),
            ("67b4ec1f-cb69-4545-ad7f-049a5e3defad", 0xe0c7b0ccdc0c0ae6),
            ("客户-185-é客户-185-é客户-185-é", 0x191ee526bb2181eb),
        ];
        for (id, hash) in golden {
            assert_eq!(hash_id(id.as_bytes()), hash, "{id:?}");
        }
    }

    #[test]
    fn a_section_is_some_partitions() {
        for hash in (0..10_000u32).map(|i| hash_id(&i.to_le_bytes())) {
            assert_eq!(section_of(hash) * PARTITIONS_PER_SECTION + partition_in_section(hash_in_section(hash)), partition_of(hash));
        }
    }
}
