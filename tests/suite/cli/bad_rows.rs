//! Bad rows and invalid customers: named in full when they end a run, kept with their reasons when they do not.

use super::*;

/// Rows that a run must not count, and what it has to say: reason, column, value.
const BAD_ROWS: [(&str, [&str; 3]); 22] = [
    (",2023-01-01,2023-02-01,1,5,", ["missing_value", "customer_id", ""]),
    ("bad,,2023-02-01,1,5,", ["missing_value", "period_start", ""]),
    ("bad,2023-01-01,,1,5,", ["missing_value", "period_end", ""]),
    ("bad,2023-01-01,2023-02-01,,5,", ["missing_value", "total_orders", ""]),
    ("bad,2023-01-01,2023-02-01,1,,", ["missing_value", "total_spend", ""]),
    ("bad,2023-01-01,2023-02-01,1.5,5,", ["bad_number", "total_orders", "1.5"]),
    ("bad,2023-01-01,2023-02-01,99999999999999999999,5,", ["bad_number", "total_orders", "99999999999999999999"]),
    ("bad,2023-01-01,2023-02-01,1,\"12,50\",", ["bad_number", "total_spend", "12,50"]),
    ("bad,2023-01-01,2023-02-01,1,NaN,", ["bad_number", "total_spend", "NaN"]),
    ("bad,2023-02-30,2023-03-01,1,5,", ["bad_timestamp", "period_start", "2023-02-30"]),
    ("bad,2023-01-01,soon,1,5,", ["bad_timestamp", "period_end", "soon"]),
    ("bad,2023-01-01,2023-02-01,1,5,0000-01-01", ["bad_timestamp", "last_transaction_ts", "0000-01-01"]),
    // A row's first fault in the order of its columns is the one that is named.
    ("bad,2023-01-01,2023-13-01,x,y,z", ["bad_timestamp", "period_end", "2023-13-01"]),
    ("bad,2023-02-01,2023-02-01,1,5,", ["period_reversed", "period_end", "2023-02-01T00:00:00"]),
    ("bad,2023-03-01,2023-02-01,1,5,", ["period_reversed", "period_end", "2023-02-01T00:00:00"]),
    ("bad,2023-01-01,2023-02-01,-1,5,", ["negative_orders", "total_orders", "-1"]),
    ("bad,2023-01-01,2023-02-01,1,1000000000000000,", ["amount_out_of_range", "total_spend", "1000000000000000"]),
    ("bad,2023-01-01,2023-02-01,1,-1e15,", ["amount_out_of_range", "total_spend", "-1e15"]),
    ("bad,2022-12-15,2023-01-15,1,5,", ["straddles_window", "period_end", "2022-12-15T00:00:00..2023-01-15T00:00:00"]),
    ("bad,2023-06-15,2023-07-15,1,5,", ["straddles_window", "period_end", "2023-06-15T00:00:00..2023-07-15T00:00:00"]),
    (
        "bad,2023-06-30,2023-07-01,1,5,2023-07-10 00:00:00.000001",
        ["after_observation_end", "last_transaction_ts", "2023-07-10T00:00:00.000001"],
    ),
    ("bad,2023-07-01,2024-01-01,1,5,2023-12-15T02:00:00+01:00", ["after_observation_end", "last_transaction_ts", "2023-12-15T01:00:00"]),
];

/// Customers that a run must not count in a window: rows, window, reason, column, value.
const BAD_CUSTOMERS: [(&[&str], [&str; 4]); 4] = [
    (&["none,2023-01-01,2023-02-01,0,5,", "none,2023-02-01,2023-03-01,0,0,"], ["h1", "no_orders", "total_orders", "0"]),
    (&["owes,2023-08-01,2023-09-01,1,5.005,", "owes,2023-09-01,2023-10-01,1,-15.25,"], ["h2", "negative_spend", "total_spend", "-10.25"]),
    (&["late,2023-12-01,2024-01-01,1,5,"], ["h2", "after_observation_end", "period_end", "2024-01-01T00:00:00"]),
    (&["much,2023-01-01,2023-02-01,1,999999999999999,"; 11], ["h1", "amount_out_of_range", "total_spend", "10999999999999989.00"]),
];

