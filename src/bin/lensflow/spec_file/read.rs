//! From entries to values: each key is read as what it takes, with its default, whether or not the job will want it.

use super::layers::{Layers, Value};
use super::values::customers;
use crate::args::lines::{ANONYMOUS, DUPLICATES, ENCODINGS, ID_FORMATS, REFUNDS, timezone};
use crate::outputs::Outputs;
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::follow::Finished;
use lensflow::model::{Column, ColumnMap, Granularity, OnBadRow, TransactionColumn, TransactionColumns, Window, Windows};
use lensflow::orders::{Lines, OrderOptions};
use lensflow::source::files::Format;
use lensflow::source::transactions::TransactionOptions;
use lensflow::spec::{Parallel, Spec};
use lensflow::spill::parse_size;
use lensflow::synthetic::{IdStyle, Scenario, Skew, Synthetic};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How standard input is called.
pub(super) const STDIN: &str = "-";
/// How often an audit is kept when nothing is said.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// Keys that only following looks at.
const OF_FOLLOWING: [(&str, &str); 9] = [
    ("source", "glob"),
    ("source", "poll"),
    ("source", "finished"),
    ("source", "done"),
    ("source", "quarantine"),
    ("state", "commit"),
    ("state", "commit_rows"),
    ("report", "refresh"),
    ("serve", "metrics"),
];

/// All values, read but not yet weighed against each other.
pub(super) struct Values<'a> {
    pub(super) layers: &'a Layers,
    pub(super) inputs: Option<Vec<String>>,
    pub(super) synthetic: Option<Synthetic>,
    /// Where the inputs are orders and line items, how they are read and grouped.
    pub(super) lines: Option<Lines>,
    pub(super) format: Option<Format>,
    pub(super) on_bad_row: Option<OnBadRow>,
    pub(super) state: Option<PathBuf>,
    pub(super) every: Option<Granularity>,
    pub(super) allow_duplicate: bool,
    pub(super) merge: Option<Vec<String>>,
    pub(super) checkpoint: Option<(PathBuf, Duration)>,
    pub(super) spec: Spec,
    pub(super) out: Outputs,
    pub(super) partial_out: Option<PathBuf>,
}

/// Reads all values but those of following.
pub(super) fn values(layers: &Layers) -> Result<Values<'_>> {
    let every = |section| layers.parsed(section, "every", str::parse::<Granularity>);
    let plain =
        |texts: Option<Vec<(String, Option<usize>)>>| texts.map(|texts| texts.into_iter().map(|(text, _)| text).collect::<Vec<_>>());
    let inputs = plain(layers.texts("source", "inputs")?);
    if inputs.as_ref().is_some_and(Vec::is_empty) {
        return Err(wrong(layers, "source", "inputs", "no input is named").help("write inputs = [\"data/*.parquet\"]"));
    }
    let checkpoint_every = layers.duration("state", "checkpoint_every")?;
    let checkpoint = layers.path("state", "checkpoint")?;
    if checkpoint.is_none() {
        refuse(layers, &[("state", "checkpoint_every")], "it does nothing without checkpoint", "add checkpoint = \"folder\" to [state]")?;
    }
    let lines = lines(layers)?;
    // Those of lines are with the lines.
    let columns = if lines.is_some() { ColumnMap::default() } else { columns(layers)? };
    Ok(Values {
        layers,
        inputs,
        synthetic: synthetic(layers)?,
        lines,
        format: layers.parsed("source", "format", str::parse::<Format>)?,
        on_bad_row: layers.choice("source", "on_bad_row", &[("fail", OnBadRow::Fail), ("reject", OnBadRow::Reject)])?,
        state: layers.path("state", "path")?,
        every: every("state")?,
        allow_duplicate: layers.switch("state", "allow_duplicate")?,
        merge: plain(layers.texts("state", "merge")?),
        checkpoint: checkpoint.map(|folder| (folder, checkpoint_every.unwrap_or(CHECKPOINT_EVERY))),
        spec: spec(layers, columns)?,
        out: Outputs {
            report: plain(layers.texts("report", "out")?).unwrap_or_default().into_iter().map(PathBuf::from).collect(),
            rfm: layers.path("rfm", "out")?,
            migration: layers.path("report", "migration_out")?,
            rejects: layers.path("report", "rejects")?,
            sorted: layers.switch("rfm", "sorted")?,
        },
        partial_out: layers.path("report", "partial_out")?,
    })
}

