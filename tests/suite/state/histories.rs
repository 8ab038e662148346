//! What happens to a state over time: inputs come, come again corrected, are taken out; customers are forgotten; states are merged; disks
//! fail. Whatever the history, the state is a plain model of what remains.

use super::*;
use crate::make::{Dice, period};
use crate::support::{lensflow, listing, setting};
use lensflow::state::{forget, remove};
use lensflow::testing::Faults;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::SystemTime;

const WINDOWS: Windows = Windows::Every(Granularity::Quarter);
const DAY: u64 = 86_400;

/// An input of the model.
#[derive(Debug, Clone)]
struct Came {
    file: String,
    rows: Vec<Row>,
    day: u64,
    /// Whether it lies with others for good.
    together: bool,
}

/// What remains, as a plain list.
struct History {
    folder: tempfile::TempDir,
    dice: Dice,
    came: Vec<Came>,
    day: u64,
    files: usize,
    forgot: bool,
}

impl History {
    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn rows(&mut self, file: usize) -> Vec<Row> {
        let mut rows = vec![period(&format!("only {file} {}", self.day), "2023-03-01", "2023-04-01", 1, "1.005", None)];
        for _ in 0..self.dice.below(8) {
            let id = ["anna", "ben", "a customer with a long id, longer than others", "dora"][self.dice.below(4)];
            let (start, end) = [
                ("2023-01-05", "2023-01-20"),
                ("2023-02-01", "2023-03-01"),
                ("2023-01-20", "2023-02-10"),
                ("2023-05-01", "2023-06-01"),
                ("2023-02-01", "2023-01-01"),
            ][self.dice.below(5)];
            let last = (self.dice.below(2) == 0).then_some(start);
            rows.push(period(
                id,
                start,
                end,
                1 + self.dice.below(3) as i64,
                &format!("{}.{:03}", self.dice.below(500), self.dice.below(1_000)),
                last,
            ));
        }
        rows
    }

    fn write(&self, file: &str, rows: &[Row]) {
        let batch = Layout::default().batch(rows);
        let mut table = TableWriter::create(Path::new(file), None, &batch.schema()).unwrap();
        table.write(&batch).unwrap();
        table.finish().unwrap().commit().unwrap();
    }

    fn update(&self) -> Update {
        let now = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(self.day * DAY));
        Update { now, undo: Some(Duration::from_secs(30 * DAY)), ..update(Granularity::Month, OnBadRow::Reject) }
    }

    /// Takes files in, on a disk that may fail in between; then it is done again.
    fn take_in(&mut self, update: &Update, files: &[String]) {
        if self.dice.below(3) == 0 {
            let faults = Arc::new(Faults::new(self.dice.below(40) as u64));
            let _ = take_in(&Update { io: Io::faulty(faults), ..update.clone() }, &self.state(), files);
        }
        take_in(update, &self.state(), files).unwrap();
        // What is old enough may have become one with others.
        let manifest = State::open(&self.state()).unwrap().manifest().clone();
        for came in &mut self.came {
            let input = manifest.inputs.iter().find(|input| input.name == came.file).unwrap();
            came.together = !input.lies_apart();
            assert!(!came.together || self.day - came.day > 30, "{came:?} on day {}", self.day);
        }
    }

    /// One of the inputs that can be taken out.
    fn apart(&mut self) -> Option<usize> {
        let apart: Vec<usize> = (0..self.came.len()).filter(|&at| !self.came[at].together).collect();
        (!apart.is_empty()).then(|| apart[self.dice.below(apart.len())])
    }

    fn step(&mut self) {
        self.day += self.dice.below(12) as u64;
        match self.dice.below(10) {
            0 if self.came.len() > 1 => {
                let Some(at) = self.apart() else { return };
                let gone = self.came.remove(at);
                let changed = remove(&self.state(), &[&gone.file], &Io::default()).unwrap();
                assert_eq!(changed.inputs.len(), 1);
            }
            1 if !self.came.is_empty() => {
                let Some(at) = self.apart() else { return };
                let (file, rows) = (self.came[at].file.clone(), self.rows(at));
                self.write(&file, &rows);
                let refused = take_in(&self.update(), &self.state(), std::slice::from_ref(&file)).unwrap_err();
                assert!(refused.to_string().contains("other contents"), "{refused}");
                self.came.remove(at);
                let update = Update { replace: true, ..self.update() };
                self.came.push(Came { file: file.clone(), rows, day: self.day, together: false });
                self.take_in(&update, &[file]);
            }
            2 if !self.came.is_empty() => {
                let id = ["anna", "a customer with a long id, longer than others"][self.dice.below(2)];
                forget(&self.state(), &[id], &Cancel::default(), &Io::default()).unwrap();
                self.came.iter_mut().for_each(|came| came.rows.retain(|row| row.id.as_deref() != Some(id)));
                self.forgot = true;
            }
            3 if !self.came.is_empty() => {
                let merged = self.folder.path().join("merged");
                merge(&merged, &[State::open(&self.state()).unwrap()], false, &Cancel::default(), &Io::default()).unwrap();
                fs::remove_dir_all(self.state()).unwrap();
                fs::rename(&merged, self.state()).unwrap();
                self.came.iter_mut().for_each(|came| (came.together, came.day) = (true, 0));
            }
            _ => {
                let mut new = Vec::new();
                for _ in 0..1 + self.dice.below(3) {
                    self.files += 1;
                    let file = self.folder.path().join(format!("{}.csv", self.files)).to_string_lossy().into_owned();
                    let rows = self.rows(self.files);
                    self.write(&file, &rows);
                    new.push(file.clone());
                    self.came.push(Came { file, rows, day: self.day, together: false });
                }
                let update = self.update();
                self.take_in(&update, &new);
            }
        }
    }

    /// The audit of the state is that of what remains, read from files.
    fn check(&self) {
        if self.came.is_empty() {
            return;
        }
        let state = State::open(&self.state()).unwrap();
        // What was read stays counted and covered when a customer is forgotten, and rows keep their numbers.
        let quarters = ["2023-Q1", "2023-Q2"].map(|quarter| quarter.parse().unwrap());
        let windows = if self.forgot { Windows::List(quarters.to_vec()) } else { WINDOWS };
        let found = audit(&windows, OnBadRow::Reject, &[state], &[]).unwrap();
        self.came.iter().for_each(|came| self.write(&came.file, &came.rows));
        let files: Vec<String> = self.came.iter().map(|came| came.file.clone()).collect();
        let expected = audit(&windows, OnBadRow::Reject, &[], &files).unwrap();
        if !self.forgot {
            assert_eq!(found, expected);
        }
        let rejects = |said: &Said| {
            let mut rejects: Vec<_> = said.rejects.iter().map(|r| (r.source.clone(), r.customer_id.clone(), r.reason)).collect();
            rejects.sort();
            rejects
        };
        assert_eq!(rejects(&found), rejects(&expected));
        assert_eq!((found.rfm, found.moved), (expected.rfm, expected.moved));
    }
}

