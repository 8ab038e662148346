//! Checksums that end a block of bytes on the disk.

use crate::base::error::Error;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

pub(crate) const CHECKSUM: usize = 8;

pub(crate) const SECRETS: RapidSecrets = RapidSecrets::seed_cpp(0x4c46_524e);

/// Appends the checksum of a frame that begins at a place and ends here.
pub(crate) fn seal(out: &mut Vec<u8>, at: usize) {
    let checksum = rapidhash_v3_seeded(&out[at..], &SECRETS);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// A frame without its checksum; nothing when that does not fit.
pub(crate) fn unsealed(frame: &[u8]) -> Option<&[u8]> {
    let (body, checksum) = frame.split_at_checked(frame.len().checked_sub(CHECKSUM)?)?;
    (rapidhash_v3_seeded(body, &SECRETS).to_le_bytes() == checksum).then_some(body)
}

/// The error for bytes that are not a frame, or not the one that was written.
pub(crate) fn damaged() -> Error {
    Error::data("a spilled run is damaged: what was read back is not what was written")
        .help("look for faults of the disk or the memory, or give another folder with `spill_dir`")
}
