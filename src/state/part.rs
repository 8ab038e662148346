//! Parts: what one input brought, as a run file of its own with its own counts. An input can be taken out again, to the row, while its part
//! lies apart. Parts that are old, or more than [`MOST_APART`], may become one with others.

use super::manifest::{Input, Manifest, RunEntry};
use super::save::Saved;
use crate::base::error::{Error, Result};
use crate::base::merge::Merge;
use crate::base::text::counted;
use crate::base::time::MIN_TIMESTAMP;
use crate::model::note::KeptNotes;
use crate::model::reject::Reason;
use crate::model::window::Span;
use crate::orders::{LineSummary, Refunds};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// How long parts lie apart, if nothing else is said.
pub(crate) const UNDO: Duration = Duration::from_secs(30 * 86_400);
/// Parts that lie apart at most: an audit opens the run file of each.
pub const MOST_APART: usize = 64;

/// The counts of some rows of a state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PartCounts {
    /// Rows in all.
    pub rows_read: u64,
    /// Rows that count in any audit.
    pub rows_accepted: u64,
    /// Rows that count in none, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows_rejected: BTreeMap<Reason, u64>,
    /// The first and the last calendar window with a row.
    pub windows: Option<(u32, u32)>,
    /// From when to when there are data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) span: Option<Span>,
    /// The end of the last period with money that was given back without an order, or [`MIN_TIMESTAMP`]; none where it was taken in by a
    /// version that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refunds_until: Option<i64>,
    /// What was noticed.
    #[serde(default, skip_serializing_if = "KeptNotes::is_empty")]
    pub(crate) notes: KeptNotes,
    /// The counts of lines, where the rows were orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineSummary>,
    /// How many orders were left out because other parts have them, by the run file of these: those cannot be taken out alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) known_in: BTreeMap<String, u64>,
}

impl PartCounts {
    /// The counts of what was just saved.
    pub(crate) fn of(saved: &Saved) -> Self {
        let Saved { keys, span, refunds_until, notes, rows, lines, known_in } = saved;
        PartCounts {
            rows_read: rows.rows_read,
            rows_accepted: rows.rows_accepted,
            rows_rejected: rows.rows_rejected.clone(),
            windows: *keys,
            span: *span,
            refunds_until: Some(refunds_until.unwrap_or(MIN_TIMESTAMP)),
            notes: notes.clone(),
            lines: lines.clone(),
            known_in: known_in.clone(),
        }
    }
}

impl Merge for PartCounts {
    fn merge(&mut self, more: PartCounts) {
        if *self == PartCounts::default() {
            *self = more;
            return;
        }
        self.refunds_until = self.refunds_until.zip(more.refunds_until).map(|(a, b)| a.max(b));
        self.rows_read += more.rows_read;
        self.rows_accepted += more.rows_accepted;
        Merge::merge(&mut self.rows_rejected, more.rows_rejected);
        self.windows = match (self.windows, more.windows) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.span.merge(more.span);
        self.notes.add(&more.notes);
        Merge::merge(&mut self.known_in, more.known_in);
        match (&mut self.lines, more.lines) {
            (Some(lines), Some(more)) => lines.merge(more),
            (all, own) => *all = all.take().or(own),
        }
    }
}

impl Manifest {
    /// The counts of everything that does not lie apart.
    pub(crate) fn counts_together(&self) -> PartCounts {
        if self.format > 1 {
            return self.together.clone();
        }
        // A version that kept no parts counted all rows together.
        PartCounts {
            rows_read: self.rows_read,
            rows_accepted: self.rows_accepted,
            rows_rejected: self.rows_rejected.clone(),
            windows: self.windows,
            span: self.span,
            refunds_until: None,
            notes: self.notes.clone(),
            lines: self.transactions.as_ref().map(|(_, lines)| lines.clone()),
            known_in: BTreeMap::new(),
        }
    }