#[test]
fn whatever_happened_a_state_is_what_remains() {
    for seed in 0..setting("SUITE_HISTORIES", 60) {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History { folder, dice: Dice(seed), came: Vec::new(), day: 100, files: 0, forgot: false };
        for _ in 0..3 + history.dice.below(12) {
            history.step();
        }
        history.check();
    }
}

/// No byte of a state's files tells of a customer who was forgotten, in parts, compacted runs and merged states, among rejects and open rows.
#[test]
fn a_forgotten_customer_is_in_no_file() {
    const ID: &str = "forgotten-customer-0815@example.com";
    let folder = tempfile::tempdir().unwrap();
    let rows = |i: usize| {
        [
            period(ID, "2023-01-05", "2023-01-20", 1, "5", None),
            period(ID, "2023-02-01", "2023-01-01", 1, "5", None),
            period(ID, "2023-01-20", "2023-02-10", 1, "5", None),
            period(&format!("customer {i}"), "2023-01-05", "2023-01-20", 1, "5", None),
        ]
    };
    let all: Vec<Row> = (0..12).flat_map(rows).collect();
    let files = files(folder.path(), &all, 4);
    let names = |path: &Path| {
        let texts = listing(path).into_iter().map(|name| fs::read(path.join(name)).unwrap());
        texts.filter(|bytes| bytes.windows(9).any(|window| window == &ID.as_bytes()[..9])).count()
    };
    for undo in [0, 30 * DAY] {
        let path = folder.path().join(format!("state-{undo}"));
        let update = Update { undo: Some(Duration::from_secs(undo)), ..update(Granularity::Month, OnBadRow::Reject) };
        files.iter().for_each(|file| drop(take_in(&update, &path, std::slice::from_ref(file)).unwrap()));
        let merged = folder.path().join(format!("merged-{undo}"));
        merge(&merged, &[State::open(&path).unwrap()], false, &Cancel::default(), &Io::default()).unwrap();
        for path in [&path, &merged] {
            assert!(names(path) > 0);
            let changed = forget(path, &[ID, "unknown"], &Cancel::default(), &Io::default()).unwrap();
            assert_eq!((changed.customers, changed.unknown), (vec![ID.to_owned()], vec!["unknown".to_owned()]));
            assert_eq!(names(path), 0);
            let said = audit(&WINDOWS, OnBadRow::Reject, &[State::open(path).unwrap()], &[]).unwrap();
            assert_eq!((said.rfm.num_rows(), said.rejects.len()), (12, 0));
        }
    }
}

