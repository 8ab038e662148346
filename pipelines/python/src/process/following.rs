//! Following a folder is a job of the command alone: here it is refused before it begins. These types stand where its own are.

use lensflow::error::{Error, Result};
use lensflow::jobs::follow::FollowEvent;
use std::net::SocketAddr;
use std::sync::Arc;

/// The metrics of a follower that never runs.
pub(crate) struct Metrics;

impl Metrics {
    pub(crate) fn new(_: Option<u64>) -> Self {
        Metrics
    }

    pub(crate) fn set_customers(&self, _: u64) {}

    pub(crate) fn notice(&self, _: &FollowEvent<'_>) {}
}

/// Nothing is served.
pub(crate) fn serve(_: SocketAddr, _: Arc<Metrics>) -> Result<SocketAddr> {
    Err(Error::usage("following is a job of the command").help("run `lensflow run` with a spec"))
}
