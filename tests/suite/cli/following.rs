//! The command that follows: files that arrive, an endless stream, signals, kills, and what it tells of itself. No row is lost and none is
//! counted twice.

use super::*;
use arrow::ipc::writer::StreamWriter;
use lensflow::report::table::TableWriter;
use lensflow::source::files::Format;
use lensflow::synthetic::{Synthetic, schema};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

const EVER: Duration = Duration::from_secs(60);

/// A process that follows.
struct Following {
    run: Running,
    address: String,
    lines: Receiver<String>,
    folder: PathBuf,
}

impl Following {
    fn begin(folder: &Path, more: &[&str]) -> Following {
        let arguments = [&["run", "follow.toml", "--set", "serve.metrics=127.0.0.1:0"], more].concat();
        let mut run = Running::begin(folder, &arguments, Stdio::piped());
        let (send, lines) = channel();
        let stderr = BufReader::new(run.0.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(std::result::Result::ok).try_for_each(|line| send.send(line)));
        let begun = lines.recv_timeout(EVER).unwrap();
        let address = begun.split("http://").nth(1).unwrap_or_else(|| panic!("{begun}")).trim_end_matches("/metrics").to_owned();
        Following { run, address, lines, folder: folder.to_owned() }
    }

    fn stdin(&mut self) -> ChildStdin {
        self.run.stdin()
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("lensflow_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Following) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            let said: Vec<_> = self.lines.try_iter().collect();
            assert!(begun.elapsed() < EVER, "it never happens: {what}; {said:?}\n{}", self.get("/metrics"));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until what was sent is in the spool: something is, and half a second later no more. The file is there before its rows are.
    fn until_spooled(&self) {
        let spooled = || -> u64 {
            let files = fs::read_dir(self.folder.join("state.spool")).into_iter().flatten().flatten();
            files.filter(|file| file.path().extension().is_some_and(|part| part == "part")).map(|file| file.metadata().unwrap().len()).sum()
        };
        self.until("it is in the spool", |_| {
            let before = spooled();
            thread::sleep(Duration::from_millis(500));
            before > 0 && spooled() == before
        });
    }

    fn signal(&self, signal: &str) {
        self.run.signal(signal);
    }

    /// Its exit code; it takes ten seconds at most.
    fn end(mut self) -> Option<i32> {
        let status = self.run.end(Duration::from_secs(10));
        let said: Vec<_> = self.lines.iter().collect();
        assert!(status.code() != Some(1), "{said:?}");
        status.code()
    }

    fn arrive(&self, name: &str, bytes: &[u8]) {
        let part = self.folder.join(format!("inbox/.{name}.part"));
        fs::write(&part, bytes).unwrap();
        fs::rename(part, self.folder.join("inbox").join(name)).unwrap();
    }
}

const SPEC: &str = r#"
[source]
follow = "inbox/"
poll = "20ms"
finished = "move"

[state]
path = "state"
commit = "20ms"

[windows]
every = "quarter"

[report]
out = ["audit.json"]

[rfm]
out = "rfm.csv"
"#;

fn desk(spec: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inbox")).unwrap();
    fs::write(folder.path().join("follow.toml"), spec).unwrap();
    folder
}

/// What was made of everything that was taken in, but for what inputs are called.
fn answers(folder: &Path) -> (serde_json::Value, String) {
    let mut report: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("audit.json")).unwrap()).unwrap();
    report["input"]["sources"] = serde_json::Value::Null;
    (report, fs::read_to_string(folder.join("rfm.csv")).unwrap())
}

fn audited(folder: &Path, inputs: &str) -> (serde_json::Value, String) {
    lensflow(folder, &["audit", inputs, "--every", "quarter", "--report", "audit.json", "--rfm-out", "rfm.csv"]).expect(0);
    answers(folder)
}

