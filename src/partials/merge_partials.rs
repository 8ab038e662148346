//! Merging and comparing partials. Both ask first whether the customers of the parts differ.
//!
//! Each pair of parts is asked, window by window, so the answer does not depend on their order. Where a sketch could not hold all
//! customers, two parts may share some without any being found; then only the caller can say that they share none.

use super::{Counted, Lens1Partial, WindowLens1, WindowPartial};
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::text::grouped;
use crate::base::time::format_timestamp;
use crate::lens::cohort_answers::Cohorts;
use crate::lens::sketch::{CustomerSketch, DEFAULT_LG_K, Estimate, InCommon, Overlap, Sketching};
use crate::model::window::Window;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// Several partials as one.
#[derive(Debug)]
#[non_exhaustive]
pub struct MergedPartial {
    /// All of them.
    pub partial: Lens1Partial,
    /// If it was only assumed that no two parts share customers: up to how many of one window two of them may share (95 %).
    pub at_most: Option<u64>,
}

/// Windows of two partials side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartialComparison {
    /// Those of both, in time order.
    pub windows: Vec<Compared>,
    /// Those of the first only.
    pub first_only: Vec<Window>,
    /// Those of the second only.
    pub second_only: Vec<Window>,
    /// Lenses 3, 4 and 5, where both have cohorts, and the same windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohorts: Option<ComparedCohorts>,
}

/// Cohorts of two partials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComparedCohorts {
    /// Of the first.
    pub first: Cohorts,
    /// Of the second.
    pub second: Cohorts,
    /// Of both; nothing where they are not disjoint, or not known to be.
    pub together: Option<Cohorts>,
}

/// A window of two partials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Compared {
    /// The window, as the first calls it.
    pub window: Window,
    /// Lens 1 of the first.
    pub first: WindowLens1,
    /// Lens 1 of the second.
    pub second: WindowLens1,
    /// Lens 1 of both; nothing where they are not disjoint, or not known to be.
    pub together: Option<Together>,
    /// How many customers are in both.
    pub in_common: InCommon,
    /// Lens 2 from the first to the second, as far as sketches tell.
    pub overlap: Overlap,
}

/// Lens 1 of two partials together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Together {
    /// Whether each customer is known to be counted once.
    pub counted: Counted,
    /// The answer.
    #[serde(flatten)]
    pub answer: WindowLens1,
}

impl Lens1Partial {
    /// One partial of several that have the same windows and different customers. With `disjoint`, the caller vouches for the latter where
    /// it cannot be known.
    ///
    /// # Errors
    /// When windows differ, some parts have cohorts and others none, two parts share customers, or they may share some and the caller does not vouch that they do not.
    pub fn merge(parts: Vec<Lens1Partial>, disjoint: bool) -> Result<MergedPartial> {
        let Some((first, others)) = parts.split_first() else { return Err(Error::usage("there are no partials to merge")) };
        others.iter().try_for_each(|other| same_windows(first, other))?;
        if let Some(other) = others.iter().find(|other| other.cohorts.is_some() != first.cohorts.is_some()) {
            let (with, without) = if first.cohorts.is_some() { (&first.name, &other.name) } else { (&other.name, &first.name) };
            let help = "audit all inputs with `report.cohorts`, or none";
            return Err(Error::data(format!("{with} has cohorts, and {without} has none")).help(help));
        }
        let unknown = shared(&parts)?;
        if let Some(Unknown { parts: [a, b], window, at_most }) = &unknown
            && !disjoint
        {
            let at_most = grouped(at_most);
            let what = format!("{a} and {b} are not known to be disjoint: up to {at_most} customers of {window} may be in both (95 %)");
            let help = "sketches hold 65,536 customers of a window; if you know that no customer is in two of the files, say `disjoint`";
            return Err(Error::usage(what).help(help));
        }
        let at_most = unknown.map(|unknown| unknown.at_most);
        // Names that differ: those of one part, whichever comes first.
        let names = |part: &Lens1Partial| part.windows.iter().map(|w| w.window.name.clone()).collect::<Vec<_>>();
        let names = parts.iter().map(names).min().unwrap_or_default();
        let mut parts = parts.into_iter();
        let mut all = parts.next().ok_or_else(|| Error::internal("parts were there before"))?;
        for part in parts {
            all.counted = all.counted.max(part.counted);
            all.rows.merge(part.rows);
            all.cohorts.merge(part.cohorts);
            all.windows.iter_mut().zip(part.windows).for_each(|(mine, more)| mine.take(more));
        }
        all.windows.iter_mut().zip(names).for_each(|(window, name)| window.window.name = name);
        if at_most.is_some() {
            all.counted = Counted::Assumed;
        }
        Ok(MergedPartial { partial: all.named("the merged partial"), at_most })
    }
}

