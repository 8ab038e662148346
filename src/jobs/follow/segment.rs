//! A segment of a stream: whole rows in a file of their own.
//!
//! Known to be good is what was written as a whole. Where the disk fails in the middle of a row, the rest is cut off, and the segment takes no
//! more. It gets its name when its bytes are on the disk. An operation that failed can be done again: [`Segment::complete`] goes on where
//! it was. After a sync that failed nothing says what of the file is on the disk, so that all of it is written again.

use crate::base::error::{Error, Kind, Result};
use crate::source::endless::{Endless, Head, Piece};
use crate::source::files::Format;
use crate::spill::folder::part_name;
use crate::spill::{Io, folder_of};
use arrow::ipc::writer::StreamWriter;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(super) const PART: &str = "part";
pub(super) const MENDED: &str = "mended";

/// Makes the bytes of an Arrow stream.
type Encoder = Box<StreamWriter<Vec<u8>>>;

/// A segment that is being written.
pub(super) struct Segment {
    path: PathBuf,
    /// The name that it has until it is complete.
    at: PathBuf,
    file: File,
    encoder: Option<Encoder>,
    /// The bytes that are whole rows, with what comes before them.
    length: u64,
    pub(super) rows: u64,
    pub(super) begun: Instant,
    /// It takes no more.
    pub(super) is_closed: bool,
    /// More may be in the file than whole rows.
    pub(super) is_torn: bool,
    /// A sync has failed.
    is_doubtful: bool,
    is_named: bool,
    io: Io,
}

impl Segment {
    /// Makes a segment that will have a path when it is complete.
    pub(super) fn create(path: PathBuf, head: &Head, io: &Io) -> Result<Self> {
        let at = part_of(&path);
        Self::create_at(path, at, head, io)
    }

    fn create_at(path: PathBuf, at: PathBuf, head: &Head, io: &Io) -> Result<Self> {
        let make = || -> io::Result<(File, Option<Encoder>, u64)> {
            let (begin, encoder) = match head {
                Head::Text(header) => (header.clone(), None),
                Head::Arrow(schema) => {
                    let mut encoder = StreamWriter::try_new(Vec::new(), schema).map_err(io::Error::other)?;
                    (std::mem::take(encoder.get_mut()), Some(Box::new(encoder)))
                }
            };
            let mut file = io.create(&at)?;
            io.write(&mut file, &begin)?;
            Ok((file, encoder, begin.len() as u64))
        };
        let (file, encoder, length) = make().map_err(|e| {
            let _ = io.remove(&at);
            failed(&at, e)
        })?;
        let (rows, begun, io) = (0, Instant::now(), io.clone());
        Ok(Segment {
            path,
            at,
            file,
            encoder,
            length,
            rows,
            begun,
            is_closed: false,
            is_torn: false,
            is_doubtful: false,
            is_named: false,
            io,
        })
    }

    /// Appends rows: all of them, or, with an error, none. Then it takes no more.
    pub(super) fn append(&mut self, piece: &Piece) -> Result<()> {
        let written = self.encoded(piece).and_then(|bytes| {
            self.io.write(&mut self.file, &bytes)?;
            self.length += bytes.len() as u64;
            self.rows += piece.rows();
            Ok(())
        });
        written.map_err(|e| {
            self.is_closed = true;
            // If not now, then when it is completed.
            self.is_torn = self.io.cut(&self.file, self.length).is_err();
            failed(&self.at, e)
        })
    }

    fn encoded(&mut self, piece: &Piece) -> io::Result<Vec<u8>> {
        match (&mut self.encoder, piece) {
            (None, Piece::Text { bytes, .. }) => {
                let mut bytes = bytes.clone();
                // The last record of a stream may lack its newline.
                if !bytes.ends_with(b"\n") {
                    bytes.push(b'\n');
                }
                Ok(bytes)
            }
            (Some(encoder), Piece::Batch(batch)) => {
                encoder.write(batch).map_err(io::Error::other)?;
                Ok(std::mem::take(encoder.get_mut()))
            }
            _ => Err(io::Error::other("a piece of another format")),
        }
    }

    /// Completes it: from now on it is a file like any other, of the path that it gives. With an error, it can be tried again.
    pub(super) fn complete(&mut self) -> Result<PathBuf> {
        self.put().map_err(|e| failed(&self.path, e))?;
        Ok(self.path.clone())
    }