#[test]
fn a_bad_row_is_named_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let good = "ana,2023-01-01,2023-02-01,1,999999999999999.99,2023-01-20";
    let audit = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        let outputs = ["--report", "report.json", "--rfm-out", "rfm.parquet", "--fail-fast"];
        error(lensflow(folder.path(), &[&["audit", name], &outputs[..], &WINDOWS].concat()), 1)
    };
    for (row, [reason, column, value]) in BAD_ROWS {
        let csv = csv_of(&[good, good, row, "bad,x,y,z,,"]);
        let table = Table::parse(&csv);
        let id = &table.rows[2][0];
        let customer = if id.is_empty() { String::new() } else { format!("customer \"{id}\": ") };
        let value = if value.is_empty() { "empty".to_owned() } else { format!("\"{value}") };
        let texts = table.text_batch(false);
        for (name, line, bytes) in [
            ("periods.csv", " (line 4)", csv.clone().into_bytes()),
            ("periods.jsonl", " (line 3)", table.to_jsonl(false).into_bytes()),
            ("periods.parquet", "", Encoding::Parquet.encode_batch(&texts)),
            ("periods.arrow", "", Encoding::ArrowFile.encode_batch(&texts)),
        ] {
            let message = audit(name, &bytes);
            assert!(message.contains(&format!("lensflow: {name}: row 3{line}: {customer}{reason}: ")), "{row}: {message}");
            assert!(message.contains(&format!("{column} is {value}")), "{row}: {message}");
            // What a format explains is not to be left out.
            let help = match (value.as_str(), reason) {
                // The others have a point before decimals.
                ("\"12,50", _) => "1.234,56 reads it as 12.50, but not others",
                (_, "period_reversed") => "",
                _ => "--on-bad-row reject",
            };
            assert!(message.contains(help), "{row}: {message}");
        }
    }
    for (rows, [window, reason, column, value]) in BAD_CUSTOMERS {
        let csv = csv_of(&[&[good], rows].concat());
        let id = rows[0].split(',').next().unwrap();
        for (name, bytes) in [
            ("periods.csv", csv.clone().into_bytes()),
            ("periods.jsonl", Table::parse(&csv).to_jsonl(true).into_bytes()),
            ("periods.parquet", Encoding::Parquet.encode_batch(&Table::parse(&csv).text_batch(false))),
        ] {
            let message = audit(name, &bytes);
            assert!(message.starts_with(&format!("lensflow: customer \"{id}\" in window {window}: {reason}: ")), "{id}: {message}");
            assert!(message.contains(&format!(": {column} is \"")) && message.contains(value), "{id}: {message}");
        }
    }
    // Rows are counted through quoted newlines, where lines are not, and through blank lines.
    let quoted = audit("periods.csv", csv_of(&["\"an\na\",2023-01-01,2023-02-01,1,5,", "bad,2023-01-01,2023-02-01,1,x,"]).as_bytes());
    assert!(quoted.starts_with("lensflow: periods.csv: row 2: customer \"bad\": bad_number"), "{quoted}");
    let blank = audit("periods.csv", csv_of(&[good, "", "", "bad,2023-01-01,2023-02-01,1,x,"]).as_bytes());
    assert!(blank.starts_with("lensflow: periods.csv: row 2: ") || blank.starts_with("lensflow: periods.csv: row 2 (line 5): "), "{blank}");
    assert_eq!(listing(folder.path()), ["periods.arrow", "periods.csv", "periods.jsonl", "periods.parquet"].map(str::to_owned).into());
}

#[test]
fn of_many_bad_rows_the_earliest_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = good_rows(40_000);
    rows[12_345] = "bad,2023-01-01,2023-02-01,1,first,".to_owned();
    (12_346..40_000).step_by(97).for_each(|i| rows[i] = "bad,2023-01-01,2023-02-01,1,later,".to_owned());
    fs::write(folder.path().join("periods.csv"), csv_of(&rows)).unwrap();
    for workers in ["1", "2", "7"] {
        let audit = ["audit", "periods.csv", "--every", "month", "--workers", workers];
        let message = error(lensflow(folder.path(), &[&audit[..], &["--fail-fast"]].concat()), 1);
        let wanted = "lensflow: periods.csv: row 12346 (line 12347): customer \"bad\": bad_number";
        assert!(message.starts_with(wanted) && message.contains("\"first\""), "{workers} workers: {message}");
        // Without it, all are told.
        let message = error(lensflow(folder.path(), &audit), 1);
        assert_eq!(
            message,
            "lensflow: 287 rows whose total_spend cannot be read\n  \
             the first of 287: periods.csv: row 12346 (line 12347): customer \"bad\": bad_number: total_spend is \"first\": \
             this is not a number that fits the column\n  \
             help: go on with --on-bad-row reject\n",
            "{workers} workers"
        );
    }
}

