//! Refuses options that contradict themselves or would do nothing, whether flags, variables or a spec say them. Each rule names the options at
//! fault, why, and what to do instead; the first of the options that was said is named by its place. A variable is set for a whole shell: one
//! that would do nothing here is left out instead, and `--verbose` tells of it. Nothing is looked at but the names of states, which decide
//! what is done about bad rows. What files hold is for the jobs.

use crate::layers::{Entry, Said};
use crate::options::row_options::{lines, of_lines, rows_are};
use crate::options::value_types::{Action, SegmentsAction};
use crate::options::{Kind, Options, Then};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::RowsAre;
use lensflow::model::{Column, Granularity, OnBadRow, TransactionColumn, Windows};
use lensflow::source::files::Format;
use lensflow::state::is_state;
use std::path::Path;

/// How standard input is called.
pub(crate) const STDIN: &str = "-";
/// The advice where there is none better.
const OUT: &str = "leave it out";
/// Options of following alone.
const OF_FOLLOWING: &[&str] = &[
    "source.glob",
    "source.poll",
    "source.finished",
    "source.done",
    "source.quarantine",
    "state.commit",
    "state.commit_rows",
    "report.refresh",
    "serve.metrics",
];

/// The typed options, once what contradicts itself, would do nothing, or lacks something is refused, and variables that would do nothing are
/// left out.
///
/// # Errors
/// [`Kind::Usage`](lensflow::error::Kind::Usage), with the place of the option at fault.
pub(crate) fn refuse(said: &mut Said) -> Result<Options> {
    loop {
        let options = said.options()?;
        match judge(said, &options) {
            Ok(()) => return Ok(options),
            Err(Refusal { idle: Some(key), error }) if said.leave_out(key) => tracing::info!("{error}; the variable is left out"),
            Err(Refusal { error, .. }) => return Err(error),
        }
    }
}

/// A rule's refusal; where an option would do nothing, which.
struct Refusal {
    idle: Option<&'static str>,
    error: Error,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal { idle: None, error }
    }
}

type Verdict = std::result::Result<(), Refusal>;

fn judge(said: &Said, options: &Options) -> Verdict {
    let rules = Rules { said, options, kind: said.kind };
    rules.following()?;
    rules.windows()?;
    rules.rows()?;
    match said.kind {
        Kind::Audit | Kind::Spec => rules.audit(),
        Kind::Peek => rules.needs_inputs(),
        Kind::Update => rules.update(),
        Kind::Merge => rules.merge(),
        Kind::Follow => rules.follow(),
        Kind::Periods => rules.periods(),
        Kind::Sketch => rules.sketch(),
        Kind::Compare => rules.needs(&["compare.a", "compare.b"], "two sides are compared, and one is not named"),
        Kind::Generate => rules.generate(),
        Kind::Inspect => rules.needs(&["inspect.path"], "it is not said what to inspect"),
        Kind::Manage => rules.manage(),
        Kind::Segments => rules.segments(),
    }?;
    rules.answers()?;
    rules.others()
}

struct Rules<'a> {
    said: &'a Said,
    options: &'a Options,
    kind: Kind,
}

