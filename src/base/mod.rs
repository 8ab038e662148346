//! The ground floor: errors, money, time, threads, and the bytes of files. Knows nothing of customers.
//!
//! | file | owns |
//! |---|---|
//! | `error` | the one error of the crate: kind, text, place |
//! | `merge` | the one algebra, and its laws |
//! | `money`, `time` | amounts and timestamps, exact |
//! | `threads` | locks, pools, work in order, the poison that ends a run |
//! | `cancel` | ending work from outside |
//! | `text` | numbers and words in messages |
//! | `bytes` | packed columns, sort keys, checksums, files read at a position |

pub(crate) mod bytes;
pub mod cancel;
pub mod error;
pub mod merge;
pub mod money;
pub mod text;
pub(crate) mod threads;
pub mod time;
