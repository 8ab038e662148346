//! From what the user names (files, folders, globs, `-`) to a [`Source`]: finds the files, tells their formats, opens one after the other.

use super::open::{As, Open};
use super::row_kind::{Periods, TextShape};
use super::{Chunk, Sink, Source};
use crate::base::error::{Error, Result, Stage};
use crate::base::threads::lock;
use crate::model::columns::ColumnMap;
use crate::model::period_batch::{Origin, PeriodBatch};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::Xxh3;

/// How standard input is called, on the command line and in reports.
pub(crate) const STDIN: &str = "-";

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// JSON, an object a line.
    Jsonl,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let format = Format::of_extension(text).filter(|_| ["parquet", "csv", "jsonl", "arrow"].contains(&text));
        format.ok_or_else(|| Error::usage(format!("{text:?} is not a format")).help("one of parquet, csv, jsonl, arrow"))
    }
}

impl Format {
    fn of_extension(extension: &str) -> Option<Format> {
        match extension.to_ascii_lowercase().as_str() {
            "parquet" | "pq" => Some(Format::Parquet),
            "csv" | "tsv" => Some(Format::Csv),
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            "arrow" | "arrows" | "ipc" | "feather" => Some(Format::Arrow),
            _ => None,
        }
    }

    /// The format that a path's extension names, below `.gz` or `.zst` where it has that.
    pub fn of_path(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?;
        if matches!(extension, "gz" | "zst") {
            return Format::of_path(Path::new(path.file_stem()?));
        }
        Format::of_extension(extension)
    }

    fn of_first_bytes(head: &[u8]) -> Option<Format> {
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        match head {
            [] => None,
            [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
            _ if is_arrow_file(head) || is_arrow_stream(head) => Some(Format::Arrow),
            _ if text.first() == Some(&b'{') => Some(Format::Jsonl),
            _ => Some(Format::Csv),
        }
    }
}

fn is_arrow_file(head: &[u8]) -> bool {
    head.starts_with(b"ARROW1")
}

fn is_arrow_stream(head: &[u8]) -> bool {
    head.starts_with(&[0xff; 4])
}

/// A reader that counts what it gives.
struct Counted<R> {
    reader: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// What was read of the inputs that can be read only once: their names, lengths and fingerprints.
#[derive(Clone, Default)]
pub(crate) struct Streamed(Arc<Mutex<Vec<(String, u64, Xxh3)>>>);

impl Streamed {
    /// What was read so far.
    pub(crate) fn take(&self) -> Vec<(String, u64, String)> {
        let all = std::mem::take(&mut *lock(&self.0));
        all.into_iter().map(|(name, bytes, hash)| (name, bytes, hexadecimal(&hash))).collect()
    }
}

/// A reader whose bytes are fingerprinted as they go by.
struct Fingerprinted<R> {
    reader: R,
    streamed: Streamed,
    at: usize,
}

impl<R: Read> Read for Fingerprinted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.reader.read(buffer)?;
        if let Some((_, bytes, hash)) = lock(&self.streamed.0).get_mut(self.at) {
            *bytes += n as u64;
            hash.update(&buffer[..n]);
        }
        Ok(n)
    }
}

/// A file's length, and a hash of its bytes that other bytes do not have.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn fingerprint(path: &str) -> Result<(u64, String)> {
    let fail = |e| Error::io("cannot read", e).input(path).stage(Stage::Source);
    let mut file = File::open(path).map_err(fail)?;
    let (mut hash, mut bytes, mut room) = (Xxh3::new(), 0, vec![0; 1 << 18]);
    loop {
        match file.read(&mut room).map_err(fail)? {
            0 => return Ok((bytes, hexadecimal(&hash))),
            n => {
                bytes += n as u64;
                hash.update(&room[..n]);
            }
        }
    }
}

fn hexadecimal(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}

/// A chunk and the bytes that were read for it: of a compressed input, fewer than it has.
struct Weighed<B> {
    chunk: Box<dyn Chunk<B>>,
    bytes: u64,
}

