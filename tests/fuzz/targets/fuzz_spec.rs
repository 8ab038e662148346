//! The options of a run as JSON.
#![no_main]

use lensflow::{Pipeline, Spec};
use lensflow_fuzz::{hush, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    hush();
    let Ok(mut spec) = serde_json::from_str::<Spec>(json) else { return };
    if judge(spec.validate()).is_some() {
        spec.workers = Some(1);
        spec.spill_dir = None;
        judge(Pipeline::builder().spec(spec).build().and_then(|pipeline| pipeline.finish()));
    }
});
