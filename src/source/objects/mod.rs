//! Objects: inputs in a store (`s3://`, `gs://`, `az://`) or on a web server (`https://`), read by ranges of bytes. With the feature `cloud`;
//! without it, they are refused.
//!
//! A name becomes objects when inputs are found: one object, all below a prefix that ends in `/`, or those that match a glob. An object is then
//! read as it was when it was found: every request asks for that version, and a change is an error. Credentials, regions and endpoints come
//! from the environment, under the names that the stores' own tools have (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`,
//! `AZURE_STORAGE_ACCOUNT_NAME` …).
//!
//! | file | owns |
//! |---|---|
//! | here | which names are URLs; what there is without the feature |
//! | `object` | [`Object`]: finding, listing, requests for ranges, fingerprints |
//! | `store_of` | a URL and the environment → a client of its store |
//! | `stretch` | [`Stretch`]: a stretch of an object, some blocks ahead of who reads it |
//!
//! Known limits: a URL with a query, such as a signed one, is refused; profiles in `~/.aws` are not read; outputs, states and checkpoints are
//! files and folders. Blocks that are on their way are not counted against the memory limit: at most 12 MiB a text, and 3 MiB a column and
//! thread of a Parquet file.

#[cfg(feature = "cloud")]
mod object;
#[cfg(feature = "cloud")]
mod store_of;
#[cfg(feature = "cloud")]
mod stretch;

#[cfg(feature = "cloud")]
pub(super) use self::object::{Object, find, fingerprint};
#[cfg(feature = "cloud")]
pub(super) use self::stretch::{COLUMN, Stretch, TEXT};
#[cfg(not(feature = "cloud"))]
pub(super) use self::without::{Object, find, fingerprint};

use crate::base::error::{Error, Result};
use std::path::Path;

/// Whether an input is named by a URL.
pub(crate) fn is_url(name: &str) -> bool {
    let scheme = name.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)))
}

/// Refuses to write to a URL: outputs and states appear whole or not at all, by renaming what is complete, and stores have no renaming.
///
/// # Errors
/// [`Kind::Usage`](crate::base::error::Kind::Usage).
pub(crate) fn refuse_written(path: &Path) -> Result<()> {
    let name = path.to_string_lossy();
    if !is_url(&name) {
        return Ok(());
    }
    let error =
        Error::usage("inputs may be URLs; outputs and states are files and folders on a disk, where they appear whole or not at all");
    Err(error.input(name).help("write to a path, and copy it to the store when it is there"))
}

#[cfg(not(feature = "cloud"))]
mod without {
    use super::{Error, Result};
    use crate::source::streamed::Fingerprint;

    /// There is none.
    #[derive(Debug)]
    pub(crate) enum Object {}

    impl Object {
        pub(crate) fn url(&self) -> &str {
            match *self {}
        }

        pub(crate) fn size(&self) -> u64 {
            match *self {}
        }
    }

    pub(crate) fn find(url: &str, _: bool) -> Result<Vec<Object>> {
        Err(Error::left_out("object stores", "cloud").input(url))
    }

    pub(crate) fn fingerprint(url: &str) -> Result<Fingerprint> {
        Err(Error::left_out("object stores", "cloud").input(url))
    }
}

#[cfg(test)]
mod tests {
    use super::is_url;

    #[test]
    fn urls_are_told_from_paths() {
        for url in ["s3://bucket/orders.csv", "https://example.com/a.parquet", "gs://b/", "az://container/x*.csv"] {
            assert!(is_url(url), "{url}");
        }
        for path in ["orders.csv", "a/b", "-", "://x", "C:\\orders.csv", "a b://c"] {
            assert!(!is_url(path), "{path}");
        }
    }
}
