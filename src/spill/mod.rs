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
//! | `limits` | sizes as people write them, the memory that the machine grants |
//! | `plan` | the parts of a memory limit |
//! | `budget` | the bytes that the parts of a run share |
//! | `store`, `disk` | where frames lie: in memory, then in files |
//! | `folder` | a locked folder: of a run's data files, of a state, of a spool |
//! | `io`, `doubles` | the disk under all that is kept, and test doubles, which fail when told to |
//! | `frame`, `id_column` | customers as bytes; `FORMAT.md` draws them |
//! | `run` | a partition's frames in order, written once and read once |
//! | `runs` | all runs of a partition, and how many there may be |
//! | `merge_runs`, `combine` | many sorted streams → one |
//! | `sort/` | rows that are wanted sorted, and rejects: an external sort over this store, with frames of its own |
//!
//! The accumulator decides when to spill, and which states. Errors carry no stage: the caller adds it.
//!
//! Invariants: a run ascends, of states by hash and id; what is read back is what was written, or an error; a run that ends, however it
//! ends, leaves nothing on the disk, but for a killed one, whose folder the next process with a run sweeps away.

mod budget;
mod combine;
mod disk;
#[cfg(any(test, feature = "testing"))]
mod doubles;
pub(crate) mod folder;
mod frame;
mod id_column;
mod io;
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
pub use self::io::Io;
pub(crate) use self::io::folder_of;
pub use self::limits::{address_limit, available, default_limit, parse_size, peak_rss, rss};
pub(crate) use self::merge_runs::{Sorted, SortedBatches, merge};
pub use self::plan::MemorySplit;
pub(crate) use self::plan::Plan;
pub(crate) use self::run::{Run, RunWriter};
pub(crate) use self::runs::Runs;
pub(crate) use self::sort::merged::{Merged, Records};
pub(crate) use self::sort::sorter::{SortBuffer, Sorter, Sorting};
pub(crate) use self::sort::{copy, write_sorted};
pub use self::store::{Counters, FrameRef, RunStore, Tiered};
