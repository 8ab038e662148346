//! The figures of a page, each from a part of the report's JSON; one whose part is not there is left out.
//!
//! | file | figures |
//! |---|---|
//! | `tiles` | the headline numbers, with their change and a spark line |
//! | `flow_figure` | who stayed, left, came and came back |
//! | `factors_figure` | revenue as customers × orders each × value of an order |
//! | `bridge_figure` | what revenue became of |
//! | `scores_figure` | from which score to which |
//! | `trends_figure` | all windows in small charts and tables |
//! | `spread_figures` | Lorenz curve, tenths, orders and spend per customer |
//! | `grid_figures` | recency × frequency |
//! | `segments_figure` | segments |
//! | `segment_moves_figure` | from which segment to which |
//! | `cohort_triangle_figure` | Lens 3: how many of each cohort are active at each age |
//! | `cohort_curves_figure` | cohorts by age, and Lens 4: factors of neighbours |
//! | `cohort_layers_figure` | Lens 5: revenue by cohort |

mod bridge_figure;
mod cohort_curves_figure;
mod cohort_layers_figure;
mod cohort_triangle_figure;
mod factors_figure;
mod flow_figure;
mod grid_figures;
mod scores_figure;
mod segment_moves_figure;
mod segments_figure;
mod spread_figures;
mod tiles;
mod trends_figure;

pub(super) use tiles::{Tile, tiles};

use super::audited::Audited;
use super::figure::Figure;

/// All figures that the report has numbers for, in the order of the page.
pub(super) fn figures(audited: &Audited<'_>) -> Vec<Figure> {
    let made = [
        flow_figure::flow(audited),
        factors_figure::factors(audited),
        bridge_figure::bridge(audited),
        scores_figure::scores(audited),
        trends_figure::trends(audited),
        spread_figures::lorenz(audited),
        spread_figures::deciles(audited),
        spread_figures::orders(audited),
        spread_figures::spend(audited),
        grid_figures::customers(audited),
        grid_figures::values(audited),
        segments_figure::segments(audited),
        segment_moves_figure::segment_moves(audited),
        cohort_triangle_figure::triangle(audited),
        cohort_curves_figure::curves(audited),
        cohort_curves_figure::neighbours(audited),
        cohort_layers_figure::layers(audited),
    ];
    made.into_iter().flatten().collect()
}

/// How dark a cell is, 0 to 6; only nothing has 0.
fn heat(share: f64) -> u8 {
    if share <= 0.0 { 0 } else { (1.0 + share.min(1.0) * 5.0).round() as u8 }
}
