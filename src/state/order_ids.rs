//! The ids of a state's orders, as marks in its run files: each file has its own in order, and here those of several are one sequence.
//!
//! Memory: a frame of each file. A mark names no order and no customer; forgetting a customer leaves the marks, so that an order which comes
//! again stays known.

use super::{RunFile, Section, State, Writer};
use crate::base::cancel::Cancel;
use crate::base::error::{Error, Result};
use crate::orders::{KnownMarks, OrderMark};
use crate::spill::{Merged, write_sorted};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// The marks of some run files, in order, each with the place of its file among them.
pub(crate) struct OrderIds {
    files: Vec<(Arc<RunFile>, Merged)>,
    /// The next mark of each file.
    heads: BinaryHeap<Reverse<(OrderMark, u32)>>,
    begun: bool,
}

impl OrderIds {
    pub(crate) fn new(files: &[Arc<RunFile>], cancel: &Cancel) -> Self {
        let files = files.iter().map(|file| (file.clone(), file.records(Section::Orders, cancel.clone()).read())).collect();
        OrderIds { files, heads: BinaryHeap::new(), begun: false }
    }

    /// Reads the next mark of a file.
    fn advance(&mut self, at: u32, last: Option<OrderMark>) -> Result<()> {
        let (file, marks) = &mut self.files[at as usize];
        let Some(record) = marks.next().map_err(|e| e.input(file.name()))? else { return Ok(()) };
        let mark = OrderMark::read(record).filter(|mark| last.is_none_or(|last| last <= *mark));
        let damaged = || Error::data("the run file is damaged: an order's id is none").input(file.name()).help(super::DAMAGED_HELP);
        self.heads.push(Reverse((mark.ok_or_else(damaged)?, at)));
        Ok(())
    }
}

impl KnownMarks for OrderIds {
    fn next(&mut self) -> Result<Option<(OrderMark, u32)>> {
        if !std::mem::replace(&mut self.begun, true) {
            (0..self.files.len() as u32).try_for_each(|at| self.advance(at, None))?;
        }
        let Some(Reverse((mark, at))) = self.heads.pop() else { return Ok(None) };
        self.advance(at, Some(mark))?;
        Ok(Some((mark, at)))
    }
}

/// Writes the marks of some run files to another.
pub(crate) fn copy_order_ids(files: &[Arc<RunFile>], to: &Writer, cancel: &Cancel) -> Result<()> {
    let mut marks = OrderIds::new(files, cancel);
    let frames = write_sorted(to.frames(), || Ok(marks.next()?.map(|(mark, _)| mark)))?;
    to.add_records(Section::Orders, &frames);
    Ok(())
}

/// Refuses states of which two have an order with the same id: it would count twice, or the id means two orders.
///
/// # Errors
/// The states, and how many such orders there are.
pub(crate) fn share_no_order(states: &[State], cancel: &Cancel) -> Result<()> {
    let files: Vec<(usize, Arc<RunFile>)> =
        states.iter().enumerate().flat_map(|(at, state)| state.runs().iter().map(move |file| (at, file.clone()))).collect();
    let mut marks = OrderIds::new(&files.iter().map(|(_, file)| file.clone()).collect::<Vec<_>>(), cancel);
    let (mut first, mut both, mut equal, mut other) = (None::<(OrderMark, usize)>, 0u64, 0u64, None);
    while let Some((mark, file)) = marks.next()? {
        let state = files[file as usize].0;
        match first {
            Some((known, of)) if known.hash() == mark.hash() => {
                if of != state {
                    both += 1;
                    equal += u64::from(known == mark);
                    other = other.or(Some((of, state)));
                }
            }
            _ => first = Some((mark, state)),
        }
    }
    let Some((a, b)) = other else { return Ok(()) };
    let what = format!(
        "{both} order ids are in the state {}, too: {equal} of them mean the same order, which would count twice, and {} another",
        states[a].path().display(),
        both - equal
    );
    let help = "make a state anew of the inputs of both; or where no order is the same, merge them with `allow_duplicate`";
    Err(Error::data(what).input(states[b].path().to_string_lossy()).help(help))
}