    fn put(&mut self) -> io::Result<()> {
        if !self.is_named {
            if self.is_doubtful {
                self.write_again()?;
            }
            self.end()?;
            self.io.sync(&self.file).inspect_err(|_| self.is_doubtful = true)?;
            if let Err(e) = self.io.rename(&self.at, &self.path) {
                // A disk may have done it and say otherwise.
                if self.at.exists() || !self.path.exists() {
                    return Err(e);
                }
            }
            self.is_named = true;
            // Written twice, it is there twice.
            let _ = self.io.remove(&part_of(&self.path));
        }
        self.io.sync_folder(folder_of(&self.path))
    }

    /// Cuts off what is no whole row, and writes what ends a stream.
    fn end(&mut self) -> io::Result<()> {
        self.is_closed = true;
        self.io.cut(&self.file, self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Some(encoder) = &mut self.encoder {
            encoder.finish().map_err(io::Error::other)?;
            let ending = encoder.get_ref();
            self.io.write(&mut self.file, ending)?;
        }
        Ok(())
    }

    /// Writes all of it to another file, which is then the segment.
    fn write_again(&mut self) -> io::Result<()> {
        let at = self.path.with_extension(MENDED);
        let mut file = self.io.create(&at)?;
        self.file.seek(SeekFrom::Start(0))?;
        let mut whole = (&self.file).take(self.length);
        let mut block = vec![0; 1 << 20];
        loop {
            let read = whole.read(&mut block)?;
            if read == 0 {
                break;
            }
            self.io.write(&mut file, &block[..read])?;
        }
        // The first one stays until this one has its name: a process that begins again looks for that.
        (self.at, self.file, self.is_doubtful) = (at, file, false);
        Ok(())
    }

    /// Removes it: no row of it counts.
    pub(super) fn discard(self) {
        let _ = self.io.remove(&self.at);
    }
}

fn part_of(path: &Path) -> PathBuf {
    path.with_file_name(part_name(&path.file_name().unwrap_or_default().to_string_lossy()))
}

pub(super) fn failed(path: &Path, cause: io::Error) -> Error {
    Error::io("cannot write to the spool", cause).input(path.to_string_lossy())
}

/// Gives a segment that was not completed its name, without what follows its last whole row. One without rows gets none.
pub(super) fn mend(
    part: &Path,
    whole: &Path,
    io: &Io,
    begin: impl FnOnce(Box<dyn Read + Send>, &str, Option<Format>) -> Result<Endless>,
) -> Result<()> {
    let fail = |e| failed(part, e);
    let format = Format::of_path(whole);
    let mut file = io.open(part).map_err(fail)?;
    let reader: Box<dyn Read + Send> = if format == Some(Format::Arrow) {
        if !has_schema(&file).map_err(fail)? {
            return Ok(());
        }
        Box::new(file)
    } else {
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(fail)?;
        let end = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        text.truncate(end);
        if text.is_empty() {
            return Ok(());
        }
        // Only where there are quotes may a row have more than one line.
        if format != Some(Format::Csv) || !text.contains(&b'"') {
            let file = File::options().write(true).open(part).map_err(fail)?;
            return io.cut(&file, end as u64).and_then(|()| io.publish(&file, part, whole)).map_err(fail);
        }
        Box::new(Sips(io::Cursor::new(text)))
    };
    let mut stream = begin(reader, &part.to_string_lossy(), format)?;
    let mut segment = Segment::create_at(whole.to_owned(), whole.with_extension(MENDED), &stream.head, io)?;
    loop {
        match stream.next_piece() {
            Ok(Some(piece)) => segment.append(&piece)?,
            Ok(None) => break,
            // It ends where it was cut off.
            Err(e) if e.kind() == Kind::Data => break,
            Err(e) => return Err(e),
        }
    }
    if segment.rows == 0 {
        segment.discard();
        return Ok(());
    }
    segment.complete().map(drop)
}

/// Whether an Arrow stream that was cut off has its first message as a whole: its schema.
fn has_schema(file: &File) -> io::Result<bool> {
    let mut head = [0; 8];
    let mut file = file;
    let read = file.read(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    let [_, _, _, _, length @ ..] = head;
    Ok(read == head.len() && file.metadata()?.len() >= 8 + u64::from(u32::from_le_bytes(length)))
}

/// Gives little at a time, as a pipe does: so all whole rows before a fault are given.
struct Sips<R>(R);

impl<R: Read> Read for Sips<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = (buffer.len() / 2).max(1).min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}
