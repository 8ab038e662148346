//! The field's words as data: windows, columns, batches, customers' ids and what is known of them. No I/O, no threads.
//!
//! | file | owns |
//! |---|---|
//! | `calendar`, `window`, `classifier` | calendar periods; windows, and which of them a period falls in |
//! | `reject` | why rows and customers are left out |
//! | `cause` | the causes of a run's failure, told together |
//! | `read_options`, `row_filter` | the options of reading rows; which of them are read |
//! | `note`, `note_topic`, `value_notes` | what was noticed about an input and is no error; the sentence of each |
//! | `columns`, `period_batch` | period aggregations: their columns, decoded rows |
//! | `line_columns`, `line_batch` | orders and line items: their columns, decoded rows |
//! | `worth` | the columns that say what a line is worth |
//! | `ids`, `hash` | ids as Arrow views, their hash, the partition it names |
//! | `segments`, `segment_file` | names for groups of customers, by ranges of scores and values |
//! | `entry`, `amounts` | what a customer did in one window |
//! | `state_batch` | customers' states, column by column, in the order of hash and id |

pub(crate) mod amounts;
pub(crate) mod calendar;
pub(crate) mod cause;
pub(crate) mod classifier;
pub(crate) mod columns;
pub(crate) mod entry;
pub(crate) mod hash;
pub(crate) mod ids;
pub(crate) mod line_batch;
pub(crate) mod line_columns;
pub(crate) mod note;
mod note_topic;
pub(crate) mod period_batch;
pub(crate) mod read_options;
pub(crate) mod reject;
mod rolling;
pub(crate) mod row_filter;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod samples;
mod segment_file;
pub(crate) mod segments;
pub(crate) mod state_batch;
pub(crate) mod value_notes;
pub(crate) mod window;
pub(crate) mod worth;

pub use self::cause::MaxRejects;
pub use self::columns::{Column, ColumnMap};
pub use self::hash::{PARTITIONS, hash_id, partition_of};
pub use self::line_batch::{BadLine, TransactionBatch};
pub use self::line_columns::{TransactionColumn, TransactionColumns};
pub use self::note::{Notes, Topic};
pub use self::period_batch::{Bad, NO_TIMESTAMP, Origin, PeriodBatch, Whence};
pub use self::read_options::{AmountUnit, Encoding, IdFormat, NaiveTimes, NumberFormat, PeriodEnds, Quote, ReadOptions, Told};
pub use self::reject::{LINE_FIELDS, OnBadRow, Reason, Reject};
pub use self::row_filter::RowFilter;
pub use self::segments::{SegmentCell, SegmentValues, Segments};
pub use self::window::{Granularity, RollingDays, Window, Windows, YearStart, as_of, beginning};
pub use self::worth::{AmountFrom, WorthColumn, WorthColumns};
