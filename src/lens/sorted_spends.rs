//! The Gini coefficient where histograms leave it open after all passes: every spend of such a window is sorted, in the memory that rows are
//! sorted in, and what does not fit goes to the spill folder. Rare: most coefficients are settled by the histograms, see
//! [`gini`](crate::ranks::gini).

use super::measures::SortedMeasures;
use crate::base::bytes::sort_key::take_bytes;
use crate::base::error::{Error, Result};
use crate::base::money::Fixed4;
use crate::base::threads::parallel_fold;
use crate::finalize::blocks::{Blocks, Workspace};
use crate::ranks::gini::of_ordered_sum;
use crate::spill::{Sorter, Sorting};

/// The sums over the spends of a window, ascending.
#[derive(Clone, Default)]
struct OrderedSum {
    n: u64,
    sum: i128,
    ordered: i128,
}

/// The coefficient of each window.
///
/// # Errors
/// When spends that have to be sorted cannot be written or read.
pub(crate) fn coefficients(sorted: &[SortedMeasures], blocks: &Blocks, sorting: impl FnOnce() -> Sorting) -> Result<Vec<Fixed4>> {
    let known: Vec<Option<Fixed4>> = sorted.iter().map(|measures| measures.spend.gini()).collect();
    if known.iter().all(Option::is_some) {
        return Ok(known.into_iter().flatten().collect());
    }
    #[cfg(test)]
    tests::SORTED.fetch_add(known.iter().filter(|gini| gini.is_none()).count(), std::sync::atomic::Ordering::Relaxed);
    let sorter = Sorter::new(sorting());
    let start = || (Workspace::default(), sorter.buffer());
    parallel_fold(blocks.len(), start, |(workspace, buffer), at| {
        let block = blocks.block(at, workspace)?;
        for (&window, &cents) in block.window.iter().zip(&block.total_spend) {
            if known[window as usize].is_none() {
                buffer.push(|out| {
                    out.extend_from_slice(&window.to_be_bytes());
                    // Spends of valid customers are not below 0.
                    out.extend_from_slice(&cents.to_be_bytes());
                })?;
            }
        }
        Ok(())
    })?;
    let mut sums = vec![OrderedSum::default(); known.len()];
    let mut merged = sorter.finish()?.read();
    let unread = || Error::internal("a sorted spend cannot be read back");
    while let Some(mut record) = merged.next()? {
        let bytes = &mut record;
        let window = u32::from_be_bytes(take_bytes(bytes).ok_or_else(unread)?);
        let cents = i128::from(i64::from_be_bytes(take_bytes(bytes).ok_or_else(unread)?));
        let sum = sums.get_mut(window as usize).ok_or_else(unread)?;
        sum.n += 1;
        sum.sum += cents;
        sum.ordered = sum.ordered.saturating_add(i128::from(sum.n).saturating_mul(cents));
    }
    let of =
        |(known, OrderedSum { n, sum, ordered }): (Option<Fixed4>, OrderedSum)| known.unwrap_or_else(|| of_ordered_sum(n, sum, ordered));
    Ok(known.into_iter().zip(sums).map(of).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use std::sync::atomic::AtomicUsize;

    /// Windows whose spends were sorted.
    pub(in crate::lens) static SORTED: AtomicUsize = AtomicUsize::new(0);

    /// Here no pass is made for a coefficient alone, so that all that histograms leave open come from sorting.
    #[cfg(feature = "synthetic")]
    #[test]
    fn sorted_spends_give_the_coefficients_of_exact_histograms() {
        use crate::model::window::{Granularity, Windows};
        use crate::pipeline::Pipeline;
        use crate::spec::Spec;
        use crate::synthetic::Synthetic;
        use std::sync::atomic::Ordering;
        let made = Synthetic { customers: 40_000, from: "2019-01".to_owned(), to: "2024-12".to_owned(), ..Synthetic::default() };
        let ginis = |limit: Option<u64>| {
            let spec = Spec::default().with_windows(Windows::Every(Granularity::Month)).with_workers(Some(1)).with_memory_limit(limit);
            let mut pipeline = Pipeline::builder().spec(spec).build().unwrap();
            pipeline.run(made.generator().unwrap().source()).unwrap();
            pipeline.finish().unwrap().report.windows.iter().map(|w| w.more.gini).collect::<Vec<_>>()
        };
        let exact = ginis(None);
        let before = SORTED.load(Ordering::Relaxed);
        assert_eq!(ginis(Some(64 << 20)), exact);
        assert!(SORTED.load(Ordering::Relaxed) > before, "{exact:?}");
    }
}
