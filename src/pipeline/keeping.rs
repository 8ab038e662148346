//! Runs beside states that keep the ids of their orders: orders wait until all have been read, and those that a state has are left out.

use super::{Pipeline, Resources, sorting_of_rejects};
use crate::base::error::{Error, Result};
use crate::base::threads::lock;
use crate::lens::Lens;
use crate::orders::{LeftOutOf, NewOrders, PendingOrders, PeriodFinder, Validation, Waiting};
use crate::spill::Sorter;
use crate::state::{OrderIds, RunFile, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run needs to tell known orders from new ones.
pub(super) struct Keeping {
    pending: Arc<PendingOrders>,
    /// The run files that have the known ones.
    known: Vec<Arc<RunFile>>,
    /// What the sources validated their lines with, and the periods of their orders.
    validations: Vec<Arc<Validation>>,
    periods: Option<PeriodFinder>,
    /// The marks of orders that were taken.
    pub(super) marks: Arc<Sorter>,
    left_out: LeftOutOf,
}

impl Keeping {
    /// The next source puts its orders here.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting { orders: self.pending.clone(), source: self.validations.len() as u32 }
    }

    /// How many orders were left out, by the run file that has them.
    pub(super) fn known_in(&self) -> BTreeMap<String, u64> {
        let name = |file: &RunFile| file.name().rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        lock(&self.left_out).iter().filter_map(|(&at, &orders)| Some((name(self.known.get(at as usize)?), orders))).collect()
    }
}

impl<L: Lens> Pipeline<L> {
    /// Leaves out orders whose ids are in some run files, and keeps the ids of those that it takes.
    pub(crate) fn keep_orders(&mut self, known: &[Arc<RunFile>]) {
        let Resources { plan, store, cancel, .. } = &self.state.resources;
        let sorting = || sorting_of_rejects(plan, self.spec.worker_count(), store.clone(), cancel.clone());
        let keeping = self.keeping.get_or_insert_with(|| Keeping {
            pending: Arc::new(PendingOrders::new(sorting())),
            known: Vec::new(),
            validations: Vec::new(),
            periods: None,
            marks: Arc::new(Sorter::new(sorting())),
            left_out: LeftOutOf::default(),
        });
        keeping.known.extend_from_slice(known);
    }

    /// Leaves out the orders that a state has, if it keeps their ids.
    ///
    /// # Errors
    /// When orders came before it: nothing is known of them any more.
    pub(super) fn keep_orders_of(&mut self, state: &State) -> Result<()> {
        if !state.manifest().order_ids {
            return Ok(());
        }
        let came_before = self.pushed_lines.is_some() || self.has_lines && self.keeping.is_none();
        if came_before {
            let what = "the state keeps the ids of its orders, and orders came before it that may be the same";
            return Err(Error::usage(what).input(state.path().to_string_lossy()).help("take states in first"));
        }
        self.keep_orders(state.runs());
        Ok(())
    }

    /// Adds the counts of lines whose orders were taken; where they wait, when they are.
    pub(super) fn judge_orders(&mut self, validation: Arc<Validation>, periods: PeriodFinder) {
        self.has_lines = true;
        match &mut self.keeping {
            Some(keeping) => {
                keeping.validations.push(validation);
                keeping.periods.get_or_insert(periods);
            }
            None => self.judge_lines(validation.finish_whole()),
        }
    }

    /// Takes the orders that waited, but for those that are known.
    pub(super) fn take_new_orders(&mut self) -> Result<()> {
        let Some(keeping) = &mut self.keeping else { return Ok(()) };
        let (validations, Some(periods)) = (std::mem::take(&mut keeping.validations), keeping.periods.take()) else { return Ok(()) };
        let known = Box::new(OrderIds::new(&keeping.known, &self.state.resources.cancel));
        let (marks, left_out) = (keeping.marks.clone(), keeping.left_out.clone());
        let orders = NewOrders::new(keeping.pending.read()?, known, validations.clone(), periods, marks, left_out);
        self.run_of_orders(orders)?;
        validations.iter().for_each(|validation| self.judge_lines(validation.summary()));
        Ok(())
    }

    /// The marks of orders that were taken, and where those lie that were not.
    pub(super) fn kept_orders(&mut self) -> (Option<Arc<Sorter>>, BTreeMap<String, u64>) {
        self.keeping.take().map_or_else(Default::default, |keeping| (Some(keeping.marks.clone()), keeping.known_in()))
    }
}