/// Rejected rows are a handful, or they end the run, which then leaves nothing behind: a run of a state, too.
#[test]
fn more_bad_rows_than_may_be_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = good_rows(2_000);
    (0..21).for_each(|i| rows[i * 90] = format!("bad,2023-01-01,2023-02-01,1,x{i},"));
    fs::write(folder.path().join("bad.csv"), csv_of(&rows)).unwrap();
    rows[0] = "good,2023-01-01,2023-02-01,1,1,".to_owned();
    fs::write(folder.path().join("less.csv"), csv_of(&rows)).unwrap();
    fs::write(folder.path().join("ten.csv"), csv_of(&["bad,2023-01-01,2023-02-01,1,x,"; 10])).unwrap();
    let reject = ["--on-bad-row", "reject"];
    let outputs = ["--every", "month", "--report", "r.json", "--rejects", "rejects.csv"];
    let audit = |file: &str, most: &[&str]| lensflow(folder.path(), &[&["audit", file][..], &outputs, &reject, most].concat());
    for most in [&[][..], &["--max-rejects", "20"], &["--max-rejects", "1.04%"]] {
        let message = error(audit("bad.csv", most), 1);
        let most = most.last().unwrap_or(&"1%");
        let most = if most.ends_with('%') { format!("{most:?}") } else { (*most).to_owned() };
        let wanted =
            format!("lensflow: 21 of 2,000 rows are bad, more than --max-rejects {most} lets be left out: 21 rows whose total_spend");
        assert!(message.starts_with(&wanted) && message.contains("the first of 21: bad.csv: row 1 (line 2): "), "{message}");
    }
    assert_eq!(listing(folder.path()), ["bad.csv", "less.csv", "ten.csv"].map(str::to_owned).into());
    for (file, most) in [("less.csv", "1%"), ("bad.csv", "21"), ("bad.csv", "1.05%"), ("bad.csv", "100%"), ("ten.csv", "10")] {
        audit(file, &["--max-rejects", most]).expect(0);
    }
    // A handful is no slip where it is more than half of the rows.
    for most in [&[][..], &["--max-rejects", "0%"]] {
        assert!(error(audit("ten.csv", most), 1).contains("10 of 10 rows are bad"));
    }
    // A state takes in nothing then, and audits of it do not judge again what it took in.
    let update = |file: &str, more: &[&str]| lensflow(folder.path(), &[&["update", "state", file, "-q"][..], &reject, more].concat());
    update("less.csv", &[]).expect(0);
    let before = lensflow(folder.path(), &["inspect", "state"]).expect(0).stdout;
    assert!(error(update("bad.csv", &[]), 1).contains("21 of 2,000 rows are bad"));
    assert!(lensflow(folder.path(), &["inspect", "state"]).expect(0).stdout == before);
    update("bad.csv", &["--max-rejects", "100%"]).expect(0);
    lensflow(folder.path(), &["audit", "state", "--every", "month"]).expect(0);
}

