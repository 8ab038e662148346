//! The faults that are promised to do no harm, by number; the tests of each, wherever they are. A fault whose test is gone or was never there
//! is found here. The list follows the faults that other engines are known to have: processes that are killed, disks that fail or are full,
//! memory that is short, hostile input, and long lives.

use crate::support::lensflow;
use std::fs;
use std::path::Path;

/// Number, fault, the functions that test it, and, where there is none or not all, why.
type Fault = (u32, &'static str, &'static [&'static str], &'static str);

const MATRIX: &[Fault] = &[
    (1, "killed while reading", &["killed_audits_go_on", "killed_updates_leave_the_state_before_or_after"], ""),
    (2, "a torn checkpoint", &["failing_disks_leave_a_checkpoint_or_none", "damage_is_found"], ""),
    (
        3,
        "a write, a sync or a rename fails, or is done and said to have failed",
        &[
            "failing_disks_leave_the_state_before_or_after",
            "outputs_on_failing_disks_are_whole_or_not_there",
            "one_failure_at_any_operation_loses_no_row_and_counts_none_twice",
            "inbox_files_on_failing_disks_are_in_one_place_and_count_once",
        ],
        "",
    ),
    (4, "the spill folder is full", &["a_full_spill_folder_is_a_fault", "any_operation_may_fail"], ""),
    (
        5,
        "the disk of a checkpoint or of outputs is full",
        &[
            "failing_disks_leave_a_checkpoint_or_none",
            "a_full_disk_is_a_fault",
            "outputs_on_failing_disks_are_whole_or_not_there",
            "exports_on_failing_disks_are_whole_or_not_there",
            "rejects_of_updates_on_failing_disks_are_whole_or_not_there",
        ],
        "",
    ),
    (6, "spill files of killed processes", &["what_a_killed_run_has_spilled_is_swept_away", "only_what_the_dead_left_is_swept"], ""),
    (7, "several processes spill into one folder", &["sweepers_and_makers_race", "files_of_the_living_are_not_swept"], ""),
    (
        8,
        "the memory limit",
        &[
            "the_process_keeps_to_its_limit",
            "sorted_rows_and_rejects_keep_to_the_limit",
            "a_long_id_of_many_rows_takes_little_memory",
            "heavy_buffers_are_bounded_by_bytes_and_one_always_passes",
        ],
        "",
    ),
    (
        9,
        "an allocation fails",
        &[
            "an_audit_without_memory_leaves_nothing_behind",
            "an_update_without_memory_leaves_the_state_as_it_was",
            "a_no_is_an_error_with_advice",
            "small_files_take_little_memory_whatever_they_claim",
        ],
        "a control group refuses nothing: its kernel kills, which is the first fault of this list",
    ),
    (10, "more than 2 GiB of ids", &[], "takes more memory and time than a test may; ids lie in blocks of 1 MiB with 64-bit totals"),
    (11, "a partition that is larger than memory", &["little_memory_changes_no_byte", "whole_orders_are_spilled"], ""),
    (12, "one id with half of the rows", &[], "a matter of time: benches/scale.rs measures one hot customer beside uniform ones"),
    (13, "ids that are made to collide", &["equal_hashes_are_told_apart"], ""),
    (14, "a worker panics", &["a_chunk_that_panics", "a_source_that_panics", "a_lens_that_panics"], ""),
    (
        15,
        "channels that wait for each other",
        &["what_is_stuck_holds_up_nothing", "whatever_waits_gets_through", "senders_do_not_wait_for_those_who_are_gone"],
        "",
    ),
    (16, "a slow disk or reader", &["what_is_stuck_holds_up_nothing", "a_run_that_waits_for_rows_is_cancelled"], ""),
    (
        17,
        "damaged Parquet and Arrow files",
        &["cut_or_corrupt_columnar_files_never_pass_for_whole", "checksums_see_a_bit", "rows_that_are_claimed_and_not_there_are_an_error"],
        "",
    ),
    (18, "small files that unpack to much", &["small_files_take_little_memory_whatever_they_claim"], ""),
    (19, "hostile text", &["damaged_texts_are_refused", "a_line_without_an_end_is_refused_within_seconds"], ""),
    (20, "formulas in outputs", &["formulas_do_not_reach_spreadsheets"], ""),
    (21, "links in folders that are swept", &["files_of_the_living_are_not_swept"], ""),
    (22, "an input changes before a run goes on", &["other_runs_are_refused"], ""),
    (23, "signals", &["a_run_with_a_checkpoint_ends_in_order", "the_second_signal_ends_it_at_once"], ""),
    (24, "overflow, no numbers, no dates", &["bad_values_are_named_with_their_rows", "sums_obey_the_laws", "amounts_are_read_exactly"], ""),
    (25, "bytes of a run change", &["damage_is_an_error", "no_byte_may_change"], ""),
    (26, "answers that depend on threads, batches or memory", &["the_engine_equals_the_model", "little_memory_changes_no_byte"], ""),
    (27, "states of other versions", &["a_later_format_is_named"], ""),
    (28, "long lives", &["commits_leave_nothing_behind"], "a day's soak is for the machine that follows"),
];

#[test]
fn every_fault_has_a_test_or_a_reason() {
    let mut texts = String::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    sources(&root.join("src"), &mut texts);
    sources(&root.join("tests/suite"), &mut texts);
    for (at, (number, fault, tests, why)) in (1..).zip(MATRIX) {
        assert_eq!(*number, at, "{fault}");
        assert!(!tests.is_empty() || !why.is_empty(), "{number}, {fault}: neither a test nor a reason");
        for test in *tests {
            assert!(texts.contains(&format!("fn {test}(")), "{number}, {fault}: there is no test {test}");
        }
    }
    assert_eq!(MATRIX.len(), 28);
}

#[test]
fn formulas_do_not_reach_spreadsheets() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rows = "customer_id,period_start,period_end,total_orders,total_spend\n\"=HYPERLINK(\"\"http://x\"\")\",2023-01-01,2023-02-01,1,5\n\
        @SUM(A1),2023-01-01,2023-02-01,1,-5\n+1,2023-01-01,2023-02-01,1,5\nanna,2023-01-01,2023-02-01,1,5\n";
    fs::write(at.join("a.csv"), rows).unwrap();
    let ids = |more: &[&str]| {
        let line = ["audit", "a.csv", "--every", "month", "--rfm-out", "rfm.csv", "--on-bad-row", "reject", "--rejects", "bad.csv", "-q"];
        lensflow(at, &[&line[..], &["--report", "r.json"], more].concat()).expect(0);
        let mut reader = csv::Reader::from_path(at.join("rfm.csv")).unwrap();
        let mut ids: Vec<String> = reader.records().map(|row| row.unwrap()[1].to_owned()).collect();
        ids.sort();
        (ids, fs::read_to_string(at.join("bad.csv")).unwrap())
    };
    assert_eq!(ids(&[]).0, ["+1", "=HYPERLINK(\"http://x\")", "anna"]);
    let (safe, rejects) = ids(&["--csv-safe"]);
    assert_eq!(safe, ["'+1", "'=HYPERLINK(\"http://x\")", "anna"]);
    assert!(rejects.contains("'@SUM(A1)"), "{rejects}");
}

fn sources(folder: &Path, texts: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|e| e == "rs") {
            texts.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}
