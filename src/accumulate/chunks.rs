//! A list that grows without moving: a doubling vector would copy what is most of a run's memory. Values that belong together lie next to each
//! other, so that they are read as one slice.

use std::vec::IntoIter;

/// Values in a chunk, but for more than these that have to lie together. The first chunk grows to that like any vector, so that few values take
/// up little.
pub(super) const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 8;

/// A list of values with places of 32 bits: the number of the chunk above the place in it.
#[derive(Debug, Clone)]
pub(super) struct Chunks<T> {
    full: Vec<Vec<T>>,
    /// The bytes of these.
    full_bytes: usize,
    last: Vec<T>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Chunks { full: Vec::new(), full_bytes: 0, last: Vec::new() }
    }
}

impl<T> Chunks<T> {
    /// The number of values, where they were pushed one by one.
    pub(super) fn len(&self) -> usize {
        self.full.len() * CHUNK + self.last.len()
    }

    /// The number of the chunk of a place.
    #[inline]
    pub(super) fn chunk_of(place: u32) -> usize {
        (place >> CHUNK_BITS) as usize
    }

    /// Where in its chunk a place is.
    #[inline]
    pub(super) fn within(place: u32) -> usize {
        place as usize % CHUNK
    }

    /// A chunk.
    #[inline]
    pub(super) fn chunk(&self, number: usize) -> &[T] {
        self.full.get(number).unwrap_or(&self.last)
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> &T {
        &self.chunk(Self::chunk_of(place))[Self::within(place)]
    }

    /// Values that fit behind the last one, in its chunk.
    #[inline]
    pub(super) fn room(&self) -> usize {
        CHUNK.saturating_sub(self.last.len())
    }

    /// The last chunk, with room for so many more values next to each other, and the place of the first of them.
    #[inline]
    pub(super) fn together(&mut self, values: usize) -> (u32, &mut Vec<T>) {
        if self.last.capacity() - self.last.len() < values || self.last.len() >= CHUNK {
            self.grow(values);
        }
        ((self.full.len() << CHUNK_BITS | self.last.len()) as u32, &mut self.last)
    }

    #[cold]
    fn grow(&mut self, values: usize) {
        let needed = self.last.len() + values;
        if needed <= CHUNK {
            // Only the first: each other is made with all of its room.

            let capacity = (2 * self.last.capacity()).max(4).max(needed).min(CHUNK);
            return self.last.reserve_exact(capacity - self.last.len());
        }
        let last = std::mem::replace(&mut self.last, Vec::with_capacity(CHUNK.max(values)));
        if !last.is_empty() {
            self.full_bytes += last.capacity() * size_of::<T>();
            self.full.push(last);
        }
    }

    /// Appends a value; gives its place.
    #[inline]
    pub(super) fn push(&mut self, value: T) -> u32 {
        let (place, last) = self.together(1);
        last.push(value);
        place
    }

    /// The chunks in order.
    pub(super) fn into_chunks(mut self) -> IntoIter<Vec<T>> {
        self.full.push(self.last);
        self.full.into_iter()
    }

    /// Bytes set aside.
    pub(super) fn memory(&self) -> usize {
        self.full_bytes + self.last.capacity() * size_of::<T>() + self.full.capacity() * size_of::<Vec<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_where_they_were_put() {
        let mut chunks = Chunks::default();
        for value in 0..1_000u32 {
            assert_eq!((chunks.len(), chunks.push(value * 3)), (value as usize, value));
        }
        assert_eq!(*chunks.get(700), 2_100);
        assert_eq!(chunks.memory(), 4 * CHUNK * 4 + 4 * size_of::<Vec<u32>>());
        let values: Vec<u32> = chunks.into_chunks().flatten().collect();
        assert!(values.into_iter().eq((0..1_000).map(|value| value * 3)));
    }

    /// Also where there are more of them than a chunk has.
    #[test]
    fn values_lie_together() {
        let (mut chunks, mut places) = (Chunks::default(), Vec::new());
        for values in [3, 100, 200, 56, 1, CHUNK + 7, 2, 600, 5] {
            let (place, last) = chunks.together(values);
            last.extend(std::iter::repeat_n(values, values));
            places.push((place, values));
        }
        for (place, values) in places {
            let all = &chunks.chunk(Chunks::<usize>::chunk_of(place))[Chunks::<usize>::within(place)..];
            assert!(all.iter().take(values).all(|&value| value == values), "{values}");
        }
        assert_eq!(chunks.into_chunks().flatten().count(), 3 + 100 + 200 + 56 + 1 + 263 + 2 + 600 + 5);
    }
}