/// As an operator does it, on the command line.
#[test]
fn a_way_back_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let header = "customer_id,period_start,period_end,total_orders,total_spend\n";
    let write = |name: &str, rows: &str| fs::write(at.join(name), format!("{header}{rows}")).unwrap();
    let refused = |arguments: &[&str], code: i32| Lensflow::new(at, arguments).run().expect(code).stderr;
    let report = |inputs: &[&str]| {
        lensflow(at, &[&["audit"], inputs, &["--every", "month", "--report", "r.json", "-q"]].concat()).expect(0);
        fs::read_to_string(at.join("r.json")).unwrap()
    };
    write("monday.csv", "a,2024-01-01,2024-01-02,1,10.00\nb,2024-01-01,2024-01-02,1,5.00\n");
    write("tuesday.csv", "a,2024-01-02,2024-01-03,1,7.00\n");
    lensflow(at, &["update", "st", "monday.csv", "tuesday.csv"]).expect(0);
    // The same rows with other line ends, and packed.
    fs::write(at.join("windows.csv"), fs::read_to_string(at.join("monday.csv")).unwrap().replace('\n', "\r\n")).unwrap();
    fs::write(at.join("packed.csv.gz"), crate::make::gzip(&fs::read(at.join("monday.csv")).unwrap())).unwrap();
    let again = lensflow(at, &["update", "st", "windows.csv", "packed.csv.gz"]).expect(0).stderr;
    assert_eq!(again.matches("taken in before, as monday.csv").count(), 2, "{again}");
    // A corrected file.
    write("monday.csv", "a,2024-01-01,2024-01-02,1,11.00\nb,2024-01-01,2024-01-02,1,5.00\n");
    let before = report(&["st"]);
    let said = refused(&["update", "st", "monday.csv"], 1);
    assert!(said.contains("other contents") && said.contains("--replace") && said.contains("--allow-changed"), "{said}");
    assert_eq!(report(&["st"]), before);
    let said = lensflow(at, &["update", "st", "monday.csv", "--replace"]).expect(0).stderr;
    assert!(said.contains("the rows of generation 1 are taken out"), "{said}");
    let files = |names: &[&str]| report(names);
    assert_eq!(report(&["st"]), files(&["monday.csv", "tuesday.csv"]));
    assert!(refused(&["audit", "st", "tuesday.csv", "--every", "month"], 2).contains("its rows would count twice"));
    // Out and in again.
    let history = String::from_utf8(lensflow(at, &["state", "history", "st"]).expect(0).stdout).unwrap();
    assert!(history.contains("tuesday.csv") && history.contains("yes"), "{history}");
    lensflow(at, &["state", "remove", "st", "./tuesday.csv"]).expect(0);
    assert_eq!(report(&["st"]), files(&["monday.csv"]));
    lensflow(at, &["update", "st", "tuesday.csv"]).expect(0);
    assert_eq!(report(&["st"]), files(&["monday.csv", "tuesday.csv"]));
    assert!(refused(&["state", "remove", "st", "sunday.csv"], 2).contains("no input named sunday.csv"));
    // A table, and a state of it.
    lensflow(at, &["state", "export", "st", "-o", "st.parquet"]).expect(0);
    lensflow(at, &["update", "other", "st.parquet"]).expect(0);
    let answers = |report: String| report[report.find("\"windows\"").unwrap()..].to_owned();
    assert_eq!(answers(report(&["other"])), answers(report(&["st"])));
    // A customer.
    let said = lensflow(at, &["state", "forget", "st", "b", "nobody"]).expect(0).stderr;
    assert!(said.contains("1 customer taken out") && said.contains("nobody: the state does not know"), "{said}");
    write("without.csv", "a,2024-01-01,2024-01-02,1,11.00\na,2024-01-02,2024-01-03,1,7.00\n");
    assert_eq!(answers(report(&["st"])), answers(files(&["without.csv"])));
    // Nothing lies apart when that is not wanted.
    lensflow(at, &["update", "plain", "monday.csv", "--undo", "0s"]).expect(0);
    assert!(refused(&["state", "remove", "plain", "monday.csv"], 2).contains("cannot be taken out any more"));
    let json: serde_json::Value = serde_json::from_slice(&lensflow(at, &["inspect", "plain", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(json["rows_read"], 2);
    // A forgotten date format rejects every row: nothing is remembered.
    write("german.csv", "a,01.02.2024,02.02.2024,1,5\n");
    let said = refused(&["update", "day", "german.csv", "--on-bad-row", "reject"], 1);
    assert!(said.contains("1 of 1 rows are bad"), "{said}");
    let said = refused(&["update", "day", "german.csv", "--on-bad-row", "reject", "--max-rejects", "1"], 1);
    assert!(said.contains("its only row is bad"), "{said}");
    lensflow(at, &["update", "day", "german.csv", "--on-bad-row", "reject", "--date-format", "%d.%m.%Y"]).expect(0);
    let names: BTreeSet<String> = listing(&at.join("day"));
    assert!(names.contains("run-00000001.lfst"), "{names:?}");
}

/// A state remembers how its inputs were read; an input that lacks a column which earlier ones had is refused.
#[test]
fn a_state_remembers_how_inputs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |line: &str| Lensflow::new(at, &line.split(' ').collect::<Vec<_>>()).run();
    let write = |name: &str, text: &str| fs::write(at.join(name), text).unwrap();
    write("1.csv", "Beleg;Kunde;Datum;quantity;unit_price\n1;a;05.01.2024;2;10,00\n2;NULL;06.01.2024;1;3,00\n3;b;06.01.2024;-1;3,00\n");
    write("2.csv", "Beleg;Kunde;Datum;quantity;unit_price\n4;a;05.02.2024;3;1.000,50\n5;NULL;06.02.2024;1;3,00\n");
    write("3.csv", "Beleg;Kunde;Datum;qty;unit_price\n6;a;05.03.2024;3;10,00\n");
    let reading = "--from transactions --column order_id=Beleg --column customer_id=Kunde --column event_ts=Datum --date-format %d.%m.%Y \
                   --number-format 1.234,56 --null NULL --policy shop";
    run(&format!("update st 1.csv {reading}")).expect(0);
    run("update st 2.csv").expect(0);
    run(&format!("audit 1.csv 2.csv {reading} --every month --report files.json -q")).expect(0);
    run("audit st --every month --report state.json -q").expect(0);
    let read = |name: &str| fs::read_to_string(at.join(name)).unwrap();
    assert_eq!(read("state.json"), read("files.json"));
    let inspected = run("inspect st").expect(0);
    assert!(inspected.out().contains("columns.order_id=Beleg"), "{}", inspected.out());
    // Renamed: every line would count 1.
    let refused = run("update st 3.csv").expect(1).stderr;
    assert!(refused.contains("no column quantity, which earlier inputs") && refused.contains("--column quantity="), "{refused}");
    run("update st 3.csv --column quantity=qty").expect(0);
    // In a folder that is followed, such a file is put aside.
    fs::create_dir(at.join("inbox")).unwrap();
    write("inbox/4.csv", "Beleg;Kunde;Datum;menge;unit_price\n7;a;05.04.2024;3;10,00\n");
    write("spec.toml", "[source]\nfollow = 'inbox'\npoll = '20ms'\nfrom = 'transactions'\n[state]\npath = 'st'\ncommit = '20ms'\n");
    let mut following = crate::support::Running::begin(at, &["run", "spec.toml", "-q"], std::process::Stdio::null());
    crate::support::until("the file is put aside", || at.join("inbox/_quarantine/4.csv.reason.txt").exists());
    following.signal("TERM");
    following.end(Duration::from_secs(20));
    assert!(read("inbox/_quarantine/4.csv.reason.txt").contains("no column \"qty\""));
}

/// What an update leaves out is written, with the fields of lines where it read lines, and so is what a state has left out.
#[test]
fn rejects_do_not_vanish() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rows = "order_id,customer_id,event_ts,line_total\n1,a,2024-01-05,5\n2,b,never,6\n3,c,2024-01-07,7\n";
    fs::write(at.join("l.csv"), rows).unwrap();
    let update = ["update", "st", "l.csv", "--from", "transactions", "--on-bad-row", "reject", "--rejects", "bad.csv"];
    let said = lensflow(at, &update).expect(0).stderr;
    assert!(said.contains("bad.csv: 1 row"), "{said}");
    lensflow(at, &["audit", "st", "--every", "month", "--rejects", "of-state.csv", "--report", "r.json"]).expect(0);
    lensflow(
        at,
        &[
            "audit",
            "l.csv",
            "--from",
            "transactions",
            "--every",
            "month",
            "--on-bad-row",
            "reject",
            "--rejects",
            "of-file.csv",
            "--report",
            "f.json",
        ],
    )
    .expect(0);
    let read = |name: &str| fs::read_to_string(at.join(name)).unwrap();
    assert_eq!(read("bad.csv"), read("of-file.csv"));
    assert_eq!(read("of-state.csv"), read("of-file.csv"));
    assert!(read("bad.csv").ends_with("l.csv,2,3,,bad_timestamp,event_ts,never,2,b,,6.00\n"), "{}", read("bad.csv"));
    // Nothing is written of what was known.
    fs::remove_file(at.join("bad.csv")).unwrap();
    lensflow(at, &update).expect(0);
    assert!(!at.join("bad.csv").exists());
}
