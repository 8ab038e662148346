//! Files, folders, globs and `-`, as the user names them, as a [`Source`]: finds the files, tells their formats, opens one after the other.

pub use super::format::Format;
pub(crate) use super::streamed::{Fingerprint, Streamed, fingerprint};

use super::ahead;
use super::archive::{self, Archive, is_zip};
use super::find_inputs::{Found, find};
use super::format::{compression, is_arrow_file, is_arrow_stream, read_head, refuse_foreign};
use super::objects::Object;
#[cfg(feature = "cloud")]
use super::objects::{Stretch, TEXT};
use super::open::{As, Open};
use super::portions::{Numbered, Portion, changed, part_of};
use super::row_kind::{Aggregations, TextRowKind};
use super::streamed::{Counted, Whole};
use super::workbook::{is_compound, write_text};
use super::{Chunk, Sink, Source};
use crate::base::error::{Error, Result, Stage};
use crate::model::note::{Notes, Topic};
use crate::model::period_batch::{Origin, PeriodBatch};
use crate::spec::Spec;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How standard input is called, on the command line and in reports.
pub(crate) const STDIN: &str = "-";

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

/// An input without a row.
struct Empty(Arc<Origin>);

impl<B> Source<B> for Empty {
    fn inputs(&self) -> Vec<String> {
        vec![self.0.name.clone()]
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        Ok(None)
    }
}

/// Inputs, read one after the other.
pub struct Files<B = PeriodBatch> {
    pub(super) inputs: Vec<String>,
    pub(super) size: Option<u64>,
    objects: BTreeMap<String, Arc<Object>>,
    pub(super) next: usize,
    current: Option<Box<dyn Source<B>>>,
    /// Bytes read since the last chunk, from inputs that are read from beginning to end.
    bytes: Arc<AtomicU64>,
    streamed: Streamed,
    pub(super) kind: Box<dyn Open<B>>,
    pub(super) format: Option<Format>,
    batch_rows: usize,
    /// Threads that decode at the same time.
    threads: usize,
    spool: Option<PathBuf>,
    /// What is read of inputs that can be read only once is kept for who reads them next.
    looks: bool,
    /// There are several, and some have a byte: an empty one is no fault.
    pub(super) several: bool,
    /// The portions of the inputs that are read, if not all of them.
    pub(super) numbered: Option<Numbered>,
}

impl Files {
    /// Finds the files behind paths, folders (all files of a known extension in them, at any depth), globs (with the feature `glob`) and
    /// `-` (standard input). They are read in the order of their names; the answers do not depend on it. The spec says how: by its columns,
    /// its options of reading, and its batch size.
    ///
    /// # Errors
    /// When something named is not there, a folder or glob holds no input, or the options of reading are not right.
    pub fn find<S: AsRef<str>>(named: &[S], format: Option<Format>, spec: &Spec) -> Result<Self> {
        Self::find_as(named, format, Aggregations::of(spec)?, spec.batch_rows)
    }
}

