//! Whole programs over pipelines: a state that takes in more, runs that can be killed, folders and streams that are followed, comparisons
//! of states, and the functions on slices.

pub(crate) mod checkpoint;
pub(crate) mod compare;
pub mod follow;
pub mod slices;
pub(crate) mod update;

pub use checkpoint::{Checkpointed, Checkpoints};
pub use compare::{Side, compare};
pub use update::{Known, Update, Updated};
