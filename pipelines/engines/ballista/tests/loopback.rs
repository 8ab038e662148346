//! A scheduler and executors as processes on this machine: states, reports and rows equal those of one process to the byte, also when an
//! executor is killed; and a bad row is told in the same words.

use lensflow::jobs::{AuditJob, Update};
use lensflow::model::{Granularity, OnBadRow, Windows};
use lensflow::spec::Spec;
use lensflow::state::State;
use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One cluster at a time: two cores have enough to do.
static ONE: Mutex<()> = Mutex::new(());

/// Processes, which end with this.
struct Cluster {
    scheduler: String,
    all: Vec<Child>,
    folder: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.all {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lensflow-ballista"))
}

impl Cluster {
    /// A scheduler and so many executors, ready for work.
    fn start(executors: usize) -> Cluster {
        let one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let scheduler = format!("127.0.0.1:{}", free_port());
        let mut cluster = Cluster { scheduler: scheduler.clone(), all: Vec::new(), folder, _one: one };
        cluster.spawn("scheduler", &["--bind", &scheduler, "--external-host", "127.0.0.1", "--executor-timeout", "5"]);
        cluster.wait_for(&scheduler);
        for _ in 0..executors {
            cluster.add_executor();
        }
        cluster
    }

    fn add_executor(&mut self) {
        let (port, grpc_port) = (free_port(), free_port());
        let work = self.folder.path().join(format!("work-{port}"));
        fs::create_dir(&work).unwrap();
        let (scheduler, ports) = (self.scheduler.clone(), [port.to_string(), grpc_port.to_string()]);
        let arguments = ["--scheduler", &scheduler, "--port", &ports[0], "--grpc-port", &ports[1], "--vcores", "1"];
        let more = ["--memory", "192MiB", "--heartbeat", "1", "--external-host", "127.0.0.1", "--work-dir", work.to_str().unwrap()];
        self.spawn("executor", &[&arguments[..], &more[..]].concat());
        self.wait_for(&format!("127.0.0.1:{port}"));
    }

    fn spawn(&mut self, name: &str, arguments: &[&str]) {
        let log = self.folder.path().join(format!("{name}-{}.log", free_port()));
        let log = fs::File::create(log).unwrap();
        let mut command = binary();
        command.arg(name).args(arguments).stdout(log.try_clone().unwrap()).stderr(log).env("RUST_LOG", "warn");
        self.all.push(command.spawn().unwrap());
    }

    fn wait_for(&self, address: &str) {
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing listens on {address}: {}", self.logs());
            sleep(Duration::from_millis(50));
        }
    }

    fn logs(&self) -> String {
        let logs = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let tail = |path: PathBuf| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let from = text.len().saturating_sub(4_000);
            format!("\n== {}\n{}", path.display(), text.get(from..).unwrap_or(&text))
        };
        logs.map(tail).collect()
    }

    fn update(&self, state: &Path, inputs: &[String], more: &[&str]) -> Command {
        let mut command = binary();
        command.arg("update").arg(state).args(inputs).args(["--scheduler", &format!("http://{}", self.scheduler)]);
        command.args(["--every", "month", "--merges", "3", "--unit", "1MiB"]).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn check(&self, output: &Output) {
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stderr), self.logs());
    }
}

/// The update of one process.
fn here(state: &Path, inputs: &[String], policy: OnBadRow) -> Result<(), String> {
    let mut update = Update::default();
    update.every = Some(Granularity::Month);
    update.spec = Spec::default().with_workers(1).with_on_bad_row(policy);
    update.run(state, inputs, |_| ()).map(drop).map_err(|e| format!("{e:?}"))
}

/// The run files of a state, and its manifest without the moments at which inputs came.
fn files_of(state: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    // What tasks of a lost job leave behind is swept by the next update.
    let names = names.filter(|name| name != "LOCK" && name != "MANIFEST" && !name.contains("-piece-"));
    let mut files: BTreeMap<_, _> = names.map(|name| (name.clone(), fs::read(state.join(name)).unwrap())).collect();
    if let Ok(opened) = State::open(state) {
        let mut manifest = opened.manifest().clone();
        manifest.inputs.iter_mut().for_each(|input| input.taken = None);
        files.insert("manifest".to_owned(), serde_json::to_vec(&manifest).unwrap());
    }
    files
}