/// Fifty files arrive, three of them bad, and the process is stopped and started again between.
#[test]
fn an_inbox_is_followed() {
    let (desk, good) = (desk(SPEC), tempfile::tempdir().unwrap());
    let mut bytes = Vec::new();
    let mut table = TableWriter::create(&good.path().join("x.parquet"), None, &schema()).unwrap();
    let synthetic = Synthetic { customers: 30, to: "2023-06".to_owned(), ..Synthetic::default() };
    table.write(&synthetic.generator().unwrap().record_batch(0).unwrap()).unwrap();
    table.finish().unwrap().commit().unwrap();
    bytes.extend(fs::read(good.path().join("x.parquet")).unwrap());
    let file = |i: usize| match i {
        7 => ("07.csv".to_owned(), short_rows(0..50) + "c,2023-01-01,2023-02-01,many,1\n", false),
        23 => ("23.csv".to_owned(), "customer,spend\nana,1\n".to_owned(), false),
        _ => (format!("{i:02}.csv"), short_rows(i * 40..i * 40 + 40), true),
    };
    let mut following = Following::begin(desk.path(), &[]);
    for i in 0..50 {
        if i == 20 {
            following.until("some are committed", |f| f.metric("inputs_total") > 3.0);
            assert!(following.get("/healthz").starts_with("HTTP/1.1 200"));
            following.signal("TERM");
            assert_eq!(following.end(), Some(143));
            following = Following::begin(desk.path(), &[]);
        }
        if i == 31 {
            following.arrive("31.parquet", &bytes[..bytes.len() - 9]);
            continue;
        }
        let (name, text, is_good) = file(i);
        if is_good {
            fs::write(good.path().join(&name), &text).unwrap();
        }
        following.arrive(&name, text.as_bytes());
    }
    // The same bytes under another name change nothing.
    following.arrive("again.csv", short_rows(0..40).as_bytes());
    following.arrive("32.parquet", &bytes);
    following.until("everything is taken in", |f| visible(&f.folder.join("inbox")).is_empty() && f.metric("waiting") == 0.0);
    following.signal("INT");
    assert_eq!(following.end(), Some(130));
    let aside = listing(&desk.path().join("inbox/_quarantine"));
    let bad: Vec<&str> = aside.iter().map(String::as_str).filter(|name| !name.ends_with(".reason.txt")).collect();
    assert_eq!((bad, aside.len()), (vec!["07.csv", "23.csv", "31.parquet"], 6));
    assert_eq!(visible(&desk.path().join("inbox/_done")).len(), 49);
    assert_eq!(answers(desk.path()), audited(good.path(), &format!("{}/*.*[tv]", good.path().display())));
}

fn stream_spec(format: &str) -> String {
    let spec = SPEC.replace("follow = \"inbox/\"\npoll = \"20ms\"\nfinished = \"move\"", &format!("follow = \"-\"\nformat = {format:?}"));
    assert!(spec.contains("follow = \"-\""));
    spec
}

/// Rows in batches, as a stream begins with them, and as it goes on.
fn batches(format: Format, from: usize, to: usize) -> Vec<Vec<u8>> {
    match format {
        Format::Csv => {
            let more = (from..to)
                .collect::<Vec<_>>()
                .chunks(7)
                .map(|some| some.iter().map(|&i| short_row(i)).collect::<String>().into_bytes())
                .collect();
            [vec![SHORT_HEADER.as_bytes().to_vec()], more].concat()
        }
        Format::Jsonl => {
            let object = |text: String| {
                let fields: Vec<_> =
                    SHORT_HEADER.trim().split(',').zip(text.trim().split(',')).map(|(name, value)| format!("{name:?}:{value:?}")).collect();
                format!("{{{}}}\n", fields.join(",")).into_bytes()
            };
            (from..to).map(|i| object(short_row(i))).collect()
        }
        _ => {
            let text = short_rows(from..to);
            let all = Table::parse(&text).batch();
            let mut out = Vec::new();
            let mut writer = StreamWriter::try_new(Vec::new(), &all.schema()).unwrap();
            for at in (0..all.num_rows()).step_by(13) {
                writer.write(&all.slice(at, 13.min(all.num_rows() - at))).unwrap();
                out.push(std::mem::take(writer.get_mut()));
            }
            writer.finish().unwrap();
            out.push(std::mem::take(writer.get_mut()));
            out
        }
    }
}

