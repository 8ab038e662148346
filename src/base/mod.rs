//! The ground floor: errors, money, time, threads, and the bytes of files. Its code imports nothing above it.
//!
//! | file | owns |
//! |---|---|
//! | `error` | the one error of the crate: kind, message, where |
//! | `merge` | [`Merge`](merge::Merge): values put together in any order, and the laws of that |
//! | `money`, `time` | amounts and timestamps, exact |
//! | `threads` | locks, pools, work in order, the poison that ends a run |
//! | `cancel` | ending work from outside |
//! | `memory` | memory that the system may refuse |
//! | `text` | numbers and words in messages |
//! | `bytes` | packed columns, sort keys, checksums, files read at a position |

pub(crate) mod bytes;
pub mod cancel;
pub mod error;
pub(crate) mod memory;
pub mod merge;
pub mod money;
pub mod text;
pub(crate) mod threads;
pub mod time;
