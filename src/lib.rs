//! lensflow: customer-base analytics at any size.
//!
//! Per-customer period aggregations go in, batch by batch; out come each customer's RFM metrics and scores (recency, frequency,
//! monetary value), Lens 1 of every period and Lens 2 of every pair of adjacent periods, as "The Customer-Base Audit" by Fader, Hardie
//! and Ross asks for them. Answers are exact to the cent and the same bytes for any number of threads, batch size and row order.
//!
//! ```text
//!  source ──batches──▶ route ──lanes──▶ accumulate ──partitions──▶ finalize ──blocks──▶ lens ──partials──▶ reduce ──▶ report
//!  files, stdin,       decode, hash,    one owner per             a partition at      observe a block,   merge,       tables, JSON,
//!  synthetic, library  scatter by       partition; runs           a time: resident    exact counts,      score,       Arrow RFM rows
//!                      partition        spill to disk             state + its runs    histograms         finish
//! ```
//!
//! The tree is the picture, and it has one rule: a folder imports only folders above it in this list. A test holds it.
//!
//! | folder | owns |
//! |---|---|
//! | `base` | errors, money, time, threads, the algebra of merging, the bytes of files |
//! | [`model`] | the field's words as data: windows, rejects, columns, batches, ids, a customer's sum in a window |
//! | `ranks` | exact order statistics from histograms, and scores |
//! | `spill` | memory: limits, budget, where states lie that do not fit, sorted runs, the external sort, locked folders |
//! | [`stats`], [`spec`] | counters of a run; its options |
//! | [`source`] | reading and decoding files, standard input and Arrow batches |
//! | [`synthetic`] | made-up customers |
//! | [`orders`] | line items → orders → period aggregations; refunds, duplicates, lines without a customer |
//! | `route` | hashing ids, checking rows, lanes to the owners of partitions |
//! | `accumulate` | customers' states; decides what is spilled and when |
//! | [`state`] | the saved folder: manifest, run files, the record of a checkpoint |
//! | [`finalize`] | partitions → blocks of RFM metrics |
//! | [`lens`] | questions as mergeable partials: Lens 1, Lens 2, cohorts (Lenses 3 to 5), sketches, your own |
//! | [`report`] | answers as data; rows, tables, Parquet, text, a page |
//! | [`partials`] | answers that travel between machines |
//! | `reduce` | the passes over blocks: ask, score, write |
//! | [`pipeline`] | threads and the order of things: builder, run, [`Audit`] |
//! | [`tasks`] | the tasks of an update one at a time, for engines on many machines |
//! | [`jobs`] | whole programs over pipelines: audits of files, updates, checkpoints, following, comparisons, functions on slices |
//!
//! Begin with [`Pipeline::builder`], or with [`calculate_rfm`] for slices in memory. A [`Cancel`] ends a run from outside.

// Without all formats, helpers that only some of them share are unused.
#![cfg_attr(
    not(all(
        feature = "compression",
        feature = "csv",
        feature = "glob",
        feature = "json",
        feature = "parquet",
        feature = "sketch",
        feature = "text"
    )),
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
pub mod tasks;

/// Memory: sizes as people write them, what the machine grants, what the process takes, what the system refuses.
pub mod memory {
    pub use crate::base::memory::{may_be_refused, no_thread, refused};
    pub use crate::spill::{MemorySplit, address_limit, available, default_limit, parse_size, peak_rss, rss};
}

/// Test doubles, and internals that tests of the whole look into. Not part of the API: anything here may change at any time.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    #[cfg(feature = "sketch")]
    pub use crate::partials::forged_partial;
    pub use crate::ranks::histogram::Histogram;
    pub use crate::ranks::order_stats::Ranks;
    pub use crate::spill::{Counters, Disk, Faults, Faulty, FrameRef, Memory, RunStore};
    pub use crate::state::forged::{forged_checkpoint, forged_manifest, forged_run_file, frames_of};
}

pub use arrow;
pub use base::cancel::{Cancel, Stop};
pub use base::error::{Error, Result};
pub use base::merge::Merge;
pub use base::{cancel, error, merge, money, text, time};
pub use jobs::slices::lenses::{CustomerMigration, Lens2Metrics, analyze_period_comparison, analyze_single_period};
pub use jobs::slices::values::{PeriodAggregation, RfmMetrics, RfmScore};
pub use jobs::slices::{calculate_rfm, calculate_rfm_scores};
pub use lens::Lens;
pub use lens::lens1::Lens1Metrics;
pub use pipeline::{Audit, Pipeline};
pub use ranks::cut_points::{CutPoints, MeasureCuts};
pub use ranks::score::ScoreBins;
pub use spec::{Parallelism, Spec};

/// The examples in these pages are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../pipelines/README.md")]
#[doc = include_str!("pipeline/README.md")]
struct Pages;
