//! Finds the inputs that are meant by what a user names: files, folders, globs and `-`.

use super::files::STDIN;
use super::format::Format;
use super::globs::{is_glob, matching};
use super::objects::{self, Object, is_url};
use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::text::counted;
use crate::model::note::{Notes, Topic};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that are named in a message.
const NAMED: usize = 3;

/// The inputs, in the order that they are read in.
pub(super) struct Found {
    pub(super) inputs: Vec<String>,
    /// The bytes of all of them, where they are known.
    pub(super) size: Option<u64>,
    /// Those that are objects, by their names.
    pub(super) objects: BTreeMap<String, Arc<Object>>,
}

/// Finds the inputs. Of a folder, files of a known extension, or with `any` all.
///
/// # Errors
/// When something named is not there, a folder or glob holds no input, or an input is meant twice.
pub(super) fn find<S: AsRef<str>>(named: &[S], any: bool, notes: &Notes) -> Result<Found> {
    let (mut inputs, mut objects) = (Vec::new(), BTreeMap::new());
    for name in named.iter().map(AsRef::as_ref) {
        let path = Path::new(name);
        if is_url(name) {
            for object in objects::find(name, any)? {
                inputs.push(object.url().to_owned());
                objects.insert(object.url().to_owned(), Arc::new(object));
            }
        } else if name != STDIN && path.is_dir() {
            in_folder(path, any, &mut inputs, notes)?;
        } else if name == STDIN || path.exists() {
            inputs.push(name.to_owned());
        } else {
            let found = matching(name)?;
            if found.is_empty() {
                let what = if is_glob(name) { "the glob matches no file" } else { "there is no such file or folder" };
                return Err(Error::new(Kind::Io, what).input(name).stage(Stage::Source));
            }
            inputs.extend(found.iter().map(|p| p.to_string_lossy().into_owned()));
        }
    }
    inputs.sort();
    let mut real: Vec<(PathBuf, &String)> =
        inputs.iter().map(|name| (std::fs::canonicalize(name).unwrap_or_else(|_| name.into()), name)).collect();
    real.sort();
    if let Some(twice) = real.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let (one, other) = (twice[0].1, twice[1].1);
        let names = if one == other { format!("{one} is given twice") } else { format!("{one} and {other} are the same file") };
        return Err(Error::usage(format!("{names}: its rows would count twice")));
    }
    let size = |name: &String| match objects.get(name) {
        Some(object) => Some(object.size()),
        None => std::fs::metadata(name).ok().filter(|about| about.is_file()).map(|about| about.len()),
    };
    let size = inputs.iter().map(size).sum::<Option<u64>>();
    Ok(Found { inputs, size, objects })
}

/// The inputs in a folder, at any depth.
fn in_folder(folder: &Path, any: bool, inputs: &mut Vec<String>, notes: &Notes) -> Result<()> {
    let name = folder.to_string_lossy();
    let (before, mut others) = (inputs.len(), Vec::new());
    collect(folder, any, inputs, &mut others)?;
    others.sort();
    let more = if others.len() > NAMED { ", …" } else { "" };
    let named = others[..others.len().min(NAMED)].join(", ");
    if inputs.len() == before {
        let error = Error::data("the folder holds no .parquet, .csv, .jsonl, .arrow or .xlsx file").input(name).stage(Stage::Source);
        let help = format!("if {named}{more} is what is meant, name it, or say its `format`");
        return Err(if others.is_empty() { error } else { error.help(help) });
    }
    if !others.is_empty() {
        let files = counted(others.len(), "file with another extension was", "files with other extensions were");
        let what = format!("{name}: {files} passed over: {named}{more}; to read such a file, name it, or say its `format`");
        notes.say(Topic::PassedOver, what);
    }
    Ok(())
}

/// Files that writers of tables leave beside them.
fn is_by_the_way(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "crc" || extension == "md5" || extension == "sha256")
}

fn collect(folder: &Path, any: bool, inputs: &mut Vec<String>, others: &mut Vec<String>) -> Result<()> {
    let fail = |e| Error::io("cannot list the folder", e).input(folder.to_string_lossy()).stage(Stage::Source);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(['.', '_']));
        if hidden {
            continue;
        }
        // A link to a folder may lead back to where it lies.
        if path.is_dir() && !path.is_symlink() {
            collect(&path, any, inputs, others)?;
        } else if path.is_dir() {
            tracing::warn!(path = %path.display(), "a link to a folder is not followed");
        } else if std::fs::metadata(&path).is_ok_and(|about| !about.is_file()) {
            // It has no end, or waits for somebody who writes to it.
            tracing::warn!(path = %path.display(), "a pipe or a device in a folder is not read; name it, and it is");
        } else if any || Format::is_input(&path) {
            inputs.push(path.to_string_lossy().into_owned());
        } else if !is_by_the_way(&path) {
            others.push(entry_name(&path));
        }
    }
    Ok(())
}

fn entry_name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}
