//! Output files that appear whole or not at all: written beside their place under a temporary name, waited for until they are on the disk,
//! then renamed. None takes the place of a state's own files. A named pipe is written to as it is, once somebody reads from it. Every operation
//! on the disk is one of [`Io`], so that tests can let it fail.

use crate::base::cancel::{Cancel, Temporary};
use crate::base::error::{Error, Kind, Result, Stage};
use crate::base::memory::no_thread;
use crate::source::objects::refuse_written;
use crate::spill::folder::{PART, sweep_parts};
use crate::spill::{Io, folder_of};
use crate::state::refuse_own_file;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::Builder;

/// How long an output that is a named pipe waits for somebody who reads from it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How standard output is called on the command line.
const STDOUT: &str = "-";

/// An output that is not there until it is committed. Dropped before that, it leaves nothing behind.
pub struct Output {
    path: PathBuf,
    sink: Encoder,
    faults: Faults,
    is_complete: bool,
}

/// The first write that the system refused: encoders on top of an output turn such errors into text and lose what they were.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<OnceLock<(io::ErrorKind, String)>>);

impl Faults {
    pub(super) fn first(&self) -> Option<io::Error> {
        self.0.get().map(|(kind, text)| io::Error::new(*kind, text.clone()))
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|e| {
            // Later ones only follow from it.
            let _ = self.0.set((e.kind(), e.to_string()));
        })
    }
}

/// The compression on top of a file.
enum Encoder {
    Plain(BufWriter<Destination>),
    #[cfg(feature = "compression")]
    Gzip(flate2::write::GzEncoder<BufWriter<Destination>>),
    #[cfg(feature = "compression")]
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<Destination>>),
}

impl Encoder {
    fn writer(&mut self) -> &mut BufWriter<Destination> {
        match self {
            Encoder::Plain(writer) => writer,
            #[cfg(feature = "compression")]
            Encoder::Gzip(encoder) => encoder.get_mut(),
            #[cfg(feature = "compression")]
            Encoder::Zstd(encoder) => encoder.get_mut(),
        }
    }
}

/// The file that an output is written to, on its disk.
struct Destination {
    place: Place,
    io: Io,
}

enum Place {
    Stdout(io::Stdout),
    /// A file of another name in the output's folder.
    Temporary(Temporary),
    /// A pipe or a device, which cannot be renamed over.
    Device(File),
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.place {
            Place::Stdout(out) => self.io.write(out, bytes),
            Place::Temporary(temporary) => self.io.write(&mut temporary.file, bytes),
            Place::Device(file) => self.io.write(file, bytes),
        };
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Stdout(out) => out.flush(),
            Place::Temporary(temporary) => temporary.file.flush(),
            Place::Device(file) => file.flush(),
        }
    }
}