/// The options of the stages, each checked by itself, so that an error names its entry.
fn spec(layers: &Layers, columns: ColumnMap) -> Result<Spec> {
    let mut spec = Spec { windows: windows(layers)?, columns, ..Spec::default() };
    let checked = |section, key, spec: Spec| spec.validate().map_err(|e| refused(layers, section, key, e)).map(|()| spec);
    if let Some(percentiles) = layers.wholes("report", "percentiles")? {
        spec = checked("report", "percentiles", Spec { percentiles, ..spec })?;
    }
    if let Some(bins) = layers.whole("rfm", "bins")? {
        spec = checked("rfm", "bins", Spec { bins, ..spec })?;
    }
    if let Some(workers) = layers.whole("limits", "workers")? {
        spec = checked("limits", "workers", Spec { workers: Some(workers), ..spec })?;
    }
    if let Some(batch_rows) = layers.whole("limits", "batch_rows")? {
        spec = checked("limits", "batch_rows", Spec { batch_rows, ..spec })?;
    }
    let threshold = layers.whole("limits", "parallel_threshold")?.unwrap_or(Parallel::DEFAULT_THRESHOLD);
    let auto = Parallel::Auto { threshold };
    let parallel = layers.choice("limits", "parallel", &[("auto", auto), ("on", Parallel::On), ("off", Parallel::Off)])?;
    Ok(Spec {
        parallel: parallel.unwrap_or(auto),
        memory_limit: layers.amount("limits", "memory_limit", parse_size)?,
        spill_dir: layers.path("limits", "spill_dir")?,
        ..spec
    })
}

fn windows(layers: &Layers) -> Result<Windows> {
    let every = layers.parsed("windows", "every", str::parse::<Granularity>)?;
    let Some(texts) = layers.texts("windows", "list")? else {
        return Ok(Windows::Every(every.unwrap_or(Granularity::Year)));
    };
    let entry = |line, e| layers.get("windows", "list").map(|entry| entry.refused(line, e));
    let window = |(text, line): &(String, Option<usize>)| {
        text.parse::<Window>().map_err(|e| entry(*line, e).unwrap_or_else(|| Error::internal("a list without an entry")))
    };
    let list = Windows::List(texts.iter().map(window).collect::<Result<_>>()?);
    if every.is_some() {
        let error = wrong(layers, "windows", "every", "windows come from every or from list, not from both");
        return Err(error.help("leave one of them out"));
    }
    if texts.is_empty() {
        let error = wrong(layers, "windows", "list", "no window is given");
        return Err(error.help("write list = [\"2023-Q3\", \"2023-Q4\"], or every = \"quarter\""));
    }
    list.validate().map_err(|e| refused(layers, "windows", "list", e))?;
    Ok(list)
}

fn columns(layers: &Layers) -> Result<ColumnMap> {
    let name = |column: Column| Ok(layers.text("columns", column.name())?.map(|name| (column, name)));
    Column::ALL.into_iter().map(name).filter_map(Result::transpose).collect::<Result<_>>().map(ColumnMap)
}

