//! The disk under a state, a checkpoint or a spool, which tests can let fail.

/// The disk under a folder that is kept. Each operation on it is a step, so that tests can let any one fail.
#[derive(Debug, Clone, Default)]
pub struct Io {
    #[cfg(any(test, feature = "testing"))]
    faults: Option<std::sync::Arc<super::doubles::Faults>>,
}

impl Io {
    /// A disk with faults.
    #[cfg(any(test, feature = "testing"))]
    #[doc(hidden)]
    pub fn faulty(faults: std::sync::Arc<super::doubles::Faults>) -> Self {
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
