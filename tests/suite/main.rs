//! The integration tests, one binary: golden answers, the command line, the engine against a plain model, laws that hold for any input,
//! little memory, hostile inputs, saved states, partials, orders as input, exports of real shops, and the functions on slices.
//!
//! `make` makes all input, `model` is the plain model of all answers, `support` runs the binary and compares; `house` holds the layout.

#![allow(clippy::unwrap_used)]

mod chosen_columns;
mod cli;
mod cohorts;
mod engine;
mod engine_tasks;
mod fault_matrix;
mod field;
mod follow;
mod follow_faults;
mod foreign_batches;
mod functions;
mod golden;
mod hostile;
mod house;
mod inbox_faults;
mod jobs;
mod laws;
mod make;
mod memory;
mod model;
#[cfg(feature = "cloud")]
mod objects;
mod orders;
mod output_faults;
mod pages;
mod partials;
mod pushed_orders;
mod segments;
mod stages;
mod state;
mod support;
mod transactions;
