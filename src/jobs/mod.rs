//! Whole programs over pipelines: a state that takes in more, runs that can be killed, folders and streams that are followed, comparisons,
//! the table of period aggregations, and the functions on slices.

pub(crate) mod checkpoint;
pub(crate) mod compare;
pub mod follow;
pub(crate) mod period_table;
pub mod slices;
pub(crate) mod update;

pub use checkpoint::{Checkpointed, Checkpoints};
pub use compare::{Side, compare};
pub use period_table::write_periods;
pub use update::{Known, Update, Updated};
