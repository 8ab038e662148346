//! An external sort of records: rows that are wanted sorted, and rejects. Records are bytes whose order is theirs; what does not fit the
//! budget leaves as sorted runs, and comes back merged.

pub(crate) mod merged;
pub(crate) mod sorter;