/// How orders and line items are read and grouped, if the inputs are that; else nothing may be said of them.
fn lines(layers: &Layers) -> Result<Option<Lines>> {
    const SECTION: &str = "transactions";
    let is_lines = layers.choice("source", "from", &[("periods", false), ("transactions", true)])? == Some(true);
    let name = |column: TransactionColumn| Ok(layers.text("columns", column.name())?.map(|name| (column, name)));
    let columns: BTreeMap<_, _> = TransactionColumn::ALL.into_iter().map(name).filter_map(Result::transpose).collect::<Result<_>>()?;
    let orders = OrderOptions::default();
    let orders = OrderOptions {
        refunds: layers.word(SECTION, "refunds", REFUNDS)?.unwrap_or(orders.refunds),
        anonymous: layers.word(SECTION, "anonymous", ANONYMOUS)?.unwrap_or(orders.anonymous),
        duplicates: layers.word(SECTION, "duplicates", DUPLICATES)?.unwrap_or(orders.duplicates),
        timezone: layers.parsed(SECTION, "timezone", timezone)?.unwrap_or(orders.timezone),
    };
    let options = TransactionOptions {
        one_row_per_order: layers.switch(SECTION, "one_row_per_order")?,
        id_format: layers.word(SECTION, "id_format", ID_FORMATS)?.unwrap_or_default(),
        date_format: layers.text(SECTION, "date_format")?,
        encoding: layers.word(SECTION, "encoding", ENCODINGS)?.unwrap_or_default(),
    };
    options.check().map_err(|e| refused(layers, SECTION, "date_format", e))?;
    let own = |is_own: &dyn Fn(&str) -> bool| layers.section("columns").find(|entry| is_own(entry.key));
    if !is_lines {
        let only = own(&|key| Column::from_name(key).is_none());
        return match layers.section(SECTION).next().or(only) {
            Some(entry) => {
                let help = "add from = \"transactions\" to [source], or leave it out";
                Err(entry.wrong("it is for orders and line items").help(help))
            }
            None => Ok(None),
        };
    }
    if let Some(entry) = own(&|key| TransactionColumn::from_name(key).is_none()) {
        let help = "leave it out, or leave from = \"transactions\" out";
        return Err(entry.wrong("orders and line items have no such column: it is for period aggregations").help(help));
    }
    if options.one_row_per_order {
        let why = "with one_row_per_order, each row is an order: order ids are not looked for, and rows are not compared";
        refuse(layers, &[("columns", "order_id"), (SECTION, "duplicates")], why, "leave one of the two out")?;
    }
    if matches!(layers.parsed("source", "format", str::parse::<Format>)?, Some(Format::Parquet | Format::Arrow)) {
        refuse(layers, &[(SECTION, "encoding")], "text in Parquet and Arrow is UTF-8", "leave it out")?;
    }
    Ok(Some(Lines { columns: TransactionColumns(columns), options, orders }))
}

fn synthetic(layers: &Layers) -> Result<Option<Synthetic>> {
    const SECTION: &str = "source.synthetic";
    let ids = [("sequential", IdStyle::Sequential), ("uuid", IdStyle::Uuid), ("email", IdStyle::Email), ("unicode", IdStyle::Unicode)];
    let Some(entry) = layers.get("source", "synthetic") else { return Ok(None) };
    let default = Synthetic::default();
    let synthetic = Synthetic {
        customers: layers.amount(SECTION, "customers", customers)?.unwrap_or(default.customers),
        scenario: layers.parsed(SECTION, "scenario", str::parse::<Scenario>)?.unwrap_or(default.scenario),
        seed: layers.whole(SECTION, "seed")?.unwrap_or(default.seed),
        from: layers.text(SECTION, "from")?.unwrap_or(default.from),
        to: layers.text(SECTION, "to")?.unwrap_or(default.to),
        skew: layers
            .choice(SECTION, "skew", &[("uniform", Skew::Uniform), ("zipf", Skew::Zipf), ("hot", Skew::Hot)])?
            .unwrap_or(default.skew),
        ids: layers.choice(SECTION, "ids", &ids)?.unwrap_or(default.ids),
        null_timestamps: layers.real(SECTION, "null_timestamps")?.unwrap_or(default.null_timestamps),
    };
    synthetic.generator().map_err(|e| entry.refused(None, e))?;
    Ok(Some(synthetic))
}

