//! The integration tests, one binary: golden answers, the command line, a naive model, laws that hold for any input, little memory,
//! saved states, partials, transactions as input, and the functions on slices.

#![allow(clippy::unwrap_used)]

mod cli;
mod follow;
mod functions;
mod golden;
mod house;
mod laws;
mod memory;
mod model;
mod orders;
mod partials;
mod pushed_orders;
mod state;
mod support;
mod transactions;
