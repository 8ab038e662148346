//! Bytes on the disk: how columns are packed, how records sort, what guards them.

pub(crate) mod checksum;
pub(crate) mod pack;
pub(crate) mod positional;
pub(crate) mod sort_key;
