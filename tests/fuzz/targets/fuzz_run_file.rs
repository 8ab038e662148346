//! Run files of any frames, with right checksums.
#![no_main]

use lensflow::testing::forged_run_file;
use lensflow_fuzz::{hush, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &[u8]| {
    hush();
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder");
    judge(forged_run_file(frames, &folder.path().join("run")));
});
