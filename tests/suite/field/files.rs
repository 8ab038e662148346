//! How files are written: quotes that are text, encodings, JSON arrays, titles and totals, workbooks and archives, empty files.

use super::*;

const AMAZON: [&str; 10] = [
    "--column",
    "order_id=amazon-order-id",
    "--column",
    "event_ts=purchase-date",
    "--column",
    "customer_id=buyer-id",
    "--column",
    "line_total=item-price",
    "--column",
    "product_id=sku",
];

/// Lines of orders, and what is wrong or right about a file that holds them otherwise.
const LINES: &str = "order_id,customer_id,event_ts,line_total\n1,a,2023-01-05,10.00\n2,b,2023-02-05,5.00\n";

/// Runs an audit of a file with these bytes.
fn audit(name: &str, bytes: impl AsRef<[u8]>, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    let arguments = [&["audit", name, "--from", "transactions", "--every", "month", "--report", "-"], more].concat();
    Lensflow::new(folder.path(), &arguments).run()
}

/// The revenue of each month, and the warnings.
#[track_caller]
fn revenue(ran: Ran) -> (Vec<String>, String) {
    let ran = ran.expect(0);
    let report: Value = serde_json::from_str(ran.out()).unwrap();
    (report["windows"].as_array().unwrap().iter().map(|w| shown(&w["lens1"]["total_revenue"])).collect(), warnings(&report))
}

#[track_caller]
fn refused(ran: Ran, wanted: &[&str]) {
    let said = ran.expect(1).stderr;
    wanted.iter().for_each(|wanted| assert!(said.contains(wanted), "{wanted:?} is not said: {said}"));
}

#[test]
fn stray_quotes_never_take_rows_away() {
    let case = Case::new("01_stray_quote_swallows_rows");
    let said = case.fails("orders.txt --from transactions --layout none --every month", &AMAZON);
    assert!(said.contains("orders.txt: line ") && said.contains("--quote none"), "{said}");
    case.is_right("orders.txt --from transactions --layout none --every month --quote none", &AMAZON);
    let swallowed = "order_id,customer_id,event_ts,line_total,name\n1,a,2023-01-05,10.00,\"Grand\n2,b,2023-02-05,5.00,Kettle\"\n";
    refused(audit("o.csv", swallowed, &[]), &["line 2", "reaches over 2 lines", "--quote none", "--quote double"]);
    assert_eq!(revenue(audit("o.csv", swallowed, &["--quote", "none"])).0, ["10.00", "5.00"]);
    assert_eq!(revenue(audit("o.csv", swallowed, &["--quote", "double"])).0, ["10.00"]);
    let escaped = "order_id,customer_id,event_ts,line_total,name\n1,a,2023-01-05,10.00,\"12\\\" pan\"\n2,b,2023-02-05,5.00,\"\\\\\"\n";
    refused(audit("o.csv", escaped, &[]), &["line 2", "a closing quote is followed by", "--escape"]);
    assert_eq!(revenue(audit("o.csv", escaped, &["--escape", "\\"])).0, ["10.00", "5.00"]);
    let lines = "order_id,customer_id,event_ts,line_total,note\n1,a,2023-01-05,10.00,\"Dear shop,\nthanks\"\n2,b,2023-02-05,5.00,\n";
    assert_eq!(revenue(audit("o.csv", lines, &[])), (vec!["10.00".to_owned(), "5.00".to_owned()], String::new()));
}

#[test]
fn texts_are_read_in_other_encodings() {
    let case = Case::new("14_utf16");
    for input in ["orders.txt", "orders_be.csv"] {
        let (report, _) = case.is_right(&format!("{input} --from transactions --every month"), &[]);
        assert!(warnings(&report).contains("read as UTF-16"), "{}", warnings(&report));
    }
    let (sums, notes) = revenue(audit("old.csv", LINES.replace('\n', "\r"), &[]));
    assert!(sums == ["10.00", "5.00"] && notes.contains("carriage returns alone"), "{sums:?} {notes}");
    let latin = [LINES.as_bytes(), b"3,caf\xe9,2023-02-06,1.00\n"].concat();
    refused(audit("l.csv", &latin, &[]), &["line 4", "--encoding latin1"]);
    assert_eq!(revenue(audit("l.csv", &latin, &["--encoding", "latin1"])).0, ["10.00", "6.00"]);
}

#[test]
fn json_is_read_in_any_layout() {
    Case::new("17_json_array").is_right("orders.json --from transactions --every month", &[]);
    let one = "{\n  \"order_id\": 1, \"customer_id\": \"a\",\n  \"event_ts\": \"2023-01-05\", \"line_total\": 10\n}\n";
    let two = one.replace("1, ", "2, ").replace("10", "5").replace("-01-", "-02-");
    assert_eq!(revenue(audit("o.json", format!("{one}{two}"), &[])).0, ["10.00", "5.00"]);
    assert_eq!(revenue(audit("o.json", format!("\u{feff}[{one}, {two}]"), &[])).0, ["10.00", "5.00"]);
    refused(audit("o.json", format!("[{one}, {two}"), &[]), &["cut off"]);
    refused(audit("o.json", format!("{{\"orders\": [{one}, {two}]}}"), &[]), &["\"orders\"", "jq -c"]);
}

