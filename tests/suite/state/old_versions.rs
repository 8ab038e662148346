//! States of earlier versions are read, audited, and taken on.
//!
//! `tests/data/states` has a state for each version of the format, made of `a.csv` and `b.csv` by the lensflow of that time, and never
//! made anew: when the format changes, a folder of the new one is added.

use super::crashes::{copy, restore};
use super::*;
use crate::support::lensflow;
use std::fs;

/// The folder, the format of its manifest, and the version of its run files.
const STATES: [(&str, u32, u8); 4] = [("v1", 1, 1), ("v2_runs_v1", 2, 1), ("v2", 2, 2), ("v3", 3, 3)];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/states")
}

#[test]
fn a_state_of_each_version_is_read_audited_and_updated() {
    let files = ["a.csv", "b.csv", "c.csv"].map(|name| data().join(name).to_string_lossy().into_owned());
    for (name, format, version) in STATES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        restore(&copy(&data().join(name)), &path);
        let before = State::open(&path).unwrap();
        assert_eq!((before.manifest().format, before.manifest().inputs.len()), (format, 2), "{name}");
        for run in &before.manifest().runs {
            assert_eq!(fs::read(path.join(&run.file)).unwrap()[4], version);
            let told = lensflow(folder.path(), &["inspect", &format!("state/{}", run.file)]).expect(0);
            assert!(told.out().contains("every checksum is right"), "{}", told.out());
        }
        let said = |state: &State, files: &[String], every| {
            let windows = Windows::Every(every);
            let audited = audit(&windows, OnBadRow::Reject, std::slice::from_ref(state), &[]).unwrap();
            assert!(same(audited, audit(&windows, OnBadRow::Reject, &[], files).unwrap()), "{name}");
        };
        said(&before, &files[..2], Granularity::Month);
        said(&before, &files[..2], Granularity::Quarter);
        // The inputs are known, under whatever names.
        let update = Update { spec: spec(Windows::Every(Granularity::Month), OnBadRow::Reject), ..Update::default() };
        let again = take_in(&update, &path, &files[..2]).unwrap();
        assert_eq!((again.taken.len(), again.known.len()), (0, 2), "{name}");
        take_in(&update, &path, &files[2..]).unwrap();
        let after = State::open(&path).unwrap();
        assert_eq!((after.manifest().format, after.manifest().inputs.len(), after.manifest().rows_read), (3, 3, 48), "{name}");
        said(&after, &files, Granularity::Month);
        said(&after, &files, Granularity::Year);
        // With seven more the old run files become one with new ones.
        let mut all = files.to_vec();
        for i in 0..9 {
            let more = folder.path().join(format!("more-{i}.csv"));
            fs::write(
                &more,
                format!(
                    "customer_id,period_start,period_end,total_orders,total_spend\nana,2023-0{}-01,2023-0{}-15,1,{i}.5\n",
                    i % 9 + 1,
                    i % 9 + 1
                ),
            )
            .unwrap();
            all.push(more.to_string_lossy().into_owned());
            take_in(&Update { undo: Some(Duration::ZERO), ..update.clone() }, &path, &all[all.len() - 1..]).unwrap();
        }
        let joined = State::open(&path).unwrap();
        assert!(joined.manifest().runs.iter().all(|run| fs::read(path.join(&run.file)).unwrap()[4] == 3), "{name}");
        said(&joined, &all, Granularity::Month);
    }
}

/// Whether two audits say the same of the same rows, by whatever paths their files are called.
fn same(a: Said, b: Said) -> bool {
    let plain = |report: &str| {
        let mut report: serde_json::Value = serde_json::from_str(report).unwrap();
        report["input"]["sources"] = serde_json::Value::Null;
        report
    };
    let rejects =
        |said: &Said| said.rejects.iter().map(|reject| (reject.customer_id.clone(), reject.reason, reject.row)).collect::<Vec<_>>();
    let mut both = [rejects(&a), rejects(&b)];
    both.iter_mut().for_each(|rejects| rejects.sort());
    plain(&a.report) == plain(&b.report) && a.rfm == b.rfm && a.moved == b.moved && both[0] == both[1]
}
