//! Inputs on a web server: read by ranges, the same bytes as from a disk, and what happens when the server does not behave.

use crate::support::{Lensflow, Ran, Web, lensflow};
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

const PERIODS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/cdnow_periods.csv");

fn made(folder: &Path) {
    fs::copy(PERIODS, folder.join("periods.csv")).unwrap();
    for name in ["made.parquet", "made.jsonl.gz", "made.arrow", "made.csv.zst"] {
        lensflow(folder, &["generate", "--customers", "20000", "--seed", "7", "-o", name]).expect(0);
    }
}

/// An audit of one input: the report without the input's name.
fn report(folder: &Path, input: &str, out: &str) -> String {
    lensflow(folder, &["audit", input, "--every", "quarter", "--report", out, "--rfm-out", &format!("{out}.csv")]).expect(0);
    fs::read_to_string(folder.join(out)).unwrap().replace(input, "INPUT")
}

#[test]
fn an_object_gives_the_bytes_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let web = Web::serve(folder.path().to_owned());
    for name in ["periods.csv", "made.parquet", "made.jsonl.gz", "made.arrow", "made.csv.zst"] {
        let url = format!("{}/{name}", web.url);
        assert_eq!(report(folder.path(), &url, "far.json"), report(folder.path(), name, "near.json"), "{name}");
        let rows = |of: &str| fs::read(folder.path().join(of)).unwrap();
        assert_eq!(rows("far.json.csv"), rows("near.json.csv"), "{name}");
    }
}

#[test]
fn columns_that_are_not_needed_are_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let web = Web::serve(folder.path().to_owned());
    // Names that the file has for sums and times; the rest of it, no more is read of than the footer.
    let size = fs::metadata(folder.path().join("made.parquet")).unwrap().len();
    let url = format!("{}/made.parquet", web.url);
    let text = report(folder.path(), &url, "far.json");
    assert!(text.contains("\"customers\""));
    let sent = web.manners.sent.load(Ordering::SeqCst);
    assert!(sent < 2 * size, "{sent} bytes of {size} were sent");
    let asked = web.manners.asked.lock().unwrap()["/made.parquet"];
    assert!(asked < 64, "{asked} requests");
}

#[test]
fn a_busy_server_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let web = Web::serve(folder.path().to_owned());
    web.manners.busy.store(2, Ordering::SeqCst);
    let url = format!("{}/periods.csv", web.url);
    assert_eq!(report(folder.path(), &url, "far.json"), report(folder.path(), "periods.csv", "near.json"));
}

#[test]
fn a_change_while_reading_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let web = Web::serve(folder.path().to_owned());
    let big = folder.path().join("big.csv");
    let text = fs::read_to_string(PERIODS).unwrap();
    let (head, rows) = text.split_once('\n').unwrap();
    fs::write(&big, format!("{head}\n{}", rows.repeat(12))).unwrap();
    assert!(fs::metadata(&big).unwrap().len() > 24 << 20, "several blocks");
    web.manners.changes_from.store(16 << 20, Ordering::SeqCst);
    let url = format!("{}/big.csv", web.url);
    let ran = lensflow(folder.path(), &["audit", &url, "--every", "quarter", "--report", "far.json"]).expect(1);
    assert!(ran.stderr.contains("changed while it was read") && ran.stderr.contains("big.csv"), "{}", ran.stderr);
    assert!(!folder.path().join("far.json").exists());
}

#[test]
fn a_state_knows_an_object_again() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let web = Web::serve(folder.path().to_owned());
    let url = format!("{}/periods.csv", web.url);
    let update = || lensflow(folder.path(), &["update", "shop.state", "--every", "quarter", &url]);
    update().expect(0);
    let again = update().expect(0);
    assert!(again.stderr.contains("taken in before"), "{}", again.stderr);
    let report = |input: &str| {
        lensflow(folder.path(), &["audit", input, "--every", "quarter", "--report", "state.json"]).expect(0);
        fs::read_to_string(folder.path().join("state.json")).unwrap()
    };
    assert!(report("shop.state").contains("\"customers\": 23570"));
}

#[test]
fn what_cannot_be_done_with_urls_is_said() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let web = Web::serve(folder.path().to_owned());
    let url = format!("{}/periods.csv", web.url);
    let refused = |arguments: &[&str], code: i32, what: &str| {
        let ran: Ran = lensflow(folder.path(), arguments).expect(code);
        assert!(ran.stderr.contains(what), "{arguments:?}: {}", ran.stderr);
    };
    refused(&["audit", &url, "--every", "quarter", "--report", "s3://shop/report.json"], 2, "outputs and states are files");
    refused(&["update", "s3://shop/state", &url], 2, "outputs and states are files");
    refused(&["audit", &format!("{url}?signature=1"), "--every", "quarter"], 2, "a URL with a query");
    refused(&["audit", "ftp://example.com/a.csv", "--every", "quarter"], 2, "inputs are read from");
    refused(&["audit", &url, "--every", "quarter", "--checkpoint", "there"], 2, "a run with a checkpoint");
    refused(&["audit", &format!("{}/none.csv", web.url), "--every", "quarter"], 1, "cannot open");
    let gone = Lensflow::new(folder.path(), &["audit", "http://127.0.0.1:1/a.csv", "--every", "quarter"]).run().expect(1);
    assert!(gone.stderr.contains("127.0.0.1:1"), "{}", gone.stderr);
}
