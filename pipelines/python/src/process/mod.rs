//! This process, as the command's jobs see one: in the place of the command's own `screen` to `allocator`. Nothing is printed; what a job
//! prints is kept for the caller, signals are Python's, and memory is the interpreter's.

pub(crate) mod allocator;
pub(crate) mod following;
pub(crate) mod screen;
pub(crate) mod signals;
pub(crate) mod talk;
pub(crate) mod warned;
