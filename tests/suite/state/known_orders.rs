//! States that keep the ids of their orders: however exports overlap, and whatever is taken out again, a state is the audit of the orders that
//! remain, each once.

use super::*;
use crate::support::lensflow;
use lensflow::orders::{Anonymous, Lines, OrderOptions, Refunds};
use lensflow::source::transactions::TransactionOptions;
use lensflow::state::{forget, remove};
use std::collections::BTreeSet;
use std::fs;

/// The lines of an order: every order of a number is the same. Some have no customer, some refunds among their lines, some are refunds alone.
fn order(number: u32, whole: bool) -> String {
    let customer = if number.is_multiple_of(11) { String::new() } else { format!("c{}", number % 7) };
    let at = format!("2023-{:02}-{:02}T{:02}:30:00", number % 4 + 1, number % 28 + 1, number % 24);
    let refunds = number % 5 == 4;
    let line = |i: u32| {
        let sign = if refunds || i == 2 { "-" } else { "" };
        format!("O-{number},{customer},{at},p{i},{sign}{}.{:02}\n", number + i, number * 37 % 100)
    };
    (0..if whole { 1 } else { number % 3 + 1 }).map(line).collect()
}

pub(super) fn write(path: &Path, orders: impl IntoIterator<Item = u32>, whole: bool) -> String {
    let rows: String = orders.into_iter().map(|number| order(number, whole)).collect();
    fs::write(path, format!("order_id,customer_id,event_ts,product_id,line_total\n{rows}")).unwrap();
    path.to_string_lossy().into_owned()
}

fn lines(whole: bool) -> Lines {
    let orders = OrderOptions::default().with_refunds(Refunds::Net).with_anonymous(Anonymous::Report);
    Lines::default().with_orders(orders).with_options(TransactionOptions::default().with_one_row_per_order(whole))
}

pub(super) fn keeping(whole: bool, workers: usize, batch_rows: usize) -> Update {
    let spec = spec(Windows::Every(Granularity::Month), OnBadRow::Reject).with_workers(Some(workers)).with_batch_rows(batch_rows);
    Update { order_ids: Some(true), lines: Some(lines(whole)), spec, ..Update::default() }
}

/// What an audit says of customers, and of orders without one; not how much was read for it.
fn answers(states: &[State], files: &[String], whole: bool) -> (Said, String) {
    answers_as_of(states, files, whole, None).unwrap()
}