/// A stream that is stopped by a signal, killed, and ended, each time after what it had sent was on its way: all of it counts, once.
#[test]
fn a_stream_is_followed() {
    for (format, name) in [(Format::Csv, "csv"), (Format::Jsonl, "jsonl"), (Format::Arrow, "arrow")] {
        let (desk, whole) = (desk(&stream_spec(name)), tempfile::tempdir().unwrap());
        fs::write(whole.path().join("whole.csv"), short_rows(0..900)).unwrap();
        for (part, signal) in ["TERM", "KILL", ""].into_iter().enumerate() {
            // What a killed process had not committed was in its spool.
            let commit = if signal == "KILL" { "1h" } else { "20ms" };
            let mut following = Following::begin(desk.path(), &["--set", &format!("state.commit={commit}")]);
            let mut stdin = following.stdin();
            let mut sent = batches(format, part * 300, part * 300 + 300);
            if format == Format::Arrow && !signal.is_empty() {
                // The end of the stream is what never comes.
                sent.pop();
            }
            for bytes in sent {
                stdin.write_all(&bytes).unwrap();
                stdin.flush().unwrap();
            }
            if signal.is_empty() {
                drop(stdin);
                assert_eq!(following.end(), Some(0), "{name}");
                break;
            }
            if signal == "KILL" {
                following.until_spooled();
            }
            following.signal(signal);
            assert_eq!(following.end(), (signal == "TERM").then_some(143), "{name}");
            assert!(desk.path().join("audit.json").exists());
        }
        assert_eq!(answers(desk.path()), audited(whole.path(), "whole.csv"), "{name}");
        assert_eq!(listing(&desk.path().join("state.spool")).into_iter().collect::<Vec<_>>(), ["LOCK"]);
    }
}

/// Orders, one a row, with names in Latin-1: a stream that is killed before it is committed, and ended, is what its rows are in one file.
#[test]
fn a_stream_of_orders_is_followed() {
    let of_orders = "from = 'transactions'\non_bad_row = 'reject'\nmax_rejects = '100%'\nencoding = 'latin1'\n[transactions]\none_row_per_order = true\n\
        [columns]\ncustomer_id = 'caf\u{e9}'\n\n[state]\nevery = 'quarter'\n";
    let order = |i: usize| {
        let refund = if i % 10 == 3 { "-" } else { "" };
        [format!("c\u{e9}{}", i % 37), format!("2023-0{}-02", i % 9 + 1), format!("{refund}{}.25", i % 50)]
    };
    const NAMES: [&str; 3] = ["caf\u{e9}", "event_ts", "line_total"];
    let csv = |orders: std::ops::Range<usize>| {
        let rows: String = orders.map(|i| order(i).join(",") + "\n").collect();
        (NAMES.join(",") + "\n" + &rows).chars().map(|c| c as u8).collect::<Vec<_>>()
    };
    let arrow = |orders: std::ops::Range<usize>| {
        let column = |at: usize| Arc::new(StringArray::from_iter_values(orders.clone().map(|i| order(i)[at].clone()))) as ArrayRef;
        let batch = RecordBatch::try_from_iter((0..3).map(|at| (NAMES[at], column(at)))).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        std::mem::take(writer.get_mut())
    };
    for format in ["csv", "arrow"] {
        // Arrow's texts are UTF-8.
        let encoding = if format == "csv" { "encoding = 'latin1'\n" } else { "" };
        let desk = desk(&stream_spec(format).replace("\n[state]\n", &of_orders.replace("encoding = 'latin1'\n", encoding)));
        for (part, commit) in [(0..200, "1h"), (200..500, "20ms")] {
            let last = part.end == 500;
            let mut following = Following::begin(desk.path(), &["--set", &format!("state.commit={commit}")]);
            let mut stdin = following.stdin();
            stdin.write_all(&if format == "csv" { csv(part) } else { arrow(part) }).unwrap();
            if last {
                following.until("all is committed", |f| f.get("/metrics").contains("rejected_rows_total{reason=\"refund\"} 50\n"));
                drop(stdin);
                assert_eq!(following.end(), Some(0), "{format}");
            } else {
                following.until_spooled();
                following.signal("KILL");
                following.end();
            }
        }
        let found = answers(desk.path());
        fs::write(desk.path().join("whole.csv"), csv(0..500)).unwrap();
        let flags = "audit whole.csv --from transactions --one-row-per-order --encoding latin1 --column customer_id=caf\u{e9} \
            --on-bad-row reject --max-rejects 100% --every quarter --report audit.json --rfm-out rfm.csv";
        lensflow(desk.path(), &flags.split_whitespace().collect::<Vec<_>>()).expect(0);
        assert!(found == answers(desk.path()) && found.1.contains("c\u{e9}36"), "{format}: {}", found.0);
    }
}

