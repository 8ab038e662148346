//! Damaged, hostile and unfit inputs: one clear error, no panic, no hang, nothing left behind or changed.

use super::*;

/// What a damaged input may not do: succeed, panic, say much, or leave or change an output.
struct Damage {
    folder: tempfile::TempDir,
    kept: [(&'static str, &'static str); 2],
}

impl Damage {
    fn new() -> Damage {
        let damage = Damage { folder: tempfile::tempdir().unwrap(), kept: [("report.json", "kept"), ("rfm.parquet", "kept, too")] };
        fs::create_dir(damage.folder.path().join("out")).unwrap();
        damage.kept.iter().for_each(|(name, text)| fs::write(damage.folder.path().join("out").join(name), text).unwrap());
        damage
    }

    fn run(&self, input: &str, feed: Option<Feed>) -> Ran {
        let outputs = ["--report", "out/report.json", "--rfm-out", "out/rfm.parquet", "--migration-out", "out/m.csv.gz"];
        let run = Lensflow::new(self.folder.path(), &[&["audit", input, "--every", "month"], &outputs[..]].concat());
        let ran = if let Some(feed) = feed { run.feed(feed) } else { run }.run();
        if ran.code != Some(0) {
            let out = self.folder.path().join("out");
            assert_eq!(listing(&out), self.kept.map(|(name, _)| name.to_owned()).into(), "{input}: {}", ran.stderr);
            self.kept.iter().for_each(|(name, text)| assert_eq!(fs::read_to_string(out.join(name)).unwrap(), *text, "{input}"));
        }
        ran
    }

    #[track_caller]
    fn refused(&self, name: &str, bytes: &[u8], wanted: &str) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
        let message = error(self.run(name, None), 1);
        assert!(message.starts_with(&format!("lensflow: {name}: ")), "{message}");
        assert!(message.contains(wanted), "{name} should say {wanted:?}: {message}");
    }
}

#[test]
fn damaged_texts_are_refused() {
    let damage = Damage::new();
    let row = "ana,2023-01-01,2023-02-01,1,5,";
    let csv = csv_of(&[row, row]);
    let json = Table::parse(&csv).to_jsonl(true);
    let texts = |wanted: &str, with: &str| csv.replacen(wanted, with, 1).into_bytes();
    let lines = |tail: &[u8]| [json.as_bytes(), tail].concat();
    damage.refused("empty.csv", b"", "begins with a header");
    damage.refused("empty", b"", "the input is empty");
    damage.refused("empty.csv.gz", &gzip(b""), "begins with a header");
    damage.refused("ragged.csv", &texts("1,5,\n", "1,5\n"), "row 1 (line 2): ragged_row: the row has 5 fields where the header has 6");
    damage.refused(
        "wide.csv",
        csv_of(&[row, "ana,2023-01-01,2023-02-01,1,5,,"]).as_bytes(),
        "row 2 (line 3): ragged_row: the row has 7 fields",
    );
    damage.refused("quote.csv", &texts("\nana", "\n\"ana"), "line 2: a quote opens here and is never closed");
    damage.refused("header.csv", &texts("customer_id", "\"customer_id"), "line 1: a quote opens here");
    damage.refused("nul.csv", &texts(",1,5", ",1,\x005"), "line 2: there is a NUL byte");
    damage.refused(
        "latin1.csv",
        &[csv_of(&[row]).as_bytes(), b"\xe9mile,2023-01-01,2023-02-01,1,5,\n"].concat(),
        "row 2 (line 3): customer_id is not valid UTF-8",
    );
    let wide: Vec<u8> = csv.encode_utf16().flat_map(u16::to_le_bytes).collect();
    // That it is UTF-16 is noted before the error.
    let cut = tempfile::tempdir().unwrap();
    std::fs::write(cut.path().join("utf16.csv"), &wide[..wide.len() - 1]).unwrap();
    let ran = crate::support::lensflow(cut.path(), &["audit", "utf16.csv", "--every", "month"]).expect(1);
    assert!(ran.stderr.contains("lensflow: utf16.csv: ") && ran.stderr.contains("ends in the middle of a character"), "{}", ran.stderr);
    damage.refused("array.json", format!("[{}", json.lines().collect::<Vec<_>>().join(",\n")).as_bytes(), "it may be cut off");
    damage.refused("array.jsonl", &lines(b"[1]\n"), "row 3 (line 3): the line is not a JSON object");
    damage.refused("cut.jsonl", &lines(b"{\"customer_id\":\"bo\",\"per"), "row 3 (line 3): the line is not a JSON object");
    damage.refused("two.jsonl", &lines(format!("{}{json}", json.lines().next().unwrap()).as_bytes()), "row 3 (line 3): ");
    damage.refused("latin1.jsonl", &lines(b"{\"customer_id\":\"\xe9mile\"}\n"), "row 3 (line 3): ");
    damage.refused("nul.jsonl", &lines(b"\0\n"), "line 3: there is a NUL byte");
    damage.refused("id.jsonl", json.replacen("\"ana\"", "1.5", 1).as_bytes(), "row 1 (line 1): customer_id is 1.5");
    damage.refused("id2.jsonl", json.replacen("\"ana\"", "[\"ana\"]", 1).as_bytes(), "row 1 (line 1): customer_id is [\"ana\"]");

    let packed = gzip(csv_of(&good_rows(2_000)).as_bytes());
    for cut in [packed.len() - 1, packed.len() - 8, packed.len() / 2, 12, 5, 3] {
        damage.refused("cut.csv.gz", &packed[..cut], "");
    }
    let mut wrong = packed.clone();
    wrong[packed.len() - 6] ^= 1;
    damage.refused("sum.csv.gz", &wrong, "");
    let packed = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    for cut in [packed.len() - 1, packed.len() / 2, 5] {
        damage.refused("cut.csv.zst", &packed[..cut], "");
    }
    fs::create_dir(damage.folder.path().join("nothing")).unwrap();
    assert!(error(damage.run("nothing", None), 1).contains("the folder holds no .parquet"));
    assert!(error(damage.run("*.nothing", None), 1).contains("the glob matches no file"));
    assert!(error(damage.run("-", Some(Box::new(|_| Ok(())))), 1).contains("stdin: the input is empty"));
}

