//! The record of a state or of a checkpoint, with a right checksum.
#![no_main]

use lensflow_fuzz::{hush, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    hush();
    judge(lensflow::testing::forged_checkpoint(json));
});