/// Typed columns can only hold some of the faults; these they can.
#[test]
fn bad_values_of_typed_columns_are_named_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let (january, february) = (1_672_531_200_000_000, 1_675_209_600_000_000);
    let rows = [
        (Some("ana"), Some(january), Some(2), Some(1.5), None, None),
        (None, Some(january), Some(2), Some(1.5), None, Some("missing_value")),
        (Some("bo"), None, Some(2), Some(1.5), None, Some("missing_value")),
        (Some("bo"), Some(january), None, Some(1.5), None, Some("missing_value")),
        (Some("bo"), Some(january), Some(2), None, None, Some("missing_value")),
        (Some("bo"), Some(january), Some(2), Some(f64::NAN), None, Some("bad_number")),
        (Some("bo"), Some(january), Some(2), Some(f64::NEG_INFINITY), None, Some("bad_number")),
        (Some("bo"), Some(january), Some(2), Some(1e15), None, Some("amount_out_of_range")),
        (Some("bo"), Some(january), Some(-2), Some(1.5), None, Some("negative_orders")),
        (Some("bo"), Some(february), Some(2), Some(1.5), None, Some("period_reversed")),
        (Some("bo"), Some(-99_999_999_999_999_999), Some(2), Some(1.5), None, Some("bad_timestamp")),
        (Some("bo"), Some(january), Some(2), Some(1.5), Some(i64::MAX), Some("bad_timestamp")),
    ];
    let columns: [(&str, ArrayRef); 6] = [
        ("customer_id", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.0)))),
        ("period_start", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|r| r.1)))),
        ("period_end", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|_| Some(february))))),
        ("total_orders", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.2)))),
        ("total_spend", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.3)))),
        ("last_transaction_ts", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|r| r.4)))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    for encoding in [Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
        let name = encoding.file_name();
        fs::write(folder.path().join(name), encoding.encode_batch(&batch)).unwrap();
        let message = error(lensflow(folder.path(), &["audit", name, "--every", "month", "--fail-fast"]), 1);
        assert!(message.starts_with(&format!("lensflow: {name}: row 2: missing_value: ")), "{message}");
        let reject = ["audit", name, "--every", "month", "--on-bad-row", "reject", "--max-rejects", "11", "--rejects", "-"];
        let rejects = Table::parse(lensflow(folder.path(), &reject).expect(0).out());
        let found = rejects.select(&["row", "reason"].map(str::to_owned)).rows;
        let bad = rows.iter().zip(1..).filter_map(|(row, number)| row.5.map(|reason| vec![format!("{number}"), reason.to_owned()]));
        assert_eq!(found, bad.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn rejects_reconcile_and_good_rows_are_still_audited() {
    let folder = tempfile::tempdir().unwrap();
    let good = good_rows(30_000);
    let mut rows = Vec::new();
    let mut bad: Vec<(u64, [&str; 3])> = Vec::new();
    let mut faults = BAD_ROWS.iter().cycle();
    for (i, row) in good.iter().enumerate() {
        if i % 103 == 50 {
            let (row, why) = faults.next().unwrap();
            rows.push(*row);
            bad.push((rows.len() as u64, *why));
        }
        rows.push(row);
    }
    rows.extend(BAD_CUSTOMERS.iter().flat_map(|(rows, _)| *rows));
    let table = Table::parse(&csv_of(&rows));
    let texts = table.text_batch(false);
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("good.csv", csv_of(&good).into());
    write("all.csv", table.to_csv().into());
    write("all.jsonl", table.to_jsonl(false).into());
    write("all.parquet", Encoding::Parquet.encode_batch(&texts));
    write("all.arrow", Encoding::ArrowFile.encode_batch(&texts));
    write("all.arrows", Encoding::ArrowStream.encode_batch(&texts));
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let audit = |inputs: &[&str], more: &[&str]| -> Value {
        let reject = ["--on-bad-row", "reject", "--rejects", "rejects.csv", "--report", "-", "--rfm-out", "rfm.csv", "--sorted"];
        let ran = lensflow(folder.path(), &[&["audit"], inputs, &reject[..], &WINDOWS, more].concat()).expect(0);
        serde_json::from_str(ran.out()).unwrap()
    };
    let answers = |report: &Value| {
        let windows: Vec<_> = report["windows"].as_array().unwrap().iter().map(|w| w["lens1"].clone()).collect();
        (windows, report["comparisons"].clone())
    };

    let clean = audit(&["good.csv"], &[]);
    let (clean_rfm, nothing) = (read("rfm.csv"), read("rejects.csv"));
    assert_eq!(clean["input"]["rows_rejected"], serde_json::json!({}));
    assert_eq!(Table::parse(std::str::from_utf8(&nothing).unwrap()).rows.len(), 0);

    let report = audit(&["all.csv"], &["--workers", "1"]);
    let rejects = read("rejects.csv");
    assert!(audit(&["all.csv"], &["--workers", "7"]) == report && read("rejects.csv") == rejects);
    assert!(answers(&report) == answers(&clean) && read("rfm.csv") == clean_rfm);

    // Counts add up, in total and by reason.
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    bad.iter().for_each(|(_, [reason, ..])| *counted.entry(reason).or_default() += 1);
    let input = &report["input"];
    assert_eq!(input["rows_rejected"], serde_json::json!(counted));
    assert_eq!(input["rows_read"], rows.len());
    assert_eq!(input["rows_accepted"], rows.len() - bad.len());
    assert_eq!(report["windows"][0]["customers_rejected"], serde_json::json!({"no_orders": 1, "amount_out_of_range": 1}));
    assert_eq!(report["windows"][1]["customers_rejected"], serde_json::json!({"negative_spend": 1, "after_observation_end": 1}));
    let amount = |window: usize, reason: &str| report["windows"][window]["customers_rejected_amount"][reason].as_f64().unwrap();
    assert_eq!((amount(1, "negative_spend"), amount(0, "amount_out_of_range")), (-10.25, 10_999_999_999_999_989.0));

    // Rows come in order with where they are, then customers by window and id.
    let listed = Table::parse(std::str::from_utf8(&rejects).unwrap());
    assert_eq!(listed.rows.len(), bad.len() + BAD_CUSTOMERS.len());
    let columns = ["source", "row", "line", "window", "reason", "column", "value", "customer_id"].map(str::to_owned);
    let listed = listed.select(&columns).rows;
    for (row, (number, [reason, column, value])) in listed.iter().zip(&bad) {
        let line = number + 1;
        assert_eq!(row[..6], ["all.csv", &number.to_string(), &line.to_string(), "", reason, column].map(str::to_owned));
        assert!(row[6].starts_with(value) && (*value == row[6] || *reason == "period_reversed"), "{row:?} instead of {value}");
        assert_eq!(row[7], table.rows[*number as usize - 1][0]);
    }
    let customers = [("h1", "much"), ("h1", "none"), ("h2", "late"), ("h2", "owes")];
    for (row, (window, id)) in listed[bad.len()..].iter().zip(customers) {
        let (_, [_, reason, column, value]) = BAD_CUSTOMERS.iter().find(|(rows, _)| rows[0].starts_with(id)).unwrap();
        assert_eq!([&row[3], &row[4], &row[5], &row[7]], [window, reason, column, id]);
        assert!(row[6].contains(value) && row[0].is_empty() && row[1].is_empty(), "{row:?}");
    }

    // The same rows are rejected for the same reasons in every format.
    let comparable = |rows: &[Vec<String>]| rows.iter().map(|row| [&row[1..2], &row[3..]].concat()).collect::<Vec<_>>();
    for name in ["all.jsonl", "all.parquet", "all.arrow", "all.arrows"] {
        let other = audit(&[name], &[]);
        let others = Table::parse(std::str::from_utf8(&read("rejects.csv")).unwrap()).select(&columns).rows;
        let differs = comparable(&listed).into_iter().zip(comparable(&others)).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{name}");
        assert_eq!(other["input"]["rows_rejected"], input["rows_rejected"], "{name}");
        assert!(answers(&other) == answers(&clean) && read("rfm.csv") == clean_rfm, "{name}");
    }
    // Of several inputs each is listed by itself, in the order of their names.
    audit(&["all.parquet", "all.csv"], &["--workers", "7"]);
    let sources = Table::parse(std::str::from_utf8(&read("rejects.csv")).unwrap());
    let sources: Vec<_> = sources.rows.iter().map(|row| row[0].as_str()).filter(|source| !source.is_empty()).collect();
    assert!(sources.is_sorted() && sources.len() == 2 * bad.len());
}

#[test]
fn texts_are_read_alike_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        "an empty start,,2023-02-01,1,5,",
        "an empty end,2023-01-01,,1,5,",
        "an empty count,2023-01-01,2023-02-01,,5,",
        "an empty amount,2023-01-01,2023-02-01,1,,",
        "a blank time,2023-01-01,2023-02-01,1,5, ",
        "a great count,2023-01-01,2023-02-01,1000000000000000,5,",
        "a count like a float,2023-01-01,2023-02-01,3.0,5,",
        "an amount with room, 2023-01-01 ,2023-02-01 , 1 , 5 ,",
    ];
    let table = Table::parse(&csv_of(&rows));
    let found = ["periods.csv", "periods.jsonl", "nulls.parquet", "empty.parquet", "empty.arrow"].map(|name| {
        let bytes = match name {
            "periods.csv" => table.to_csv().into_bytes(),
            "periods.jsonl" => table.to_jsonl(false).into_bytes(),
            "empty.arrow" => Encoding::ArrowFile.encode_batch(&table.text_batch(true)),
            _ => Encoding::Parquet.encode_batch(&table.text_batch(name == "empty.parquet")),
        };
        fs::write(folder.path().join(name), bytes).unwrap();
        let reject = ["audit", name, "--every", "month", "--on-bad-row", "reject", "--max-rejects", "100%", "--rejects", "-"];
        let rejects = Table::parse(lensflow(folder.path(), &reject).expect(0).out());
        rejects.select(&["customer_id", "reason", "column", "value"].map(str::to_owned)).rows
    });
    let [csv, others @ ..] = found;
    let empty = [
        ("an empty start", "period_start"),
        ("an empty end", "period_end"),
        ("an empty count", "total_orders"),
        ("an empty amount", "total_spend"),
    ];
    for (row, (id, column)) in csv.iter().zip(empty) {
        assert_eq!(row[..3], [id, "missing_value", column].map(str::to_owned));
    }
    others.iter().for_each(|other| assert_eq!(*other, csv));
}
