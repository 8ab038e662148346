//! A list that grows without moving: a doubling vector would copy what is most of a run's memory.

/// Values in a chunk. The first chunk grows to that like any vector, so that few values take up little.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 8;

/// A list of up to 2³² − 1 values.
#[derive(Debug, Clone)]
pub(super) struct Chunks<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Chunks { chunks: Vec::new() }
    }
}

impl<T> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &T {
        &self.chunks[(at >> CHUNK_BITS) as usize][at as usize % CHUNK]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut T {
        &mut self.chunks[(at >> CHUNK_BITS) as usize][at as usize % CHUNK]
    }

    /// Appends a value; gives its place.
    #[inline]
    pub(super) fn push(&mut self, value: T) -> u32 {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(if self.chunks.is_empty() { 4 } else { CHUNK }));
        }
        let before = self.chunks.len() - 1;
        let last = &mut self.chunks[before];
        last.push(value);
        (before << CHUNK_BITS | (last.len() - 1)) as u32
    }

    /// Puts other values in the place of the same number of these.
    pub(super) fn replace(&mut self, values: &[T])
    where
        T: Copy,
    {
        self.chunks.iter_mut().zip(values.chunks(CHUNK)).for_each(|(chunk, values)| chunk.copy_from_slice(values));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// The values, chunk by chunk.
    pub(super) fn slices(&self) -> impl Iterator<Item = &[T]> {
        self.chunks.iter().map(Vec::as_slice)
    }

    /// Bytes set aside.
    pub(super) fn memory(&self) -> usize {
        let values = self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.capacity());
        values * size_of::<T>() + self.chunks.capacity() * size_of::<Vec<T>>()
    }

    /// Forgets the values and keeps the memory of a chunk.
    pub(super) fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks.iter_mut().for_each(Vec::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_where_they_were_put() {
        let mut chunks = Chunks::default();
        for round in 0..2u32 {
            for value in 0..1_000u32 {
                assert_eq!(chunks.len(), value as usize);
                assert_eq!(chunks.push(value * 3 + round), value);
                *chunks.get_mut(value) += 1;
            }
            assert!(chunks.iter().copied().eq((0..1_000).map(|value| value * 3 + round + 1)));
            assert_eq!(*chunks.get(700), 2_101 + round);
            assert_eq!(chunks.slices().map(<[u32]>::len).collect::<Vec<_>>(), [CHUNK, CHUNK, CHUNK, 1_000 - 3 * CHUNK]);
            assert!(chunks.memory() >= 4 * CHUNK * 4);
            let reversed: Vec<u32> = (0..1_000).rev().collect();
            chunks.replace(&reversed);
            assert!(chunks.iter().eq(&reversed));
            chunks.clear();
            assert_eq!(chunks.len(), 0);
        }
    }
}
