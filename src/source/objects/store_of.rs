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

/// Takes what the environment says about a kind of stores; names that the kind does not know are passed over.
macro_rules! from_environment {
    ($builder:expr, $prefixes:expr) => {
        std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value)).fold($builder, |builder, (name, value)| {
            match name.parse() {
                Ok(key) if $prefixes.iter().any(|prefix| name.starts_with(prefix)) => builder.with_config(key, value),
                _ => builder,
            }
        })
    };
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
    let (scheme, path) = ObjectStoreScheme::parse(&url)
        .map_err(|e| no("inputs are read from `s3://`, `gs://`, `az://`, `https://` and `http://`").cause(e))?;
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let store: object_store::Result<Arc<dyn ObjectStore>> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let builder = from_environment!(AmazonS3Builder::new(), ["aws_"]).with_url(text).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = from_environment!(GoogleCloudStorageBuilder::new(), ["google_"]).with_url(text).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = from_environment!(MicrosoftAzureBuilder::new(), ["azure_"]).with_url(text).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::Http => {
            let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
            let builder = HttpBuilder::new().with_url(&url[..Position::BeforePath]).with_client_options(options).with_retry(retry);
            builder.build().map(|store| Arc::new(store) as _)
        }
        _ => return Err(no("inputs are read from `s3://`, `gs://`, `az://`, `https://` and `http://`")),
    };
    store.map(|store| (store, path)).map_err(|e| no("the store cannot be reached with what the environment says").cause(e))
}
