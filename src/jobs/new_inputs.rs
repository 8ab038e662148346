//! Which inputs of an update its state has not: those with other bytes and other text than any before. A name that came before with
//! another content is refused, unless it is said what is meant by that.

use super::Update;
use crate::base::error::{Error, Result, Stage};
use crate::source::files::{Fingerprint, STDIN, fingerprint};
use crate::source::objects::is_url;
use crate::state::State;
use crate::state::manifest::{Input, Manifest};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

/// An input that changes nothing: the state has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// Its name now.
    pub name: String,
    /// Its name when it was taken in.
    pub before: String,
}

/// The inputs of an update.
#[derive(Default)]
pub(super) struct Found {
    /// To be read.
    pub(super) paths: Vec<String>,
    /// Their lengths and fingerprints, where they could be read beforehand.
    pub(super) taken: Vec<Input>,
    /// When files were changed before they were looked at: they must be the same when they have been read.
    changed: Vec<(String, Option<(u64, SystemTime)>)>,
    pub(super) known: Vec<Known>,
    /// The places of inputs of the state that are taken out, because these are in their place.
    pub(super) replaced: BTreeSet<usize>,
}

impl Found {
    /// Looks at the inputs: those that are files have their fingerprints now, others when they have been read.
    ///
    /// # Errors
    /// When one cannot be read, or has the name of one that the state has with other contents.
    pub(super) fn look(update: &Update, manifest: &Manifest, paths: Vec<String>, folder: &Path) -> Result<Self> {
        let mut found = Found::default();
        let last = last_segment(manifest).filter(|_| update.endless);
        for path in paths {
            // It may have been committed although that was said to have failed.
            if last.as_deref().is_some_and(|last| *segment_name(&path) <= *last) {
                found.known.push(Known { name: path, before: STREAM.to_owned() });
                continue;
            }
            if path == STDIN || !is_url(&path) && !Path::new(&path).is_file() {
                found.paths.push(path);
                continue;
            }
            update.cancel.check()?;
            update.io.perform(|| Ok(())).map_err(|e| Error::io("cannot read", e).input(&path).stage(Stage::Source))?;
            found.changed.push((path.clone(), changed(&path)));
            let input = found.input(path.clone(), fingerprint(&path)?, manifest);
            if let Some(before) = update.find_known(manifest, &found.taken, &input) {
                found.known.push(Known { name: path, before });
                continue;
            }
            let has_it = || manifest.inputs.iter().any(|other| other.content() == input.content());
            if !(update.endless || update.allow_duplicate && has_it()) {
                found.with_name(update, manifest, &path, folder)?;
            }
            found.taken.push(input);
            found.paths.push(path);
        }
        Ok(found)
    }

    pub(super) fn input(&self, name: String, Fingerprint { bytes, hash, content }: Fingerprint, manifest: &Manifest) -> Input {
        Input { content, ..Input::new(name, bytes, hash, manifest.generation + 1) }
    }

    /// An input whose name the state knows with other contents.
    fn with_name(&mut self, update: &Update, manifest: &Manifest, name: &str, folder: &Path) -> Result<()> {
        let before: BTreeSet<usize> = (0..manifest.inputs.len()).filter(|&at| manifest.inputs[at].is_named(name)).collect();
        if update.replace {
            self.replaced.extend(before);
            return Ok(());
        }
        match before.last() {
            Some(&at) if !update.allow_changed => {
                let generation = manifest.inputs[at].generation;
                let what = format!(
                    "a file of this name with other contents is in the state {} already, since generation {generation}",
                    folder.display()
                );
                let help = "if it is the same days again, corrected or longer, say `replace=true`: the rows of the earlier one are taken out; \
                            if it holds other rows than the earlier one, say `allow_changed=true`: they are added";
                Err(Error::data(what).input(name).help(help))
            }
            _ => Ok(()),
        }
    }

    /// Fails when a file was changed while it was read.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        match self.changed.iter().find(|(name, before)| changed(name) != *before) {
            Some((name, _)) => {
                let error = Error::data("the file changed while it was read").input(name).stage(Stage::Source);
                Err(error.help("take it in when it is written completely"))
            }
            None => Ok(()),
        }
    }
}

impl Update {
    /// The name of an input when it was taken in, if the state has it: the same bytes, or the same text.
    pub(super) fn find_known(&self, manifest: &Manifest, taken: &[Input], input: &Input) -> Option<String> {
        if self.allow_duplicate || self.endless {
            return None;
        }
        let found = manifest.inputs.iter().chain(taken).find(|other| other.content() == input.content());
        found.map(|before| before.name.clone())
    }
}

/// Refuses files beside states that have taken them in: their rows would count twice. Only files of a length that the state knows are read.
pub(super) fn are_new(states: &[State], files: &[String]) -> Result<()> {
    for (file, state) in files.iter().flat_map(|file| states.iter().map(move |state| (file, state))) {
        let length = std::fs::metadata(file).map_or(0, |about| about.len());
        let inputs = &state.manifest().inputs;
        if file == STDIN || !is_url(file) && !inputs.iter().any(|input| input.bytes == length) {
            continue;
        }
        let hash = fingerprint(file)?.hash;
        if let Some(known) = inputs.iter().find(|input| input.fingerprint == hash) {
            let what = format!("the state {} has taken it in, as {}: its rows would count twice", state.path().display(), known.name);
            return Err(Error::usage(what).input(file).help("leave it out"));
        }
    }
    Ok(())
}

/// A file's length, and when it was last changed.
fn changed(path: &str) -> Option<(u64, SystemTime)> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.len(), about.modified().ok()?))
}

/// The name of the stream in a state.
const STREAM: &str = "stdin";
/// Before the name of a stream's last segment, where another input has its fingerprint.
const SEGMENT: &str = "segment ";

/// The last segment of a stream that a state has taken in: the name of its file, without extensions.
pub(crate) fn last_segment(manifest: &Manifest) -> Option<String> {
    manifest.inputs.iter().filter_map(|input| input.fingerprint.strip_prefix(SEGMENT)).max().map(str::to_owned)
}

fn segment_name(path: &str) -> String {
    Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Adds segments to the input that stands for their stream.
pub(super) fn remember_segments(inputs: &mut Vec<Input>, taken: &[Input]) {
    let Some(last) = taken.iter().map(|input| segment_name(&input.name)).max() else { return };
    let (bytes, generation) = (taken.iter().map(|input| input.bytes).sum::<u64>(), taken[0].generation);
    let streams = inputs.iter_mut().filter(|input| input.fingerprint.starts_with(SEGMENT));
    let fingerprint = format!("{SEGMENT}{last}");
    match streams.max_by(|a, b| a.fingerprint.cmp(&b.fingerprint)) {
        Some(stream) => {
            let fingerprint = fingerprint.max(stream.fingerprint.clone());
            *stream = Input::new(STREAM.to_owned(), stream.bytes + bytes, fingerprint, generation);
        }
        None => inputs.push(Input::new(STREAM.to_owned(), bytes, fingerprint, generation)),
    }
}
