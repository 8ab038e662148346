//! Whole programs of the library: an audit writes what the command writes, counts what it counted, and finds faults before it reads.

use super::support::*;
use lensflow::Spec;
use lensflow::error::Kind;
use lensflow::jobs::{AuditJob, Host, Outputs};
use lensflow::model::{Granularity, OnBadRow, Windows};
use lensflow::pipeline::Order;
use lensflow::stats::Stats;
use std::fs;
use std::sync::Arc;

/// Counts what it is told.
#[derive(Default)]
struct Watcher {
    stats: Option<Arc<Stats>>,
    published: usize,
}

impl Host for Watcher {
    fn watch(&mut self, stats: Arc<Stats>) {
        self.stats = Some(stats);
    }

    fn undisturbed(&mut self, publish: &mut dyn FnMut() -> lensflow::Result<()>) -> lensflow::Result<()> {
        self.published += 1;
        publish()
    }
}

#[test]
fn an_audit_writes_what_the_command_writes() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("periods.csv"), Golden::load("11_quarters").csv).unwrap();
    let input = at("periods.csv").to_string_lossy().into_owned();
    let flags = ["--every", "quarter", "--sorted", "--report", "flags.json", "--rfm-out", "flags.csv", "--migration-out", "flags.jsonl"];
    lensflow(folder.path(), &[&["audit", &input], &flags[..]].concat()).expect(0);

    let spec = Spec::default().with_windows(Windows::Every(Granularity::Quarter));
    let mut outputs = Outputs::default();
    outputs.reports = vec![at("job.json")];
    outputs.rfm = Some(at("job.csv"));
    outputs.migrations = Some(at("job.jsonl"));
    outputs.order = Order::Sorted;
    let job = AuditJob::new([&input]).spec(spec.clone()).outputs(outputs.clone());
    assert!(job.check().unwrap().files == [input.as_str()]);
    let mut watcher = Watcher::default();
    let audited = job.run(&mut watcher).unwrap();
    for kind in ["json", "csv", "jsonl"] {
        assert!(fs::read(at(&format!("job.{kind}"))).unwrap() == fs::read(at(&format!("flags.{kind}"))).unwrap(), "{kind}");
    }
    assert_eq!((audited.files.len(), watcher.published), (3, 1));
    assert_eq!(audited.counted, watcher.stats.unwrap().snapshot());
    audited.done().unwrap();

    // Faults are found before rows are read, and say what they are without a word of flags.
    let refused = |job: AuditJob, kind: Kind, wanted: &str| {
        for error in [job.check().unwrap_err(), job.run(&mut ()).unwrap_err()] {
            assert!(error.kind() == kind && error.to_string().contains(wanted), "{error}");
            assert!(!error.advice().unwrap_or_default().contains("--"), "{error}");
        }
    };
    let with = |change: &dyn Fn(&mut Outputs)| {
        let mut outputs = outputs.clone();
        change(&mut outputs);
        AuditJob::new([&input]).spec(spec.clone()).outputs(outputs)
    };
    refused(with(&|outputs| outputs.reports = vec![at("r.pdf")]), Kind::Usage, "the extension says no format");
    refused(with(&|outputs| outputs.rfm = Some(at("job.json"))), Kind::Usage, "would be written twice");
    refused(with(&|outputs| outputs.rfm = Some(at("periods.csv"))), Kind::Usage, "is an input");
    refused(with(&|outputs| outputs.rejects = Some(at("bad.csv"))), Kind::Usage, "no rejects to write");
    refused(with(&|outputs| outputs.rfm = Some(at("none/rfm.csv"))), Kind::Io, "cannot write");
    refused(AuditJob::new([at("none.csv").to_string_lossy()]).spec(spec.clone()), Kind::Io, "no such file");
    let mut rejecting = with(&|outputs| outputs.rejects = Some(at("bad.csv")));
    rejecting.on_bad_row = Some(OnBadRow::Reject);
    assert!(rejecting.run(&mut ()).unwrap().files.iter().any(|file| file.path == at("bad.csv") && file.rows.is_some()));
}