#[track_caller]
fn same(one: &Path, other: &Path) {
    let (one, other) = (files_of(one), files_of(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(bytes == other[&name], "{name} differs:\n{}\n{}", String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&other[&name]));
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize().unwrap()
}

fn cdnow() -> String {
    root().join("examples/data/cdnow_periods.csv").to_string_lossy().into_owned()
}

#[test]
fn golden_cases_and_cdnow_are_those_of_one_process() {
    let cluster = Cluster::start(2);
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = vec![cdnow()];
    for case in fs::read_dir(root().join("tests/data/golden")).unwrap() {
        let folder = case.unwrap().path();
        let input = [folder.join("periods.csv"), folder.join("periods.csv.gz")].into_iter().find(|path| path.is_file());
        inputs.extend(input.map(|input| input.to_string_lossy().into_owned()));
    }
    assert!(inputs.len() > 10, "{inputs:?}");
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    here(&one, &inputs, OnBadRow::Fail).unwrap();
    cluster.check(&cluster.update(&other, &inputs, &[]).output().unwrap());
    same(&one, &other);

    // Again, nothing is new; then CDNOW alone is audited by both.
    cluster.check(&cluster.update(&other, &inputs, &[]).output().unwrap());
    same(&one, &other);
    let state = folder.path().join("cdnow");
    cluster.check(&cluster.update(&state, &[cdnow()], &[]).output().unwrap());
    let (report, rows) = (folder.path().join("there.json"), folder.path().join("there.parquet"));
    let audit =
        binary().arg("audit").arg(&state).args(["--every", "quarter", "--report"]).arg(&report).arg("--rfm-out").arg(&rows).output();
    cluster.check(&audit.unwrap());
    let mut job = AuditJob::new([cdnow()]).spec(Spec::default().with_windows(Windows::Every(Granularity::Quarter)));
    job.outputs.reports = vec![folder.path().join("here.json")];
    job.outputs.rfm = Some(folder.path().join("here.parquet"));
    job.run(&mut ()).unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("here.json") == read("there.json") && read("here.parquet") == read("there.parquet"));
}

/// Rows of customers by month, in files of which each has other customers, and some the same.
fn files(folder: &Path, count: usize, rows: usize) -> Vec<String> {
    let file = |number: usize| {
        let mut text = "customer_id,period_start,period_end,total_orders,total_spend\n".to_owned();
        for row in 0..rows {
            let (month, customer) = (1 + (row + number) % 11, (row * 7 + number * rows / 2) % (rows * 3));
            text +=
                &format!("customer-{customer},2024-{month:02}-01,2024-{:02}-01,{},{}.{:02}\n", month + 1, 1 + row % 3, row % 90, row % 100);
        }
        let path = folder.join(format!("{number:02}.csv"));
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    (0..count).map(file).collect()
}

#[test]
fn an_executor_is_killed_and_nothing_is_lost() {
    let mut cluster = Cluster::start(2);
    let folder = tempfile::tempdir().unwrap();
    let inputs = files(folder.path(), 12, 40_000);
    let one = folder.path().join("one");
    here(&one, &inputs, OnBadRow::Fail).unwrap();
    // More of them where the environment says so.
    let rounds = std::env::var("LENSFLOW_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    for round in 0..rounds {
        let wait = 300 + round * 7_919 % 4_500;
        let other = folder.path().join(format!("other-{round}"));
        let update = cluster.update(&other, &inputs, &[]).spawn().unwrap();
        sleep(Duration::from_millis(wait));
        // The scheduler is the first process.
        let mut killed = cluster.all.remove(1);
        killed.kill().unwrap();
        killed.wait().unwrap();
        cluster.add_executor();
        cluster.check(&update.wait_with_output().unwrap());
        same(&one, &other);
    }
}

#[test]
fn without_a_cluster_the_state_is_the_one_before() {
    let mut cluster = Cluster::start(1);
    let folder = tempfile::tempdir().unwrap();
    let inputs = files(folder.path(), 6, 40_000);
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    here(&one, &inputs[..1], OnBadRow::Fail).unwrap();
    cluster.check(&cluster.update(&other, &inputs[..1], &[]).output().unwrap());
    // All executors, then the scheduler.
    for process in [1, 0] {
        if process == 0 {
            cluster.add_executor();
        }
        let update = cluster.update(&other, &inputs, &[]).spawn().unwrap();
        sleep(Duration::from_millis(1_500));
        let mut killed = cluster.all.remove(process);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let output = update.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("the cluster has not done the job"), "{said}");
        same(&one, &other);
    }
}

#[test]
fn a_bad_row_is_told_as_by_one_process() {
    let cluster = Cluster::start(1);
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = files(folder.path(), 3, 40_000);
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    here(&one, &inputs, OnBadRow::Fail).unwrap();
    cluster.check(&cluster.update(&other, &inputs, &[]).output().unwrap());
    let text = fs::read_to_string(&inputs[1]).unwrap();
    let bad: String =
        text.lines().enumerate().map(|(at, line)| format!("{line}{}\n", if [30_000, 39_999].contains(&at) { "x" } else { "" })).collect();
    inputs[2] = folder.path().join("bad.csv").to_string_lossy().into_owned();
    fs::write(&inputs[2], bad).unwrap();
    let said = here(&one, &inputs, OnBadRow::Fail).unwrap_err();
    let output = cluster.update(&other, &inputs, &[]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("error: {said}\n"));
    assert!(said.contains("row 30000 "), "{said}");
    same(&one, &other);
    // And left out, where that is what is asked for.
    let (one, other) = (folder.path().join("one-reject"), folder.path().join("other-reject"));
    here(&one, &inputs, OnBadRow::Reject).unwrap();
    cluster.check(&cluster.update(&other, &inputs, &["--on-bad-row", "reject"]).output().unwrap());
    same(&one, &other);
}
