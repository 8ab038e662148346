//! Files of a state that somebody made to look right: any contents with right checksums. For fuzzing, which could not get past them.

use super::checkpoint_record::Checkpoint;
use super::manifest::Manifest;
use super::run_file::{RunFile, Writer, position};
use super::sealed::{Record, decode, encode, sealed};
use super::{Io, RunSummary};
use crate::base::bytes::checksum::{seal, unsealed};
use crate::base::bytes::pack::take;
use crate::base::cancel::Cancel;
use crate::base::error::Result;
use crate::base::threads::lock;
use crate::spill::{FrameRef, RunStore};
use std::path::Path;

fn record<R: Record + PartialEq + std::fmt::Debug>(json: &str) -> Result<R> {
    let record = decode::<R>(&sealed(format!("{json}\n")), Path::new("forged"))?;
    assert_eq!(decode::<R>(&encode(&record)?, Path::new("again"))?, record, "it comes back");
    Ok(record)
}

/// A manifest of this JSON, and what is made of one.
///
/// # Errors
/// Whatever is wrong with it.
pub fn forged_manifest(json: &str) -> Result<()> {
    let manifest = record::<Manifest>(json)?;
    drop((manifest.to_string(), manifest.history_json()?, manifest.rows_open(), manifest.joined(0)));
    for at in 0..manifest.inputs.len() {
        let _ = manifest.clone().take_out(&[at].into(), Path::new("forged"));
    }
    Ok(())
}

/// The record of a checkpoint of this JSON.
///
/// # Errors
/// Whatever is wrong with it.
pub fn forged_checkpoint(json: &str) -> Result<()> {
    record::<Checkpoint>(json).map(drop)
}

/// Makes a run file of frames, each a section in two bytes, a length in two, and that many bytes, and reads all of it.
///
/// # Errors
/// Whatever is wrong with it.
pub fn forged_run_file(mut frames: &[u8], path: &Path) -> Result<()> {
    let writer = Writer::create(path, &Io::default())?;
    let bytes = &mut frames;
    while let (Some(section), Some(length)) = (number(bytes), number(bytes)) {
        let Some(body) = take(bytes, length.min(bytes.len())) else { break };
        let mut frame = body.to_vec();
        seal(&mut frame, 0);
        let mut index = lock(&writer.index);
        let section = section % index.sections.len();
        index.sections[section].extend(position(&writer.frames().put(&frame)?));
    }
    writer.finish()?;
    RunSummary::read(path, &Cancel::default()).map(drop)
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    take(bytes, 2).map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
}

/// The frames of a run file, as [`forged_run_file`] takes them.
///
/// # Errors
/// When it cannot be read.
pub fn frames_of(path: &Path) -> Result<Vec<u8>> {
    let (file, mut all, mut scratch) = (RunFile::open(path, &Io::default())?, Vec::new(), Vec::new());
    for (section, frames) in file.index.sections.iter().enumerate() {
        for &(at, length) in frames {
            let block = FrameRef::Disk { file: 0, at, length: length as usize };
            let body = unsealed(file.frames.get(&block, &mut scratch)?).ok_or_else(|| file.frames.damaged(at))?;
            [section, body.len()].iter().for_each(|number| all.extend_from_slice(&(*number as u16).to_le_bytes()));
            all.extend_from_slice(body);
        }
    }
    Ok(all)
}