#[test]
fn titles_are_left_out_and_said() {
    let columns = ["order_id=Order ID", "customer_id=Customer ID", "event_ts=Date", "line_total=Total"].map(|column| ["--column", column]);
    let (case, columns) = (Case::new("40_title_lines_and_a_total_row"), columns.concat());
    let line = "report.csv --from transactions --every month --on-bad-row reject";
    for more in ["", " --header-line 4"] {
        let (report, _) = case.is_right(&format!("{line}{more}"), &columns);
        assert_eq!(warnings(&report).contains("3 lines before the header are left out"), more.is_empty(), "{}", warnings(&report));
    }
    // Names that nothing is known of: the message is about the header.
    let said = case.fails(line, &[]);
    assert!(said.contains("\"Order ID\""), "{said}");
    refused(audit("o.csv", LINES, &["--header-line", "9"]), &["there is no line 9"]);
}

#[test]
fn ragged_rows_are_bad_rows() {
    let text = format!("{LINES}Total,15.00\n3,c,2023-02-07,1.00,x\n");
    refused(audit("o.csv", &text, &[]), &["row 3 (line 4)", "has 2 fields where the header has 4", "--on-bad-row reject"]);
    let ran = audit("o.csv", &text, &["--on-bad-row", "reject"]).expect(0);
    assert!(ran.out().contains("\"ragged_row\": 2"), "{}", ran.out());
    assert_eq!(revenue(audit("o.csv", &text, &["--on-bad-row", "reject"])).0, ["10.00", "5.00"]);
}

#[test]
fn delimiters_are_told() {
    let tables = [
        "sep=;\norder_id;customer_id;event_ts;line_total\n1;a;2023-01-05;10.00\n2;b;2023-02-05;5.00\n".to_owned(),
        LINES.replace(',', ";").replace("line_total", "line_total;note, if any, of 1,00").replace(".00\n", ".00;x, y\n"),
        LINES.replace(',', "|"),
        LINES.replace(',', "\t"),
    ];
    for table in tables {
        assert_eq!(revenue(audit("o.csv", &table, &[])).0, ["10.00", "5.00"], "{table}");
    }
}

/// A file of the folder `packed`.
pub(super) fn packed(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/field/packed").join(name)).unwrap()
}

#[test]
fn packed_files_are_read() {
    for name in ["orders.zip", "stored.zip", "orders.csv.bz2"] {
        assert_eq!(revenue(audit(name, packed(name), &[])), (vec!["10.00".to_owned(), "5.00".to_owned()], String::new()), "{name}");
    }
    refused(audit("several.zip", packed("several.zip"), &[]), &["2 files: jan.csv, feb.csv", "unpack"]);
    let mut damaged = packed("stored.zip");
    let at = damaged.windows(5).position(|bytes| bytes == b"10.00").unwrap();
    damaged[at] = b'9';
    refused(audit("stored.zip", damaged, &[]), &["checksum"]);
    refused(audit("o.csv", b"%PDF-1.4 and so on", &[]), &["PDF", "CSV"]);
}

#[test]
fn workbooks_are_read() {
    let (sums, _) =
        revenue(Case::new("15_workbook").audit("", &["Online Retail.xlsx", "--from", "transactions", "--every", "month", "--report", "-"]));
    assert_eq!(sums, ["10.00"]);
    let (sums, notes) = revenue(audit("orders.xlsx", packed("orders.xlsx"), &[]));
    assert_eq!(sums, ["12.55", "5.00"]);
    assert!(notes.contains("2 lines before the header") && notes.contains("the sheet \"Year 2023\" is read; not read: \"Old\""), "{notes}");
    assert_eq!(revenue(audit("orders.xlsx", packed("orders.xlsx"), &["--sheet", "Old"])), (vec!["99.00".to_owned()], String::new()));
    refused(audit("orders.xlsx", packed("orders.xlsx"), &["--sheet", "New"]), &["no sheet \"New\"", "\"Year 2023\", \"Old\""]);
    refused(audit("orders.xlsx", LINES, &[]), &["not a workbook", "--format csv"]);
}

#[test]
fn empty_and_other_files_of_a_folder_are_said() {
    let case = Case::new("45_an_empty_file_among_many");
    for more in ["", " --on-bad-row reject"] {
        let (report, _) = case.is_right(&format!("daily --from transactions --every month{more}"), &[]);
        assert_eq!(warnings(&report), "daily/2023-01-06.csv: the file is empty: it adds no rows\n");
    }
    fs::write(case.path().join("daily/notes.txt"), LINES).unwrap();
    fs::write(case.path().join("daily/_SUCCESS"), "").unwrap();
    fs::write(case.path().join("daily/part.csv.crc"), "x").unwrap();
    let (report, _) = case.is_right("daily --from transactions --every month", &[]);
    assert!(warnings(&report).contains("1 file with another extension was passed over: notes.txt;"), "{}", warnings(&report));
    refused(audit("empty.csv", "", &[]), &["the file is empty"]);
}
