//! Partials with right lengths and checksums.
#![no_main]

use lensflow_fuzz::{hush, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hush();
    judge(lensflow::testing::forged_partial(bytes));
});
