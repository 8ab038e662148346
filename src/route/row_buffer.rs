//! The message from route to accumulate: some rows of one partition, 48 bytes each, in a buffer that goes round and round.

use crate::model::amounts::{Amounts, Packed};
use crate::model::entry::{Addend, ROW};
use crate::model::ids::{INLINE, View, joined_view, long_view, parts, split_view};

/// A buffer is sent early when its long ids take up so many bytes for each row that it has room for.
const LONG_PER_ROW: usize = 64;

/// A row on its way to its partition: 48 bytes.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Row {
    /// The id in Arrow's view layout; a long id lies in [`Rows::bytes`].
    pub(crate) view: View,
    pub(crate) start: i64,
    pub(crate) reference: i64,
    /// See [`Rows::amounts`].
    amounts: Packed,
    /// The hash's bits below those that name the section, see [`hash_in_section`](super::hash_in_section).
    pub(crate) hash: u32,
    /// The window's key, or [`HISTORY`](crate::model::entry::HISTORY).
    pub(crate) window: u32,
}

const _: () = assert!(size_of::<Row>() == ROW, "plans of memory count rows of this size");

/// A buffer of rows.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) bytes: Vec<u8>,
    overflow: Vec<Amounts>,
}

impl Rows {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Rows { rows: Vec::with_capacity(rows), ..Rows::default() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= self.rows.capacity() || self.bytes.len() >= self.rows.capacity() * LONG_PER_ROW
    }

    /// Whether its long ids take up more than buffers keep of their memory: so many of these are not counted by number alone.
    #[inline]
    pub(crate) fn is_heavy(&self) -> bool {
        self.bytes.capacity() > self.kept_bytes()
    }

    /// The bytes for long ids that an empty buffer keeps.
    #[inline]
    fn kept_bytes(&self) -> usize {
        2 * self.rows.capacity() * LONG_PER_ROW
    }

    /// The memory it takes up, full or empty.
    pub(crate) fn memory(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.bytes.capacity() + self.overflow.capacity() * size_of::<Amounts>()
    }

    /// Appends a row.
    #[inline]
    pub(crate) fn push(&mut self, id: &[u8], view: u128, hash: u32, addend: Addend) {
        let Addend { window, start, reference, amounts } = addend;
        let mut view = split_view(view);
        if id.len() > INLINE {
            view = self.push_long(view, id);
        }
        let amounts = Packed::new(amounts).unwrap_or_else(|| self.push_overflow(amounts));
        self.rows.push(Row { view, start, reference, amounts, hash, window });
    }

    /// Appends a row of another buffer.
    #[inline]
    pub(crate) fn push_from(&mut self, other: &Rows, row: &Row) {
        let mut row = *row;
        if row.view[0] as u32 as usize > INLINE {
            row.view = self.push_long(row.view, other.long_id(row.view));
        }
        if let Err(at) = row.amounts.get() {
            row.amounts = self.push_overflow(other.overflow[at]);
        }
        self.rows.push(row);
    }

    fn push_long(&mut self, view: View, id: &[u8]) -> View {
        let offset = self.bytes.len() as u32;
        self.bytes.extend_from_slice(id);
        split_view(long_view(joined_view(view), 0, offset))
    }

    #[cold]
    fn push_overflow(&mut self, amounts: Amounts) -> Packed {
        self.overflow.push(amounts);
        Packed::overflow(self.overflow.len() - 1)
    }

    /// The bytes of a long id; nothing for an inline one.
    #[inline]
    pub(crate) fn long_id(&self, view: View) -> &[u8] {
        let (length, _, offset) = parts(joined_view(view));
        if length <= INLINE { &[] } else { &self.bytes[offset..offset + length] }
    }

    #[inline]
    pub(crate) fn amounts(&self, row: &Row) -> Amounts {
        row.amounts.get().unwrap_or_else(|at| self.overflow[at])
    }

    /// Forgets the rows and keeps the memory, but for what few long ids or large amounts have taken.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
        self.overflow.clear();
        self.bytes.shrink_to(self.kept_bytes());
        self.overflow.shrink_to(self.rows.capacity());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::builder::make_view;

    #[test]
    fn rows_are_small() {
        assert_eq!(ROW, 48);
    }

    #[test]
    fn rows_come_back_from_any_buffer() {
        let mut expected = Vec::new();
        let (mut first, mut second) = (Rows::default(), Rows::default());
        for id in ["", "7", "twelve bytes", "thirteen byte", "another long one"] {
            for amounts in
                [Amounts::default(), Amounts { orders: 1 << 20, cents: -5, fraction: 7 }, Amounts { orders: 2, cents: 3, fraction: 0 }]
            {
                let addend = Addend { window: 4, start: 5, reference: 6, amounts };
                first.push(id.as_bytes(), make_view(id.as_bytes(), 0, 0), 8, addend);
                expected.push((if id.len() > INLINE { id } else { "" }, amounts));
            }
        }
        let back = |rows: &Rows| rows.rows.iter().map(|row| (rows.long_id(row.view).to_vec(), rows.amounts(row))).collect::<Vec<_>>();
        let expected: Vec<_> = expected.into_iter().map(|(id, amounts)| (id.as_bytes().to_vec(), amounts)).collect();
        first.rows.iter().rev().for_each(|row| second.push_from(&first, row));
        assert_eq!(back(&first), expected);
        assert_eq!(back(&second), expected.into_iter().rev().collect::<Vec<_>>());
    }
}
