//! What the targets share: an audit of bytes as a file, and a judge of its outcome.

use lensflow::error::Kind;
use lensflow::model::{Granularity, MaxRejects, OnBadRow, Windows};
use lensflow::orders::Lines;
use lensflow::source::files::Format;
use lensflow::{Pipeline, Result, Spec};
use std::io::Write;
use std::sync::Once;

/// Panics that are meant to be errors are caught by the library, so that they must not end the process where they begin: a panic that
/// comes out still does.
pub fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}

/// Anything may be wrong with what is read, but nothing with the program.
pub fn judge<T>(outcome: Result<T>) -> Option<T> {
    match outcome {
        Err(error) if error.kind() == Kind::Internal => panic!("{error:?}"),
        outcome => outcome.ok(),
    }
}

/// Audits bytes as a file of period aggregations or, where the first is odd, of orders.
pub fn audit(bytes: &[u8], format: Format) {
    hush();
    let Some((first, bytes)) = bytes.split_first() else { return };
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").expect("a file");
    file.write_all(bytes).expect("written");
    let name = [file.path().to_string_lossy().into_owned()];
    let run = || {
        let spec = Spec::default()
            .with_windows(Windows::Every(Granularity::Year))
            .with_on_bad_row(OnBadRow::Reject)
            .with_max_rejects(MaxRejects::Rows(u64::MAX))
            .with_workers(Some(1))
            .with_memory_limit(Some(256 << 20));
        let mut pipeline = Pipeline::builder().spec(spec.clone()).build()?;
        if first % 2 == 1 {
            let lines = Lines::default();
            pipeline.run_transactions(lines.find(&name, Some(format), 64)?, &lines)?;
        } else {
            pipeline.run(lensflow::source::files::Files::find(&name, Some(format), &spec)?)?;
        }
        pipeline.finish()?.report.to_json()
    };
    judge(run());
}
