//! The disk under a folder that is kept: a state, a checkpoint, a spool.

#[cfg(any(test, feature = "testing"))]
use super::doubles::Faults;
#[cfg(any(test, feature = "testing"))]
use std::sync::Arc;

/// The disk under a folder that is kept. Each operation on it is a step, so that tests can let any one fail.
#[derive(Debug, Clone, Default)]
pub struct Io {
    #[cfg(any(test, feature = "testing"))]
    faults: Option<Arc<Faults>>,
}

impl Io {
    /// A disk with faults.
    #[cfg(any(test, feature = "testing"))]
    #[doc(hidden)]
    pub fn faulty(faults: Arc<Faults>) -> Self {
        Io { faults: Some(faults) }
    }

    pub(crate) fn step(&self) -> std::io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(faults) = &self.faults {
            return faults.operate();
        }
        Ok(())
    }
}
