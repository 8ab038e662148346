//! The ids of a partition: Arrow views, short ids inside them, long ids in blocks. No allocation per id.

use crate::route::rows::{INLINE, long_view, parts};
use arrow::buffer::Buffer;

/// The first block of long ids; each next one is twice as large, up to [`MAX_BLOCK`].
const MIN_BLOCK: usize = 1 << 10;
const MAX_BLOCK: usize = 1 << 20;

/// Ids by index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    views: Vec<u128>,
    blocks: Vec<Vec<u8>>,
}

impl Ids {
    pub(crate) fn len(&self) -> usize {
        self.views.len()
    }

    pub(crate) fn views(&self) -> &[u128] {
        &self.views
    }

    /// Appends an id; `long` holds its bytes where they are not in the view.
    pub(crate) fn push(&mut self, view: u128, long: &[u8]) {
        let view = if long.is_empty() { view } else { self.store(view, long) };
        self.views.push(view);
    }

    fn store(&mut self, view: u128, long: &[u8]) -> u128 {
        let room = self.blocks.last().map_or(0, |block| block.capacity() - block.len());
        if room < long.len() {
            let size = self.blocks.last().map_or(MIN_BLOCK, |block| (block.capacity() * 2).min(MAX_BLOCK));
            self.blocks.push(Vec::with_capacity(size.max(long.len())));
        }
        let at = self.blocks.len() - 1;
        let block = &mut self.blocks[at];
        let offset = block.len() as u32;
        block.extend_from_slice(long);
        long_view(view, at as u32, offset)
    }

    /// Whether the id at an index is this one.
    #[inline]
    pub(crate) fn is(&self, index: u32, view: u128, long: &[u8]) -> bool {
        let own = self.views[index as usize];
        if long.is_empty() { own == view } else { own as u64 == view as u64 && self.long(own) == long }
    }

    #[inline]
    fn long(&self, view: u128) -> &[u8] {
        let (length, block, offset) = parts(view);
        &self.blocks[block][offset..offset + length]
    }

    /// The bytes of the id at an index, given room for a short one.
    #[inline]
    pub(crate) fn get<'a>(&'a self, index: usize, room: &'a mut [u8; 16]) -> &'a [u8] {
        let view = self.views[index];
        let length = view as u32 as usize;
        if length > INLINE {
            return self.long(view);
        }
        *room = view.to_le_bytes();
        &room[4..4 + length]
    }

    /// The bytes of the id at an index where they do not fit its view.
    pub(crate) fn long_at(&self, index: usize) -> &[u8] {
        let view = self.views[index];
        if view as u32 as usize > INLINE { self.long(view) } else { &[] }
    }

    /// The id at an index as text.
    pub(crate) fn text(&self, index: usize) -> String {
        String::from_utf8_lossy(self.get(index, &mut [0; 16])).into_owned()
    }

    /// The same ids in another order, as Arrow views and the blocks of their long ones; nothing is copied but the views.
    pub(crate) fn into_views(self, order: &[u32]) -> (Vec<u128>, Vec<Buffer>) {
        let views = order.iter().map(|&i| self.views[i as usize]).collect();
        (views, self.blocks.into_iter().map(Buffer::from_vec).collect())
    }
}