/// A part of a stream with a bad row is put aside; the others go on.
#[test]
fn a_bad_part_of_a_stream_is_put_aside() {
    let desk = desk(&stream_spec("csv"));
    let mut following = Following::begin(desk.path(), &[]);
    let mut stdin = following.stdin();
    let mut send = |text: &str, following: &Following, metric: &str, value: f64| {
        stdin.write_all(text.as_bytes()).unwrap();
        following.until(metric, |f| f.metric(metric) >= value);
    };
    send(&short_rows(0..10), &following, "rows_total", 10.0);
    send(&(short_row(10) + "c,2023-01-01,2023-02-01,many,1\n"), &following, "quarantined_total", 1.0);
    send(&short_row(11), &following, "rows_total", 11.0);
    let aside = desk.path().join("state.quarantine");
    let name = listing(&aside).into_iter().find(|name| name.ends_with(".csv")).unwrap();
    assert_eq!(
        fs::read_to_string(aside.join(name)).unwrap(),
        SHORT_HEADER.to_owned() + &short_row(10) + "c,2023-01-01,2023-02-01,many,1\n"
    );
    drop(stdin);
    assert_eq!(following.end(), Some(0));
}

/// Memory and file descriptors do not grow with commits. `SUITE_COMMITS` sets how many there are.
#[test]
fn commits_leave_nothing_behind() {
    let commits: usize = setting("SUITE_COMMITS", 60);
    let desk = desk(&stream_spec("csv"));
    let mut following = Following::begin(desk.path(), &["--set", "state.commit_rows=1", "--set", "report.refresh=1s"]);
    let mut stdin = following.stdin();
    stdin.write_all(SHORT_HEADER.as_bytes()).unwrap();
    let mut sizes = Vec::new();
    for i in 0..commits {
        stdin.write_all(short_row(i).as_bytes()).unwrap();
        following.until("it is committed", |f| f.metric("rows_total") > i as f64);
        if i % (commits / 6) == commits / 6 - 1 {
            sizes.push((following.metric("resident_bytes"), following.metric("open_files")));
        }
    }
    assert_eq!(following.metric("commits_total"), commits as f64);
    let ((memory, files), (most, _)) = (sizes[1], sizes[sizes.len() - 1]);
    assert!(most < memory * 1.2 + 4e6, "{sizes:?}");
    // A report that is just being made has files open, for a moment.
    following.until("files are closed again", |f| f.metric("open_files") <= files + 2.0);
    assert!(listing(&desk.path().join("state")).len() < 40);
    drop(stdin);
    assert_eq!(following.end(), Some(0));
}

