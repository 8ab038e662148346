//! Inputs that are shorter than they were.

use super::*;
use crate::make::*;
use lensflow::source::Source;
use lensflow::source::files::Files;

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let text = csv_of(&good_rows(100_000));
    let cut = 1 + text[..text.len() * 3 / 4].rfind('\n').unwrap();
    for cut in [None, Some(cut), Some(0)] {
        fs::write(&path, &text).unwrap();
        let mut source = Files::find(&[path.to_str().unwrap()], None, &Spec::default()).unwrap();
        assert!(source.next_chunk().unwrap().is_some());
        cut.iter().for_each(|cut| fs::File::options().write(true).open(&path).unwrap().set_len(*cut as u64).unwrap());
        let end = loop {
            match source.next_chunk() {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        match cut {
            None => assert_eq!(end, None),
            Some(_) => assert!(end.as_ref().is_some_and(|error| error.contains("became shorter while it was read")), "{end:?}"),
        }
    }
}

#[test]
fn files_that_are_never_empty_are_refused_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.csv"), csv_of(&good_rows(3))).unwrap();
    for name in ["rows.csv.gz", "rows.csv.zst", "rows.parquet", "rows.arrow", "rows.zip"] {
        fs::write(folder.path().join(name), b"").unwrap();
        let refused = lensflow(folder.path(), &["audit", "good.csv", name, "--every", "month"]).expect(1).stderr;
        assert!(refused.contains(&format!("{name}: the file is empty, and no file of its kind is")), "{refused}");
    }
    fs::write(folder.path().join("rows.csv"), b"").unwrap();
    let ran = lensflow(folder.path(), &["audit", "good.csv", "rows.csv", "--every", "month"]).expect(0);
    assert!(format!("{}{}", ran.out(), ran.stderr).contains("rows.csv"), "{ran:?}");
}