    /// The counts of everything.
    pub(crate) fn counts_all(&self) -> PartCounts {
        let mut all = self.counts_together();
        self.runs.iter().filter_map(|run| run.counts.as_deref()).for_each(|counts| all.merge(counts.clone()));
        all
    }

    /// The last moment at which anything happened that it has accepted, as far as it knows; none where a version took rows in that did not look.
    pub(crate) fn last_moment(&self) -> Option<i64> {
        let (all, last) = (self.counts_all(), self.span?.last);
        let nets = self.transactions.as_ref().is_some_and(|(orders, lines)| orders.refunds == Refunds::Net && lines.refund_lines > 0);
        let refunds = if nets { all.refunds_until? } else { MIN_TIMESTAMP };
        Some(last.max(refunds.saturating_sub(1)))
    }

    /// Adds up the parts.
    pub(crate) fn add_up(&mut self) {
        let all = self.counts_all();
        self.rows_read = all.rows_read;
        self.rows_accepted = all.rows_accepted;
        self.rows_rejected = all.rows_rejected;
        self.windows = all.windows;
        self.span = all.span;
        self.notes = all.notes;
        self.transactions = self.transactions.take().map(|(options, _)| (options, all.lines.unwrap_or_default()));
    }

    /// The number of the oldest run files that need not lie apart: `undo` is over for them, or there are too many after them.
    pub(crate) fn joined(&self, now: u64) -> usize {
        let ends = now.saturating_sub(self.undo.unwrap_or_default());
        let taken =
            |run: &RunEntry| self.inputs.iter().filter(|input| input.run.as_ref() == Some(&run.file)).filter_map(|input| input.taken).max();
        let lies_apart = |run: &RunEntry| run.counts.is_some() && taken(run).is_some_and(|taken| taken >= ends);
        let apart = self.runs.iter().rev().take_while(|run| lies_apart(run)).count().min(MOST_APART);
        self.runs.len() - apart
    }

    /// Takes the place of some run files by one, which holds the same.
    pub(crate) fn join(&mut self, files: std::ops::Range<usize>, into: RunEntry) {
        let gone: Vec<RunEntry> = self.runs.splice(files, [into]).collect();
        for run in gone {
            if let Some(counts) = run.counts {
                self.together.merge(*counts);
            }
            self.inputs.iter_mut().filter(|input| input.run.as_ref() == Some(&run.file)).for_each(|input| input.run = None);
        }
    }

    /// The counts of each part and of everything else.
    fn each_counts(&mut self) -> impl Iterator<Item = &mut PartCounts> {
        self.runs.iter_mut().filter_map(|run| run.counts.as_deref_mut()).chain([&mut self.together])
    }

    /// A run file has another name now.
    pub(crate) fn renamed(&mut self, old: &str, new: &str) {
        for counts in self.each_counts() {
            if let Some(orders) = counts.known_in.remove(old) {
                counts.known_in.insert(new.to_owned(), orders);
            }
        }
    }

    /// Forgets in which files orders lay that were left out, where these are no parts that could be taken out.
    pub(crate) fn forget_known(&mut self) {
        let parts: BTreeSet<String> = self.runs.iter().filter(|run| run.counts.is_some()).map(|run| run.file.clone()).collect();
        self.each_counts().for_each(|counts| counts.known_in.retain(|file, _| parts.contains(file)));
    }

    /// Refuses to take parts out of which others that stay have left orders out.
    fn leans_on_none(&self, gone: &BTreeSet<&String>, folder: &Path) -> Result<()> {
        let parts = self.runs.iter().filter(|run| !gone.contains(&run.file));
        let stay = parts.filter_map(|run| Some((Some(&run.file), run.counts.as_deref()?))).chain([(None, &self.together)]);
        let leans = stay.filter_map(|(own, counts)| Some((own, counts.known_in.iter().find(|(file, _)| gone.contains(file))?)));
        let Some((own, (file, orders))) = leans.into_iter().next() else { return Ok(()) };
        let name = |file: &String| self.inputs.iter().find(|input| input.run.as_ref() == Some(file)).map_or("", |input| &input.name);
        let later = own.map_or("an input that cannot be taken out any more", name);
        let orders = counted(*orders, "order", "orders");
        let what = format!("{later} came without {orders} that {} has: they would be missing", name(file));
        let help = match own {
            Some(_) => format!("take {later} out with it, and take in again what is to stay"),
            None => "make the state anew without it".to_owned(),
        };
        Err(Error::usage(what).input(folder.to_string_lossy()).help(help))
    }