#[test]
fn garbage_is_refused_whatever_it_is_called() {
    let damage = Damage::new();
    let mut dice = Dice(5);
    let noise: Vec<u8> = (0..5_000).map(|_| dice.next() as u8).collect();
    let letters: Vec<u8> = noise.iter().map(|b| b"abc,;\"{}[]:0123 \n"[usize::from(*b) % 17]).collect();
    let csv = csv_of(&good_rows(10));
    let parquet = Encoding::Parquet.encode(&Table::parse(&csv));
    let arrow = Encoding::ArrowFile.encode(&Table::parse(&csv));
    let contents: [&[u8]; 7] = [&noise, &letters, b"PAR1", b"PAR1PAR1", b"ARROW1\0\0ARROW1", &[0xff; 64], b"\x1f\x8b\x08 and so on"];
    for name in ["garbage.parquet", "garbage.arrow", "garbage.csv", "garbage.jsonl", "garbage.csv.gz", "garbage"] {
        contents.iter().for_each(|bytes| damage.refused(name, bytes, ""));
    }
    // Files that are in order but have another one's name.
    damage.refused("csv.parquet", csv.as_bytes(), "not a Parquet file");
    damage.refused("csv.arrow", csv.as_bytes(), "not Arrow IPC");
    damage.refused("csv.jsonl", csv.as_bytes(), "");
    damage.refused("parquet.csv", &parquet, "");
    damage.refused("arrow.parquet", &arrow, "not a Parquet file");
    damage.refused("parquet.jsonl", &parquet, "");
}

#[test]
fn unfit_column_types_are_refused() {
    let damage = Damage::new();
    let table = Table::parse(&csv_of(&["ana,2023-01-01,2023-02-01,1,5,2023-01-20"]));
    let unfit: [(usize, ArrayRef, &str); 5] = [
        (
            0,
            Arc::new(Float64Array::from(vec![1.0])),
            "column \"customer_id\" is Float64, which cannot be customer_id: it takes text or an integer",
        ),
        (1, Arc::new(Int64Array::from(vec![1])), "column \"period_start\" is Int64, which cannot be period_start: it takes a timestamp"),
        (3, Arc::new(BooleanArray::from(vec![true])), "column \"total_orders\" is Boolean"),
        (4, Arc::new(BooleanArray::from(vec![true])), "column \"total_spend\" is Boolean, which cannot be total_spend: it takes a decimal"),
        (5, Arc::new(Float64Array::from(vec![1.0])), "column \"last_transaction_ts\" is Float64"),
    ];
    for (at, array, wanted) in unfit {
        let plain = table.batch();
        let columns = plain.schema_ref().fields().iter().zip(plain.columns()).enumerate();
        let columns =
            columns.map(|(i, (field, column))| (field.name().clone(), if i == at { array.clone() } else { column.clone() }, true));
        let batch = RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap();
        for encoding in [Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
            damage.refused(encoding.file_name(), &encoding.encode_batch(&batch), wanted);
        }
    }
}

