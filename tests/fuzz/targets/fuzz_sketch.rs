//! Sketches of any DataSketches library.
#![no_main]

use lensflow::lens::sketch::CustomerSketch;
use lensflow_fuzz::{hush, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hush();
    if let Some(sketch) = judge(CustomerSketch::from_bytes(bytes)) {
        drop((sketch.to_bytes(), sketch.customers(), sketch.is_exact(), sketch.in_common(&sketch), sketch.overlap(&sketch)));
    }
});
