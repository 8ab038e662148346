//! Exact order statistics: histograms of values, ranks in them, and the scores whose cuts they are. A [`Histogram`](histogram::Histogram)
//! goes in, from any number of threads; [`Ranks`](order_stats::Ranks) and a [`Scorer`](score::Scorer) come out.

pub mod cut_points;
pub(crate) mod gini;
pub mod histogram;
pub mod order_stats;
pub(crate) mod refinement;
pub mod score;