impl<B: 'static> Files<B> {
    /// As [`Files::find`], for rows of any kind.
    pub(crate) fn find_as<S: AsRef<str>, const N: usize>(
        named: &[S],
        format: Option<Format>,
        kind: impl TextRowKind<N, Batch = B>,
        batch_rows: usize,
    ) -> Result<Self> {
        let Found { inputs, size, objects } = find(named, format.is_some(), &kind.notes())?;
        let several = inputs.len() > 1 && size != Some(0);
        Ok(Files {
            inputs,
            size,
            objects,
            next: 0,
            current: None,
            bytes: Arc::default(),
            streamed: Streamed::default(),
            kind: Box::new(As(kind)),
            format,
            batch_rows: batch_rows.max(1),
            threads: 1,
            spool: None,
            looks: false,
            several,
            numbered: None,
        })
    }

    /// Sets the folder for temporary files, instead of the system's: formats that are read from their end are kept there when they come
    /// through a pipe.
    #[must_use]
    pub fn spool_in(mut self, folder: Option<PathBuf>) -> Self {
        self.spool = folder;
        self
    }

    /// Only looks: what is read of inputs that can be read only once is kept, and read again by who reads them next.
    pub(crate) fn looking(mut self) -> Self {
        self.looks = true;
        self
    }

    /// Opens each input that can be opened again, and looks for its columns; no rows are read.
    ///
    /// # Errors
    /// When one cannot be opened, is not in its format, or lacks a column.
    pub fn check(&self) -> Result<()> {
        let mut files = self.inputs.iter().filter(|name| self.objects.contains_key(*name) || *name != STDIN && Path::new(name).is_file());
        files.try_for_each(|name| self.open(name, &Portion::Whole).map(drop))
    }

    /// The inputs in the order they are read in, as they would be named again.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.inputs.clone()
    }

    /// The fingerprints of inputs that can be read only once; they grow while those are read.
    pub(crate) fn streamed(&self) -> Streamed {
        self.streamed.clone()
    }

    /// Counts and fingerprints what is read of an input that can be read only once.
    fn once(&self, origin: &Origin, reader: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        self.counted(self.streamed.follow(&origin.name, reader))
    }

    pub(super) fn open(&self, name: &str, portion: &Portion) -> Result<Box<dyn Source<B>>> {
        let origin = Arc::new(Origin { name: if name == STDIN { "stdin".to_owned() } else { name.to_owned() } });
        let fail = |e| Error::io("cannot open", e).input(&origin.name).stage(Stage::Source);
        let named = Format::of_path(Path::new(name));
        if let Some(object) = self.objects.get(name) {
            return self.open_object(object, origin, named);
        }
        if name == STDIN || !std::fs::metadata(name).map_err(fail)?.is_file() {
            // Standard input and named pipes cannot go back to their beginning.
            let mut reader = self.once(&origin, ahead::open(name, self.looks).map_err(fail)?);
            let head = read_head(&mut reader).map_err(fail)?;
            return self.open_stream(origin, Box::new(Cursor::new(head.clone()).chain(reader)), &head, named);
        }
        let mut file = File::open(name).map_err(fail)?;
        let head = read_head(&mut file).map_err(fail)?;
        file.rewind().map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        if head.is_empty() && is_never_empty(Path::new(name), self.format.or(named)) {
            let error = Error::data("the file is empty, and no file of its kind is: it was not written to its end");
            return Err(error.input(&origin.name).stage(Stage::Source).help("write it again, or take it away"));
        }
        let format = self.format.or(named).or_else(|| Format::of_first_bytes(&head));
        match (portion, format) {
            (Portion::Whole, _) => {}
            (Portion::RowGroups { from, to }, Some(Format::Parquet)) => {
                return self.kind.parquet(file.into(), origin, self.batch_rows, Some(*from..*to));
            }
            (Portion::Records(part), Some(Format::Csv)) => {
                let rest = part_of(File::open(name).map_err(fail)?, *part, &origin)?;
                let rest = self.counted(rest);
                return self.kind.csv(Box::new(file), origin, self.batch_rows, Some((rest, *part)));
            }
            _ => return Err(changed(&origin)),
        }
        if let Some(empty) = self.empty(&origin, &head) {
            return Ok(empty);
        }
        if is_zip(&head) || is_compound(&head) {
            return self.open_package(file, origin, named);
        }
        if compression(&head).is_some() {
            return self.open_stream(origin, self.counted(Whole::new(file, size)), &head, named);
        }
        match format {
            format @ (Some(Format::Csv | Format::Jsonl) | None) => {
                refuse_foreign(&head, &origin)?;
                self.open_text(origin, self.counted(Whole::new(file, size)), format)
            }
            Some(Format::Parquet) => self.kind.parquet(file.into(), origin, self.batch_rows, None),
            Some(Format::Arrow) if !is_arrow_stream(&head) => self.kind.arrow_file(file, origin),
            Some(Format::Workbook) if !head.is_empty() => {
                refuse_foreign(&head, &origin)?;
                let error = Error::data("this is not a workbook").input(&origin.name).stage(Stage::Source);
                Err(error.help("if it is text, say its `format`, such as `format=csv`"))
            }
            format => self.open_text(origin, self.counted(Whole::new(file, size)), format),
        }
    }

    /// Opens an object of a store. Parquet is read by ranges, text from the beginning; what else begins at its end is put into a file.
    #[cfg(feature = "cloud")]
    fn open_object(&self, object: &Arc<Object>, origin: Arc<Origin>, named: Option<Format>) -> Result<Box<dyn Source<B>>> {
        let begin = object.begin().map_err(|e| Error::io("cannot open", e).input(&origin.name).stage(Stage::Source))?;
        let head = read_head(&mut &*begin).map_err(|e| Error::io("cannot open", e).input(&origin.name).stage(Stage::Source))?;
        if compression(&head).is_none() && self.format.or(named).or_else(|| Format::of_first_bytes(&head)) == Some(Format::Parquet) {
            return self.kind.parquet(object.clone().into(), origin, self.batch_rows, None);
        }
        self.open_stream(origin, self.counted(Stretch::all(object.clone(), TEXT)), &head, named)
    }

    #[cfg(not(feature = "cloud"))]
    fn open_object(&self, object: &Object, _: Arc<Origin>, _: Option<Format>) -> Result<Box<dyn Source<B>>> {
        match *object {}
    }

    /// One of several inputs that holds nothing.
    fn empty(&self, origin: &Arc<Origin>, head: &[u8]) -> Option<Box<dyn Source<B>>> {
        let is_empty = head.len() < 64 && head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii().is_empty();
        if !is_empty || !self.several {
            return None;
        }
        self.kind.notes().say(Topic::EmptyInput, origin.name.clone());
        Some(Box::new(Empty(origin.clone())))
    }

    /// Opens a ZIP or a workbook.
    fn open_package(&self, file: File, origin: Arc<Origin>, named: Option<Format>) -> Result<Box<dyn Source<B>>> {
        let fail = |e| Error::io("cannot be read", e).input(&origin.name).stage(Stage::Source);
        let head = read_head(&mut &file).map_err(fail)?;
        (&file).rewind().map_err(fail)?;
        let again = file.try_clone().map_err(fail)?;
        if let (true, Archive::Member(name, reader)) = (is_zip(&head), self.unpacked(&head, file, &origin)?) {
            let mut reader = self.counted(reader);
            let head = read_head(&mut reader).map_err(fail)?;
            let named = Format::of_path(Path::new(&name)).or(named);
            if is_zip(&head) || is_compound(&head) {
                return Err(Error::data(format!("{name} in the ZIP file is packed again")).input(&origin.name).help("unpack it first"));
            }
            return self.open_stream(origin, Box::new(Cursor::new(head.clone()).chain(reader)), &head, named);
        }
        (&again).rewind().map_err(fail)?;
        let mut text = std::io::BufWriter::new(self.spool_file().map_err(|e| unkept(&origin, e))?);
        let sheets = write_text(again, &origin, self.kind.reading(), &self.kind.notes(), &mut text)?;
        let mut text = text.into_inner().map_err(|e| unkept(&origin, e.into_error()))?;
        text.rewind().map_err(fail)?;
        let opened = self.kind.csv(self.counted(text), origin, self.batch_rows, None);
        opened.map_err(|error| {
            let sheets: Vec<_> = sheets.iter().map(|name| format!("{name:?}")).collect();
            match &sheets[..] {
                [] | [_] => error,
                [read, others @ ..] => {
                    let help = format!("this is the sheet {read}; other sheets are {}: name one with `sheet=NAME`", others.join(", "));
                    error.help(help)
                }
            }
        })
    }

    /// What is in a ZIP; an old workbook is none.
    fn unpacked(&self, head: &[u8], file: File, origin: &Origin) -> Result<Archive> {
        if is_zip(head) { archive::open(file, origin) } else { Ok(Archive::Workbook) }
    }

    fn spool_file(&self) -> std::io::Result<File> {
        self.spool.as_ref().map_or_else(tempfile::tempfile, tempfile::tempfile_in)
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
        if let Some(empty) = self.empty(&origin, head) {
            return Ok(empty);
        }
        let is_package = is_zip(head) || is_compound(head);
        let spool = match format {
            _ if is_package => true,
            Some(Format::Parquet) => true,
            Some(Format::Arrow) => is_arrow_file(head),
            _ => false,
        };
        if !spool {
            refuse_foreign(head, &origin)?;
            return self.open_text(origin, reader, format);
        }
        // These formats begin at their end, so they have to lie in a file.
        let fail = |e| unkept(&origin, e);
        let mut file = self.spool_file().map_err(fail)?;
        let bytes = std::io::copy(&mut reader, &mut file).map_err(fail)?;
        tracing::debug!(input = origin.name, bytes, "spooled to a temporary file");
        file.rewind().map_err(fail)?;
        if self.looks {
            let name = if origin.name == "stdin" { STDIN } else { &origin.name };
            ahead::spooled(name, &file).map_err(fail)?;
        }
        // From here on, progress is what the file's chunks say.
        self.bytes.store(0, Ordering::Relaxed);
        match format {
            _ if is_package => self.open_package(file, origin, named),
            Some(Format::Parquet) => self.kind.parquet(file.into(), origin, self.batch_rows, None),
            _ => self.kind.arrow_file(file, origin),
        }
    }

    fn open_text(&self, origin: Arc<Origin>, reader: Box<dyn Read + Send>, format: Option<Format>) -> Result<Box<dyn Source<B>>> {
        match format {
            Some(Format::Csv) => self.kind.csv(reader, origin, self.batch_rows, None),
            Some(Format::Jsonl) => self.kind.jsonl(reader, origin, self.batch_rows),
            Some(Format::Arrow) => self.kind.arrow_stream(reader, origin),
            Some(Format::Workbook) => Err(Error::data("this is not a workbook").input(&origin.name).stage(Stage::Source)),
            _ => {
                let help = "if that is right, say its `format`";
                Err(Error::data("the input is empty").input(&origin.name).stage(Stage::Source).help(help))
            }
        }
    }
}

