//! A URL and the environment → a client of its store.

use crate::base::error::{Error, Result, Stage};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use std::sync::Arc;
use std::time::Duration;
use url::{Position, Url};

/// How often a request is made again, and for how long: a store that is not there is told in half a minute.
const RETRIES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);

const READ_FROM: &str = "inputs are read from `s3://`, `gs://`, `az://`, `https://` and `http://`";

/// A store of a kind by what the environment says about it; names that the kind does not know are passed over.
macro_rules! from_environment {
    ($builder:expr, $prefix:literal, $url:expr, $retry:expr) => {{
        let said = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value)).filter(|(name, _)| name.starts_with($prefix));
        let builder = said.fold($builder, |builder, (name, value)| match name.parse() {
            Ok(key) => builder.with_config(key, value),
            Err(_) => builder,
        });
        builder.with_url($url).with_retry($retry).build().map(|store| Arc::new(store) as _)
    }};
}

/// The client of the store that a URL names, and where in it the URL leads.
///
/// # Errors
/// When it is no URL of a store, or the environment says what cannot be.
pub(super) fn store_of(text: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let no = |what: &str| Error::usage(what).input(text).stage(Stage::Source);
    let url = Url::parse(text).map_err(|e| no("this is not a URL").cause(e))?;
    if url.query().is_some() {
        let error = no("a URL with a query, such as a signed one, is not read by ranges");
        return Err(error.help("download the file and name that, or give the store's own URL and credentials"));
    }
    let (scheme, path) = ObjectStoreScheme::parse(&url).map_err(|e| no(READ_FROM).cause(e))?;
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let store: object_store::Result<Arc<dyn ObjectStore>> = match scheme {
        ObjectStoreScheme::AmazonS3 => from_environment!(AmazonS3Builder::new(), "aws_", text, retry),
        ObjectStoreScheme::GoogleCloudStorage => from_environment!(GoogleCloudStorageBuilder::new(), "google_", text, retry),
        ObjectStoreScheme::MicrosoftAzure => from_environment!(MicrosoftAzureBuilder::new(), "azure_", text, retry),
        ObjectStoreScheme::Http => {
            let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
            let builder = HttpBuilder::new().with_url(&url[..Position::BeforePath]).with_client_options(options).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        _ => return Err(no(READ_FROM)),
    };
    store.map(|store| (store, path)).map_err(|e| no("the store cannot be reached with what the environment says").cause(e))
}
