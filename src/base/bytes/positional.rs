//! Files read and written at a position, by several threads at once.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Writes all bytes at a position.
#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// Whether a file, if it is one, begins with some bytes.
pub(crate) fn begins_with(path: &Path, magic: [u8; 4]) -> bool {
    let mut begin = [0; 4];
    let read = |mut file: File| io::Read::read_exact(&mut file, &mut begin);
    path.is_file() && File::open(path).and_then(read).is_ok() && begin == magic
}

/// Fills `bytes` from a position.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(bytes, at)
}

/// Held between moving a file's position and using it, where the two are not one operation.
#[cfg(not(unix))]
static POSITION: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(not(unix))]
pub(crate) fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let _guard = crate::base::threads::lock(&POSITION);
    io::Seek::seek(&mut file, io::SeekFrom::Start(at))?;
    io::Write::write_all(&mut file, bytes)
}

#[cfg(not(unix))]
pub(crate) fn read_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let _guard = crate::base::threads::lock(&POSITION);
    io::Seek::seek(&mut file, io::SeekFrom::Start(at))?;
    io::Read::read_exact(&mut file, bytes)
}
