//! From entries to a job: what contradicts itself or would do nothing is refused, and what is left is one of four jobs. Nothing is looked
//! at but the names of states, which decide what is done about bad rows.

use super::job::{Follow, Job};
use super::layers::Layers;
use super::read::{Following, Inbox, STDIN, Values, following, refuse, values};
use crate::audit::{AuditJob, Input};
use crate::states::{MergeJob, UpdateJob};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::follow::Feed;
use lensflow::model::{Column, ColumnMap, OnBadRow};
use lensflow::source::files::Format;
use lensflow::spec::Spec;
use lensflow::state::is_state;
use std::path::{Path, PathBuf};

/// Understands a spec.
///
/// # Errors
/// [`Kind::Usage`](lensflow::error::Kind::Usage), with the place of the entry at fault.
pub(crate) fn resolve(layers: &Layers) -> Result<Job> {
    let following = following(layers)?;
    let values = values(layers)?;
    match (following, values.merge.clone(), values.state.clone()) {
        (Some(following), ..) => values.follow(following),
        (None, Some(states), _) => values.merge(&states),
        (None, None, Some(state)) => values.update(&state),
        (None, None, None) => values.audit(),
    }
}

impl Values<'_> {
    fn audit(self) -> Result<Job> {
        self.refuse(
            &[("state", "every"), ("state", "allow_duplicate")],
            "it does nothing without path",
            "add path = \"state/\" to [state]",
        )?;
        let input = match (self.inputs.clone(), self.synthetic.clone()) {
            (Some(_), Some(_)) => {
                let error = self.wrong("source", "synthetic", "made-up rows come instead of inputs, not beside them");
                return Err(error.help("leave one of them out"));
            }
            (None, None) => return Err(self.no_input("add inputs = [\"data/*.parquet\"] to [source]")),
            (Some(named), None) => Input::Named(named),
            (None, Some(synthetic)) => {
                let why = "made-up rows have a form of their own";
                self.refuse(&["from", "format"].map(|key| ("source", key)), why, "leave it out")?;
                self.refuse(&Column::ALL.map(|column| ("columns", column.name())), why, "leave it out")?;
                self.refuse(&[("state", "checkpoint")], "rows that are made up are made up again", "leave it out")?;
                Input::Synthetic(synthetic)
            }
        };
        if matches!(&input, Input::Named(named) if named.iter().any(|name| name == STDIN)) {
            self.refuse(
                &[("state", "checkpoint")],
                "what comes through a pipe cannot be read again",
                "name a file, or leave checkpoint out",
            )?;
        }
        if self.lines.is_some() {
            let help = "leave it out, or make period aggregations with lensflow periods first";
            self.refuse(&[("state", "checkpoint")], "a checkpoint of orders and line items is not kept yet", help)?;
        }
        let states = match &input {
            Input::Named(named) => named.iter().any(|name| is_state(Path::new(name))),
            Input::Synthetic(_) => false,
        };
        let (checkpoint, lines) = (self.checkpoint.clone(), self.lines.clone());
        Ok(Job::Audit(Box::new(AuditJob { checkpoint, lines, ..self.audit_of(input, states)? })))
    }

    fn update(mut self, state: &Path) -> Result<Job> {
        self.not_of_an_audit_alone()?;
        self.refuse(
            &[("source", "synthetic")],
            "a state takes in files",
            "write the rows with lensflow generate first, or leave path out",
        )?;
        let Some(inputs) = self.inputs.take() else {
            let help = format!("add inputs to [source]; to audit the state alone, name it there: inputs = [{:?}]", state.to_string_lossy());
            return Err(self.no_input(&help));
        };
        let update = UpdateJob {
            state: state.to_owned(),
            inputs,
            every: self.every,
            format: self.format,
            on_bad_row: self.on_bad_row,
            spec: self.spec.clone(),
            allow_duplicate: self.allow_duplicate,
            audited: None,
            lines: self.lines.clone(),
        };
        let audit = self.audit_after(state, is_state(state))?;
        let audited = audit.as_ref().map(|audit| audit.spec.windows.clone());
        Ok(Job::Update { update: Box::new(UpdateJob { audited, ..update }), audit })
    }

    fn merge(self, states: &[String]) -> Result<Job> {
        self.not_of_an_audit_alone()?;
        let Some(out) = self.state.clone() else {
            return Err(self.wrong("state", "merge", "it is not said into which state").help("add path = \"merged/\" to [state]"));
        };
        let why = "a merge takes in states alone";
        self.refuse(&["inputs", "synthetic", "from", "format"].map(|key| ("source", key)), why, "leave it out, or merge out")?;
        self.refuse(&Column::ALL.map(|column| ("columns", column.name())), why, "leave it out, or merge out")?;
        self.refuse(&[("state", "every")], "a merged state is kept as the states that it is made of", "leave it out")?;
        if states.is_empty() {
            return Err(self.wrong("state", "merge", "no state is named").help("write merge = [\"germany/\", \"france/\"]"));
        }
        let merge =
            MergeJob { out: out.clone(), states: states.iter().map(PathBuf::from).collect(), allow_duplicate: self.allow_duplicate };
        Ok(Job::Merge { merge, audit: self.audit_after(&out, true)? })
    }

    fn follow(self, Following { inbox, quarantine, commit, commit_rows, refresh, metrics }: Following) -> Result<Job> {
        self.not_of_an_audit_alone()?;
        let what = "what is followed is taken into a state, and nothing else";
        self.refuse(&[("source", "inputs"), ("source", "synthetic"), ("state", "merge")], what, "leave it out, or follow out")?;
        self.refuse(&[("state", "allow_duplicate")], "the same bytes given again always change nothing here", "leave it out")?;
        self.refuse(&[("report", "partial_out")], "what is followed has no end", "leave it out")?;
        let Some(state) = self.state.clone() else {
            let error = self.wrong("source", "follow", "what comes is taken into a state, and none is named");
            return Err(error.help("add path = \"state/\" to [state]"));
        };
        self.outputs_make_sense(is_state(&state))?;
        // Beside the state, not in it: it holds its own files alone.
        let beside = |what: &str| PathBuf::from(format!("{}.{what}", state.to_string_lossy().trim_end_matches('/')));
        let (feed, aside) = match inbox {
            Some(Inbox { folder, glob, poll, finished }) => {
                let aside = folder.join("_quarantine");
                (Feed::Inbox { folder, glob, poll, finished }, aside)
            }
            None if self.format == Some(Format::Parquet) => {
                return Err(self
                    .wrong("source", "format", "Parquet ends with what is read first, and a stream need not end")
                    .help("follow CSV, JSONL or an Arrow stream"));
            }
            None if self.lines.as_ref().is_some_and(|lines| !lines.options.one_row_per_order) => {
                let what = "a stream is cut between any two rows, and the lines of an order have to come together";
                let help = "add one_row_per_order = true to [transactions] if each row is an order, or follow a folder";
                return Err(self.wrong("source", "follow", what).help(help));
            }
            None => (Feed::Stdin { spool: beside("spool") }, beside("quarantine")),
        };
        Ok(Job::Follow(Box::new(Follow {
            feed,
            quarantine: quarantine.unwrap_or(aside),
            state,
            every: self.every,
            commit,
            commit_rows,
            format: self.format,
            on_bad_row: self.on_bad_row,
            spec: self.spec,
            lines: self.lines,
            out: self.out,
            refresh,
            metrics,
        })))
    }

    /// The audit of a state that was just changed, if anything is said of one.
    fn audit_after(self, state: &Path, there: bool) -> Result<Option<Box<AuditJob>>> {
        if ["windows", "report", "rfm"].iter().all(|section| self.layers.section(section).next().is_none()) {
            return Ok(None);
        }
        // The state's name ends as it was written; what it took in came with columns of its own.
        let input = Input::Named(vec![state.to_string_lossy().into_owned()]);
        let audit = self.audit_of(input, there)?;
        let spec = Spec { columns: ColumnMap::default(), ..audit.spec };
        Ok(Some(Box::new(AuditJob { spec, format: None, ..audit })))
    }

    fn audit_of(self, input: Input, states: bool) -> Result<AuditJob> {
        self.outputs_make_sense(states)?;
        let Values { format, on_bad_row, spec, out, partial_out, .. } = self;
        Ok(AuditJob { input, lines: None, format, on_bad_row, spec, out, partial_out, checkpoint: None })
    }

    /// Sorting needs rows, and rejects need a policy. Without a word about bad rows, only a state may say that they are left out.
    fn outputs_make_sense(&self, states: bool) -> Result<()> {
        if self.out.rfm.is_none() && self.out.migration.is_none() {
            self.refuse(&[("rfm", "sorted")], "there are no rows to sort", "add out = \"rfm.parquet\" to [rfm], or leave sorted out")?;
        }
        let fails = self.on_bad_row == Some(OnBadRow::Fail) || self.on_bad_row.is_none() && !states;
        if fails && self.out.rejects.is_some() {
            let error = self.wrong("report", "rejects", "there is nothing to write while bad rows end the run");
            return Err(error.help("add on_bad_row = \"reject\" to [source]"));
        }
        Ok(())
    }

    fn not_of_an_audit_alone(&self) -> Result<()> {
        let why = "only an audit that changes no state is kept in checkpoints";
        self.refuse(&[("state", "checkpoint"), ("state", "checkpoint_every")], why, "leave it out")
    }

    /// Refuses what would do nothing.
    fn refuse(&self, keys: &[(&str, &str)], why: &str, help: &str) -> Result<()> {
        refuse(self.layers, keys, why, help)
    }

    fn wrong(&self, section: &str, key: &str, what: &str) -> Error {
        self.layers.get(section, key).map_or_else(|| Error::usage(format!("{}: {what}", self.layers.name)), |entry| entry.wrong(what))
    }

    fn no_input(&self, help: &str) -> Error {
        Error::usage(format!("{}: no input is named", self.layers.name)).help(help)
    }
}