/// Connections that say nothing keep nobody from being answered.
#[test]
fn f16_health_is_told_beside_idle_connections() {
    let desk = desk(SPEC);
    let following = Following::begin(desk.path(), &[]);
    let idle: Vec<TcpStream> = (0..500).map(|_| TcpStream::connect(&following.address).unwrap()).collect();
    for _ in 0..3 {
        let begun = Instant::now();
        assert!(following.get("/healthz").ends_with("ok\n"));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    drop(idle);
    following.signal("INT");
    assert_eq!(following.end(), Some(130));
}

/// What cannot be followed is said at once.
#[test]
fn what_cannot_be_followed_is_said() {
    let desk = desk(&stream_spec("csv"));
    fs::write(desk.path().join("f.toml"), stream_spec("csv").replace("format = \"csv\"", "")).unwrap();
    let ran = Lensflow::new(desk.path(), &["run", "f.toml"])
        .stdin(b"PAR1 and what not: this is Parquet, or claims to be; it is long enough to tell".to_vec())
        .run()
        .expect(2);
    assert!(ran.stderr.contains("Parquet cannot be followed"), "{}", ran.stderr);
    let ran = Lensflow::new(desk.path(), &["run", "f.toml"])
        .stdin(b"customer,spend\nana,5\nbob,7\ncarol,9\ndave,11\neve,13\nfrank,15\n".to_vec())
        .run()
        .expect(1);
    assert!(ran.stderr.contains("there is no column \"customer_id\""), "{}", ran.stderr);
    fs::remove_dir(desk.path().join("inbox")).unwrap();
    fs::write(desk.path().join("f.toml"), SPEC).unwrap();
    assert!(lensflow(desk.path(), &["run", "f.toml"]).expect(1).stderr.contains("no such folder"));
}

/// A stream that never pauses is stopped, and goes on where the clock seems to have been put back: every row is in the state or the spool.
#[test]
fn a_stream_that_never_pauses_is_stopped() {
    let desk = desk(&stream_spec("csv"));
    fs::create_dir(desk.path().join("state.spool")).unwrap();
    // Committed by a process whose clock was ahead.
    fs::write(desk.path().join("state.spool/03000000000000000000-000001.csv"), short_rows(0..3)).unwrap();
    let mut following = Following::begin(desk.path(), &[]);
    let mut stdin = following.stdin();
    let sent = thread::spawn(move || {
        let mut sent = 0;
        let mut text = SHORT_HEADER.to_owned();
        while stdin.write_all(text.as_bytes()).is_ok() {
            text = (sent..sent + 50).map(short_row).collect();
            sent += 50;
        }
        sent
    });
    following.until("some rows are committed", |f| f.metric("rows_total") > 1_000.0);
    following.signal("TERM");
    assert_eq!(following.end(), Some(143));
    let sent = sent.join().unwrap() as u64;
    let taken = |folder: &Path| answers(folder).0["input"]["rows_read"].as_u64().unwrap();
    assert!(taken(desk.path()) <= sent + 3);
    assert_eq!(listing(&desk.path().join("state.spool")).into_iter().collect::<Vec<_>>(), ["LOCK"], "nothing waits");
    // Killed before anything is committed, and started again.
    let before = taken(desk.path());
    let mut following = Following::begin(desk.path(), &["--set", "state.commit=1h"]);
    // It is held open: a stream that ends is committed.
    let mut held = following.stdin();
    held.write_all(short_rows(0..5).as_bytes()).unwrap();
    following.until_spooled();
    following.signal("KILL");
    following.end();
    let mut following = Following::begin(desk.path(), &[]);
    following.stdin().write_all(SHORT_HEADER.as_bytes()).unwrap();
    assert_eq!(following.end(), Some(0));
    assert_eq!(taken(desk.path()), before + 5);
}
