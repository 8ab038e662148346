//! Ids of customers as Arrow views: short ones lie inside the view, long ones in bytes beside it.

/// Ids up to this length live inside their view.
pub(crate) const INLINE: usize = 12;

/// An Arrow view as two words: as one of 128 bits it would align rows to 16 bytes.
pub(crate) type View = [u64; 2];

#[inline]
pub(crate) fn split_view(view: u128) -> View {
    [view as u64, (view >> 64) as u64]
}

#[inline]
pub(crate) fn joined_view(view: View) -> u128 {
    u128::from(view[0]) | u128::from(view[1]) << 64
}

/// The view of a long id that lies elsewhere: length and prefix stay, block and offset change.
#[inline]
pub(crate) fn long_view(view: u128, block: u32, offset: u32) -> u128 {
    (view & u128::from(u64::MAX)) | (u128::from(block) << 64) | (u128::from(offset) << 96)
}

/// Length, block and offset of a view; block and offset mean nothing for an inline id.
#[inline]
pub(crate) fn parts(view: u128) -> (usize, usize, usize) {
    (view as u32 as usize, (view >> 64) as u32 as usize, (view >> 96) as u32 as usize)
}

/// The bytes of an id: the long ones given, or those inside the view, for which there is room.
#[inline]
pub(crate) fn id_bytes<'a>(view: View, long: &'a [u8], room: &'a mut [u8; 16]) -> &'a [u8] {
    if !long.is_empty() {
        return long;
    }
    *room = joined_view(view).to_le_bytes();
    &room[4..4 + (view[0] as u32 as usize).min(INLINE)]
}
