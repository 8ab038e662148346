//! The bytes of a partition's long ids, in blocks, found by their Arrow views. Short ids live inside their views. No allocation per id.

use crate::model::ids::{INLINE, View, joined_view, long_view, parts, split_view};

/// The first block; each next one is twice as large, up to [`MAX_BLOCK`].
const MIN_BLOCK: usize = 1 << 10;
const MAX_BLOCK: usize = 1 << 20;

/// Bytes of ids that do not fit their views.
#[derive(Debug, Clone, Default)]
pub(crate) struct LongIds {
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

impl LongIds {
    /// Keeps a long id; gives its view here.
    pub(crate) fn push(&mut self, view: View, id: &[u8]) -> View {
        let room = self.blocks.last().map_or(0, |block| block.capacity() - block.len());
        if room < id.len() {
            let size = self.blocks.last().map_or(MIN_BLOCK, |block| (block.capacity() * 2).min(MAX_BLOCK));
            self.blocks.push(Vec::with_capacity(size.max(id.len())));
            self.bytes += size.max(id.len());
        }
        let at = self.blocks.len() - 1;
        let block = &mut self.blocks[at];
        let offset = block.len() as u32;
        block.extend_from_slice(id);
        split_view(long_view(joined_view(view), at as u32, offset))
    }

    /// The bytes of a long id; nothing for one inside its view.
    #[inline]
    pub(crate) fn get(&self, view: View) -> &[u8] {
        let (length, block, offset) = parts(joined_view(view));
        if length <= INLINE { &[] } else { &self.blocks[block][offset..offset + length] }
    }

    /// Whether a view of these is the id whose own view and, if long, bytes are given.
    #[inline]
    pub(crate) fn is(&self, own: View, view: View, long: &[u8]) -> bool {
        if long.is_empty() { own == view } else { own[0] == view[0] && self.get(own) == long }
    }

    /// Bytes set aside.
    pub(crate) fn memory(&self) -> usize {
        self.bytes
    }
}
