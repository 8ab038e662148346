//! Accumulate: rows → customers' states. Each worker owns some of the partitions, and folds the rows that its lane brings into them.
//!
//! In come buffers of rows of one partition ([`Rows`](crate::route::row_buffer::Rows)); out go [`Closed`] partitions;
//! finishing and saving drain them ([`Drained`]): the customers in order, in memory or as sorted runs.
//!
//! | file | owns |
//! |---|---|
//! | `worker` | a thread: decodes and routes chunks of a source, folds what its lane brings |
//! | `accumulator` | a worker's partitions, and the decision which of them are spilled when memory is short |
//! | `partition` | the customers of a partition: rows that wait, the table, the runs |
//! | `sorted_table`, `chunks`, `long_ids` | the customers in order, and their sums by window |
//! | `add_rows`, `sort_keys` | a table and rows → a table |
//! | `drain` | a partition that takes no more rows → sorted batches of states, for finishing and for saving |
//!
//! Invariant: a partition has one owner, so no state is ever locked. A customer is in the table once; the sum of a customer in a window does
//! not depend on the order of rows, nor on what was spilled ([`EntrySum::add`](crate::model::entry::EntrySum::add)).

pub(crate) mod accumulator;
mod add_rows;
mod chunks;
mod drain;
mod long_ids;
mod partition;
mod sort_keys;
mod sorted_table;
pub(crate) mod worker;

pub(crate) use accumulator::{Accumulator, Closed};
pub(crate) use add_rows::SortScratch;
pub(crate) use drain::Drained;
pub(crate) use partition::Partition;
pub(crate) use sorted_table::SortedTable;
