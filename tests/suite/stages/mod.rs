//! The stages of a run when something goes wrong in one of them, and when the run is cancelled.

mod cancel;
mod cut_groups;
mod faults;
mod progress;
