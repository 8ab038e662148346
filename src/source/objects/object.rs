//! An object: found by its name, listed below a prefix, read by ranges.

use super::store_of::store_of;
use crate::base::error::{Error, Kind, Result, Stage};
use crate::source::format::Format;
use crate::source::globs::{is_glob, pattern};
use crate::source::streamed::{Fingerprint, hash_of};
use bytes::Bytes;
use crossbeam_channel::{Receiver, bounded};
use futures_util::TryStreamExt;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Runtime};

/// An object as it was when it was found.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    url: String,
    store: Arc<dyn ObjectStore>,
    about: ObjectMeta,
}

/// What was asked of a store.
#[derive(Debug)]
pub(crate) struct Asked<T>(Receiver<io::Result<T>>);

impl<T> Asked<T> {
    /// Waits for it.
    pub(crate) fn wait(&self) -> io::Result<T> {
        self.0.recv().unwrap_or_else(|_| Err(io::Error::other("the request was given up")))
    }
}

/// The threads that wait for stores, whatever is asked of them and by which thread.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(2).thread_name("objects").enable_all().build());
    runtime.as_ref().map_err(|e| io::Error::new(e.kind(), e.to_string()))
}

/// Asks a store for something, which may be waited for on any thread: also on one of a runtime, which must not wait for another in its own way.
fn ask<T: Send + 'static>(answer: impl Future<Output = io::Result<T>> + Send + 'static) -> io::Result<Asked<T>> {
    let (sender, receiver) = bounded(1);
    runtime()?.spawn(async move {
        // There is none to take it where the run has ended.
        let _ = sender.send(answer.await);
    });
    Ok(Asked(receiver))
}

/// The objects that a URL names: one, those below a prefix, or those that match a glob. Below a prefix, files of a known extension, or with
/// `any` all.
///
/// # Errors
/// When there is none, or the store does not answer.
pub(crate) fn find(url: &str, any: bool) -> Result<Vec<Object>> {
    let fail = |what: &str, e: io::Error| Error::io(what, e).input(url).stage(Stage::Source);
    let is_web = url.starts_with("http");
    if is_glob(url) && !(is_web && url.contains('?')) {
        let begin = url.find(['*', '?', '[']).unwrap_or(url.len());
        let folder = &url[..url[..begin].rfind('/').map_or(begin, |slash| slash + 1)];
        let pattern = pattern(url)?;
        let found = list(folder).map_err(|e| fail("cannot list the objects", e))?;
        return some(url, found.into_iter().filter(|object| pattern.matches(&object.url)).collect());
    }
    let below = |found: Vec<Object>| found.into_iter().filter(|object| any || Format::is_input(object.url.as_ref())).collect::<Vec<_>>();
    if url.ends_with('/') {
        return some(url, below(list(url).map_err(|e| fail("cannot list the objects", e))?));
    }
    let (store, path) = store_of(url)?;
    let client = store.clone();
    let asked = ask(async move { client.head(&path).await.map_err(as_io) });
    match asked.and_then(|asked| asked.wait()) {
        Ok(about) => Ok(vec![Object { url: url.to_owned(), store, about }]),
        Err(e) if e.kind() == io::ErrorKind::NotFound && !is_web => {
            let folder = format!("{url}/");
            match list(&folder) {
                Ok(found) if !found.is_empty() => some(&folder, below(found)),
                _ => Err(fail("there is no such object", e)),
            }
        }
        Err(e) => Err(fail("cannot open", e)),
    }
}

fn some(url: &str, found: Vec<Object>) -> Result<Vec<Object>> {
    if found.is_empty() {
        let what =
            if is_glob(url) { "the glob matches no object" } else { "there is no .parquet, .csv, .jsonl, .arrow or .xlsx object below it" };
        return Err(Error::new(Kind::Io, what).input(url).stage(Stage::Source));
    }
    Ok(found)
}