    /// Takes inputs out, with the run files of their parts. The sums are then to be [added up](Manifest::add_up).
    ///
    /// # Errors
    /// When one of them lies apart no more, or only together with others that stay, or has orders that others left out because of it.
    pub(crate) fn take_out(&mut self, which: &BTreeSet<usize>, folder: &Path) -> Result<Vec<Input>> {
        let refuse = |what: String, help: String| Err(Error::usage(what).input(folder.to_string_lossy()).help(help));
        for &at in which {
            let input = &self.inputs[at];
            let Some(run) = &input.run else {
                if input.rows == Some(0) {
                    continue;
                }
                let what = format!("{} cannot be taken out any more: its rows lie together with those of other inputs", input.name);
                let help = format!(
                    "inputs lie apart for the time that `undo` says, and at most the last {MOST_APART}; make the state anew without it"
                );
                return refuse(what, help);
            };
            let others = |(other, known): &(usize, &Input)| known.run.as_ref() == Some(run) && !which.contains(other);
            if let Some((_, other)) = self.inputs.iter().enumerate().find(others) {
                let what = format!("{} came in one update with {}, and their orders were grouped together", input.name, other.name);
                return refuse(what, "take out all inputs of that update, and take in again what is to stay".to_owned());
            }
        }
        let gone: BTreeSet<&String> = which.iter().filter_map(|&at| self.inputs[at].run.as_ref()).collect();
        self.leans_on_none(&gone, folder)?;
        let mut out = Vec::new();
        let mut at = 0;
        self.inputs.retain(|input| {
            let stays = !which.contains(&at);
            at += 1;
            if !stays {
                out.push(input.clone());
            }
            stays
        });
        let gone: BTreeSet<&String> = out.iter().filter_map(|input| input.run.as_ref()).collect();
        self.runs.retain(|run| !gone.contains(&run.file));
        if self.inputs.is_empty() {
            self.transactions = None;
        }
        Ok(out)
    }

    /// The inputs of a name, or of a name and the generation that took it in: `day.csv`, `day.csv@3`.
    ///
    /// # Errors
    /// When there is none, or several by the name alone.
    pub(crate) fn named(&self, name: &str, folder: &Path) -> Result<usize> {
        let refuse = |what: String, help: String| Err(Error::usage(what).input(folder.to_string_lossy()).help(help));
        let found: Vec<usize> = (0..self.inputs.len()).filter(|&at| self.inputs[at].is_named(name)).collect();
        match &found[..] {
            [one] => return Ok(*one),
            [_, ..] => {
                let each: Vec<String> = found.iter().map(|&at| format!("{name}@{}", self.inputs[at].generation)).collect();
                return refuse(
                    format!("the state has taken in {} inputs named {name}", found.len()),
                    format!("say which: {}", each.join(" or ")),
                );
            }
            [] => {}
        }
        if let Some((name, generation)) = name.rsplit_once('@')
            && let Ok(generation) = generation.parse::<u64>()
            && let Some(at) = (0..self.inputs.len()).find(|&at| self.inputs[at].is_named(name) && self.inputs[at].generation == generation)
        {
            return Ok(at);
        }
        refuse(format!("the state has taken in no input named {name}"), "its history lists them: lensflow state history STATE".to_owned())
    }
}

impl Input {
    /// Whether it was taken in under a name; `./a.csv` is `a.csv`.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        plain_name(&self.name) == plain_name(name)
    }
}

fn plain_name(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    name
}
