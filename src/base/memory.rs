//! Memory of lists that may become long.

/// Appends bytes to a list that may become long: it grows by a quarter, where a vector grows by as much again as it has.
#[inline]
pub(crate) fn append(list: &mut Vec<u8>, bytes: &[u8]) {
    if list.capacity() - list.len() < bytes.len() {
        list.reserve_exact(bytes.len().max(list.len() / 4));
    }
    list.extend_from_slice(bytes);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_grow_by_a_quarter() {
        let (mut list, mut grown) = (Vec::new(), 0);
        for i in 0..100_000u32 {
            let before = list.capacity();
            append(&mut list, &i.to_le_bytes());
            grown += u32::from(list.capacity() != before);
            assert!(list.capacity() <= list.len() / 4 * 5 + 8);
        }
        assert!(list.chunks(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).eq(0..100_000) && grown < 100, "{grown}");
    }
}
