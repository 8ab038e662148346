//! States that have dropped old periods: what is left says what it said before, and nothing else is said.

use super::*;
use crate::support::lensflow;
use lensflow::error::Kind;
use lensflow::model::beginning;
use lensflow::state::{drop_before, remove};
use std::fs;

/// Windows from a month of 2023 on.
fn from(month: usize) -> Windows {
    Windows::List((month..=12).map(|month| format!("2023-{month:02}").parse().unwrap()).collect())
}

fn without_warnings(mut said: Said) -> Said {
    said.report.truncate(said.report.find("\"warnings\"").unwrap());
    said
}

proptest! {
    #![proptest_config(config(40))]

    /// Before, between and after updates and removals.
    #[test]
    fn what_is_left_says_what_it_said(
        rows in monthly_rows(), each in 1..20usize, first in 1..6usize, second in 1..8usize, apart in any::<bool>(), gone in prop::option::of(0..6usize),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path(), &rows, each);
        prop_assume!(!files.is_empty());
        let path = folder.path().join("state");
        let update = Update { undo: (!apart).then_some(Duration::ZERO), ..update(Granularity::Month, OnBadRow::Reject) };
        let drop_from = |month: usize| {
            let before = beginning(&format!("2023-{month:02}-01")).unwrap();
            match drop_before(&path, before, &Cancel::default(), &Io::default()) {
                Ok(changed) => changed.manifest.dropped_before(),
                Err(refused) => {
                    assert!(refused.kind() == Kind::Usage && refused.to_string().contains("nothing would be left"), "{refused}");
                    None
                }
            }
        };
        let (early, late) = files.split_at(files.len() / 2);
        early.iter().for_each(|file| drop(take_in(&update, &path, std::slice::from_ref(file)).unwrap()));
        let dropped = if early.is_empty() { None } else { drop_from(first) };
        late.iter().for_each(|file| drop(take_in(&update, &path, std::slice::from_ref(file)).unwrap()));
        let dropped = drop_from(second).or(dropped);
        if let Some(gone) = gone.filter(|gone| apart && *gone < files.len()) {
            remove(&path, &[&files[gone]], &Io::default()).unwrap();
            files.remove(gone);
        }
        let state = [State::open(&path).unwrap()];
        prop_assert_eq!(state[0].manifest().dropped_before(), dropped.clone());
        let from_month = dropped.map_or(1, |day| day[5..7].parse().unwrap());
        prop_assume!(!files.is_empty());
        let expected = audit(&from(from_month), OnBadRow::Reject, &[], &files).unwrap();
        let found = audit(&from(from_month), OnBadRow::Reject, &state, &[]).unwrap();
        prop_assert_eq!(without_warnings(found), without_warnings(expected));
        if from_month > 1 {
            let refused = audit(&from(from_month - 1), OnBadRow::Reject, &state, &[]).unwrap_err();
            prop_assert!(refused.to_string().contains("has dropped what lies before"), "{}", refused);
        }
    }
}

/// As a user does it.
#[test]
fn old_periods_are_dropped_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |line: &str, code: i32| lensflow(at, &line.split(' ').collect::<Vec<_>>()).expect(code);
    let write = |name: &str, rows: &str| fs::write(at.join(name), format!("order_id,customer_id,event_ts,line_total\n{rows}")).unwrap();
    write("a.csv", "1,ana,2022-03-05,5\n2,ben,2022-05-05,6\n3,ana,2023-01-05,7\n4,eva,2023-02-05,8\n");
    write("b.csv", "5,ben,2023-04-05,9\n6,old,2022-01-05,10\n7,new,2023-04-06,11\n");
    write("c.csv", "8,eva,2022-12-31,1\n9,eva,2023-05-01,2\n");
    run("update st a.csv --from transactions --order-ids keep", 0);
    for (date, why) in [("2023-01-15", "say 2023-01-01 or 2023-02-01"), ("2024-01-01", "the last month with a row is 2023-02")] {
        let refused = run(&format!("state drop st --before {date}"), 2).stderr;
        assert!(refused.contains(why), "{refused}");
    }
    assert!(run("state drop st --before 2022-01-01", 0).stderr.contains("unchanged: it has nothing before 2022-01-01"));
    let said = run("state drop st --before 2023-01-01", 0).stderr;
    assert!(said.contains("generation 2, what lies before 2023-01-01 is dropped, 1 file written again"), "{said}");
    // Who bought before stays known, and so does an order.
    let said = run("update st b.csv", 0).stderr;
    assert!(said.contains("1 order (10.00) lies before 2023-01-01, which the state has dropped"), "{said}");
    for (input, name) in [("st", "state"), ("a.csv b.csv --from transactions", "files")] {
        run(
            &format!(
                "audit {input} --window 2023-Q1 --window 2023-Q2 --report {name}.json --rfm-out {name}.csv --migration-out {name}-moves.csv"
            ),
            0,
        );
    }
    let read = |name: &str| fs::read_to_string(at.join(name)).unwrap();
    assert_eq!((read("state.csv"), read("state-moves.csv")), (read("files.csv"), read("files-moves.csv")));
    assert!(
        read("state-moves.csv").contains("ben,reactivated") && read("state-moves.csv").contains("new,new"),
        "{}",
        read("state-moves.csv")
    );
    run("audit st --every quarter --report quarters.json", 0);
    let answers = |name: &str| read(name).split("\"windows\"").nth(1).unwrap().split("\"warnings\"").next().unwrap().to_owned();
    assert_eq!(answers("quarters.json"), answers("files.json"));
    run("update st a.csv", 0);
    // What was dropped is asked for in vain, also beside files.
    run("state drop st --before 2023-02-01", 0);
    for (asked, wanted) in [
        ("st --every year", "the state has dropped what lies before 2023-02-01, a part of 2023"),
        ("st --every quarter", "a part of 2023-Q1"),
        ("st --every all", "a part of all"),
        ("st --window 2022", "a part of what lies before 2022-01-01T00:00:00"),
        ("st --every month --as-of 2023-01-31", "cannot tell what had happened by 2023-02-01"),
        ("st c.csv --from transactions --every month", "what lies before 2023-02-01"),
    ] {
        let refused = run(&format!("audit {asked}"), 2).stderr;
        assert!(refused.contains(wanted) && refused.contains("begin on 2023-02-01 or later"), "{refused}");
    }
    assert!(run("compare st@2022-Q4 st@2023-Q2", 2).stderr.contains("has dropped"));
    assert!(run("inspect st", 0).out().contains("what lies before 2023-02-01 was dropped"));
    assert!(run("state export st -o x.csv", 0).stderr.contains("who bought only then is not in the table"));
    run("update other b.csv --from transactions --order-ids keep", 0);
    assert!(run("merge both st other", 2).stderr.contains("has not dropped the same periods"));
}