impl Output {
    /// An output for a path, or standard output for `-`. A path that ends in `.gz` or `.zst` is compressed.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_with(path, &Cancel::default())
    }

    /// An output that a [`Cancel`] can end: then its file is removed and none appears.
    ///
    /// # Errors
    /// When the folder cannot be written to, or it was cancelled already.
    pub fn create_with(path: &Path, cancel: &Cancel) -> Result<Self> {
        Self::create_on(path, cancel, &Io::default())
    }

    /// An output on a disk that may have faults.
    #[doc(hidden)]
    pub fn create_on(path: &Path, cancel: &Cancel, io: &Io) -> Result<Self> {
        let fail = |e| Error::io("cannot write", e).input(path.to_string_lossy()).stage(Stage::Report);
        // A link stays a link: its target is replaced.
        let target = if path == Path::new(STDOUT) { None } else { std::fs::canonicalize(path).ok() };
        let target = target.unwrap_or_else(|| path.to_owned());
        if path != Path::new(STDOUT) {
            refuse_own_file(&target)?;
        }
        let place = if path == Path::new(STDOUT) {
            Place::Stdout(io::stdout())
        } else if path.exists() && !path.is_file() {
            Place::Device(open_device(path, cancel)?)
        } else {
            folder_is_there(&target)?;
            let folder = folder_of(&target);
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            let prefix = format!(".{name}.");
            sweep_parts(folder, &prefix);
            let mut builder = Builder::new();
            builder.prefix(&prefix).suffix(PART);
            #[cfg(unix)]
            {
                // Temporary files are private; what they become is as open as the user's umask says.
                use std::os::unix::fs::PermissionsExt;
                builder.permissions(std::fs::Permissions::from_mode(0o666));
            }
            // The error's own text would name the temporary file.
            let make = || io.perform(|| builder.tempfile_in(folder));
            let temporary = cancel.add_file(|| make().map_err(|e| fail(e.kind().into())))?;
            // Says that it is in use, where files can be locked.
            let _ = temporary.file.try_lock();
            Place::Temporary(temporary)
        };
        let writer = BufWriter::with_capacity(1 << 18, Destination { place, io: io.clone() });
        let sink = match path.extension().and_then(|e| e.to_str()) {
            #[cfg(feature = "compression")]
            Some("gz") => Encoder::Gzip(flate2::write::GzEncoder::new(writer, flate2::Compression::default())),
            #[cfg(feature = "compression")]
            Some("zst") => Encoder::Zstd(zstd::stream::write::Encoder::new(writer, 0).map_err(fail)?),
            #[cfg(not(feature = "compression"))]
            Some("gz" | "zst") => {
                let error = Error::left_out("gzip or Zstandard", "compression");
                return Err(error.input(path.to_string_lossy()).stage(Stage::Report));
            }
            _ => Encoder::Plain(writer),
        };
        Ok(Output { path: target, sink, faults: Faults::default(), is_complete: false })
    }

    pub(super) fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Writes the last bytes, and waits until all are on the disk, so that nothing but a new name is left for [`commit`](Output::commit). Of several outputs, none should be
    /// put in its place before all are so far.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn complete(&mut self) -> Result<()> {
        if self.is_complete {
            return Ok(());
        }
        if let Some(refused) = self.faults.first() {
            // Nothing can follow what could not be written.
            return Err(self.at_fault(Error::io("cannot write", refused)));
        }
        let ended = match &mut self.sink {
            Encoder::Plain(_) => Ok(()),
            #[cfg(feature = "compression")]
            Encoder::Gzip(encoder) => encoder.try_finish(),
            #[cfg(feature = "compression")]
            Encoder::Zstd(encoder) => encoder.do_finish(),
        };
        let flushed = ended.and_then(|()| self.sink.writer().flush());
        let synced = flushed.and_then(|()| match self.sink.writer().get_ref() {
            Destination { place: Place::Temporary(temporary), io } => io.sync(&temporary.file),
            _ => Ok(()),
        });
        synced.map_err(|e| self.at_fault(Error::io("cannot write", e)))?;
        self.is_complete = true;
        Ok(())
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// When the last bytes cannot be written, the file cannot be renamed, or it was cancelled.
    pub fn commit(mut self) -> Result<()> {
        self.complete()?;
        let path = self.path.clone();
        let placed = match self.sink.writer().get_ref() {
            Destination { place: Place::Temporary(temporary), io } => {
                let fail = |e| Error::io("cannot write", e);
                let renamed = io.perform(|| Ok(temporary.persist(&path))).map_err(fail).and_then(|renamed| renamed);
                renamed.and_then(|()| io.sync_folder(folder_of(&path)).map_err(fail))
            }
            _ => Ok(()),
        };
        placed.map_err(|e| self.at_fault(e))
    }

    fn at_fault(&self, error: Error) -> Error {
        error.input(self.path.to_string_lossy()).stage(Stage::Report)
    }
}

/// Opens a device, or a named pipe: that waits until somebody reads from it, but not for ever.
fn open_device(path: &Path, cancel: &Cancel) -> Result<File> {
    let at_fault = |error: Error| error.input(path.to_string_lossy()).stage(Stage::Report);
    let (send, opened) = channel();
    let device = path.to_owned();
    let open = move || drop(send.send(OpenOptions::new().write(true).open(device)));
    let thread = std::thread::Builder::new().name("output".to_owned()).spawn(open);
    thread.map_err(no_thread)?;
    let begun = Instant::now();
    loop {
        match opened.recv_timeout(Duration::from_millis(50)) {
            Ok(opened) => return opened.map_err(|e| at_fault(Error::io("cannot write", e))),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::internal("a thread is gone")),
            Err(RecvTimeoutError::Timeout) if begun.elapsed() < PATIENCE => cancel.check()?,
            Err(RecvTimeoutError::Timeout) => {
                let what = format!("cannot write: for {} seconds, nobody has read from this pipe", PATIENCE.as_secs());
                return Err(at_fault(Error::new(Kind::Io, what).help("start what reads from it first, or name a file")));
            }
        }
    }
}

/// Checks that a file's folder is there.
///
/// # Errors
/// When it is not.
pub(crate) fn folder_is_there(path: &Path) -> Result<()> {
    refuse_written(path)?;
    let folder = folder_of(path);
    if folder.exists() {
        return Ok(());
    }
    let error = Error::new(Kind::Io, format!("cannot write: there is no folder {}", folder.display()));
    Err(error.help("make it, or name a file in a folder that is there").input(path.to_string_lossy()).stage(Stage::Report))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.sink {
            Encoder::Plain(writer) => writer.write(bytes),
            #[cfg(feature = "compression")]
            Encoder::Gzip(writer) => writer.write(bytes),
            #[cfg(feature = "compression")]
            Encoder::Zstd(writer) => writer.write(bytes),
        };
        self.faults.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.sink {
            Encoder::Plain(writer) => writer.flush(),
            #[cfg(feature = "compression")]
            Encoder::Gzip(writer) => writer.flush(),
            #[cfg(feature = "compression")]
            Encoder::Zstd(writer) => writer.flush(),
        };
        self.faults.noted(flushed)
    }
}