/// A port is a number or a text.
fn metrics(layers: &Layers) -> Result<Option<SocketAddr>> {
    match layers.get("serve", "metrics") {
        Some(entry) if matches!(entry.value, Value::Whole(_)) => layers.whole("serve", "metrics").map(|port| port.map(loopback)),
        _ => layers.parsed("serve", "metrics", address),
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A socket's address; a port alone is one that only this machine reaches.
fn address(text: &str) -> Result<SocketAddr> {
    let port = text.parse::<u16>().ok().map(loopback);
    port.or_else(|| text.parse().ok())
        .ok_or_else(|| Error::usage(format!("{text:?} is not an address to listen at")).help("write \"127.0.0.1:9184\", or a port alone"))
}

/// An error about what was said of a key.
fn wrong(layers: &Layers, section: &str, key: &str, what: &str) -> Error {
    layers.get(section, key).map_or_else(|| Error::usage(what), |entry| entry.wrong(what))
}

/// What the library says about a key's value.
fn refused(layers: &Layers, section: &str, key: &str, error: Error) -> Error {
    match layers.get(section, key) {
        Some(entry) => entry.refused(None, error),
        None => error,
    }
}

/// Refuses what would do nothing.
pub(super) fn refuse(layers: &Layers, keys: &[(&str, &str)], why: &str, help: &str) -> Result<()> {
    match keys.iter().find_map(|(section, key)| layers.get(section, key)) {
        Some(entry) => Err(entry.wrong(why).help(help)),
        None => Ok(()),
    }
}

/// What following needs beside the other values.
pub(super) struct Following {
    /// None is stdin.
    pub(super) inbox: Option<Inbox>,
    pub(super) quarantine: Option<PathBuf>,
    pub(super) commit: Duration,
    pub(super) commit_rows: u64,
    pub(super) refresh: Duration,
    pub(super) metrics: Option<SocketAddr>,
}

/// A folder in which files appear.
pub(super) struct Inbox {
    pub(super) folder: PathBuf,
    pub(super) glob: Option<String>,
    pub(super) poll: Duration,
    pub(super) finished: Finished,
}

/// Reads what is said of following, or refuses it where nothing is followed.
pub(super) fn following(layers: &Layers) -> Result<Option<Following>> {
    let finished = layers.choice("source", "finished", &[("keep", 0), ("move", 1), ("delete", 2)])?;
    let (done, glob) = (layers.path("source", "done")?, layers.text("source", "glob")?);
    let poll = layers.duration("source", "poll")?;
    let commit = layers.duration("state", "commit")?;
    let commit_rows: Option<u64> = layers.whole("state", "commit_rows")?;
    let refresh = layers.duration("report", "refresh")?;
    let (quarantine, metrics) = (layers.path("source", "quarantine")?, metrics(layers)?);
    let Some(follow) = layers.text("source", "follow")? else {
        let help = "add follow = \"inbox/\" to [source], or leave it out";
        return refuse(layers, &OF_FOLLOWING, "it does nothing unless an inbox or stdin is followed", help).map(|()| None);
    };
    if let Some(glob) = &glob {
        glob::Pattern::new(glob).map_err(|e| wrong(layers, "source", "glob", &format!("{glob:?} is not a glob: {e}")))?;
    }
    if poll.is_some_and(|poll| poll.is_zero()) {
        return Err(wrong(layers, "source", "poll", "a time is expected that is longer than nothing"));
    }
    if commit_rows == Some(0) {
        return Err(wrong(layers, "state", "commit_rows", "0 rows are none").help("give at least 1"));
    }
    let inbox = if follow == STDIN {
        let keys = ["glob", "poll", "finished", "done"].map(|key| ("source", key));
        refuse(layers, &keys, "it does nothing while stdin is followed", "leave it out, or follow a folder")?;
        None
    } else {
        let folder = PathBuf::from(follow);
        if finished != Some(1) {
            refuse(layers, &[("source", "done")], "nothing is moved there", "add finished = \"move\" to [source], or leave it out")?;
        }
        let finished = match finished {
            Some(1) => Finished::Move(done.unwrap_or_else(|| folder.join("_done"))),
            Some(2) => Finished::Delete,
            _ => Finished::Keep,
        };
        Some(Inbox { folder, glob, poll: poll.unwrap_or(Duration::from_secs(2)), finished })
    };
    Ok(Some(Following {
        inbox,
        quarantine,
        commit: commit.unwrap_or(Duration::from_secs(10)),
        commit_rows: commit_rows.unwrap_or(1_000_000),
        refresh: refresh.unwrap_or_default(),
        metrics,
    }))
}