impl<B> Chunk<B> for Weighed<B> {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn decode(self: Box<Self>, sink: &mut Sink<'_, B>) -> Result<()> {
        self.chunk.decode(sink)
    }
}

/// Inputs, read one after the other.
pub struct Files<B = PeriodBatch> {
    inputs: Vec<String>,
    size: Option<u64>,
    next: usize,
    current: Option<Box<dyn Source<B>>>,
    /// Bytes read since the last chunk, from inputs that are read from beginning to end.
    bytes: Arc<AtomicU64>,
    streamed: Streamed,
    shape: Box<dyn Open<B>>,
    format: Option<Format>,
    batch_rows: usize,
    spool: Option<PathBuf>,
}

impl Files {
    /// Finds the files behind paths, folders (all files of a known extension in them, at any depth), globs and `-` (standard input).
    /// They are read in the order of their names; the answers do not depend on it.
    ///
    /// # Errors
    /// When something named is not there, or a folder or glob holds no input.
    pub fn find<S: AsRef<str>>(named: &[S], format: Option<Format>, map: ColumnMap, batch_rows: usize) -> Result<Self> {
        Self::find_as(named, format, Periods(map), batch_rows)
    }
}

impl<B: 'static> Files<B> {
    /// As [`Files::find`], for rows of any shape.
    pub(crate) fn find_as<S: AsRef<str>, const N: usize>(
        named: &[S],
        format: Option<Format>,
        shape: impl TextShape<N, Batch = B>,
        batch_rows: usize,
    ) -> Result<Self> {
        let mut inputs = Vec::new();
        for name in named.iter().map(AsRef::as_ref) {
            let path = Path::new(name);
            if name == STDIN || path.is_file() {
                inputs.push(name.to_owned());
            } else if path.is_dir() {
                let before = inputs.len();
                collect(path, format.is_some(), &mut inputs)?;
                if inputs.len() == before {
                    return Err(Error::data("the folder holds no .parquet, .csv, .jsonl or .arrow file").input(name).stage(Stage::Source));
                }
            } else if path.exists() {
                inputs.push(name.to_owned());
            } else {
                let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
                let pattern =
                    glob::glob_with(name, options).map_err(|e| Error::usage("not a file, and not a glob either").cause(e).input(name))?;
                let found: Vec<PathBuf> = pattern
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|e| Error::io("cannot list what the glob matches", e.into()).input(name).stage(Stage::Source))?;
                let found: Vec<PathBuf> = found.into_iter().filter(|p| p.is_file()).collect();
                if found.is_empty() {
                    let what = if name.contains(['*', '?', '[']) { "the glob matches no file" } else { "there is no such file or folder" };
                    return Err(Error::new(crate::base::error::Kind::Io, what).input(name).stage(Stage::Source));
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
        let sizes = inputs.iter().map(|name| std::fs::metadata(name).ok().filter(|m| m.is_file()).map(|m| m.len()));
        let size = sizes.sum::<Option<u64>>();
        Ok(Files {
            inputs,
            size,
            next: 0,
            current: None,
            bytes: Arc::default(),
            streamed: Streamed::default(),
            shape: Box::new(As(shape)),
            format,
            batch_rows: batch_rows.max(1),
            spool: None,
        })
    }

    /// Keeps what has to lie in a file, and comes through a pipe, in a folder instead of the system's for temporary files.
    #[must_use]
    pub fn spool_in(mut self, folder: Option<PathBuf>) -> Self {
        self.spool = folder;
        self
    }

    /// Opens each input that can be opened again, and looks for its columns; no rows are read.
    ///
    /// # Errors
    /// When one cannot be opened, is not in its format, or lacks a column.
    pub fn check(&self) -> Result<()> {
        let mut files = self.inputs.iter().filter(|name| *name != STDIN && Path::new(name).is_file());
        files.try_for_each(|name| self.open(name).map(drop))
    }

    /// What is read, in order, as it would be named again.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.inputs.clone()
    }

    /// What will have been read of inputs that can be read only once.
    pub(crate) fn streamed(&self) -> Streamed {
        self.streamed.clone()
    }

    /// Counts and fingerprints what is read of an input that can be read only once.
    fn once(&self, origin: &Origin, reader: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        let mut all = lock(&self.streamed.0);
        all.push((origin.name.clone(), 0, Xxh3::new()));
        self.counted(Fingerprinted { reader, streamed: self.streamed.clone(), at: all.len() - 1 })
    }

    fn open(&self, name: &str) -> Result<Box<dyn Source<B>>> {
        let origin = Arc::new(Origin { name: if name == STDIN { "stdin".to_owned() } else { name.to_owned() } });
        let fail = |e| Error::io("cannot open", e).input(&origin.name).stage(Stage::Source);
        if name == STDIN {
            let mut reader = self.once(&origin, std::io::stdin());
            let head = read_head(&mut reader).map_err(fail)?;
            return self.open_stream(origin, Box::new(Cursor::new(head.clone()).chain(reader)), &head, None);
        }
        let mut file = File::open(name).map_err(fail)?;
        let named = Format::of_path(Path::new(name));
        if !file.metadata().map_err(fail)?.is_file() {
            // A named pipe cannot go back to its beginning.
            let mut reader = self.once(&origin, file);
            let head = read_head(&mut reader).map_err(fail)?;
            return self.open_stream(origin, Box::new(Cursor::new(head.clone()).chain(reader)), &head, named);
        }
        let head = read_head(&mut file).map_err(fail)?;
        file.rewind().map_err(fail)?;
        if compression(&head).is_some() {
            return self.open_stream(origin, self.counted(file), &head, named);
        }
        match self.format.or(named).or_else(|| Format::of_first_bytes(&head)) {
            Some(Format::Parquet) => self.shape.parquet(file, origin, self.batch_rows),
            Some(Format::Arrow) if !is_arrow_stream(&head) => self.shape.arrow_file(file, origin),
            format => self.open_text(origin, self.counted(file), format),
        }
    }

    fn counted(&self, reader: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        Box::new(Counted { reader, bytes: self.bytes.clone() })
    }

    /// Opens what can only be read once, from its first byte.
    fn open_stream(
        &self,
        origin: Arc<Origin>,
        reader: Box<dyn Read + Send>,
        head: &[u8],
        named: Option<Format>,
    ) -> Result<Box<dyn Source<B>>> {
        let fail = |e| Error::io("cannot read", e).input(&origin.name).stage(Stage::Source);
        if let Some(compression) = compression(head) {
            let mut plain = compression.reader(reader).map_err(fail)?;
            let head = read_head(&mut plain).map_err(fail)?;
            return self.open_plain(origin, Box::new(Cursor::new(head.clone()).chain(plain)), &head, named);
        }
        self.open_plain(origin, reader, head, named)
    }

    fn open_plain(
        &self,
        origin: Arc<Origin>,
        mut reader: Box<dyn Read + Send>,
        head: &[u8],
        named: Option<Format>,
    ) -> Result<Box<dyn Source<B>>> {
        let format = self.format.or(named).or_else(|| Format::of_first_bytes(head));
        let spool = match format {
            Some(Format::Parquet) => true,
            Some(Format::Arrow) => is_arrow_file(head),
            _ => false,
        };
        if !spool {
            return self.open_text(origin, reader, format);
        }
        // These formats begin at their end, so they have to lie in a file.
        let fail = |e| {
            let error = Error::io("cannot be kept in a temporary file", e).input(&origin.name).stage(Stage::Source);
            error.help("give another folder with `spill_dir`, or name the file instead of piping it in")
        };
        let mut file = self.spool.as_ref().map_or_else(tempfile::tempfile, tempfile::tempfile_in).map_err(fail)?;
        let bytes = std::io::copy(&mut reader, &mut file).map_err(fail)?;
        tracing::debug!(input = origin.name, bytes, "spooled to a temporary file");
        file.rewind().map_err(fail)?;
        // From here on, progress is what the file's chunks say.
        self.bytes.store(0, Ordering::Relaxed);
        match format {
            Some(Format::Parquet) => self.shape.parquet(file, origin, self.batch_rows),
            _ => self.shape.arrow_file(file, origin),
        }
    }

    fn open_text(&self, origin: Arc<Origin>, reader: Box<dyn Read + Send>, format: Option<Format>) -> Result<Box<dyn Source<B>>> {
        match format {
            Some(Format::Csv) => self.shape.csv(reader, origin, self.batch_rows),
            Some(Format::Jsonl) => self.shape.jsonl(reader, origin, self.batch_rows),
            Some(Format::Arrow) => self.shape.arrow_stream(reader, origin),
            _ => {
                let help = "if that is right, say its `format`";
                Err(Error::data("the input is empty").input(&origin.name).stage(Stage::Source).help(help))
            }
        }
    }
}