/// Whether a file of that name has some bytes even if it holds no rows.
fn is_never_empty(path: &Path, format: Option<Format>) -> bool {
    let is_packed = path.extension().is_some_and(|extension| matches!(extension.to_str(), Some("gz" | "zst" | "bz2" | "zip")));
    is_packed || matches!(format, Some(Format::Parquet | Format::Arrow | Format::Workbook))
}

fn unkept(origin: &Origin, e: std::io::Error) -> Error {
    let error = Error::io("cannot be kept in a temporary file", e).input(&origin.name).stage(Stage::Source);
    error.help("give another folder with `spill_dir`, or name the file instead of piping it in")
}

impl<B: 'static> Source<B> for Files<B> {
    fn inputs(&self) -> Vec<String> {
        self.inputs.iter().map(|name| if name == STDIN { "stdin".to_owned() } else { name.clone() }).collect()
    }

    fn size_bytes(&self) -> Option<u64> {
        self.size
    }

    fn notes(&self) -> Notes {
        self.kind.notes()
    }

    fn share(&mut self, threads: usize) {
        self.threads = threads;
    }

    fn next_chunk(&mut self) -> Result<Option<Box<dyn Chunk<B>>>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(chunk) = current.next_chunk().inspect_err(|e| self.fault(e))? {
                    let bytes = self.bytes.swap(0, Ordering::Relaxed);
                    let chunk = if bytes > 0 { Box::new(Weighed { chunk, bytes }) } else { chunk };
                    return Ok(Some(self.of_portion(chunk)));
                }
                self.current = None;
            }
            let Some(name) = self.inputs.get(self.next) else { return Ok(None) };
            let name = name.clone();
            self.next += 1;
            let opened = self.open_next(&name).inspect_err(|e| self.fault(e))?;
            self.current.insert(opened).share(self.threads);
        }
    }
}
