//! ZIP archives: the one data file in an archive is read from where it lies in it, as it goes by. An archive that is a workbook is told by
//! what is in it.

use crate::base::error::Result;
use crate::model::period_batch::Origin;
use std::fs::File;
use std::io::Read;

/// What a ZIP holds.
pub(super) enum Archive {
    /// A workbook of a spreadsheet.
    Workbook,
    /// One file, by name.
    Member(String, Box<dyn Read + Send>),
}

/// Whether the first bytes of an input are those of a ZIP.
pub(super) fn is_zip(head: &[u8]) -> bool {
    matches!(head, [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..])
}

/// Opens a ZIP.
///
/// # Errors
/// When it is damaged, encrypted or empty, or holds several files.
#[cfg(feature = "compression")]
pub(super) fn open(file: File, origin: &Origin) -> Result<Archive> {
    with::open(file, origin)
}

/// As above, without the feature that reads them.
#[cfg(not(feature = "compression"))]
pub(super) fn open(_: File, origin: &Origin) -> Result<Archive> {
    Err(crate::base::error::Error::left_out("ZIP", "compression").input(&origin.name))
}

#[cfg(feature = "compression")]
mod with {
    use super::Archive;
    use crate::base::error::{Error, Result, Stage};
    use crate::model::period_batch::Origin;
    use flate2::Crc;
    use flate2::bufread::DeflateDecoder;
    use std::fs::File;
    use std::io::{self, BufReader, Read, Seek, SeekFrom};
    use zip::{CompressionMethod, ZipArchive};

    /// Files that are named in an error.
    const NAMED: usize = 5;

    pub(super) fn open(file: File, origin: &Origin) -> Result<Archive> {
        let fault = |what: String| Error::data(what).input(&origin.name).stage(Stage::Source);
        let damaged = |e: zip::result::ZipError| fault("the ZIP file is damaged".to_owned()).cause(e);
        let again = file.try_clone().map_err(|e| Error::io("cannot open", e).input(&origin.name).stage(Stage::Source))?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
        let (mut files, mut is_workbook) = (Vec::new(), false);
        for at in 0..zip.len() {
            let member = zip.by_index_raw(at).map_err(damaged)?;
            let name = member.name().map_err(damaged)?.into_owned();
            is_workbook |= matches!(name.as_str(), "xl/workbook.xml" | "xl/workbook.bin" | "content.xml");
            let is_hidden = name.split('/').any(|part| part.starts_with(['.', '_']));
            if !member.is_dir() && !is_hidden {
                files.push((at, name));
            }
        }
        if is_workbook {
            return Ok(Archive::Workbook);
        }
        let (at, name) = match &files[..] {
            [] => return Err(fault("the ZIP file holds no file".to_owned())),
            [(at, name)] => (*at, name.clone()),
            several => {
                let names = several.iter().take(NAMED).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ");
                let more = if several.len() > NAMED { ", …" } else { "" };
                let what = format!("the ZIP file holds {} files: {names}{more}", several.len());
                return Err(fault(what).help("unpack it into a folder, and name those that are to be read"));
            }
        };
        let member = zip.by_index_raw(at).map_err(damaged)?;
        let unread = |what: String| fault(format!("{name} in the ZIP file {what}")).help("unpack it first");
        if member.encrypted() {
            return Err(unread("is encrypted".to_owned()));
        }
        let method = member.compression();
        let Some(start) = member.data_start() else { return Err(unread("cannot be found".to_owned())) };
        let raw = Part { file: again, at: start }.take(member.compressed_size());
        let reader: Box<dyn Read + Send> = match method {
            CompressionMethod::Stored => Box::new(raw),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(BufReader::with_capacity(1 << 18, raw))),
            other => return Err(unread(format!("is compressed with {other}, which is not read"))),
        };
        let checked = Checked { reader, crc: Crc::new(), left: member.size(), wanted: member.crc32() };
        Ok(Archive::Member(name, Box::new(checked)))
    }

    /// A file from a position on.
    struct Part {
        file: File,
        at: u64,
    }

    impl Read for Part {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.file.seek(SeekFrom::Start(self.at))?;
            let n = self.file.read(buffer)?;
            self.at += n as u64;
            Ok(n)
        }
    }

    /// Checks the length and the checksum of a file at its end.
    struct Checked {
        reader: Box<dyn Read + Send>,
        crc: Crc,
        left: u64,
        wanted: u32,
    }

    impl Read for Checked {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.reader.read(buffer)?;
            self.crc.update(&buffer[..n]);
            let left = self.left.checked_sub(n as u64);
            if left.is_none() || n == 0 && !buffer.is_empty() && (self.left > 0 || self.crc.sum() != self.wanted) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the ZIP file is damaged: a checksum is wrong"));
            }
            self.left = left.unwrap_or(0);
            Ok(n)
        }
    }
}
