//! `lensflow state`: what came into a state, what is taken out of it, and its customers as a table.

use super::Job;
use crate::options::value_types::Action;
use crate::page::{Inputs, Page};
use crate::talk::{Host, print};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::export_state;
use lensflow::state::{Io, Manifest, State, drop_before, forget, remove};
use lensflow::text::{counted, grouped};
use lensflow::time::format_timestamp;
use std::path::PathBuf;

/// Something that is done with a state.
#[derive(Debug, Clone)]
pub(crate) struct Manage {
    pub(crate) action: Action,
    pub(crate) state: PathBuf,
    /// Inputs or customers.
    pub(crate) names: Vec<String>,
    /// Before when periods are dropped.
    pub(crate) before: Option<i64>,
    /// The table of an export.
    pub(crate) out: Option<PathBuf>,
    pub(crate) csv_safe: bool,
    pub(crate) json: bool,
}

impl Manage {
    fn out(&self) -> Result<&PathBuf> {
        let error = || Error::usage("it is not said where the rows go").help("add `manage.out=rows.parquet`");
        self.out.as_ref().ok_or_else(error)
    }
}

impl Job for Manage {
    fn summary(&self, _: Inputs) -> String {
        let (state, names) = (self.state.display(), self.names.len());
        match self.action {
            Action::History => format!("history of {state}"),
            Action::Remove => format!("taking {} out of {state}", counted(names, "input", "inputs")),
            Action::Forget => format!("taking {} out of {state}", counted(names, "customer", "customers")),
            Action::Drop => format!("dropping old periods of {state}"),
            Action::Export => format!("export of {state}"),
        }
    }

    fn check(&self) -> Result<Inputs> {
        State::open(&self.state)?;
        if self.action == Action::Export {
            self.out()?;
        }
        Ok(Inputs { files: 0, states: 1 })
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        page.say("source", "state", self.state.display());
        Inputs { files: 0, states: 1 }
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        let state = self.state.display().to_string();
        match self.action {
            Action::History => {
                let opened = State::open(&self.state)?;
                print(&if self.json { opened.manifest().history_json()? } else { history(&state, opened.manifest()) })
            }
            Action::Export => {
                let opened = State::open(&self.state)?;
                if let Some(dropped) = opened.manifest().dropped_before() {
                    tracing::warn!("what lies before {dropped} was dropped: who bought only then is not in the table");
                }
                let rows = export_state(&opened, self.out()?, None, self.csv_safe, &host.signals.cancel)?;
                host.tell(&format!("{}: {}", self.out()?.display(), counted(rows, "row", "rows")));
                Ok(())
            }
            Action::Drop => {
                let before =
                    self.before.ok_or_else(|| Error::usage("it is not said what to drop").help("add `manage.before=2023-01-01`"))?;
                let changed = drop_before(&self.state, before, &host.signals.cancel, &Io::default())?;
                let (generation, files) = (changed.manifest.generation, counted(changed.rewritten, "file", "files"));
                let day = format_timestamp(before);
                let day = day.trim_end_matches("T00:00:00");
                host.tell(&match changed.rewritten {
                    0 => format!("{state}: unchanged: it has nothing before {day}"),
                    _ => format!("{state}: generation {generation}, what lies before {day} is dropped, {files} written again"),
                });
                Ok(())
            }
            Action::Remove => {
                let changed = remove(&self.state, &self.names, &Io::default())?;
                for input in &changed.inputs {
                    let rows = input.rows.map_or(String::new(), |rows| format!(": {}", counted(rows, "row", "rows")));
                    host.tell(&format!("{}: taken out{rows}", input.name));
                }
                host.tell(&format!("{state}: generation {}, {}", changed.manifest.generation, inputs(&changed.manifest)));
                Ok(())
            }
            Action::Forget => {
                let changed = forget(&self.state, &self.names, &host.signals.cancel, &Io::default())?;
                let (gone, files) = (changed.customers.len(), changed.rewritten);
                changed.unknown.iter().for_each(|id| host.tell(&format!("{id}: the state does not know this customer")));
                let (gone, files) = (counted(gone, "customer", "customers"), counted(files, "file", "files"));
                host.tell(&format!("{state}: generation {}, {gone} taken out, {files} written again", changed.manifest.generation));
                Ok(())
            }
        }
    }
}

fn inputs(manifest: &Manifest) -> String {
    format!("{} left", counted(manifest.inputs.len(), "input", "inputs"))
}

/// What came in, the oldest first.
fn history(state: &str, manifest: &Manifest) -> String {
    let mut text = format!("{state}: generation {}, {}\n", manifest.generation, counted(manifest.inputs.len(), "input", "inputs"));
    let head = ["generation", "taken in (UTC)", "rows", "rejected", "can go", "input"].map(str::to_owned);
    let unknown = || "-".to_owned();
    let row = |input: &lensflow::state::Input| {
        [
            input.generation.to_string(),
            input.taken_at().unwrap_or_else(unknown),
            input.rows.map_or_else(unknown, grouped),
            input.rows_rejected.map_or_else(unknown, grouped),
            if input.lies_apart() { "yes" } else { "no" }.to_owned(),
            input.name.clone(),
        ]
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(manifest.inputs.iter().map(row)).collect();
    let widths: Vec<usize> = (0..5).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row[..5].iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        text += &format!("  {}  {}\n", cells.join("  "), row[5]);
    }
    text
}