pub(super) fn answers_as_of(states: &[State], files: &[String], whole: bool, as_of: Option<i64>) -> Result<(Said, String)> {
    let spec = spec(Windows::Every(Granularity::Quarter), OnBadRow::Reject).with_as_of(as_of);
    let mut pipeline = Pipeline::builder().spec(spec).build()?;
    states.iter().try_for_each(|state| pipeline.run_state(state))?;
    if !files.is_empty() {
        let files = lines(whole).find_sales(files, None, 8_192)?;
        pipeline.run_transactions(files, &lines(whole))?;
    }
    let audit = pipeline.finish()?;
    let input = &audit.report.input;
    let of_lines = input.transactions.clone().unwrap_or_default();
    let orders = format!(
        "{} {} {} {} {:?} {:?}",
        input.rows_accepted, of_lines.orders, of_lines.anonymous_orders, of_lines.anonymous_revenue, input.first_day, input.last_day
    );
    let mut said = said(&audit)?;
    let (from, to) = (said.report.find("\"windows\"").unwrap(), said.report.find("\"warnings\"").unwrap());
    said.report = said.report[from..to].to_owned();
    Ok((said, orders))
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn orders_count_once(
        inputs in prop::collection::vec(prop::collection::btree_set(0..60u32, 1..25), 1..8),
        whole in any::<bool>(),
        workers in 1..4usize,
        batch_rows in prop_oneof![Just(1), 2..9usize, Just(8_192)],
        at_once in 1..3usize,
        beside in prop::collection::btree_set(0..60u32, 0..10),
        gone in prop::collection::vec(0..8usize, 0..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (at, path) = (folder.path(), folder.path().join("state"));
        let files: Vec<String> = inputs.iter().enumerate()
            // The number of the input makes each another text.
            .map(|(i, orders)| write(&at.join(format!("{i}.csv")), orders.iter().copied().chain([1_000 + i as u32]), whole)).collect();
        let update = keeping(whole, workers, batch_rows);
        for some in files.chunks(at_once) {
            take_in(&update, &path, some).unwrap();
        }
        let mut left: BTreeSet<usize> = (0..inputs.len()).collect();
        for input in gone {
            let Some(file) = files.get(input) else { continue };
            // What later inputs left out because of it, it stays for.
            if remove(&path, &[file], &Io::default()).is_ok() {
                left.remove(&input);
            }
        }
        let mut all: BTreeSet<u32> = left.iter().flat_map(|&i| inputs[i].iter().copied().chain([1_000 + i as u32])).collect();
        let state = [State::open(&path).unwrap()];
        let union = [write(&at.join("union.csv"), all.iter().copied(), whole)];
        let of_files = |files: &[String], any: bool| answers(&[], if any { files } else { &[] }, whole);
        prop_assert_eq!(&answers(&state, &[], whole), &of_files(&union, !all.is_empty()));
        // A file beside the state is read as an update would read it.
        all.extend(&beside);
        let (beside, union) = ([write(&at.join("beside.csv"), beside, whole)], [write(&at.join("union.csv"), all.iter().copied(), whole)]);
        prop_assert_eq!(&answers(&state, &beside, whole), &of_files(&union, !all.is_empty()));
    }
}

/// Ids are known after compaction, after a customer was forgotten, and in merged states.
#[test]
fn ids_stay_known() {
    let folder = tempfile::tempdir().unwrap();
    let (at, path) = (folder.path(), folder.path().join("state"));
    let update = Update { undo: Some(Duration::ZERO), ..keeping(false, 2, 100) };
    let file = |name: &str, orders: std::ops::Range<u32>| write(&at.join(name), orders, false);
    // Each has half of the one before.
    for day in 0..40 {
        let updated = take_in(&update, &path, &[file("day.csv", day * 10..day * 10 + 20)]);
        let updated = updated
            .or_else(|_| take_in(&Update { allow_changed: true, ..update.clone() }, &path, &[at.join("day.csv").to_string_lossy().into()]));
        assert_eq!(updated.unwrap().known_orders, if day == 0 { 0 } else { 10 });
    }
    let open = |path: &Path| [State::open(path).unwrap()];
    assert!(open(&path)[0].manifest().runs.len() < 12);
    assert_eq!(answers(&open(&path), &[], false), answers(&[], &[file("all.csv", 0..410)], false));
    let gone = forget(&path, &["c3"], &Cancel::default(), &Io::default()).unwrap();
    assert_eq!(gone.customers, ["c3"]);
    let before = answers(&open(&path), &[], false);
    let again = take_in(&update, &path, &[file("again.csv", 0..410)]).unwrap();
    assert_eq!((again.known_orders, again.rows), (410, 0));
    assert_eq!(answers(&open(&path), &[], false), before);
    // Another state with some of the orders would count them twice.
    let (other, third, both) = (at.join("other"), at.join("third"), at.join("both"));
    take_in(&update, &other, &[file("other.csv", 400..420)]).unwrap();
    take_in(&update, &third, &[file("third.csv", 410..420)]).unwrap();
    let states = |a: &Path, b: &Path| [State::open(a).unwrap(), State::open(b).unwrap()];
    let refused = merge(&both, &states(&path, &other), false, &Cancel::default(), &Io::default()).unwrap_err().to_string();
    assert!(refused.contains("10 order ids are in the state") && refused.contains("10 of them mean the same order"), "{refused}");
    merge(&both, &states(&path, &third), false, &Cancel::default(), &Io::default()).unwrap();
    let known = take_in(&update, &both, &[file("more.csv", 300..430)]).unwrap();
    assert_eq!((known.known_orders, known.lines.unwrap().orders), (120, (420..430).filter(|n| n % 11 != 0 && n % 5 != 4).count() as u64));
}

/// As a user does it, with what goes wrong.
#[test]
fn overlapping_exports_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let write = |name: &str, rows: &str| fs::write(at.join(name), format!("order_id,customer_id,event_ts,line_total\n{rows}")).unwrap();
    let run = |line: &str, code: i32| lensflow(at, &line.split(' ').collect::<Vec<_>>()).expect(code);
    write("mon.csv", "1,a,2024-01-05,5\n2,b,2024-01-06,6\n");
    write("tue.csv", "2,b,2024-01-06,6\n3,c,2024-01-07,7\n");
    write("wed.csv", "3,c,2024-01-08,7\n4,d,2024-01-08,8\n");
    write("no-id.csv", "5,e,2024-01-09,5\n,f,2024-01-09,5\n");
    // Without ids, it is said that they count twice.
    run("update plain mon.csv", 0);
    let said = run("update plain tue.csv", 0).stderr;
    let wanted = "these orders begin on 2024-01-06, and the state had some until 2024-01-06: orders that come again count twice";
    assert!(said.contains(wanted) && said.contains("--order-ids keep"), "{said}");
    let refused = run("update plain wed.csv --order-ids keep", 2).stderr;
    assert!(refused.contains("does not keep their ids"), "{refused}");
    // With them, they are left out.
    run("update st mon.csv --order-ids keep --on-bad-row reject", 0);
    let said = run("update st tue.csv --order-ids keep", 0).stderr;
    assert!(said.contains("1 order came again, with the same customer, moment and worth (6.00): left out"), "{said}");
    assert!(said.contains("1 input taken in: 1 row of 1 customer"), "{said}");
    let said = run("update st wed.csv --rejects bad.csv", 0).stderr;
    assert!(said.contains("lines rejected, changed_order: 1, 7.00"), "{said}");
    let rejects = fs::read_to_string(at.join("bad.csv")).unwrap();
    assert!(rejects.contains("wed.csv,1,2,,changed_order,order_id,3,3,c,2024-01-08T00:00:00,7.00"), "{rejects}");
    assert!(run("inspect st", 0).out().contains("the ids of orders are kept"));
    let refused = run("state remove st mon.csv", 2).stderr;
    assert!(refused.contains("tue.csv came without 1 order that mon.csv has: they would be missing"), "{refused}");
    assert!(refused.contains("take tue.csv out with it, and take in again what is to stay"), "{refused}");
    run("state remove st mon.csv tue.csv", 0);
    run("update st tue.csv", 0);
    let refused = run("update st tue.csv --allow-duplicate", 2).stderr;
    assert!(refused.contains("none counts twice"), "{refused}");
    let refused = run("update st tue.csv --order-ids none", 2).stderr;
    assert!(refused.contains("keeps the ids"), "{refused}");
    run("update twin mon.csv tue.csv --order-ids keep --on-bad-row reject", 0);
    let refused = run("audit st twin --every month", 1).stderr;
    assert!(refused.contains("2 order ids are in the state st, too: 2 of them mean the same order"), "{refused}");
    // Where a bad row ends the run, so does a changed order; where rows are whole orders, each needs an id.
    run("update strict tue.csv --order-ids keep --one-row-per-order", 0);
    let refused = run("update strict wed.csv", 1).stderr;
    assert!(refused.contains("changed_order: order_id is \"3\"") && refused.contains("--replace"), "{refused}");
    let refused = run("update strict no-id.csv", 1).stderr;
    assert!(
        refused.contains("row 2 (line 3)") && refused.contains("missing_value: order_id") && refused.contains("--column order_id="),
        "{refused}"
    );
    // Period aggregations have none.
    fs::write(at.join("p.csv"), "customer_id,period_start,period_end,total_orders,total_spend\na,2024-01-01,2024-02-01,1,5\n").unwrap();
    for line in ["update new p.csv --order-ids keep", "update new p.csv --from periods --order-ids keep", "update st p.csv --from periods"]
    {
        let refused = run(line, 2).stderr;
        assert!(refused.contains("period aggregations"), "{refused}");
    }
    assert!(!at.join("new").exists());
}