/// A reader of what an input that can be read only once holds, uncompressed, and its format.
pub(super) fn open_once(
    mut reader: Box<dyn Read + Send>,
    format: Option<Format>,
) -> std::io::Result<(Box<dyn Read + Send>, Option<Format>)> {
    let mut head = read_head(&mut reader)?;
    let mut whole: Box<dyn Read + Send> = Box::new(Cursor::new(head.clone()).chain(reader));
    if let Some(compression) = compression(&head) {
        let mut plain = compression.reader(whole)?;
        head = read_head(&mut plain)?;
        whole = Box::new(Cursor::new(head.clone()).chain(plain));
    }
    // An Arrow file has as little before its end as Parquet has.
    let found = if is_arrow_file(&head) { Some(Format::Parquet) } else { Format::of_first_bytes(&head) };
    Ok((whole, found.filter(|found| *found == Format::Parquet).or(format).or(found).filter(|_| !head.is_empty())))
}

fn collect(folder: &Path, any: bool, inputs: &mut Vec<String>) -> Result<()> {
    let fail = |e| Error::io("cannot list the folder", e).input(folder.to_string_lossy()).stage(Stage::Source);
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(['.', '_']));
        if hidden {
            continue;
        }
        // A link to a folder may lead back to where it lies.
        if path.is_dir() && !path.is_symlink() {
            collect(&path, any, inputs)?;
        } else if path.is_dir() {
            tracing::warn!(path = %path.display(), "a link to a folder is not followed");
        } else if any || Format::of_path(&path).is_some() {
            inputs.push(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

fn read_head(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(64).read_to_end(&mut head)?;
    Ok(head)
}

#[derive(Clone, Copy)]
enum Compression {
    Gzip,
    Zstd,
}

fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

impl Compression {
    fn reader(self, reader: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
        match self {
            Compression::Gzip => Ok(Box::new(flate2::read::MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 18, reader)))),
            Compression::Zstd => Ok(Box::new(zstd::stream::read::Decoder::new(reader)?)),
        }
    }
}

impl<B: 'static> Source<B> for Files<B> {
    fn inputs(&self) -> Vec<String> {
        self.inputs.iter().map(|name| if name == STDIN { "stdin".to_owned() } else { name.clone() }).collect()
    }

    fn size_bytes(&self) -> Option<u64> {
        self.size
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(chunk) = current.next_chunk()? {
                    let bytes = self.bytes.swap(0, Ordering::Relaxed);
                    return Ok(Some(if bytes > 0 { Box::new(Weighed { chunk, bytes }) } else { chunk }));
                }
                self.current = None;
            }
            let Some(name) = self.inputs.get(self.next) else { return Ok(None) };
            let name = name.clone();
            self.next += 1;
            self.current = Some(self.open(&name)?);
        }
    }
}
