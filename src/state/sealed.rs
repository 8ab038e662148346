//! Sealed records: JSON, and a line with its checksum. One such record says which files of a folder count: a state's [`Manifest`], or the
//! record of a checkpoint.
//!
//! [`Manifest`]: super::Manifest

use super::manifest::RunEntry;
use crate::base::error::{Error, Result};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0x4c46_4d46);
const SEAL: &str = "checksum ";
/// The version of the format, of records and all that they name.
pub(crate) const FORMAT: u32 = 1;
/// The hash that names partitions and sorts customers, with its seed.
pub(crate) const HASH: &str = "rapidhash-v3 6c656e73666c6f77";

/// What a folder of run files says of itself. It has a field `format`.
pub(crate) trait Record: Clone + Serialize + DeserializeOwned {
    /// The file that it is in.
    const FILE: &'static str;
    /// What the folder is in messages.
    const WHAT: &'static str;
    /// What can be done where it cannot be read.
    const DAMAGED_HELP: &'static str;

    /// How often it was changed, and the run files that count.
    fn runs(&self) -> (u64, &[RunEntry]);

    /// The same, to be changed.
    fn runs_mut(&mut self) -> (&mut u64, &mut Vec<RunEntry>);

    /// Whether what it says can be.
    fn is_sound(&self) -> bool;
}

/// A record as a file.
pub(crate) fn encode<R: Record>(record: &R) -> Result<String> {
    let mut text = serde_json::to_string_pretty(record).map_err(|e| Error::internal("the record has no JSON form").cause(e))?;
    text.push('\n');
    let checksum = rapidhash_v3_seeded(text.as_bytes(), &SECRETS);
    text += &format!("{SEAL}{checksum:016x}\n");
    Ok(text)
}

/// Reads a record.
pub(crate) fn decode<R: Record>(text: &str, path: &Path) -> Result<R> {
    let damaged = || Error::data(format!("the {}'s record is damaged", R::WHAT)).input(path.to_string_lossy()).help(R::DAMAGED_HELP);
    let (json, checksum) = text.trim_end_matches('\n').rsplit_once('\n').ok_or_else(damaged)?;
    let json = &text[..json.len() + 1];
    let sum = format!("{:016x}", rapidhash_v3_seeded(json.as_bytes(), &SECRETS));
    if checksum.strip_prefix(SEAL) != Some(&sum) {
        return Err(damaged());
    }
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    // A later version may have other fields.
    let Version { format } = serde_json::from_str(json).map_err(|e| damaged().cause(e))?;
    if format != FORMAT {
        let what = format!("a {} of format {format}, and this lensflow reads format {FORMAT}", R::WHAT);
        return Err(Error::data(what).input(path.to_string_lossy()).help("use the lensflow that wrote it, or a newer one"));
    }
    let record: R = serde_json::from_str(json).map_err(|e| damaged().cause(e))?;
    if record.is_sound() { Ok(record) } else { Err(damaged()) }
}
