//! Spill: customers' states leave memory as sorted runs and come back as one sorted stream.
//!
//! ```text
//!  states ──▶ RunWriter ──frames──▶ RunStore ──frames──▶ RunReader ──▶ merge ──▶ states
//!  sorted,    cuts, encodes         memory while the     one frame     adds up    sorted, distinct,
//!  any size   (frame, pack)         budget has room,     at a time     equal ids  some at a time
//!                                   then the disk
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `budget` | how many bytes there are to share, and who holds them |
//! | `memory` | sizes as people write them, what the machine grants |
//! | `plan` | what a run does with the memory it was given |
//! | `store`, `disk`, `folder` | where frames lie |
//! | `pack`, `ids`, `frame` | what their bytes are; `FORMAT.md` draws them |
//! | `run` | a partition's frames in order, written once and read once |
//! | `runs` | all runs of a partition, and how many there may be |
//! | `merge`, `gather` | many sorted streams → one |
//! | `sorter`, `sorted`, `record` | rows that are wanted sorted, and rejects: the same store, frames of their own |
//!
//! When to spill states, and which, is for the accumulator. Errors carry no stage: whoever spills or reads knows which one it is.
//!
//! Invariants: a run ascends, of states by hash and id; what is read back is what was written, or an error; a run that ends, however it
//! ends, leaves nothing on the disk, but for a killed one, whose folder the next process with a run sweeps away.

mod budget;
mod combine;
mod disk;
#[cfg(any(test, feature = "testing"))]
mod doubles;
mod folder;
mod frame;
mod id_column;
mod limits;
mod merge_runs;
mod plan;
mod run;
mod runs;
mod sort;
mod store;

pub use self::budget::{Budget, Reservation};
pub use self::disk::Disk;
#[cfg(any(test, feature = "testing"))]
pub use self::doubles::{Faults, Faulty, Memory};
pub(crate) use self::frame::{FRAME_CUSTOMERS, decode, encode};
pub(crate) use self::id_column::{decode_ids, encode_ids};
pub use self::limits::{available, default_limit, parse_size, peak_rss, rss};
pub(crate) use self::merge_runs::{Held, Sorted, merge};
pub use self::plan::MemorySplit;
pub(crate) use self::plan::Plan;
pub(crate) use self::run::{Run, RunWriter};
pub(crate) use self::runs::Runs;
pub(crate) use self::sort::merged::{Merged, Records, copy};
pub(crate) use self::sort::sorter::{Desk, Sorter, Sorting};
pub use self::store::{Counters, Place, RunStore, Tiered};
