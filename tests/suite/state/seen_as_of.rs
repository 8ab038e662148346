//! States seen as of a moment within one of their periods: what the files say, or a refusal with its reason.

use super::known_orders::{answers_as_of, keeping, write};
use super::*;
use lensflow::error::Kind;

const DAY: i64 = 86_400_000_000;

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn what_a_state_says_of_a_moment_is_what_its_rows_say(
        rows in monthly_rows(), at in any::<prop::sample::Index>(), after in prop::sample::select(vec![0, 1, DAY, 9 * DAY, 40 * DAY]), days in any::<bool>(),
    ) {
        prop_assume!(rows.iter().any(|row| row.end.is_some()));
        let folder = tempfile::tempdir().unwrap();
        let (files, path) = (files(folder.path(), &rows, 100), folder.path().join("state"));
        let every = if days { Granularity::Day } else { Granularity::Month };
        take_in(&update(every, OnBadRow::Reject), &path, &files).unwrap();
        let ends: Vec<i64> = rows.iter().filter_map(|row| row.last.or(row.end)).collect();
        let as_of = ends[at.index(ends.len())].saturating_add(after);
        for windows in [Windows::Every(Granularity::Month), Windows::Every(Granularity::Quarter)] {
            let audit = |states: &[State]| {
                let mut pipeline = Pipeline::builder().spec(spec(windows.clone(), OnBadRow::Reject).with_as_of(Some(as_of))).build()?;
                match states {
                    [] => pipeline.run_files(&files)?,
                    _ => states.iter().try_for_each(|state| pipeline.run_state(state))?,
                }
                said(&pipeline.finish()?)
            };
            match (audit(&[State::open(&path).unwrap()]), audit(&[])) {
                (Ok(found), Ok(expected)) => prop_assert_eq!(found, expected),
                (Err(refused), _) => prop_assert_eq!(refused.kind(), Kind::Usage),
                (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
            }
        }
    }

    /// Refunds without an order lie in a month, and nothing says when.
    #[test]
    fn refunds_count_too(orders in prop::collection::btree_set(0..60u32, 1..9), hours in 0..3_000i64, days in any::<bool>(), whole in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let (file, path) = (write(&folder.path().join("a.csv"), orders, whole), folder.path().join("state"));
        let every = if days { Granularity::Day } else { Granularity::Month };
        take_in(&Update { every: Some(every), order_ids: None, ..keeping(whole, 2, 100) }, &path, std::slice::from_ref(&file)).unwrap();
        let as_of = Some(lensflow::model::as_of("2023-01-01").unwrap() + hours * 3_600_000_000);
        let found = answers_as_of(&[State::open(&path).unwrap()], &[], whole, as_of);
        match found {
            Ok(found) => prop_assert_eq!(found, answers_as_of(&[], &[file], whole, as_of).unwrap()),
            Err(refused) => prop_assert!(refused.to_string().contains("cannot tell what had happened within"), "{}", refused),
        }
    }
}

/// As a user does it: in the middle of a month, with and without a later row.
#[test]
fn today_is_a_day_of_a_month_that_is_not_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |line: &str, code: i32| crate::support::lensflow(at, &line.split(' ').collect::<Vec<_>>()).expect(code);
    std::fs::write(at.join("o.csv"), "order_id,customer_id,event_ts,line_total\n1,ana,2024-01-30,5\n2,ben,2024-02-03T10:00:00,6\n")
        .unwrap();
    run("update st o.csv --from transactions", 0);
    for windows in ["--every month --as-of 2024-02-12", "--window 2024-02@2024-02-13 --window 2024-03"] {
        for (input, report) in [("st", "state"), ("o.csv --from transactions", "file")] {
            run(&format!("audit {input} {windows} --report {report}.json --rfm-out {report}.csv"), 0);
        }
        let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
        assert_eq!((read("state.json"), read("state.csv")), (read("file.json"), read("file.csv")), "{windows}");
        assert!(read("state.csv").contains("2024-02,ben,9,"), "{}", read("state.csv"));
    }
    let refused = run("audit st --every month --as-of 2024-02-02", 2).stderr;
    assert!(refused.contains("cannot tell what had happened within 2024-02 by 2024-02-03T00:00:00"), "{refused}");
    assert!(refused.contains("it has rows until 2024-02-03T10:00:00"), "{refused}");
    let refused = run("audit st --window 2024-02@2024-02-03", 2).stderr;
    assert!(refused.contains("of which it has some until 2024-02-03T10:00:00"), "{refused}");
}