impl Rules<'_> {
    /// Refuses the first of some options that was said.
    fn refuse(&self, keys: &[&str], why: &str, help: &str) -> Verdict {
        let said = self.said.entries().find(|entry| keys.contains(&entry.row.key));
        said.map_or(Ok(()), |entry| Err(entry.wrong(why).help(help).into()))
    }

    /// Refuses the first of some options that was said, because it would do nothing.
    fn idle(&self, keys: &[&str], why: &str, help: &str) -> Verdict {
        self.first_idle(|entry| keys.contains(&entry.row.key), why, help)
    }

    fn first_idle(&self, is_idle: impl Fn(&Entry) -> bool, why: &str, help: &str) -> Verdict {
        let said = self.said.entries().find(|entry| is_idle(entry));
        said.map_or(Ok(()), |entry| Err(Refusal { idle: Some(entry.row.key), error: entry.wrong(why).help(help) }))
    }

    fn segments(&self) -> Verdict {
        self.needs(&["segments.action", "segments.of"], "it is not said what to do, or with which segments or state")?;
        if self.options.segments.action == Some(SegmentsAction::Move) {
            return self.needs(&["rfm.segments"], "it is not said by which segments");
        }
        let is_idle = |entry: &Entry| {
            !["segments.action", "segments.of", "rfm.bins", "rfm.cuts"].contains(&entry.row.key) && entry.row.section() != "limits"
        };
        self.first_idle(is_idle, "a look at segments reads no customers", OUT)
    }

    /// What is done with a state: each action takes what it needs.
    fn manage(&self) -> Verdict {
        self.needs(&["manage.action", "manage.state"], "it is not said what to do, or with which state")?;
        let action = self.options.manage.action;
        let of_names = matches!(action, Some(Action::Remove | Action::Forget));
        if of_names {
            self.needs(&["manage.names"], "it is not said which inputs or customers to take out")?;
        } else {
            self.idle(&["manage.names"], "only `remove` and `forget` take names", OUT)?;
        }
        match action {
            Some(Action::Drop) => self.needs(&["manage.before"], "it is not said what to drop")?,
            _ => self.idle(&["manage.before"], "only `drop` drops periods", OUT)?,
        }
        match action {
            Some(Action::Export) => self.needs(&["manage.out"], "it is not said where the rows go")?,
            _ => self.idle(&["manage.out"], "only `export` writes a table", OUT)?,
        }
        if action == Some(Action::History) { Ok(()) } else { self.idle(&["manage.json"], "only a history is printed as JSON", OUT) }
    }

    /// Refuses it where an option is lacking.
    fn needs(&self, keys: &[&str], why: &str) -> Verdict {
        let advice = |key: &str| format!("add `{key}=…`");
        let lacking = keys.iter().find(|key| !self.has(key));
        lacking.map_or(Ok(()), |key| Err(self.said.wrong(why).help(advice(key)).into()))
    }

    fn needs_inputs(&self) -> Verdict {
        if self.has("source.inputs") {
            return Ok(());
        }
        Err(self.said.wrong("no input is named").help("add `source.inputs=[\"data/*.parquet\"]`").into())
    }

    fn has(&self, key: &str) -> bool {
        self.said.get(key).is_some()
    }

    fn names_stdin(&self) -> bool {
        self.options.source.inputs.iter().flatten().any(|name| name == STDIN)
    }

    fn names_states(&self) -> bool {
        self.options.source.inputs.iter().flatten().any(|name| is_state(Path::new(name)))
    }

    fn following(&self) -> Verdict {
        let (source, follows_stdin) = (&self.options.source, self.options.source.follow.as_deref() == Some(STDIN));
        if self.kind != Kind::Follow {
            let help = "add `source.follow=inbox/`, or leave it out";
            return self.idle(OF_FOLLOWING, "it does nothing unless an inbox or stdin is followed", help);
        }
        if follows_stdin {
            let keys = ["source.glob", "source.poll", "source.finished", "source.done"];
            return self.idle(&keys, "it does nothing while stdin is followed", "leave it out, or follow a folder");
        }
        if source.finished != Some(Then::Move) {
            self.idle(&["source.done"], "nothing is moved there", "add `source.finished=move`, or leave it out")?;
        }
        Ok(())
    }

    fn windows(&self) -> Verdict {
        let windows = &self.options.windows;
        if let Some(start) = windows.year_starts {
            let everys = [windows.every, self.options.state.every, self.options.periods.every];
            let wrong = everys.iter().flatten().find_map(|every| every.of_year_from(start).err());
            if let (Some(error), Some(entry)) = (wrong, self.said.get("windows.year_starts")) {
                return Err(entry.refused(error).into());
            }
            if everys.iter().flatten().next().is_none() && self.said.spec.is_none() {
                let help = "add `windows.every=year`, or leave it out";
                self.refuse(&["windows.year_starts"], "it does nothing without calendar windows", help)?;
            }
        }
        for (key, every) in [("state.every", self.options.state.every), ("periods.every", self.options.periods.every)] {
            let Some(every) = every.filter(|every| !every.is_calendar()) else { continue };
            let why =
                if every == Granularity::All { "all of time is no calendar period" } else { "rolling windows are no calendar periods" };
            self.refuse(&[key], why, "say day, week, month, quarter, half or year")?;
        }
        let Some(list) = &windows.list else { return Ok(()) };
        if windows.every.is_some() {
            let why = "windows come from `windows.every` or from `windows.list`, not from both";
            self.refuse(&["windows.every"], why, "leave one of them out")?;
        }
        if list.is_empty() {
            let help = "write list = [\"2023-Q3\", \"2023-Q4\"], or `windows.every=quarter`";
            self.refuse(&["windows.list"], "no window is given", help)?;
        }
        let checked = Windows::List(list.clone()).validate();
        Ok(checked
            .map_err(|error| self.said.get("windows.list").map_or_else(|| Error::usage("no window"), |entry| entry.refused(error)))?)
    }

    /// Options of rows fit what rows are.
    fn rows(&self) -> Verdict {
        let options = self.options;
        if options.source.inputs.as_ref().is_some_and(Vec::is_empty) {
            self.refuse(&["source.inputs"], "no input is named", "write inputs = [\"data/*.parquet\"]")?;
        }
        // Each value alone was checked where it was read: months are left, of which the last may come before the first.
        if let Some(made) = &options.source.synthetic
            && let Err(error) = made.synthetic().generator()
        {
            let keys = ["source.synthetic.to", "source.synthetic.from", "source.synthetic"];
            let entry = keys.iter().find_map(|key| self.said.get(key));
            return Err(if let Some(entry) = entry { entry.refused(error) } else { error }.into());
        }
        let is_column = |entry: &Entry| entry.row.section() == "columns";
        let of_periods = |entry: &Entry| Column::from_name(entry.row.name()).is_some();
        let of_lines_too = |entry: &Entry| TransactionColumn::from_name(entry.row.name()).is_some();
        if rows_are(self.kind, options) == RowsAre::Auto {
            return Ok(());
        }
        if !of_lines(self.kind, options) {
            let is_refused = |entry: &Entry| entry.row.section() == "transactions" || is_column(entry) && !of_periods(entry);
            self.refuse(&["state.order_ids"], "period aggregations have no order ids", "leave it out, or take in orders")?;
            self.idle(&["source.naive_times"], "the time zone is one of orders and line items; period aggregations are in UTC", OUT)?;
            return self.first_idle(is_refused, "it is for orders and line items", "add `source.from=transactions`, or leave it out");
        }
        let why = "orders and line items have no such column: it is for period aggregations";
        self.first_idle(|entry| is_column(entry) && !of_lines_too(entry), why, "leave it out, or leave `source.from=transactions` out")?;
        if options.transactions.one_row_per_order {
            let why = "with `one_row_per_order`, each row is an order: rows are not compared with each other";
            self.idle(&["transactions.duplicates"], why, "leave one of the two out")?;
        }
        if !self.has("transactions.timezone") {
            let help = "add `timezone=Europe/Berlin`, or whose clock it is";
            self.idle(&["source.naive_times"], "without `timezone`, all times are UTC", help)?;
        }
        if matches!(options.source.format, Some(Format::Parquet | Format::Arrow)) {
            self.idle(&["source.encoding"], "text in Parquet and Arrow is UTF-8", OUT)?;
            self.idle(&["source.quote", "source.escape", "source.header_line", "source.sheet"], "it is for text and workbooks", OUT)?;
        }
        let help = "leave it out, or make period aggregations with lensflow periods first";
        self.refuse(&["state.checkpoint"], "a checkpoint of orders and line items is not kept yet", help)
    }

    fn audit(&self) -> Verdict {
        let made = self.options.source.synthetic.is_some();
        if !self.has("state.checkpoint") {
            let help = "add `state.checkpoint=kept/`";
            self.idle(&["state.checkpoint_every"], "it does nothing without `state.checkpoint`", help)?;
        }
        let help = "add `state.path=state/`";
        self.idle(&["state.every", "state.allow_duplicate"], "it does nothing without `state.path`", help)?;
        if made && self.has("source.inputs") {
            let why = "made-up rows come instead of inputs, not beside them";
            self.refuse(&["source.synthetic"], why, "leave one of them out")?;
        }
        if !made {
            self.needs_inputs()?;
        }
        if made {
            let is_refused = |entry: &Entry| ["source.from", "source.format"].contains(&entry.row.key) || entry.row.section() == "columns";
            self.first_idle(is_refused, "made-up rows have a form of their own", OUT)?;
            self.idle(&["state.checkpoint"], "rows that are made up are made up again", OUT)?;
        }
        if self.names_stdin() {
            let help = "name a file, or leave `state.checkpoint` out";
            self.refuse(&["state.checkpoint"], "what comes through a pipe cannot be read again", help)?;
        }
        // A spec has a default, and who is at the command line is asked.
        let windows = &self.options.windows;
        if self.said.spec.is_none() && windows.every.is_none() && windows.list.is_none() {
            let help = "give `windows.list=START..END` at least once, or `windows.every=day|week|month|quarter|half|year|all`";
            return Err(self.said.wrong("no window is given").help(help).into());
        }
        Ok(())
    }

    fn no_checkpoint(&self) -> Verdict {
        let why = "only an audit that changes no state is kept in checkpoints";
        self.refuse(&["state.checkpoint", "state.checkpoint_every"], why, OUT)
    }

    fn update(&self) -> Verdict {
        self.no_checkpoint()?;
        let help = "write the rows with lensflow generate first, or leave `state.path` out";
        self.refuse(&["source.synthetic"], "a state takes in files", help)?;
        self.needs(&["state.path"], "it is not said which state takes them in")?;
        if self.options.state.replace {
            self.refuse(
                &["state.allow_changed"],
                "with `replace`, the earlier rows are taken out: nothing is added to them",
                "say one of the two",
            )?;
        }
        let state = self.options.state.path.as_deref().unwrap_or(Path::new("")).to_string_lossy();
        self.needs_inputs().map_err(|_| {
            let help = format!("add inputs to [source]; to audit the state alone, name it there: inputs = [{state:?}]");
            self.said.wrong("no input is named").help(help).into()
        })
    }

    fn merge(&self) -> Verdict {
        self.no_checkpoint()?;
        if !self.has("state.path") {
            self.refuse(&["state.merge"], "it is not said into which state", "add `state.path=merged/`")?;
        }
        self.needs(&["state.path", "state.merge"], "no state is named")?;
        let keys = ["source.inputs", "source.synthetic", "source.from", "source.format"];
        let is_refused = |entry: &Entry| keys.contains(&entry.row.key) || entry.row.section() == "columns";
        self.first_idle(is_refused, "a merge takes in states alone", "leave it out, or merge out")?;
        self.refuse(&["state.every"], "a merged state is kept as the states that it is made of", OUT)?;
        if self.options.state.merge.as_ref().is_some_and(Vec::is_empty) {
            self.refuse(&["state.merge"], "no state is named", "write merge = [\"germany/\", \"france/\"]")?;
        }
        Ok(())
    }

    fn follow(&self) -> Verdict {
        self.no_checkpoint()?;
        let why = "what is followed is taken into a state, and nothing else";
        self.refuse(&["source.inputs", "source.synthetic", "state.merge"], why, "leave it out, or follow out")?;
        self.refuse(&["state.allow_duplicate"], "the same bytes given again always change nothing here", OUT)?;
        self.refuse(&["report.partial_out"], "what is followed has no end", OUT)?;
        if !self.has("state.path") {
            let why = "what comes is taken into a state, and none is named";
            self.refuse(&["source.follow"], why, "add `state.path=state/`")?;
        }
        if self.options.source.follow.as_deref() != Some(STDIN) {
            return Ok(());
        }
        if self.options.source.format == Some(Format::Parquet) {
            let why = "Parquet ends with what is read first, and a stream need not end";
            self.refuse(&["source.format"], why, "follow CSV, JSONL or an Arrow stream")?;
        }
        if of_lines(self.kind, self.options) && !self.options.transactions.one_row_per_order {
            let why = "a stream is cut between any two rows, and the lines of an order have to come together";
            let help = "add `one_row_per_order=true` if each row is an order, or follow a folder";
            self.refuse(&["source.follow"], why, help)?;
        }
        Ok(())
    }

    fn periods(&self) -> Verdict {
        if self.options.source.from == Some(RowsAre::Periods) {
            self.idle(&["source.from"], "period aggregations are made of orders and line items", OUT)?;
        }
        self.needs_inputs()?;
        self.needs(&["periods.every"], "no calendar period is given")?;
        self.needs(&["periods.out"], "no file to write is given")
    }

    fn sketch(&self) -> Verdict {
        self.needs_inputs()?;
        self.needs(&["sketch.window"], "no window is given")?;
        self.needs(&["sketch.out"], "no file to write is given")
    }

    fn generate(&self) -> Verdict {
        self.needs(&["source.synthetic.customers"], "no number of customers is given")?;
        self.needs(&["generate.out"], "no file to write is given")
    }

    /// Sorting needs rows, and rejects need a policy. Without a word about bad rows, only a state may say that they are left out.
    fn answers(&self) -> Verdict {
        let options = self.options;
        if self.kind == Kind::Peek {
            return Ok(());
        }
        if options.rfm.out.is_none() && options.report.migration_out.is_none() {
            let help = "add `rfm.out=rfm.parquet`, or leave `rfm.sorted` out";
            self.idle(&["rfm.sorted"], "there are no rows to sort", help)?;
        }
        if options.rfm.cuts_out.is_none() {
            self.idle(&["rfm.cuts_window"], "no cut points are written", "add `rfm.cuts_out=cuts.json`, or leave it out")?;
        }
        self.columns()?;
        if !options.report.out.iter().flatten().any(|path| path.extension().is_some_and(|end| end == "html")) {
            let keys = ["report.template", "report.currency", "report.locale"];
            self.idle(&keys, "no answers are a page of HTML", "add `report.out=audit.html`, or leave it out")?;
        }
        let there = options.state.path.as_deref().is_some_and(is_state);
        let states = self.kind == Kind::Merge || there || self.names_states();
        if options.source.on_bad_row == Some(OnBadRow::Fail) || options.source.on_bad_row.is_none() && !states {
            let why = "there is nothing to write while bad rows end the run";
            self.idle(&["report.rejects", "state.rejects"], why, "add `source.on_bad_row=reject`")?;
            let why = "no row may be left out while bad rows end the run";
            self.idle(&["source.max_rejects"], why, "add `source.on_bad_row=reject`, or leave it out")?;
        }
        if options.source.on_bad_row == Some(OnBadRow::Reject) {
            self.idle(&["source.fail_fast"], "with `source.on_bad_row=reject` no bad row ends the run", OUT)?;
        }
        Ok(())
    }

    /// Columns need rows, and rows that tell what the columns hold. A state is of period aggregations, whatever it took in.
    fn columns(&self) -> Verdict {
        let (options, Some(entry)) = (self.options, self.said.get("rfm.columns")) else { return Ok(()) };
        if options.rfm.out.is_none() {
            let help = "add `rfm.out=rfm.parquet`, or leave `rfm.columns` out";
            return self.idle(&["rfm.columns"], "there are no rows to have columns", help);
        }
        let of_state = matches!(self.kind, Kind::Update | Kind::Merge | Kind::Follow) || self.names_states();
        let rows = rows_are(self.kind, options);
        if rows == RowsAre::Auto && !of_state {
            return Ok(());
        }
        let lines = (rows == RowsAre::Transactions && !of_state).then(|| lines(options, None));
        let told = options.rfm.columns.iter().try_for_each(|columns| columns.check(lines.as_ref()));
        Ok(told.map_err(|error| entry.refused(error))?)
    }

    /// Options at which the job does not look.
    fn others(&self) -> Verdict {
        let job = match self.kind {
            Kind::Audit | Kind::Spec => "an audit",
            Kind::Peek => "a look",
            Kind::Periods => "making period aggregations",
            Kind::Update => "an update",
            Kind::Merge => "a merge",
            Kind::Follow => "following",
            Kind::Sketch => "a sketch",
            Kind::Compare => "a comparison",
            Kind::Generate => "generating rows",
            Kind::Inspect => "an inspection",
            Kind::Manage => "work on a state",
            Kind::Segments => "work on segments",
        };
        let why = format!("it does nothing in {job}");
        self.first_idle(|entry| !entry.row.acts_in(self.kind), &why, OUT)
    }
}
