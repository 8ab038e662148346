//! Which partial orders of a partition are alone: told by the hashes of their orders, before anything is sorted.

/// The hashes of a partition's partial orders, and which of them are there once for certain: each sets one of sixteen bits for every partial order, so of
/// those that are alone one in sixteen is not known to be.
pub(super) struct OrderHashes {
    pub(super) all: Vec<u64>,
    seen: Vec<u64>,
    again: Vec<u64>,
}

impl OrderHashes {
    pub(super) fn with_capacity(count: usize) -> Self {
        let words = (count / 4).next_power_of_two();
        OrderHashes { all: Vec::with_capacity(count), seen: vec![0; words], again: vec![0; words] }
    }

    /// The word and the bit of a hash. The highest bits of all are those of the partition.
    #[inline]
    fn slot(&self, hash: u64) -> (usize, u64) {
        ((hash >> 6) as usize & (self.seen.len() - 1), 1 << (hash & 63))
    }

    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        let (word, bit) = self.slot(hash);
        self.again[word] |= self.seen[word] & bit;
        self.seen[word] |= bit;
        self.all.push(hash);
    }

    #[inline]
    pub(super) fn is_alone(&self, hash: u64) -> bool {
        let (word, bit) = self.slot(hash);
        self.again[word] & bit == 0
    }
}