/// All objects below a prefix that ends in a slash, but for hidden ones.
fn list(folder: &str) -> io::Result<Vec<Object>> {
    let (store, prefix) = store_of(folder).map_err(io::Error::other)?;
    let (client, below) = (store.clone(), prefix.clone());
    let found: Vec<ObjectMeta> = ask(async move { client.list(Some(&below)).try_collect().await.map_err(as_io) })?.wait()?;
    let named = |about: ObjectMeta| {
        let parts: Vec<String> = about.location.prefix_match(&prefix)?.map(|part| part.as_ref().to_owned()).collect();
        let is_hidden = parts.iter().any(|part| part.starts_with(['.', '_']));
        (!is_hidden && !parts.is_empty()).then(|| Object { url: format!("{folder}{}", parts.join("/")), store: store.clone(), about })
    };
    Ok(found.into_iter().filter_map(named).collect())
}

/// The fingerprint of the object that a URL names.
///
/// # Errors
/// When the store does not answer, or tells nothing by which a version of the object is known.
pub(crate) fn fingerprint(url: &str) -> Result<Fingerprint> {
    match &find(url, true)?[..] {
        [object] => object.fingerprint(),
        _ => Err(Error::data("this is more than one object").input(url).stage(Stage::Source)),
    }
}

impl Object {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        self.about.size
    }

    /// What the store says that the object is: its ETag, or where it gives none, its URL and when it was written. Nothing is read.
    fn fingerprint(&self) -> Result<Fingerprint> {
        let written = self.about.last_modified.timestamp_millis();
        let version = match &self.about.e_tag {
            Some(tag) => format!("ETag {tag}"),
            None if written > 0 => format!("{} of {written}", self.url),
            None => {
                let error =
                    Error::data("the server gives neither an ETag nor a time of change, so one version cannot be told from another");
                return Err(error.input(&self.url).stage(Stage::Source).help("download the file, and name that"));
            }
        };
        Ok(Fingerprint { bytes: self.size(), hash: hash_of(version.as_bytes()), content: None })
    }

    /// Its first bytes, enough to tell its format.
    pub(crate) fn begin(&self) -> io::Result<Bytes> {
        const ENOUGH: u64 = 256;
        match self.size().min(ENOUGH) {
            0 => Ok(Bytes::new()),
            some => self.fetch(0..some)?.wait(),
        }
    }

    /// Asks for some bytes; they come while others are worked on.
    pub(crate) fn fetch(&self, range: Range<u64>) -> io::Result<Asked<Bytes>> {
        let (store, path, about) = (self.store.clone(), self.about.location.clone(), self.about.clone());
        ask(async move {
            let length = range.end - range.start;
            let unmodified = about.e_tag.is_none().then_some(about.last_modified).filter(|at| at.timestamp() > 0);
            let options = GetOptions {
                range: Some(GetRange::Bounded(range)),
                // A weak tag does not say that the bytes are the same, and is never matched.
                if_match: about.e_tag.filter(|tag| !tag.starts_with("W/")),
                if_unmodified_since: unmodified,
                version: about.version,
                ..GetOptions::default()
            };
            let bytes = async { store.get_opts(&path, options).await?.bytes().await }.await.map_err(as_io)?;
            match bytes.len() as u64 == length {
                true => Ok(bytes),
                false => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the store sent fewer bytes")),
            }
        })
    }
}

/// The error of a store as one of reading.
fn as_io(e: object_store::Error) -> io::Error {
    use object_store::Error as E;
    let kind = match &e {
        E::NotFound { .. } => io::ErrorKind::NotFound,
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        E::Precondition { .. } => return io::Error::new(io::ErrorKind::InvalidData, Changed(e)),
        E::NotSupported { .. } | E::NotImplemented { .. } => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, e)
}

/// An object that is not what it was.
#[derive(Debug)]
struct Changed(object_store::Error);

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the object was changed while it was read")
    }
}

impl std::error::Error for Changed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
