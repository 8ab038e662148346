//! lensflow: customer-base analytics at any size.
//!
//! Per-customer period aggregations go in, batch by batch; out come each customer's RFM metrics and scores (recency, frequency,
//! monetary value), Lens 1 of every period and Lens 2 of every pair of adjacent periods, as "The Customer-Base Audit" by Fader, Hardie
//! and Ross asks for them. Answers are exact to the cent and the same bytes for any number of threads, batch size and row order.
//!
//! ```text
//!  source ──batches──▶ route ──lanes──▶ accumulate ──states──▶ finalize ──blocks──▶ lens ──partials──▶ reduce ──▶ report
//!  files, stdin,       decode, hash,    one owner per          a partition at      observe a block,   merge,       JSON, text,
//!  synthetic, library  scatter by       partition              a time              exact counts       finish       Markdown, Arrow
//!                      partition                                                                                   RFM rows
//! ```
//!
//! | module | owns | hands on |
//! |---|---|---|
//! | [`source`] | reading and decoding input | [`source::PeriodBatch`] |
//! | [`orders`] | grouping line items, where those are the input | [`source::PeriodBatch`] |
//! | [`route`] | hashing ids, judging rows | buffers of rows, one partition each |
//! | `accumulate` | customers' states, a thread per set of partitions | partitions |
//! | [`finalize`] | RFM arithmetic of a partition | [`finalize::Block`] |
//! | [`lens`] | questions as mergeable partials | partials |
//! | [`reduce`](pipeline) | merging, scoring, finishing | answers |
//! | [`audit`], [`report`] | answers and rows, and how they are shown | files |
//! | [`state`] | what was learnt so far, on the disk | the next run |
//! | [`follow`] | a state that takes in whatever comes | refreshed answers |
//! | [`jobs`] | whole programs: inputs in, files out | [`jobs::Audited`] |
//! | [`pipeline`] | threads and the order of things | [`audit::Audit`] |
//!
//! Begin with [`Pipeline::builder`], or with [`calculate_rfm`] for slices in memory. A [`Cancel`] ends a run from outside.

// Without all formats, helpers that only some of them share are unused.
#![cfg_attr(
    not(all(feature = "compression", feature = "csv", feature = "json", feature = "parquet", feature = "sketch", feature = "text")),
    allow(dead_code, unused_imports)
)]

mod accumulate;
mod base;
pub mod finalize;
pub mod jobs;
pub mod lens;
pub mod model;
pub mod orders;
#[cfg(feature = "sketch")]
pub mod partials;
pub mod pipeline;
// Some of it is public for `testing` alone.
#[allow(unreachable_pub)]
#[cfg_attr(not(any(test, feature = "testing")), allow(dead_code))]
mod ranks;
mod reduce;
pub mod report;
mod route;
pub mod source;
pub mod spec;
#[allow(unreachable_pub)]
#[cfg_attr(not(any(test, feature = "testing")), allow(dead_code))]
mod spill;
pub mod state;
pub mod stats;
#[cfg(feature = "synthetic")]
pub mod synthetic;
#[doc(hidden)]
pub mod tasks;

/// Memory: sizes as people write them, what the machine grants, what the process takes.
pub mod memory {
    pub use crate::spill::{MemorySplit, available, default_limit, parse_size, peak_rss, rss};
}

/// Test doubles, and internals that tests of the whole look into. Not part of the API: anything here may change at any time.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    pub use crate::ranks::histogram::Histogram;
    pub use crate::ranks::order_stats::Ranks;
    pub use crate::spill::{BlockRef, Counters, Disk, Faults, Faulty, Memory, RunStore};
}

pub use arrow;
pub use base::cancel::{Cancel, Stop};
pub use base::error::{Error, Result};
pub use base::merge::Merge;
pub use base::{cancel, error, merge, money, text, time};
pub use jobs::slices::lenses::analyze_single_period;
pub use jobs::slices::lenses::{CustomerMigration, Lens2Metrics, analyze_period_comparison};
pub use jobs::slices::values::{PeriodAggregation, RfmMetrics, RfmScore};
pub use jobs::slices::{calculate_rfm, calculate_rfm_scores};
pub use lens::Lens;
pub use lens::lens1::Lens1Metrics;
pub use pipeline::Audit;
pub use pipeline::Pipeline;
pub use ranks::score::ScoreBins;
pub use spec::{Parallelism, Spec};

/// The examples in these pages are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../pipelines/README.md")]
#[doc = include_str!("pipeline/README.md")]
struct Pages;
