//! `lensflow peek`: the library's [`PeekJob`], and the command to go on with.

use super::{Job, save_spec};
use crate::allocator::keep_to_limit;
use crate::layers::{Said, shell};
use crate::options::Kind;
use crate::page::{self, Inputs, Page};
use crate::talk::{Host, print};
use lensflow::Result;
use lensflow::error::Error;
use lensflow::jobs::files;
use lensflow::jobs::peek::{PeekJob, Peeked, PeekedReading, render};
use lensflow::orders::Lines;
use lensflow::spec::Spec;
use lensflow::text::visible;
use std::path::PathBuf;

/// A look at files.
#[derive(Debug, Clone)]
pub(crate) struct Peek {
    pub(crate) job: PeekJob,
    /// What is said, and what the columns tell.
    pub(crate) said: Said,
    pub(crate) json: bool,
    /// Where the spec of the audit goes.
    pub(crate) spec_file: Option<PathBuf>,
}

impl Peek {
    /// The audit that is proposed: what is said and told, with windows, a way to read the input and, where lines were seen that need one, a
    /// policy.
    fn audit(&self, peeked: &Peeked, reading: &PeekedReading) -> Result<Said> {
        let mut settings = reading.settings.clone();
        settings.extend(reading.lacking.iter().map(|column| (format!("columns.{column}"), vec!["NAME".to_owned()])));
        if self.said.get("windows.every").is_none() && self.said.get("windows.list").is_none() {
            settings.push(("windows.every".to_owned(), vec!["month".to_owned()]));
        }
        if !peeked.leaves_out.is_empty() {
            settings.push(("source.except".to_owned(), peeked.leaves_out.iter().map(ToString::to_string).collect()));
        }
        if peeked.needs_policy && self.said.get("transactions.policy").is_none() {
            settings.extend(POLICY.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])));
        }
        let mut said = self.said.as_job(Kind::Audit);
        // What was looked at counts over what the columns told.
        reading.settings.iter().for_each(|(key, _)| said.leave_out_told(key));
        said.told(&settings, "a look at the input")
    }

    /// The arguments of the command that does it. What an audit is told by the columns itself need not be said.
    fn command(&self, audit: &Said) -> Vec<String> {
        let told_again = self.job.recognized.layout.is_some() || self.job.recognized.seen.is_none();
        let by = |said: &Said| said.clone().without_told_by(|by| by != "a look at the input");
        let said = if told_again { by(audit) } else { audit.clone() };
        said.arguments()
    }
}

/// An audit that only a person can decide about is not saved.
fn unsure(peeked: &Peeked) -> Error {
    let shown = |reading: &PeekedReading| {
        let options =
            reading.settings.iter().map(|(key, values)| format!("`{}={}`", key.rsplit('.').next().unwrap_or(key), values.join(",")));
        format!("{} if {}", options.collect::<Vec<_>>().join(" "), reading.says)
    };
    let ways: Vec<String> = peeked.readings.iter().map(shown).collect();
    Error::data("the input can be read in more than one way").input(&peeked.input).help(format!("say which: {}", ways.join(", or ")))
}

/// The policies of shops: refunds lessen what was spent, lines without a customer are reported apart, copies are left out.
const POLICY: &[(&str, &str)] =
    &[("transactions.refunds", "net"), ("transactions.anonymous", "report"), ("transactions.duplicates", "drop")];

impl Job for Peek {
    fn check(&self) -> Result<Inputs> {
        let found = files(&self.job.recognition.inputs, self.job.recognition.format, None, &Spec::default(), false)?;
        Ok(Inputs { files: found.len(), states: 0 })
    }

    fn run(&self, host: &mut Host<'_>) -> Result<()> {
        keep_to_limit(&self.job.spec);
        let mut job = self.job.clone();
        job.cancel = host.signals.cancel.clone();
        let peeked = job.run()?;
        host.shown();
        let audits: Vec<Said> = peeked.readings.iter().map(|reading| self.audit(&peeked, reading)).collect::<Result<_>>()?;
        if let Some(file) = &self.spec_file {
            let [audit] = &audits[..] else { return Err(unsure(&peeked)) };
            save_spec(&audit.toml()?, file)?;
        }
        let arguments: Vec<Vec<String>> = audits.iter().map(|audit| self.command(audit)).collect();
        if !self.json {
            let commands: Vec<String> = arguments.iter().map(|arguments| shell("audit", arguments)).collect();
            return print(visible(&host.speech.say(&render(&peeked, &commands))).as_bytes());
        }
        let failed = |e: serde_json::Error| Error::internal("what was seen has no JSON form").cause(e);
        let mut json = serde_json::to_value(&peeked).map_err(failed)?;
        let command = |arguments: &Vec<String>| ["lensflow", "audit"].into_iter().map(str::to_owned).chain(arguments.clone()).collect();
        let commands: Vec<Vec<String>> = arguments.iter().map(command).collect();
        // What only a person can decide or complete is no command.
        let only = commands.first().filter(|_| commands.len() == 1 && peeked.readings.iter().all(|reading| reading.lacking.is_empty()));
        json["command"] = serde_json::to_value(only).map_err(failed)?;
        for (reading, command) in json["readings"].as_array_mut().into_iter().flatten().zip(&commands) {
            reading["command"] = serde_json::to_value(command).map_err(failed)?;
        }
        print(serde_json::to_string_pretty(&json).map_err(failed)? + "\n")
    }

    fn tell_inputs(&self, page: &mut Page) -> Inputs {
        let files = page.files(&self.job.recognition.inputs, self.job.recognition.format, self.job.lines.as_ref(), &self.job.spec);
        Inputs { files, states: 0 }
    }

    fn tell_outputs(&self, page: &mut Page) {
        page.say("report", "seen", "on stdout, with the command of an audit");
    }

    fn summary(&self, Inputs { files, .. }: Inputs) -> String {
        format!("a look at {}", page::inputs(&self.job.recognition.inputs, files))
    }

    fn lines(&self) -> Option<&Lines> {
        self.job.lines.as_ref()
    }
}