#[test]
fn cut_or_corrupt_columnar_files_never_pass_for_whole() {
    let damage = Damage::new();
    let rows = good_rows(2_500);
    let table = Table::parse(&csv_of(&rows));
    for encoding in [Encoding::Parquet, Encoding::ArrowFile] {
        let bytes = encoding.encode(&table);
        let n = bytes.len();
        for cut in [1, 4, 8, 12, n / 4, n / 2, n * 3 / 4, n - 1_000, n - 100, n - 9, n - 8, n - 4, n - 1] {
            damage.refused(encoding.file_name(), &bytes[..cut], "");
        }
    }
    // A stream may end between messages, and the mark that begins one says nothing yet; everywhere else it is cut.
    // The library is asked, which is faster.
    let bytes = Encoding::ArrowStream.encode(&table);
    let spec = Spec::default().with_windows(lensflow::model::Windows::Every(lensflow::model::Granularity::Month));
    let path = damage.folder.path().join("cut.arrows");
    let between: BTreeSet<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0xff; 4])).collect();
    let inside_a_mark = |cut: usize| (0..4).any(|back| between.contains(&(cut - back)));
    let near = between.iter().flat_map(|&at| at.saturating_sub(3)..=(at + 9).min(bytes.len()));
    for cut in (1..bytes.len()).step_by(997).chain(near).filter(|cut| *cut > 0 && *cut < bytes.len()) {
        fs::write(&path, &bytes[..cut]).unwrap();
        match audit(&spec, &[path.to_string_lossy()]) {
            Ok(audit) if audit.report.input.rows_read < rows.len() as u64 => {
                assert!(inside_a_mark(cut), "cut at {cut} of {}: {} rows pass for all", bytes.len(), audit.report.input.rows_read);
            }
            Ok(_) => {}
            Err(error) => assert!(matches!(error.kind(), Kind::Data | Kind::Io), "cut at {cut}: {error}"),
        }
    }
}

#[test]
fn wrong_lengths_in_a_file_do_not_take_the_process_down() {
    let damage = Damage::new();
    let table = Table::parse(&csv_of(&good_rows(50)));
    for encoding in [Encoding::Parquet, Encoding::ArrowFile, Encoding::ArrowStream] {
        let bytes = encoding.encode(&table);
        // Where lengths and offsets are: the tail of a file, and the high bytes of words in a stream's second message.
        let messages: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&[0xff; 4])).collect();
        let places: Vec<usize> = match encoding {
            Encoding::ArrowStream => (messages[1] + 7..messages[1] + 140).step_by(4).collect(),
            _ => (bytes.len() - 48..bytes.len()).collect(),
        };
        for at in places {
            let mut wrong = bytes.clone();
            wrong[at] = 0x7f;
            fs::write(damage.folder.path().join(encoding.file_name()), &wrong).unwrap();
            let ran = damage.run(encoding.file_name(), None);
            assert!(matches!(ran.code, Some(0 | 1)) && !ran.stderr.contains("panicked"), "{encoding:?} at {at}: {ran:?}");
            damage.kept.iter().for_each(|(name, text)| fs::write(damage.folder.path().join("out").join(name), text).unwrap());
            let _ = fs::remove_file(damage.folder.path().join("out/m.csv.gz"));
        }
    }
}

#[test]
fn lines_that_end_in_carriage_returns_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rows = csv_of(&["ana,2023-01-01,2023-02-01,1,5,", "bo,2023-01-01,2023-02-01,1,5,"]);
    fs::write(folder.path().join("mac.csv"), rows.replace('\n', "\r")).unwrap();
    let ran = lensflow(folder.path(), &["audit", "mac.csv", "--every", "month"]);
    assert!(ran.code == Some(1) || ran.out().contains("2 rows read"), "rows are lost silently: {}{}", ran.out(), ran.stderr);
}

#[test]
fn a_file_counts_once_by_whatever_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("periods.csv"), csv_of(&["ana,2023-01-01,2023-02-01,1,5,"])).unwrap();
    let ran = lensflow(folder.path(), &["audit", "periods.csv", "./periods.csv", "--every", "month"]);
    assert!(ran.code == Some(2) || ran.out().contains(" 1 rows read"), "rows count twice: {}{}", ran.out(), ran.stderr);
}

#[test]
fn a_line_without_an_end_is_refused_within_seconds() {
    let damage = Damage::new();
    let row = "ana,2023-01-01,2023-02-01,1,5,\n";
    let starts = ["", HEADER, &format!("{HEADER}\n{row}"), &format!("{HEADER}\n{row}\""), "{\"customer_id\":\""].map(str::to_owned);
    for start in starts {
        let feed: Feed = Box::new(move |out| {
            let block = vec![b'x'; 1 << 20];
            out.write_all(start.as_bytes())?;
            (0..1 << 10).try_for_each(|_| out.write_all(&block))
        });
        let message = error(damage.run("-", Some(feed)), 1);
        assert!(message.starts_with("lensflow: stdin: ") && message.contains("16 MiB"), "{message}");
    }
}

#[test]
fn blank_lines_are_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let row = "ana,2023-01-01,2023-02-01,1,5.00,";
    for (text, rows) in [
        (format!("\r\n\r\n{HEADER}\r\n\r\n{row}\r\n\r\n"), Some(1)),
        (format!("\n\n{HEADER}\n\n\n{row}\n{row}"), Some(2)),
        (format!("\n{HEADER}\n\n").replace(',', "\t"), Some(0)),
        ("\n\n\n".to_owned(), None),
        ("\r\n".to_owned(), None),
    ] {
        fs::write(folder.path().join("p.csv"), &text).unwrap();
        let ran = lensflow(folder.path(), &["audit", "p.csv", "--every", "month", "--report", "-"]);
        match rows {
            Some(rows) => assert!(ran.expect(0).out().contains(&format!("\"rows_read\": {rows},")), "{text:?}"),
            None => assert!(error(ran, 1).contains("the file is empty"), "{text:?}"),
        }
    }
}