impl WindowPartial {
    fn take(&mut self, more: WindowPartial) {
        Merge::merge(&mut self.customers_rejected, more.customers_rejected);
        self.tally.merge(more.tally);
    }
}

/// Lens 1 of two partials, window by window, and of both together where their customers differ. With `disjoint`, the caller vouches for
/// that where it cannot be known.
///
/// # Errors
/// When there is no window that both have; a percentile outside 1 to 100, or bins outside 1 to 9.
pub fn compare(first: Lens1Partial, second: Lens1Partial, disjoint: bool, percentiles: &[u32], bins: u32) -> Result<PartialComparison> {
    let mut comparison = PartialComparison { windows: Vec::new(), first_only: Vec::new(), second_only: Vec::new(), cohorts: None };
    let counted = first.counted.max(second.counted);
    let of_cohorts = first.cohorts().zip(second.cohorts());
    let mut sums = first.cohorts.clone();
    sums.merge(second.cohorts.clone());
    let are_apart = match everybody(&first).zip(everybody(&second)) {
        Some(((first, of_first), (second, of_second))) => match within([of_first, of_second], [&first, &second])? {
            InCommon::Disjoint => true,
            InCommon::AtMost(_) => disjoint,
            InCommon::Some(_) => false,
        },
        None => false,
    };
    let mut others = second.windows;
    for mut mine in first.windows {
        let Some(at) = others.iter().position(|other| same(&mine.window, &other.window)) else {
            comparison.first_only.push(mine.window);
            continue;
        };
        let other = others.remove(at);
        let (a, b) = (mine.sketch(), other.sketch());
        let (in_common, overlap) = (in_common([&mine, &other], [&a, &b])?, a.overlap(&b)?);
        let (window, first, second) = (mine.window.clone(), mine.answer(percentiles, bins)?, other.answer(percentiles, bins)?);
        let counted = match in_common {
            InCommon::Disjoint => Some(counted),
            InCommon::AtMost(_) => disjoint.then_some(Counted::Assumed),
            InCommon::Some(_) => None,
        };
        let together = counted.map(|counted| {
            mine.take(other);
            Ok(Together { counted, answer: mine.answer(percentiles, bins)? })
        });
        comparison.windows.push(Compared { window, first, second, together: together.transpose()?, in_common, overlap });
    }
    let names: Vec<String> = comparison.windows.iter().map(|compared| compared.window.name.clone()).collect();
    let is_all = comparison.first_only.is_empty() && others.is_empty();
    comparison.cohorts = of_cohorts.filter(|_| is_all).map(|(first, second)| {
        let together = sums.filter(|_| are_apart).map(|sums| Cohorts::new(names.iter().map(String::as_str), &sums));
        ComparedCohorts { first, second, together }
    });
    comparison.second_only = others.into_iter().map(|other| other.window).collect();
    if comparison.windows.is_empty() {
        let what = format!("{} and {} have no window in common: {}", first.name, second.name, difference(&comparison));
        return Err(Error::data(what).help(SAME_WINDOWS));
    }
    Ok(comparison)
}

const SAME_WINDOWS: &str = "audit all inputs with the same `windows`, each with the same observation end";

/// Whether two windows are one: what they are called makes no difference.
fn same(a: &Window, b: &Window) -> bool {
    (a.start, a.end, a.observation_end) == (b.start, b.end, b.observation_end)
}

/// A window with all that makes it the one that it is.
pub(super) fn shown(window: &Window) -> String {
    match window.observation_end == window.end {
        true => window.to_string(),
        false => format!("{window}, observed from {}", format_timestamp(window.observation_end)),
    }
}

fn same_windows(a: &Lens1Partial, b: &Lens1Partial) -> Result<()> {
    let lacks = |from: &Lens1Partial, windows: &Lens1Partial| {
        let own = windows.windows.iter().map(|w| &w.window);
        own.filter(|own| !from.windows.iter().any(|w| same(&w.window, own))).cloned().collect::<Vec<_>>()
    };
    let difference_of = PartialComparison { windows: Vec::new(), first_only: lacks(b, a), second_only: lacks(a, b), cohorts: None };
    if difference_of.first_only.is_empty() && difference_of.second_only.is_empty() {
        return Ok(());
    }
    let what = format!("{} and {} have different windows: {}", a.name, b.name, difference(&difference_of));
    Err(Error::data(what).help(SAME_WINDOWS))
}

