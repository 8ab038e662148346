//! Finalize: some states of a partition → a [`Block`] of RFM metrics, column by column.
//!
//! Blocks are the message from here to [`lens`](crate::lens). They hold customers in the engine's order: by the hash of the id, then by
//! id, which depends on the input's rows alone; each customer has a row for every window in which they are valid, in time order. Where
//! one block ends and the next begins depends on the memory at hand and means nothing. Scores are filled in once the edges over all
//! customers are known.
//!
//! | file | owns |
//! |---|---|
//! | `arithmetic` | the arithmetic of one customer and window, and of a block |
//! | `block` | [`Block`]: one finished piece of columns |
//! | `blocks` | where all blocks' states lie, and passes over them |
//! | `finish` | the first pass: partitions → blocks |
//! | `pass_progress` | how far a pass is |

pub(crate) mod arithmetic;
pub(crate) mod block;
pub(crate) mod blocks;
pub(crate) mod finish;
mod id_signs;
pub(crate) mod pass_progress;

pub use block::Block;
