//! Named pipes and links where files are expected: nothing waits for them, and nothing is written through them.

use super::*;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

fn pipe(path: &Path) -> PathBuf {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    path.to_owned()
}

/// Makes a link or a pipe look old, without opening it.
fn aged(path: &Path) {
    assert!(Command::new("touch").args(["-h", "-d", "2 hours ago"]).arg(path).status().unwrap().success());
}

/// A folder with rows, a precious file, and a state.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("rows.csv"), short_rows(0..20)).unwrap();
    fs::write(desk.path().join("more.csv"), short_rows(20..30)).unwrap();
    fs::write(desk.path().join("precious"), "precious").unwrap();
    lensflow(desk.path(), &["update", "state", "rows.csv", "-q"]).expect(0);
    desk
}

#[track_caller]
fn is_precious(desk: &Path) {
    assert_eq!(fs::read_to_string(desk.join("precious")).unwrap(), "precious");
}

/// A pipe and a link are named like part files that a killed process left beside the output.
#[test]
fn f17_part_files_that_are_no_files_are_left_alone() {
    let desk = desk();
    let (waiting, link) = (pipe(&desk.path().join(".r.json.x.part")), desk.path().join(".r.json.y.part"));
    symlink("precious", &link).unwrap();
    [&waiting, &link].iter().for_each(|path| aged(path));
    lensflow(desk.path(), &["audit", "rows.csv", "--every", "month", "-q", "--report", "r.json"]).expect(0);
    assert!(waiting.exists() && link.is_symlink());
    is_precious(desk.path());
}

/// An output that is a pipe is written to when somebody reads from it; nobody is waited for without end.
#[test]
fn f17_an_output_that_is_a_pipe_waits_for_a_reader_but_not_for_ever() {
    let desk = desk();
    let out = pipe(&desk.path().join("r.json"));
    let arguments = ["audit", "rows.csv", "--every", "month", "-q", "--report", "r.json"];
    let begun = Instant::now();
    let ran = lensflow(desk.path(), &arguments).expect(1);
    assert!(ran.stderr.contains("nobody has read from this pipe"), "{}", ran.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let reader = std::thread::spawn(move || fs::read_to_string(out).unwrap());
    lensflow(desk.path(), &arguments).expect(0);
    assert!(reader.join().unwrap().contains("\"rows_read\": 20"));
}

/// An input folder holds a pipe, a link to itself, and a link that leads back.
#[test]
fn f17_pipes_and_circles_in_a_folder_of_inputs_are_passed_over() {
    let desk = desk();
    let folder = desk.path().join("inputs");
    fs::create_dir(&folder).unwrap();
    fs::copy(desk.path().join("rows.csv"), folder.join("rows.csv")).unwrap();
    pipe(&folder.join("waits.csv"));
    symlink("../inputs", folder.join("again")).unwrap();
    symlink("circle", folder.join("circle")).unwrap();
    for inputs in ["inputs", "inputs/*.csv"] {
        let ran = lensflow(desk.path(), &["audit", inputs, "--every", "month", "--report", "-", "-q"]).expect(0);
        assert!(ran.out().contains("\"rows_read\": 20"), "{inputs}");
    }
    // A link that leads nowhere is said.
    symlink("circle.csv", folder.join("circle.csv")).unwrap();
    assert!(lensflow(desk.path(), &["audit", "inputs", "--every", "month", "--report", "-", "-q"]).expect(1).stderr.contains("circle.csv"));
}

/// The files of a state are links and pipes: that is an error at once, or they are replaced; what a link names is never touched.
#[test]
fn f17_a_state_is_not_written_through_links() {
    let update = ["update", "state", "more.csv", "-q"];
    for (name, code) in [("MANIFEST.part", 0), ("LOCK", 1), ("run-00000002.lfst", 0), ("NEW", 0)] {
        for is_pipe in [false, true] {
            let desk = desk();
            let path = desk.path().join("state").join(name);
            let _ = fs::remove_file(&path);
            if is_pipe {
                pipe(&path);
            } else {
                symlink("../precious", &path).unwrap();
            }
            let ran = lensflow(desk.path(), &update).expect(code);
            assert!(code == 0 || ran.stderr.contains("must be a file"), "{}", ran.stderr);
            is_precious(desk.path());
        }
    }
    // What should be read and is a pipe.
    for name in ["MANIFEST", "run-00000001.lfst"] {
        let desk = desk();
        fs::remove_file(desk.path().join("state").join(name)).unwrap();
        pipe(&desk.path().join("state").join(name));
        for arguments in [&update[..], &["inspect", "state"], &["audit", "state", "--every", "month", "--report", "-"]] {
            let ran = lensflow(desk.path(), arguments);
            assert!(ran.code.is_some(), "{arguments:?} of {name}");
        }
    }
}