fn difference(comparison: &PartialComparison) -> String {
    let only = |windows: &[Window], which: &str| match windows {
        [] => None,
        _ => Some(format!("only in the {which}: {}", windows.iter().map(shown).collect::<Vec<_>>().join("; "))),
    };
    let sides = [only(&comparison.first_only, "first"), only(&comparison.second_only, "second")];
    let text = sides.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if text.is_empty() { "neither has any".to_owned() } else { text }
}

/// How many customers are in both, at most as many as there are in either.
fn in_common(windows: [&WindowPartial; 2], [first, second]: [&CustomerSketch; 2]) -> Result<InCommon> {
    within(windows.map(WindowPartial::customers), [first, second])
}

fn within(customers: [u64; 2], [first, second]: [&CustomerSketch; 2]) -> Result<InCommon> {
    let most = customers.into_iter().min().unwrap_or(0);
    Ok(match first.in_common(second)? {
        InCommon::AtMost(at_most) => InCommon::AtMost(at_most.min(most)),
        known => known,
    })
}

/// The customers of all windows, where there are cohorts, and how many they are. In cohorts, a customer of two parts counts twice even where
/// no window has them twice.
fn everybody(part: &Lens1Partial) -> Option<(CustomerSketch, u64)> {
    let customers = part.cohorts.as_ref()?.customers();
    let mut all = Sketching::new(DEFAULT_LG_K);
    part.windows.iter().for_each(|window| all.merge(Sketching::of(window.sketch(), DEFAULT_LG_K)));
    Some((all.compact(), customers))
}

/// The pair and window with the most customers that may be in both.
struct Unknown<'a> {
    parts: [&'a str; 2],
    window: String,
    at_most: u64,
}

impl<'a> Unknown<'a> {
    /// Fails where two parts share customers of something; keeps what is less known.
    fn note(known: &mut Option<Unknown<'a>>, parts: [&'a str; 2], of: &dyn Display, in_common: InCommon) -> Result<()> {
        match in_common {
            InCommon::Disjoint => Ok(()),
            InCommon::AtMost(at_most) => {
                if known.as_ref().is_none_or(|known| known.at_most < at_most) {
                    *known = Some(Unknown { parts, window: of.to_string(), at_most });
                }
                Ok(())
            }
            InCommon::Some(Estimate { estimate, low, high }) => {
                let count = match low == high {
                    true => grouped(estimate),
                    false => format!("about {} ({} to {})", grouped(estimate), grouped(low), grouped(high)),
                };
                let what = format!("{} and {} share customers: {count} of {of}", parts[0], parts[1]);
                let help = "merge states, which may share customers, or audit all inputs at once; where one id stands for \
                            different customers, tell them apart first";
                Err(Error::data(what).help(help))
            }
        }
    }
}

/// Fails where two parts share customers; says where they may.
fn shared(parts: &[Lens1Partial]) -> Result<Option<Unknown<'_>>> {
    let mut unknown: Option<Unknown<'_>> = None;
    for at in 0..parts[0].windows.len() {
        let sketches: Vec<CustomerSketch> = parts.iter().map(|part| part.windows[at].sketch()).collect();
        let window = &parts[0].windows[at].window;
        for (i, (a, first)) in parts.iter().zip(&sketches).enumerate() {
            for (b, second) in parts.iter().zip(&sketches).skip(i + 1) {
                let in_common = in_common([&a.windows[at], &b.windows[at]], [first, second])?;
                Unknown::note(&mut unknown, [&a.name, &b.name], window, in_common)?;
            }
        }
    }
    let all: Vec<_> = parts.iter().filter_map(|part| Some((&part.name, everybody(part)?))).collect();
    for (i, (a, (first, of_first))) in all.iter().enumerate() {
        for (b, (second, of_second)) in &all[i + 1..] {
            let in_common = within([*of_first, *of_second], [first, second])?;
            Unknown::note(&mut unknown, [a, b], &"all windows together, as cohorts count them", in_common)?;
        }
    }
    Ok(unknown)
}
